"""Every official layout, in miniature, is prepared and trained on."""

from dataclasses import replace
from pathlib import Path

import pytest

from sean.data.folder import PairedFolder
from sean.data.official.prepare import prepare
from sean.data.shards.writing import write_shards
from sean.models.weights import load_model
from sean.training.config import TrainConfig
from sean.training.data import open_data
from sean.training.loop import train

from ..data.official.miniature import MINIATURES
from .conftest import records

pytestmark = [pytest.mark.usefixtures("quick_loop")]


@pytest.mark.parametrize("name", sorted(MINIATURES))
def test_prepared_and_trained(name: str, config: TrainConfig, tmp_path: Path) -> None:
    """Two steps, with instance edges where the data set has instances."""
    prepare(name, MINIATURES[name](tmp_path / "download"), tmp_path / "pairs", workers=1)
    has_instances = (tmp_path / "pairs" / "instances").is_dir()
    assert has_instances == (name in ("ade20k", "cityscapes"))
    size = (32, 64) if name == "cityscapes" else (32, 32)
    model = replace(config.model, image_size=size, instance_edges=has_instances)
    config = replace(config, model=model, steps=2, decay_steps=1)
    data = open_data(config, tmp_path / "pairs")
    folder = train(config, data, tmp_path / "run")
    trained, labels = load_model(folder)
    assert labels == data.labels and labels.name == name
    assert trained.config.instance_edges == has_instances
    validation = records(tmp_path / "run")[-1]
    assert (validation["kind"], validation["images"]) == ("validation", len(data.validation))  # type: ignore[arg-type]
    if has_instances:  # shards carry the instances, too
        write_shards(PairedFolder.open(tmp_path / "pairs"), tmp_path / "shards")
        train(config, open_data(config, str(tmp_path / "shards")), tmp_path / "streamed")
        assert records(tmp_path / "streamed")[-1]["images"] == validation["images"]
