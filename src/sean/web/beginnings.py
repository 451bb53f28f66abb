"""What a session shows before its user has opened anything: a drawn face, or a scene of the model's labels."""

import numpy as np

from sean.data.faces.drawing import FaceShape, draw_face
from sean.data.synthetic.layouts import draw_layout
from sean.editing.demo import has_faces
from sean.editing.editor import Editor
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError

_FACE = FaceShape(hair_length=0.45, fringe=0.3)
_LAYOUT = "blobs"
_SEED = 3


def first_segmap(pipeline: SEANPipeline) -> np.ndarray:
    """Label ids [h, w] of the model's size."""
    if has_faces(pipeline):
        return draw_face(_FACE, pipeline.image_size)
    return draw_layout(_LAYOUT, pipeline.image_size, pipeline.labels.num_regions, np.random.default_rng(_SEED))


def bank_style(pipeline: SEANPipeline, number: int) -> StyleCodes:
    """A style of the bank.

    Raises:
        InputError: the bank has no style of that number.
    """
    if number >= len(pipeline.style_bank):
        raise InputError(f"expected a number of a bank style in 0..{len(pipeline.style_bank) - 1}, got {number}")
    return pipeline.style_bank[number]


def begin(editor: Editor, bank: int | None) -> None:
    """Let a new editor show something, in a style of the bank or, without a number, in its mean.

    Raises:
        InputError: see `bank_style`.
    """
    if bank is not None:
        editor.set_own_styles(bank_style(editor.pipeline, bank))
    editor.set_segmap(first_segmap(editor.pipeline))
