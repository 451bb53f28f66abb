"""Spinning is limited before torch is loaded, by the commands and by `import sean`, and never over a user's setting."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[1] / "src"
SETTINGS = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "OMP_DISPLAY_ENV")


def python(code: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh process in which only the given settings of OpenMP are made."""
    environment = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    environment |= {"PYTHONPATH": str(SOURCE), **settings}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)


SHOW = "import os; print(os.environ.get('GOMP_SPINCOUNT'), os.environ.get('OMP_WAIT_POLICY'))"


@pytest.mark.parametrize("load", ["import sean", "from sean.cli import main", "import sean.models.build"])
def test_importing_limits_spinning(load: str) -> None:
    assert python(f"{load}; {SHOW}").stdout.split() == ["4000", "None"]


@pytest.mark.parametrize(
    ("settings", "shown"),
    [
        ({"GOMP_SPINCOUNT": "infinity"}, ["infinity", "None"]),
        ({"OMP_WAIT_POLICY": "active"}, ["None", "active"]),
        ({"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "5"}, ["5", "passive"]),
    ],
)
def test_a_users_setting_stays(settings: dict[str, str], shown: list[str]) -> None:
    assert python(f"import sean; {SHOW}", **settings).stdout.split() == shown


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="torch uses GNU's OpenMP on Linux")
def test_the_openmp_of_torch_takes_the_limit() -> None:
    """OMP_DISPLAY_ENV makes the library print its settings when it is loaded: after `import sean`, with the models."""
    shown = python("import sean; sean.SEANPipeline", OMP_DISPLAY_ENV="verbose").stderr
    if "GOMP_SPINCOUNT" not in shown:
        pytest.skip("this torch has another OpenMP library")
    assert "GOMP_SPINCOUNT = '4000'" in shown
    late = python("import torch, sean; sean.SEANPipeline", OMP_DISPLAY_ENV="verbose").stderr
    assert "GOMP_SPINCOUNT = '4000'" not in late, "as the docs say, an earlier import of torch goes without"
