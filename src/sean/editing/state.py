"""The state of a session, the application of an edit to a state, and the styles of a state for the pipeline.

`applied(state, edit, base)` is a pure function: a state never changes, and the next state shares all unchanged arrays
with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor

from sean.editing.edits import (
    MAX_INSTANCE,
    Edit,
    Erase,
    Fill,
    Label,
    Paint,
    Polygon,
    ReplaceLabel,
    ResetSegmap,
    SetStyle,
    SplitRegion,
)
from sean.editing.shapes import brush_mask, connected_area, pixel_at, polygon_mask
from sean.editing.sources import OWN, Sources
from sean.editing.styles import StyleCodes
from sean.errors import InputError

StyleSetting = tuple[str, float]
"""A source (see `SetStyle`) and its strength in [0, 1]."""
BlockSettings = tuple[StyleSetting | None, ...]
"""One setting per SEAN ResBlk (for other models, a single setting); None is the own style."""

_NO_STYLES: Mapping[tuple[int, int], BlockSettings] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class Region:
    """A region of a state's map.

    Attributes:
        label: label id.
        instance: number from `SplitRegion`; 0 for pixels without an instance.
        area: fraction of the picture's pixels, in (0, 1].
        styles: one setting per block.
    """

    label: int
    instance: int
    area: float
    styles: BlockSettings


@dataclass(frozen=True, kw_only=True, eq=False)
class EditorState:
    """A map with its instances and styles.

    Attributes:
        segmap: label ids, uint16 [h, w], at the pipeline's `image_size`; k is "no region". Read-only.
        instances: numbers from `SplitRegion`, uint16 [h, w]; 0 means no instance. Every number has one label.
            Read-only.
        styles: settings by (label, 0) for a label as a class and by (label, instance). A missing class has its own
            style, a missing instance the style of its class. Read-only.
    """

    segmap: np.ndarray
    instances: np.ndarray
    styles: Mapping[tuple[int, int], BlockSettings] = field(default_factory=lambda: _NO_STYLES)

    def settings(self, label: int, instance: int = 0) -> BlockSettings | None:
        """The settings of an instance of a label, or else of its class; None means the own style."""
        return self.styles.get((label, instance), self.styles.get((label, 0)))


@dataclass(frozen=True, kw_only=True, eq=False)
class Base:
    """The context of a session's edits.

    Attributes:
        state: the state at the start of the session.
        sources: the available styles.
        num_blocks: number of styles that the model takes (`StyledModel.style_inputs`).
    """

    state: EditorState
    sources: Sources
    num_blocks: int

    def regions(self, state: EditorState) -> list[Region]:
        """The regions of a state's map, by label and instance, without pixels of no region."""
        keys, counts = np.unique(_keys(state), return_counts=True)
        own: BlockSettings = (None,) * self.num_blocks
        regions = []
        for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
            label, instance = divmod(key, MAX_INSTANCE + 1)
            if label < self.sources.labels.num_regions:
                styles = state.settings(label, instance) or own
                area = count / state.segmap.size
                regions.append(Region(label=label, instance=instance, area=area, styles=styles))
        return regions


def new_state(
    segmap: np.ndarray,
    instances: np.ndarray | None = None,
    styles: Mapping[tuple[int, int], BlockSettings] = _NO_STYLES,
) -> EditorState:
    """A state with copies of the arrays: integers [h, w] in 0..65535; by default no pixel has an instance."""
    ids = segmap.astype(np.uint16)
    numbers = np.zeros_like(ids) if instances is None else instances.astype(np.uint16)
    return EditorState(segmap=_fixed(ids), instances=_fixed(numbers), styles=MappingProxyType(dict(styles)))


