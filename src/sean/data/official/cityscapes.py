"""Cityscapes: `leftImg8bit/{train,val}/CITY/*_leftImg8bit.png`, `gtFine/{train,val}/CITY/*_gtFine_labelIds.png`.

The ids are the label set's own, except the licence plate: -1, in an 8-bit file 255. Every picture has an
instance map (`*_gtFine_instanceIds.png`, 16 bits). The test part has no labels and is left out.
"""

from pathlib import Path

from sean.data.official.layout import Item, Listing, OfficialDataset, by_stem, download_root, match, names_in
from sean.labels import CITYSCAPES

_PLATE_IN_FILES = 255


def find(source: Path) -> Listing:
    """List a folder that holds `leftImg8bit` and `gtFine`."""
    needed = [f"{kind}/{split}" for kind in ("leftImg8bit", "gtFine") for split in ("train", "val")]
    root = download_root(source, needed, name=CITYSCAPES.name)
    items: list[Item] = []
    problems: list[tuple[str, str]] = []
    for split in ("train", "val"):
        images = _files(root, f"leftImg8bit/{split}", "_leftImg8bit.png")
        segmaps = _files(root, f"gtFine/{split}", "_gtFine_labelIds.png")
        instances = _files(root, f"gtFine/{split}", "_gtFine_instanceIds.png")
        stems, unpaired = match(images, segmaps, "label map (*_labelIds.png)", f"gtFine/{split}")
        problems += unpaired
        problems += match(images, instances, "instance map (*_instanceIds.png)", f"gtFine/{split}")[1]
        items += [
            Item(
                stem=stem.rpartition("/")[2],
                validation=split == "val",
                image=images[stem],
                segmap=(segmaps[stem],),
                instances=instances.get(stem),
            )
            for stem in stems
        ]
    return Listing(root=root, items=tuple(items), problems=tuple(problems))


def _files(root: Path, folder: str, ending: str) -> dict[str, str]:
    """Paths by "CITY/CITY_SEQ_FRAME"."""
    cities = sorted(path.name for path in (root / folder).iterdir() if path.is_dir())
    return {
        f"{city}/{stem}": f"{folder}/{city}/{name}"
        for city in cities
        for stem, name in by_stem(names_in(root / folder / city, ".png"), ending).items()
    }


DATASET = OfficialDataset(
    labels=CITYSCAPES,
    find=find,
    file_ids={**{index: index for index in range(34)}, _PLATE_IN_FILES: CITYSCAPES.id_of("license plate")},
    default_size=256,
)
