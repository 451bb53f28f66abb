"""The demo: all abilities of the model on one contact sheet, without any photo.

Faces drawn as parametric label maps are rendered with styles of the model's bank; the renderings then serve as photos
to encode, edit, interpolate and cross over. The user's photo can take the place of the first face.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from sean.contact_sheet import Tile, sheet
from sean.data.faces.drawing import FaceShape, can_draw_faces, draw_face
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import Region, StyleCodes
from sean.errors import InputError
from sean.images import resize_image, write_image
from sean.models.configs import NUM_STYLED_BLOCKS
from sean.segmap import SegmapLike, colorize, resize_segmap

SHEET_NAME = "contact-sheet.png"
INTERPOLATION_STEPS = 7
# parametric faces with numbers of bank styles; the first two serve as photo A and photo B
_FACES: tuple[tuple[FaceShape, int], ...] = (
    (FaceShape(hair_length=0.45, fringe=0.3), 16),
    (FaceShape(hair_length=0.15, turn=-0.25, mouth_openness=0.25), 31),
    (FaceShape(hair_length=0.7, turn=0.3, mouth_openness=0.3), 3),
    (FaceShape(hair_length=0.3, tilt=4.0), 18),
)


@dataclass(frozen=True)
class Subject:
    """A picture with its label map, and changed label maps of the same subject by the name of the change."""

    image: np.ndarray
    segmap: np.ndarray
    changes: dict[str, np.ndarray]


def draws_faces(pipeline: SEANPipeline) -> bool:
    """Whether faces can be drawn for a model: it has a style bank and the labels of CelebAMask-HQ."""
    return bool(pipeline.style_bank) and can_draw_faces(pipeline.labels)


def drawn_faces(pipeline: SEANPipeline) -> list[Subject]:
    """Parametric faces, rendered with styles of the bank; requires `draws_faces`."""
    return [_drawn_face(pipeline, shape, number) for shape, number in _FACES]


def _drawn_face(pipeline: SEANPipeline, shape: FaceShape, bank_number: int) -> Subject:
    size = pipeline.image_size
    segmap = draw_face(shape, size)
    styles = pipeline.style_bank[bank_number % len(pipeline.style_bank)]
    changes = {
        "longer hair": draw_face(replace(shape, hair_length=0.75), size),
        "shorter hair": draw_face(replace(shape, hair_length=0.05), size),
        "open mouth": draw_face(replace(shape, mouth_openness=0.9), size),
    }
    return Subject(np.asarray(pipeline(segmap, styles)), segmap, changes)


def photo_subject(pipeline: SEANPipeline, image: np.ndarray, segmap: np.ndarray) -> Subject:
    """The user's photo at the model's size, and label maps in which its two largest regions are dilated."""
    image, segmap = resize_image(image, pipeline.image_size), resize_segmap(segmap, pipeline.image_size)
    counts = np.bincount(segmap.ravel(), minlength=pipeline.labels.num_regions)[: pipeline.labels.num_regions]
    largest = [int(label) for label in np.argsort(-counts, kind="stable")[:2] if counts[label]]
    radius = max(1, min(segmap.shape) // 24)
    changes = {f"{pipeline.labels.names[label]} grown": _grow(segmap, label, radius) for label in largest}
    return Subject(image, segmap, changes)


def _grow(segmap: np.ndarray, label: int, radius: int) -> np.ndarray:
    mask = Image.fromarray(((segmap == label) * 255).astype(np.uint8))
    grown = np.asarray(mask.filter(ImageFilter.MaxFilter(2 * radius + 1))) > 0
    return np.where(grown, label, segmap)


def regions_to_exchange(
    pipeline: SEANPipeline, segmap: np.ndarray, styles_a: StyleCodes, styles_b: StyleCodes
) -> list[str]:
    """Hair, the face with its nose, ears and neck, and background if both have them, else the three largest regions."""
    shared = [name for name in styles_a.regions if name in styles_b.regions]
    if {"hair", "skin", "background"} <= set(shared) and "face" in pipeline.labels.groups:
        return ["hair", "face", "background"]
    counts = np.bincount(segmap.ravel(), minlength=pipeline.labels.num_regions + 1)
    return sorted(shared, key=lambda name: -counts[pipeline.labels.id_of(name)])[:3]


def interpolation_strip(
    pipeline: SEANPipeline,
    segmap: SegmapLike,
    start: StyleCodes,
    end: StyleCodes,
    steps: int,
    regions: Region | Iterable[Region] | None = None,
) -> list[Tile]:
    """`steps` pictures of a segmap with styles interpolated linearly from `start` to `end`, captioned by weight."""
    regions = list(regions) if isinstance(regions, Iterable) and not isinstance(regions, str) else regions
    tiles = []
    for weight in np.linspace(0.0, 1.0, steps).tolist():
        picture = pipeline(segmap, start.lerp(end, weight, regions))
        tiles.append(Tile(np.asarray(picture), caption=f"{weight:.2f}"))
    return tiles


def crossover_strip(pipeline: SEANPipeline, segmap: SegmapLike, a: StyleCodes, b: StyleCodes) -> list[Tile]:
    """Seven pictures with styles `a` in the first n ResBlks and `b` in the others, n from 6 to 0, each with a bar."""
    tiles = []
    for count in range(NUM_STYLED_BLOCKS, -1, -1):
        styles = [a] * count + [b] * (NUM_STYLED_BLOCKS - count)
        bar = "A" * count + "B" * (NUM_STYLED_BLOCKS - count)
        tiles.append(Tile(np.asarray(pipeline(segmap, styles)), bar=bar))
    return tiles


def run_demo(pipeline: SEANPipeline, output: Path, *, photo: tuple[np.ndarray, np.ndarray] | None = None) -> Path:
    """Render the demo's pictures and the contact sheet into `output`.

    Args:
        pipeline: a model with a style bank and, without `photo`, the labels of CelebAMask-HQ.
        output: folder, created if missing.
        photo: uint8 [h, w, 3] and label ids [h, w] to use instead of the first parametric face.

    Returns:
        The path of the contact sheet.

    Raises:
        InputError: the model lacks the style bank or the labels.
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
    """The style of the bank that is farthest from `styles` over the common regions."""

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
