"""Faces whose label map can be read off their colours, and the parser that does it."""

import numpy as np
import torch
from torch import Tensor

from sean.data.faces.drawing import FaceShape, draw_face
from sean.images import image_to_tensor
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.parsing.label_matching import LabelMatch
from sean.parsing.segmenter import Segmenter

SIZE = (64, 64)
FACE = draw_face(FaceShape(), (128, 128))
# Two greys mix to a third one, which is none of the features; those to which others are close are left to the skin.
COLORS = {
    "background": (0, 0, 0),
    "hair": (70, 70, 70),
    "skin": (140, 140, 140),
    "nose": (0, 255, 0),
    "l_eye": (255, 0, 0),
    "r_eye": (255, 0, 0),
    "eye_g": (255, 0, 255),
    "u_lip": (0, 0, 255),
}


def _colored(segmap: np.ndarray) -> np.ndarray:
    names = ["u_lip" if name in ("mouth", "l_lip") else name for name in CELEBAMASK_HQ.names]
    table = [COLORS.get(name, COLORS["skin"]) for name in names]
    return np.array(table, np.uint8)[segmap]


COLORED_FACE = _colored(FACE)


def color_logits(image: Tensor) -> Tensor:
    """The labels of `COLORS` where these are; a left eye in the right half of the picture, as the subject sees it."""
    assert image.shape == (1, 3, *SIZE)
    logits = torch.full((1, 19, *SIZE), -99.0)
    for name, color in COLORS.items():
        value = image_to_tensor(np.array([[color]], np.uint8))
        logits[:, CELEBAMASK_HQ.id_of(name)] = -(image - value).square().sum(dim=1)
    middle = SIZE[1] // 2
    logits[:, CELEBAMASK_HQ.id_of("l_eye"), :, :middle] -= 9
    logits[:, CELEBAMASK_HQ.id_of("r_eye"), :, middle:] -= 9
    return logits


def color_parser(labels: LabelSet = CELEBAMASK_HQ) -> Segmenter:
    """See `color_logits`."""
    return Segmenter(color_logits, labels, LabelMatch(ids=tuple(range(19))), size=SIZE, name="colors")


def photo_of(*faces: tuple[int, int, int], size: tuple[int, int] = (200, 300)) -> np.ndarray:
    """A black photo with the coloured face at each (top, left, size); sizes are 128 or halves or doubles of that."""
    photo = np.zeros((*size, 3), np.uint8)
    for top, left, side in faces:
        rows = np.arange(side) * 128 // side
        face = COLORED_FACE[rows[:, None], rows[None]]
        height, width = photo[top : top + side, left : left + side].shape[:2]
        photo[top : top + side, left : left + side] = face[:height, :width]
    return photo