def applied(state: EditorState, edit: Edit, base: Base) -> EditorState:
    """The state after an edit.

    Args:
        state: the state before the edit; it does not change.
        edit: the edit.
        base: base of the session.

    Raises:
        InputError: a label, source, region or instance does not exist, or the model does not support the edit; one
            line.
    """
    size = (state.segmap.shape[0], state.segmap.shape[1])
    label_id = base.sources.labels.id_of
    match edit:
        case Paint():
            mask = brush_mask(edit.points, edit.radius, size)
            return _labelled(state, mask & ~_kept(state, edit.keep, base), label_id(edit.label))
        case Polygon():
            mask = polygon_mask(edit.points, size)
            return _labelled(state, mask & ~_kept(state, edit.keep, base), label_id(edit.label))
        case Fill():
            return _labelled(state, connected_area(_keys(state), pixel_at(edit.point, size)), label_id(edit.label))
        case ReplaceLabel():
            return _labelled(state, state.segmap == label_id(edit.old), label_id(edit.new))
        case Erase():
            mask = brush_mask(edit.points, edit.radius, size)
            return _changed(state, mask, base.state.segmap, base.state.instances)
        case ResetSegmap():
            return _changed(state, np.ones(size, dtype=bool), base.state.segmap, base.state.instances)
        case SplitRegion():
            return _split(state, edit, base)
        case SetStyle():
            return _styled(state, edit, base)
    raise TypeError(f"an edit that nobody applies: {edit}")


@dataclass(frozen=True, kw_only=True)
class RenderStyles:
    """The styles of a state in the form that `SEANPipeline.__call__` takes.

    Attributes:
        variants: one or more variants, each with one StyleCodes per block; the first holds the labels as classes.
        numbers: int64 [h, w], the variant of each pixel; None if there is only one variant.
    """

    variants: list[list[StyleCodes]]
    numbers: np.ndarray | None


def render_styles(state: EditorState, base: Base) -> RenderStyles:
    """Resolve the styles of a state into codes.

    Instances of a label with equal codes share a variant; instances with the codes of their class use the first
    variant, so equal styles give exactly the picture without instances. A variant holds one style of each label, so the
    number of variants is the largest number of styles of any label.
    """
    own = base.sources.complete_own
    codes = [own.codes.clone() for _ in range(base.num_blocks)]
    present = own.present.clone()
    for (label, instance), settings in state.styles.items():
        if not instance:
            present[label] = True
            for block, code in zip(codes, _resolved(base, label, settings), strict=True):
                block[label] = code
    variants = [codes]
    numbers = np.zeros(state.segmap.shape, dtype=np.int64)
    for (label, instance), settings in sorted(state.styles.items(), key=lambda item: item[0]):
        if not instance:
            continue
        wanted = _resolved(base, label, settings)
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
    """The pixels whose label, instance or style in a state differs from the original picture.

    Args:
        state: the state.
        original: label ids [h, w] of the picture.
        base: base of the session.

    Returns:
        bool [h, w].
    """
    own = base.sources.complete_own.codes
    touched: np.ndarray = (state.segmap != original) | (state.instances != 0)
    for (label, instance), settings in state.styles.items():
        if not instance and any(not torch.equal(code, own[label]) for code in _resolved(base, label, settings)):
            touched |= state.segmap == label
    return touched


def _resolved(base: Base, label: int, settings: BlockSettings) -> list[Tensor]:
    return [base.sources.code(label, setting) for setting in settings]


def _same(variant: list[Tensor], label: int, codes: list[Tensor]) -> bool:
    return all(torch.equal(block[label], code) for block, code in zip(variant, codes, strict=True))


def _free(variants: list[list[Tensor]], label: int) -> int:
    """Index of the first variant, after that of the classes, in which a label still has the codes of its class."""
    for number, variant in enumerate(variants[1:], start=1):
        if _same(variant, label, [block[label] for block in variants[0]]):
            return number
    return len(variants)


def _kept(state: EditorState, keep: tuple[Label, ...] | None, base: Base) -> np.ndarray:
    """bool [h, w]: whether a pixel has one of these labels."""
    ids = [label for region in keep or () for label in base.sources.labels.ids_of(region)]
    return np.isin(state.segmap, ids)


