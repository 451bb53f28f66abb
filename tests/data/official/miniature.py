"""The official data sets in miniature: their trees, file names and encodings, with synthetic scenes as content.

`celebamask_hq`, `ade20k`, `cityscapes` and `cmp_facades` each write one under a folder and return the path to give
to `sean data prepare`; `originals` says what must come out of it.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sean.data.synthetic.scenes import SyntheticScenes
from sean.labels import ADE20K, CELEBAMASK_HQ, CITYSCAPES, CMP_FACADES, SHIPPED

_SIZES = {CITYSCAPES.name: (32, 64)}  # the others are square
_TRAINING = {
    CELEBAMASK_HQ.name: ("00000", "00001", "00002", "01999", "02000", "02001", "04000"),
    ADE20K.name: tuple(f"ADE_train_{number:08}" for number in range(1, 7)),
    CITYSCAPES.name: (
        *(f"aachen_{number:06}_000019" for number in range(3)),
        *(f"zurich_{number:06}_000019" for number in range(3)),
    ),
    CMP_FACADES.name: (*(f"cmp_b{number:04}" for number in range(1, 5)), "cmp_x0001", "cmp_x0002"),
}
_VALIDATION = {
    CELEBAMASK_HQ.name: ("29999",),
    ADE20K.name: ("ADE_val_00000001", "ADE_val_00000002"),
    CITYSCAPES.name: ("frankfurt_000000_000294", "munster_000000_000019"),
    CMP_FACADES.name: ("cmp_b0005", "cmp_x0003"),
}
_THINGS = 24  # from here on the ids of Cityscapes have instances
_PLATE = CITYSCAPES.id_of("license plate")


@dataclass(frozen=True, kw_only=True, eq=False)
class Original:
    """A pair of a miniature: ids 0..k as they must be after preparing, and the picture before any compression."""

    stem: str
    validation: bool
    image: np.ndarray
    segmap: np.ndarray
    instances: np.ndarray | None = None


def originals(name: str) -> list[Original]:
    """The pairs of a miniature, training first, each part sorted."""
    stems = _TRAINING[name] + _VALIDATION[name]
    scenes = SyntheticScenes(
        size=_SIZES.get(name, (64, 64)),
        length=len(stems),
        seed=7,
        layouts=["faces"] if name == CELEBAMASK_HQ.name else None,
        labels=SHIPPED[name],
    )
    found = []
    for index, stem in enumerate(stems):
        scene = scenes.scene(index)
        segmap = scene.segmap.copy()
        if name == ADE20K.name and index % 2 == 0:
            segmap[:16, :24] = ADE20K.num_regions
        if name == CITYSCAPES.name and index % 3 == 0:
            segmap[-4:, 20:28] = _PLATE
        found.append(
            Original(
                stem=stem,
                validation=stem in _VALIDATION[name],
                image=scene.image,
                segmap=segmap,
                instances=_instances(name, segmap),
            )
        )
    return found


def celebamask_hq(root: Path, mask_size: int = 64) -> Path:
    """64-pixel pictures; masks of 64 or 32 pixels, grey or RGB, one for every part that a picture has."""
    root = root / "CelebAMask-HQ"
    step = 64 // mask_size
    lines = ["idx    orig_idx    orig_file"]
    for index, original in enumerate(originals(CELEBAMASK_HQ.name)):
        number = int(original.stem)
        _save(root / "CelebA-HQ-img" / f"{number}.jpg", original.image)
        lines.append(f"{number}        {119613 + index}         {119614 + index}.jpg")
        folder = root / "CelebAMask-HQ-mask-anno" / str(number // 2000)
        segmap = original.segmap[::step, ::step]
        for label in np.unique(segmap[segmap > 0]).tolist():
            mask = np.where(segmap == label, 255, 0).astype(np.uint8)
            mask = np.repeat(mask[:, :, None], 3, axis=2) if index % 2 else mask
            _save(folder / f"{number:05}_{CELEBAMASK_HQ.names[label]}.png", mask)
    (root / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(lines) + "\n")
    (root / "README.txt").write_text("CelebAMask-HQ in miniature\n")
    return root


def ade20k(root: Path, *, instances: bool = True) -> Path:
    """64-pixel pictures; annotation 0 is "other"; red and green of an instance map are class and object."""
    root = root / "ADEChallengeData2016"
    for original in originals(ADE20K.name):
        split = "validation" if original.validation else "training"
        _save(root / "images" / split / f"{original.stem}.jpg", original.image)
        ids = np.where(original.segmap == ADE20K.num_regions, 0, original.segmap + 1)
        _save(root / "annotations" / split / f"{original.stem}.png", ids.astype(np.uint8))
        if instances and original.instances is not None:
            red, green = original.instances // 256, original.instances % 256
            _save(
                root / "annotations_instance" / split / f"{original.stem}.png",
                np.stack([red, green, np.zeros_like(red)], axis=2).astype(np.uint8),
            )
    (root / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tName\n")
    (root / "sceneCategories.txt").write_text("".join(f"{each.stem} street\n" for each in originals(ADE20K.name)))
    return root


def cityscapes(root: Path) -> Path:
    """Pictures of 64 x 32 (w x h) with label and instance ids, and a test part that has no labels."""
    for original in originals(CITYSCAPES.name):
        split, city = "val" if original.validation else "train", original.stem.partition("_")[0]
        _save(root / "leftImg8bit" / split / city / f"{original.stem}_leftImg8bit.png", original.image)
        fine = root / "gtFine" / split / city / f"{original.stem}_gtFine"
        ids = np.where(original.segmap == _PLATE, 255, original.segmap)
        _save(Path(f"{fine}_labelIds.png"), ids.astype(np.uint8))
        assert original.instances is not None
        _save(Path(f"{fine}_instanceIds.png"), original.instances.astype(np.uint16))
        _save(Path(f"{fine}_color.png"), original.image)
        Path(f"{fine}_polygons.json").write_text("{}\n")
    test = np.zeros((32, 64), dtype=np.uint8)
    _save(root / "leftImg8bit/test/berlin/berlin_000000_000019_leftImg8bit.png", np.stack([test] * 3, axis=2))
    _save(root / "gtFine/test/berlin/berlin_000000_000019_gtFine_labelIds.png", test)
    return root


def cmp_facades(root: Path) -> Path:
    """64-pixel pictures beside palette maps of 1..12, in `base` and `extended`."""
    for original in originals(CMP_FACADES.name):
        folder = root / ("base" if original.stem.startswith("cmp_b") else "extended")
        _save(folder / f"{original.stem}.jpg", original.image)
        palette = [0, 0, 170, *(level for color in CMP_FACADES.colors for level in color)]
        _save(folder / f"{original.stem}.png", (original.segmap + 1).astype(np.uint8), palette)
        (folder / f"{original.stem}.xml").write_text("<object></object>\n")
    return root


MINIATURES = {
    CELEBAMASK_HQ.name: celebamask_hq,
    ADE20K.name: ade20k,
    CITYSCAPES.name: cityscapes,
    CMP_FACADES.name: cmp_facades,
}


def _instances(name: str, segmap: np.ndarray) -> np.ndarray | None:
    """Two objects of every label, left and right, numbered as the data set does it."""
    objects = np.broadcast_to(np.arange(segmap.shape[1]) * 2 // segmap.shape[1] + 1, segmap.shape)
    if name == ADE20K.name:
        return np.where(segmap < 100, (segmap + 1) * 256 + objects, 0)
    if name == CITYSCAPES.name:
        return np.where(segmap >= _THINGS, np.minimum(segmap, 33) * 1000 + objects, segmap)
    return None


def _save(path: Path, array: np.ndarray, palette: list[int] | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    if palette is not None:
        image.putpalette(palette)
    image.save(path)
