"""Models to the Hugging Face hub and back, against a stand-in of its HTTP interface."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from sean.hub import with_card_head

from .hub_server import TOKEN, Hub, hub_server
from .support.forks import OUTPUT, fork, run_code, wait

LINES = """
import sys, torch, numpy as np
import sean
from sean.errors import InputError
from sean.labels import LabelSet
from sean.models.build import build_model
from sean.models.configs import SEANConfig
torch.manual_seed(0)
sizes = dict(num_regions=2, style_dim=2, base_channels=1, mask_dim=2, encoder_channels=2, image_size=(32, 32))
labels = LabelSet(name="two", names=("sky", "sea"))
terms = "SPDX: LicenseRef-Mine\\n\\nAsk me.\\n"
pipe = sean.SEANPipeline(build_model(SEANConfig(**sizes), 1.0), labels, card="# Mine", terms=terms)
ids = np.zeros((32, 32), int)
ids[16:] = 1
photo = np.full((32, 32, 3), 90, np.uint8)
def picture(pipe):
    return np.asarray(pipe(ids, pipe.encode(photo, ids)))
"""


@pytest.fixture(scope="module")
def hub() -> Iterator[Hub]:
    with hub_server() as server:
        yield server


def run(hub: Hub, code: str, home: Path, offline: bool = False) -> str:
    """The last line that a program of its own prints: the hub's client reads its settings once."""
    environment = {
        "HF_ENDPOINT": hub.address,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_OFFLINE": "1" if offline else "0",
    }
    home.mkdir(exist_ok=True)
    wait(fork(run_code, LINES + code, home, environment))
    return (home / OUTPUT).read_text().strip().splitlines()[-1]


@pytest.mark.integration
def test_a_model_comes_back_as_it_went(hub: Hub, tmp_path: Path) -> None:
    pushed = f"""
scores = {{"psnr": 17.5, "ssim": 0.5, "psnr_of_flat_colors": 16.0}}
report = {{"data": "lakes", "rows": {{"model": {{"reconstruction": scores}}}}}}
print(pipe.push_to_hub("me/lakes", token={TOKEN!r}, licence="cc-by-4.0", datasets=["me/photos"], report=report))
"""
    assert run(hub, pushed, tmp_path / "home").startswith(f"{hub.address}/me/lakes/commit/")
    files = hub.repos["me/lakes"]["main"]
    assert {"config.json", "model.safetensors", "README.md"} <= files.keys()
    assert files["LICENSE"].decode() == "SPDX: LicenseRef-Mine\n\nAsk me.\n"
    head, card = files["README.md"].decode().removeprefix("---\n").split("\n---\n")
    said = yaml.safe_load(head)
    assert (said["library_name"], said["license"], said["pipeline_tag"]) == ("sean", "cc-by-4.0", "image-to-image")
    assert said["datasets"] == ["me/photos"]
    metrics = said["model-index"][0]["results"][0]["metrics"]
    assert {row["type"]: row["value"] for row in metrics} == {"psnr": 17.5, "ssim": 0.5}
    assert card.strip() == "# Mine"

    back = f"""
found = sean.SEANPipeline.from_pretrained("me/lakes", cache_dir={str(tmp_path / "cache")!r}, token={TOKEN!r})
assert (picture(found) == picture(pipe)).all() and picture(found).std() > 0
assert found.terms == pipe.terms
print("same", found.card.endswith("# Mine" + chr(10)))
"""
    assert run(hub, back, tmp_path / "home") == "same True"
    before = len(hub.requests)
    offline = back.replace(f"token={TOKEN!r}", "local_files_only=True")
    assert run(hub, offline, tmp_path / "home", offline=True) == "same True"
    assert len(hub.requests) == before


@pytest.mark.integration
def test_a_branch_is_made_and_read(hub: Hub, tmp_path: Path) -> None:
    code = f"""
pipe.push_to_hub("me/branches", token={TOKEN!r})
pipe.card = "# Second"
pipe.push_to_hub("me/branches", token={TOKEN!r}, revision="second", dtype=torch.float16)
load = lambda **of: sean.SEANPipeline.from_pretrained("me/branches", token={TOKEN!r}, **of).card.strip().split()[-1]
print(load(), load(revision="second"))
"""
    assert run(hub, code, tmp_path / "home") == "Mine Second"
    branches = hub.repos["me/branches"]
    head = yaml.safe_load(branches["main"]["README.md"].decode().split("---")[1])
    assert (head["license"], head["license_name"]) == ("other", "licenseref-mine")  # as the terms name themselves
    assert len(branches["second"]["model.safetensors"]) < len(branches["main"]["model.safetensors"])