def _labelled(state: EditorState, mask: np.ndarray, label: int) -> EditorState:
    return _changed(state, mask, np.full((), label, np.uint16), np.zeros((), np.uint16))


def _changed(state: EditorState, mask: np.ndarray, segmap: np.ndarray, instances: np.ndarray) -> EditorState:
    """The state with other values inside the mask; unchanged arrays are shared."""
    new_segmap = np.where(mask, segmap, state.segmap)
    if np.array_equal(new_segmap, state.segmap):
        new_segmap = state.segmap
    new_instances = np.where(mask, instances, state.instances)
    if np.array_equal(new_instances, state.instances):
        return replace(state, segmap=_fixed(new_segmap))
    # the styles of removed instances must not pass to a new instance of the same number
    left = {0, *np.unique(new_instances).tolist()}
    styles = MappingProxyType({key: blocks for key, blocks in state.styles.items() if key[1] in left})
    return EditorState(segmap=_fixed(new_segmap), instances=_fixed(new_instances), styles=styles)


def _split(state: EditorState, edit: SplitRegion, base: Base) -> EditorState:
    if base.num_blocks == 1:
        raise InputError(f"{edit.kind}: this model has no styles per instance; SEAN models have")
    pixel = pixel_at(edit.point, (state.segmap.shape[0], state.segmap.shape[1]))
    label, old = int(state.segmap[pixel]), int(state.instances[pixel])
    if label >= base.sources.labels.num_regions:
        raise InputError(f"{edit.kind}: expected a point in a region, but that at {list(edit.point)} has no label")
    number = int(state.instances.max()) + 1
    if number > MAX_INSTANCE:
        raise InputError(f"{edit.kind}: expected at most {MAX_INSTANCE} instances in a map; reset it first")
    area = connected_area(_keys(state), pixel)
    styles = dict(state.styles)
    if (label, old) in styles and old:  # so that splitting does not change the picture
        styles[label, number] = styles[label, old]
    return _changed(replace(state, styles=styles), area, state.segmap, np.full((), number, np.uint16))


def _styled(state: EditorState, edit: SetStyle, base: Base) -> EditorState:
    if base.num_blocks == 1 and (edit.blocks, edit.instance) != (None, None):
        raise InputError(f"{edit.kind}: this model has no styles per block or instance; leave blocks and instance out")
    labels = base.sources.regions_from(edit.source, edit.regions)
    instance = edit.instance or 0
    if instance and len(labels) != 1:
        raise InputError(f"{edit.kind}: expected one region with the instance {instance}, got a group of {len(labels)}")
    if instance and not ((state.segmap == labels[0]) & (state.instances == instance)).any():
        name = base.sources.labels.names[labels[0]]
        numbers = np.unique(state.instances[state.segmap == labels[0]])
        have = ", ".join(str(number) for number in numbers[numbers > 0][:10].tolist())
        raise InputError(f"{edit.kind}: {name} has no instance {instance}; it has {have or 'none, split it first'}")
    setting = None if edit.source == OWN else (edit.source, edit.strength)
    own: BlockSettings = (None,) * base.num_blocks
    blocks = range(base.num_blocks) if edit.blocks is None else edit.blocks
    styles = dict(state.styles)
    for label in labels:
        before = state.settings(label, instance) or own
        styles[label, instance] = tuple(setting if b in blocks else before[b] for b in range(base.num_blocks))
        if not instance and styles[label, 0] == own:
            del styles[label, 0]
    return replace(state, styles=MappingProxyType(styles))


def _keys(state: EditorState) -> np.ndarray:
    """One number per region: label and instance, int64 [h, w]."""
    keys: np.ndarray = state.segmap.astype(np.int64) * (MAX_INSTANCE + 1) + state.instances
    return keys


def _fixed(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array
