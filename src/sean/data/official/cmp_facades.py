"""CMP Facades: pictures `base/cmp_bNNNN.jpg` and `extended/cmp_xNNNN.jpg` with their palette maps (.png) beside them.

The ids 1..12 in the files are the labels 0..11. Either part may be missing. There is no official split: the last
tenth of each part by name is for validation.
"""

from pathlib import Path

from sean.data.official.layout import Item, Listing, OfficialDataset, by_stem, download_root, last_part, match, names_in
from sean.errors import InputError
from sean.labels import CMP_FACADES


def find(source: Path) -> Listing:
    """List a folder that holds `base`, `extended` or both, perhaps inside the folders of their archives."""
    parts = {}
    for part in ("base", "extended"):
        found = [folder for folder in (part, f"CMP_facade_DB_{part}/{part}") if (source / folder).is_dir()]
        if len(found) > 1:
            raise InputError(f"{source} holds both {found[0]}/ and {found[1]}/; keep one of them")
        if found:
            parts[part] = found[0]
    if not parts:
        download_root(source, ["base", "extended"], name=CMP_FACADES.name)
    items: list[Item] = []
    problems: list[tuple[str, str]] = []
    for folder in parts.values():
        names = names_in(source / folder, ".jpg", ".png")
        images, segmaps = (
            {stem: f"{folder}/{name}" for stem, name in by_stem(names, suffix).items()} for suffix in (".jpg", ".png")
        )
        stems, unpaired = match(images, segmaps, "label map (.png)", folder)
        problems += unpaired
        held_out = last_part(stems, 10)
        items += [
            Item(stem=stem, validation=stem in held_out, image=images[stem], segmap=(segmaps[stem],)) for stem in stems
        ]
    return Listing(root=source, items=tuple(items), problems=tuple(problems))


DATASET = OfficialDataset(
    labels=CMP_FACADES,
    find=find,
    file_ids={index + 1: index for index in range(CMP_FACADES.num_regions)},
)
