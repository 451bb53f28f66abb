"""Pictures to edit, with their label maps: a photo, or drawn faces rendered with styles of a model's bank."""

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageFilter

from sean.data.faces.drawing import FaceShape, draw_face
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.images import resize_image
from sean.labels import CELEBAMASK_HQ
from sean.segmap import resize_segmap

# parametric faces and the bank styles that they are drawn with; the first two play photo A and photo B
_FACES: tuple[tuple[FaceShape, int], ...] = (
    (FaceShape(hair_length=0.45, fringe=0.3), 25),
    (FaceShape(hair_length=0.15, turn=-0.25, mouth_openness=0.25), 19),
    (FaceShape(hair_length=0.7, turn=0.3, mouth_openness=0.3), 24),
    (FaceShape(hair_length=0.3, tilt=4.0), 11),
)


@dataclass(frozen=True)
class Subject:
    """A picture with its label map; `changes` are other label maps of the same subject, by what was changed."""

    image: np.ndarray
    segmap: np.ndarray
    changes: dict[str, np.ndarray]


def has_faces(pipeline: SEANPipeline) -> bool:
    """Whether a model's labels are those of CelebAMask-HQ."""
    return pipeline.labels.names == CELEBAMASK_HQ.names


def draws_faces(pipeline: SEANPipeline) -> bool:
    """Whether faces can be drawn for a model: it has a style bank and the labels of CelebAMask-HQ."""
    return bool(pipeline.style_bank) and has_faces(pipeline)


def drawn_faces(pipeline: SEANPipeline) -> list[Subject]:
    """Parametric faces, rendered with styles of the bank; for models that `draws_faces` is true of."""
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
    """The user's photo at the model's size; its map is changed by growing its two largest regions."""
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
    """Hair, skin and background where both have them, else the three largest regions that both have."""
    shared = [name for name in styles_a.regions if name in styles_b.regions]
    face_regions = ["hair", "skin", "background"]
    if set(face_regions) <= set(shared):
        return face_regions
    counts = np.bincount(segmap.ravel(), minlength=pipeline.labels.num_regions + 1)
    return sorted(shared, key=lambda name: -counts[pipeline.labels.id_of(name)])[:3]
