"""What a session shows before its user has opened anything: a drawn face, or a scene of the model's labels."""

import numpy as np
import torch

from sean.data.faces import FaceShape, draw_face
from sean.data.scene_layouts import draw_layout
from sean.editing.editor import Editor
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes, mean_style
from sean.errors import InputError
from sean.labels import CELEBAMASK_HQ

_FACE = FaceShape(hair_length=0.45, fringe=0.3)
_LAYOUT = "blobs"
_SEED = 3


def has_faces(pipeline: SEANPipeline) -> bool:
    """Whether the model's labels are those of faces."""
    return pipeline.labels.names == CELEBAMASK_HQ.names


def first_segmap(pipeline: SEANPipeline) -> np.ndarray:
    """Label ids [h, w] of the model's size."""
    if has_faces(pipeline):
        return draw_face(_FACE, pipeline.image_size)
    return draw_layout(_LAYOUT, pipeline.image_size, pipeline.labels.num_regions, np.random.default_rng(_SEED))


def first_styles(pipeline: SEANPipeline, bank: int | None) -> StyleCodes:
    """A style of the bank; without a number its mean, and of an empty bank zeros.

    Raises:
        InputError: the bank has no style of that number.
    """
    size = len(pipeline.style_bank)
    if bank is not None:
        if bank >= size:
            raise InputError(f"expected a number of a bank style in 0..{size - 1}, got {bank}")
        return pipeline.style_bank[bank]
    if size:
        return mean_style(pipeline.style_bank)
    k = pipeline.labels.num_regions
    return StyleCodes(torch.zeros(k, pipeline.model.code_dim), torch.zeros(k, dtype=torch.bool), pipeline.labels)


def begin(editor: Editor, bank: int | None) -> None:
    """Let a new editor show something.

    Raises:
        InputError: see `first_styles`.
    """
    editor.set_own_styles(first_styles(editor.pipeline, bank))
    editor.set_segmap(first_segmap(editor.pipeline))
