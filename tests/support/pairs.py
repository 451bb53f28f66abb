"""A small paired folder of noise, which several tests of this folder take."""

from pathlib import Path

import numpy as np
from PIL import Image

from sean.images import write_image

STEMS = tuple(f"p{index:02}" for index in range(20))


def write_pairs(root: Path, rng: np.random.Generator) -> Path:
    """20 pairs of 12 x 10 pixels with three labels, jpeg, jpg and png mixed."""
    (root / "labels").mkdir(parents=True)
    (root / "classes.txt").write_text("0 back\n1 l_eye\n2 r_eye\n")
    for index, stem in enumerate(STEMS):
        suffix = (".png", ".JPG", ".jpeg")[index % 3]
        write_image(root / "images" / f"{stem}{suffix}", rng.integers(0, 256, (12, 10, 3), dtype=np.uint8))
        write_ids(root / "labels" / f"{stem}.png", rng.integers(0, 3, (12, 10)))
    return root


def write_instances(root: Path) -> None:
    """Instance maps for them: the label ids and 40."""
    for stem in STEMS:
        ids = np.asarray(Image.open(root / "labels" / f"{stem}.png"))
        write_ids(root / "instances" / f"{stem}.png", ids + 40)


def write_ids(path: Path, ids: np.ndarray) -> None:
    """A grey PNG of ids below 256."""
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(ids.astype(np.uint8)).save(path)
