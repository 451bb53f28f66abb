"""The demo: everything the model can do, on one contact sheet, without any photo.

Faces drawn as parametric label maps are rendered with styles of the model's bank; the renderings then serve as the
photos that are encoded, edited, interpolated and crossed over. With a photo of the user's the same is done to that.
"""

from pathlib import Path

import numpy as np

from sean.contact_sheet import Tile, sheet
from sean.editing.pipeline import SEANPipeline
from sean.editing.strips import crossover_strip, interpolation_strip
from sean.editing.styles import StyleCodes
from sean.editing.subjects import Subject, drawn_faces, draws_faces, photo_subject, regions_to_exchange
from sean.errors import InputError
from sean.images import write_image
from sean.segmap import colorize

SHEET_NAME = "contact-sheet.png"
INTERPOLATION_STEPS = 7


def run_demo(pipeline: SEANPipeline, output: Path, *, photo: tuple[np.ndarray, np.ndarray] | None = None) -> Path:
    """Render the demo's pictures and the contact sheet into `output`.

    Args:
        pipeline: its model must have a style bank; without `photo`, the labels of CelebAMask-HQ too.
        output: folder, made when missing.
        photo: uint8 [h, w, 3] and label ids [h, w] to use instead of the first parametric face.

    Returns:
        The path of the contact sheet.

    Raises:
        InputError: the model cannot do it.
    """
    if not pipeline.style_bank:
        raise InputError(
            "the demo needs a model with a style bank; use the bundled one, or `sean edit` with two photos"
        )
    if photo is None and not draws_faces(pipeline):
        raise InputError(
            "the demo draws faces, but this model has other labels; give a photo and its label map", setting="image"
        )
    rows: dict[str, list[Tile]] = {}
    if photo is None:
        subjects = drawn_faces(pipeline)
        a, styles_b = subjects[0], pipeline.encode(subjects[1].image, subjects[1].segmap)
        tile_b = Tile(subjects[1].image, caption="photo B")
        rows["Drawn label maps, rendered with styles of the bank: the photos of this demo"] = [
            tile for subject in subjects for tile in (_segmap_tile(pipeline, subject.segmap), Tile(subject.image))
        ]
    else:
        a = photo_subject(pipeline, *photo)
        styles_b = _most_different(pipeline, pipeline.encode(a.image, a.segmap))
        tile_b = Tile(np.asarray(pipeline(a.segmap, styles_b)), caption="styles B: a face of the bank")
    styles_a = pipeline.encode(a.image, a.segmap)
    rows |= _edit_rows(pipeline, a, styles_a, styles_b, tile_b)
    return _write(output, rows)


def _edit_rows(
    pipeline: SEANPipeline, a: Subject, styles_a: StyleCodes, styles_b: StyleCodes, tile_b: Tile
) -> dict[str, list[Tile]]:
    def render(segmap: np.ndarray, styles: StyleCodes, caption: str) -> Tile:
        return Tile(np.asarray(pipeline(segmap, styles)), caption=caption)

    exchanged = regions_to_exchange(pipeline, a.segmap, styles_a, styles_b)
    changed = []
    for caption, segmap in a.changes.items():
        changed += [_segmap_tile(pipeline, segmap, caption), render(segmap, styles_a, caption)]
    return {
        "Reconstruct: the photo's own styles on its own label map": [
            _segmap_tile(pipeline, a.segmap, "label map"),
            Tile(a.image, caption="photo A"),
            render(a.segmap, styles_a, "reconstruction"),
            tile_b,
        ],
        "Exchange: regions of A take the style of B": [
            *(render(a.segmap, styles_a.with_region(name, styles_b), f"{name} of B") for name in exchanged),
            render(a.segmap, styles_a.with_region(exchanged, styles_b), " + ".join(exchanged)),
            render(a.segmap, styles_b.completed(styles_a), "all of B"),
        ],
        "Reshape: another label map, the same styles": changed,
        "Interpolate: from the styles of A to those of B": interpolation_strip(
            pipeline, a.segmap, styles_a, styles_b, INTERPOLATION_STEPS
        ),
        "Cross over: each ResBlk takes the styles of A or of B, coarse to fine": crossover_strip(
            pipeline, a.segmap, styles_a, styles_b.completed(styles_a)
        ),
    }


def _most_different(pipeline: SEANPipeline, styles: StyleCodes) -> StyleCodes:
    """The style of the bank that is farthest from `styles` over the regions that both have."""

    def distance(other: StyleCodes) -> float:
        shared = styles.present & other.present
        return (styles.codes - other.codes)[shared].square().mean().item() if shared.any() else -1.0

    return max(pipeline.style_bank, key=distance)


def _segmap_tile(pipeline: SEANPipeline, segmap: np.ndarray, caption: str = "") -> Tile:
    return Tile(colorize(segmap, pipeline.labels), caption=caption, pixelated=True)


def _write(output: Path, rows: dict[str, list[Tile]]) -> Path:
    for row, (title, tiles) in enumerate(rows.items()):
        word = title.split(":")[0].split(",")[0].lower().replace(" ", "-")
        for column, tile in enumerate(tiles):
            write_image(output / f"{row}-{word}-{column}.png", tile.image)
    path = output / SHEET_NAME
    write_image(path, sheet(list(rows.values()), row_titles=list(rows), title="sean: what one model does"))
    return path
