"""The paper's presets by the paper's numbers."""

import pytest

from sean.training.presets import preset


@pytest.mark.parametrize(
    ("name", "labels", "size", "edges", "images"),
    [
        ("celebamask-hq", 19, (256, 256), False, 28_000),
        ("ade20k", 150, (256, 256), True, 20_210),
        ("cityscapes", 35, (256, 512), True, 2_975),
        ("facades", 12, (256, 256), False, 546),
    ],
)
def test_the_papers_trainings(name: str, labels: int, size: tuple[int, int], edges: bool, images: int) -> None:
    config = preset(name)
    assert (config.model.num_regions, config.model.image_size, config.model.instance_edges) == (labels, size, edges)
    assert (config.batch_size, config.generator_rate, config.discriminator_rate) == (32, 1e-4, 4e-4)
    assert config.steps * 32 == pytest.approx(100 * images, abs=32)
    assert config.decay_steps == pytest.approx(config.steps / 2, abs=1)
    assert config.losses.perceptual == 10.0 and config.losses.l1 == 0.0