@pytest.mark.integration
def test_parsers_have_folders_on_the_hub_too(hub: Hub, tmp_path: Path) -> None:
    code = f"""
import os
from pathlib import Path
from sean.models.configs import UNetParserConfig
from sean.models.parsers import new_parser
from sean.models.weights import save_parser
os.environ["HF_TOKEN"] = {TOKEN!r}
folder = Path({str(tmp_path / "parser")!r})
parser = new_parser(UNetParserConfig(num_regions=2, image_size=(32, 32), widths=(2, 2, 2, 2, 2, 2)))
save_parser(folder, parser, labels)
(folder / "LICENSE").write_text("SPDX: cc-by-4.0")
(folder / "README.md").write_text("# A parser")
own = sean.Segmenter.from_pretrained(str(folder), device="cpu")
print(own.push_to_hub("me/parser", datasets=["me/photos"]))
own.push_to_hub("me/parser", revision="half", dtype=torch.float16)
found = sean.Segmenter.from_pretrained("me/parser", device="cpu")
found.save_pretrained(folder / "again")
again = sean.Segmenter.from_pretrained(str(folder / "again"), device="cpu")
assert (again.segmap(photo) == own.segmap(photo)).all() and "# A parser" in (folder / "again/README.md").read_text()
print((found.segmap(photo) == own.segmap(photo)).all())
"""
    assert run(hub, code, tmp_path / "home") == "True"
    branches = hub.repos["me/parser"]
    assert branches["main"]["LICENSE"].decode() == "SPDX: cc-by-4.0"
    head, card = branches["main"]["README.md"].decode().removeprefix("---\n").split("\n---\n")
    said = yaml.safe_load(head)
    assert (said["library_name"], said["license"], said["pipeline_tag"]) == ("sean", "cc-by-4.0", "image-segmentation")
    assert (said["datasets"], card.strip()) == (["me/photos"], "# A parser")
    assert len(branches["half"]["model.safetensors"]) < len(branches["main"]["model.safetensors"])


@pytest.mark.integration
def test_refusals_are_one_line(hub: Hub, tmp_path: Path) -> None:
    for call, message in (
        ("sean.SEANPipeline.from_pretrained('me/lakes', token='hf_wrong')", "the hub did not give it"),
        ("pipe.push_to_hub('me/lakes', token='hf_wrong')", "the hub did not take 'me/lakes'"),
        (f"sean.SEANPipeline.from_pretrained('me/none', token={TOKEN!r})", "the hub did not give it"),
    ):
        code = f"\ntry:\n    {call}\nexcept InputError as error:\n    print(str(error).replace(chr(10), 'LINE'))\n"
        said = run(hub, code, tmp_path / "home")
        assert message in said and "LINE" not in said


def test_a_card_keeps_its_own_head() -> None:
    card = "---\nlicense: mit\nfirst: 1\n---\n# Mine\n"
    assert with_card_head(card, "mine", licence="LicenseRef-Other") == card
    added = with_card_head(
        card, "mine", licence="cc0-1.0", datasets=["me/photos"], scores={"psnr": 18.0}, data="photos"
    )
    head = yaml.safe_load(added.split("---")[1])
    assert (head["license"], head["first"], head["datasets"]) == ("mit", 1, ["me/photos"])
    assert head["model-index"][0]["results"][0]["metrics"] == [{"type": "psnr", "value": 18.0}]
    assert added.endswith("---\n# Mine\n") and "license_name" not in head
    again = yaml.safe_load(with_card_head(added, "mine", scores={"psnr": 19.0}, data="photos").split("---")[1])
    assert again["model-index"][0]["results"][0]["metrics"] == [{"type": "psnr", "value": 19.0}]


def test_terms_that_the_hub_does_not_know_are_named() -> None:
    head = yaml.safe_load(with_card_head("", "mine", licence="LicenseRef-CelebAMask-HQ-NonCommercial").split("---")[1])
    assert (head["license"], head["license_name"]) == ("other", "licenseref-celebamask-hq-noncommercial")
    assert "model-index" not in head
