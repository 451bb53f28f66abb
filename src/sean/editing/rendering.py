"""From a session's state to what the pipeline renders, and to the pixels that this concerns."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sean.editing.state import Base, BlockSettings, EditorState
from sean.editing.styles import StyleCodes


@dataclass(frozen=True, kw_only=True)
class RenderStyles:
    """The styles of a state, as `SEANPipeline.__call__` takes them.

    Attributes:
        variants: one or more, each with one StyleCodes per block; the first is that of the labels as classes.
        numbers: int64 [h, w], which variant each pixel takes; None where there is but one.
    """

    variants: list[list[StyleCodes]]
    numbers: np.ndarray | None


def render_styles(state: EditorState, base: Base) -> RenderStyles:
    """Resolve the styles of a state into codes.

    Instances of a label whose codes are equal share a variant, those with the codes of their class the first: so equal
    styles give the class-wise picture exactly. A variant holds one style of each label, whatever its instances, so
    that there are no more variants than styles of the label that has most.
    """
    own = base.sources.complete_own
    codes = [own.codes.clone() for _ in range(base.num_blocks)]
    present = own.present.clone()
    for (label, instance), settings in state.styles.items():
        if not instance:
            present[label] = True
            for block, code in zip(codes, _codes(base, label, settings), strict=True):
                block[label] = code
    variants = [codes]
    numbers = np.zeros(state.segmap.shape, dtype=np.int64)
    for (label, instance), settings in sorted(state.styles.items(), key=lambda item: item[0]):
        if not instance:
            continue
        wanted = _codes(base, label, settings)
        number = next((n for n, variant in enumerate(variants) if _same(variant, label, wanted)), None)
        if number is None:
            number = _free(variants, label)
            if number == len(variants):
                variants.append([block.clone() for block in codes])
            for block, code in zip(variants[number], wanted, strict=True):
                block[label] = code
        numbers[(state.segmap == label) & (state.instances == instance)] = number
    styles = [[StyleCodes(block, present, own.labels) for block in variant] for variant in variants]
    return RenderStyles(variants=styles, numbers=numbers if len(variants) > 1 else None)


def touched_pixels(state: EditorState, original: np.ndarray, base: Base) -> np.ndarray:
    """Where a state's map, instances or styles differ from a picture's original map, no instances, its own styles.

    Args:
        state: compared.
        original: label ids [h, w] of the picture.
        base: of the session.

    Returns:
        bool [h, w].
    """
    own = base.sources.complete_own.codes
    touched: np.ndarray = (state.segmap != original) | (state.instances != 0)
    for (label, instance), settings in state.styles.items():
        if not instance and any(not torch.equal(code, own[label]) for code in _codes(base, label, settings)):
            touched |= state.segmap == label
    return touched


def _codes(base: Base, label: int, settings: BlockSettings) -> list[Tensor]:
    return [base.sources.code(label, setting) for setting in settings]


def _same(variant: list[Tensor], label: int, codes: list[Tensor]) -> bool:
    return all(torch.equal(block[label], code) for block, code in zip(variant, codes, strict=True))


def _free(variants: list[list[Tensor]], label: int) -> int:
    """The first variant, after that of the classes, in which a label still has the codes of its class."""
    for number, variant in enumerate(variants[1:], start=1):
        if _same(variant, label, [block[label] for block in variants[0]]):
            return number
    return len(variants)
