"""What `make audit` says and returns of what pip-audit found."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

SOUND = {"name": "numpy", "version": "2.0", "vulns": []}
HURT = {"name": "pillow", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}]}
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found"}
OURS = {"name": "seankit", "skip_reason": "distribution marked as editable"}


@pytest.fixture(scope="module")
def audit() -> ModuleType:
    path = Path(__file__).resolve().parents[1] / "tools/audit.py"
    spec = importlib.util.spec_from_file_location("audit", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("packages", "code", "said"),
    [
        ([SOUND, OURS], 0, "2 packages looked up, 0 with a known vulnerability"),
        ([SOUND, HURT], 1, "pillow 1.0: CVE-1; fixed in: 1.1"),
        ([HURT, UNKNOWN], 1, "1 could not be looked up (torch)"),
        ([SOUND, UNKNOWN], 2, "1 could not be looked up (torch)"),
    ],
)
def test_verdicts(
    audit: ModuleType, capsys: pytest.CaptureFixture[str], packages: list[dict], code: int, said: str
) -> None:
    program = f"print({json.dumps({'dependencies': packages})!r})"
    assert audit.verdict(audit.audited([sys.executable, "-c", program])) == code
    assert said in capsys.readouterr().out


def test_without_a_connection_nothing_passes(audit: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    program = "import sys; sys.exit('ConnectionError: no route to host')"
    assert audit.verdict(audit.audited([sys.executable, "-c", program])) == 2
    said = capsys.readouterr()
    assert "nothing was audited" in said.out and "no route to host" in said.err
