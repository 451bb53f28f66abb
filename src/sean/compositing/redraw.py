"""New regions in the photo where the map changed: shaped by the model, in the photo's own colours and grain.

The enlarged picture of a small model is blurred, and slightly off in colour, beside a sharp photo. The model therefore
gives only the light and shade of a label's new part: its picture at low frequency. Level and contrast are made those of
the label in the photo. The difference that remains at the border to the photo's own part of the label is carried on
into the new part. The drawn grain has the strength of the photo's own region at several scales; the grain of hair forms
strands that hang down. A small region, such as a mouth, is a feature and not a texture: it takes all detail from the
model, and its colours as well if it has moved.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy import ndimage

from sean.compositing.colour import RegionColour, lab_to_srgb, srgb_to_lab
from sean.compositing.constants import shared_constants
from sean.compositing.frame import Frame, resized, smooth_step
from sean.compositing.guide import EDGE, grid_shape
from sean.compositing.noise import white_noise

_SHARED = shared_constants("redraw")

_GRID, _QUICK_GRID = _SHARED["GRID"], _SHARED["QUICK_GRID"]
# Widths as parts of the frame: of the transition between drawn and own pixels of one label, of the border of a label
# whose pixels are uncertain, of the margin around the changed part, and of the strip in which the border's colour is
# carried into strands.
_SEAM, _SURE, _MARGIN, _CARRY = _SHARED["SEAM"], _SHARED["SURE"], _SHARED["MARGIN"], _SHARED["CARRY"]
# Standard deviations of the low-passes between which the grain is measured and drawn, as parts of the frame.
_SCALES = tuple(_SHARED["SCALES"])
# Length of strands relative to their width; size of their sideways sway, and the lengths over which they sway.
_STRAND = _SHARED["STRAND"]
_SWAY, _SWAY_LENGTHS = _SHARED["SWAY"], tuple(_SHARED["SWAY_LENGTHS"])
# The rounding of the map's steps, in its pixels; strands end softly downwards.
_ROUNDING, _ENDS = _SHARED["ROUNDING"], _SHARED["ENDS"]
_EDGE_STEEPNESS, _EDGE_STRANDS = _SHARED["EDGE_STEEPNESS"], _SHARED["EDGE_STRANDS"]
# A label with a smaller share of the map is a feature. It takes the photo's colours if at least this share of it has
# stayed in its place. The model's picture of it is smoothed by this many pixels, and its edges are softer.
_FEATURE_SHARE, _FEATURE_KEPT = _SHARED["FEATURE_SHARE"], _SHARED["FEATURE_KEPT"]
_FEATURE_BLUR, _FEATURE_STEEPNESS = _SHARED["FEATURE_BLUR"], _SHARED["FEATURE_STEEPNESS"]
# Of a normal distribution, the standard deviation for a median absolute value of 1.
_NORMAL = _SHARED["NORMAL"]
# The model's light and shade is taken at most so much stronger than the model has it.
_MOST_GAIN = _SHARED["MOST_GAIN"]
# A label with fewer cells in the photo's map gives no colours.
_FEWEST = _SHARED["FEWEST"]
_GRAIN_SEED, _ENDS_SEED, _SWAY_SEED = _SHARED["GRAIN_SEED"], _SHARED["ENDS_SEED"], _SHARED["SWAY_SEED"]
_SMALL = _SHARED["SMALL"]


@dataclass(frozen=True, kw_only=True, eq=False)
class _Own:
    """What the photo shows of a label.

    Attributes:
        mean, deviation: float64 [3] of its Lab.
        grain: float [scales], standard deviation of L between two scales. Without strands it is the robust one of the
            median, which single lines and shadows do not raise, and the widest scale is left out: the model's light
            and shade covers it.
        tint: change of a and b for one of L.
    """

    mean: np.ndarray
    deviation: np.ndarray
    grain: np.ndarray
    tint: tuple[float, float]


def redrawn(
    photo: np.ndarray,
    frame: Frame,
    own_map: np.ndarray,
    edited_map: np.ndarray,
    edited: np.ndarray,
    *,
    strands: Collection[int] = (),
    colours: Mapping[int, tuple[RegionColour, float]] | None = None,
    quick: bool = False,
) -> np.ndarray:
    """The photo with new regions where the map changed.

    Args:
        photo: uint8 [H, W, 3], with its regions recoloured already.
        frame: of the maps and the picture.
        own_map: label ids [h, w] of the photo.
        edited_map: label ids [h, w] of the picture.
        edited: uint8 [h', w', 3], the model's picture of the edited map.
        strands: labels whose grain hangs down in strands, as hair.
        colours: of labels that the photo lacks: another one than the model gives them, and its strength in [0, 1].
        quick: draw on a coarser grid.

    Returns:
        uint8 [H, W, 3]; the photo's own bit for bit away from what changed.
    """
    changed = own_map != edited_map
    if not changed.any():
        return photo
    part, cells = _changed_part(changed, frame)
    shape = _shape(part, _QUICK_GRID if quick else _GRID)
    seen, _ = part.seen(photo, shape)
    lab = srgb_to_lab(seen)
    whole_shape = grid_shape(frame)
    whole, inside = frame.seen(photo, whole_shape)
    whole_lab = srgb_to_lab(whole)
    model = srgb_to_lab(edited)
    fade = part.edge_weights(shape, (photo.shape[0], photo.shape[1]), EDGE)
    side = max(frame.extent) / max(part.extent) * max(shape)  # of the frame, in cells of the part
    alpha = np.zeros(shape, dtype=np.float32)
    colour = lab.copy()
    for label in np.unique(edited_map[changed]).tolist():
        region, in_strands = edited_map == label, label in strands
        area, kept = changed & region, (own_map == label) & region
        feature = not in_strands and bool(region.mean() < _FEATURE_SHARE)
        moved = feature and bool(kept.sum() < _FEATURE_KEPT * region.sum())
        own = None if moved else _own(whole_lab, kept, inside, in_strands)
        steepness = _FEATURE_STEEPNESS if feature else _EDGE_STEEPNESS
        share = _share(region[cells], area[cells], kept[cells], shape, side, steepness, in_strands)
        drawn = _light(model, region, own, cells, shape, None if colours is None else colours.get(label), feature)
        if own is not None:
            reach = _CARRY * side if in_strands else None
            drawn += _carried(lab, drawn, _enlarged(kept[cells], shape) > 0.9, side, reach)
            grain = _grain(own.grain[:1] if feature else own.grain, shape, side, label, in_strands=in_strands)
            drawn += grain[:, :, None] * np.array([1, *own.tint], dtype=np.float32)
        share = np.minimum(share * fade, 1 - alpha)
        colour += share[:, :, None] * (drawn - lab)
        alpha += share
    return _written(photo, part, colour - lab, alpha)


def _written(photo: np.ndarray, part: Frame, difference: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The photo with `difference` [h, w, 3], over a part of it, added to what it shows in place of its own detail."""
    box = part.box((photo.shape[0], photo.shape[1]))
    top, left, bottom, right = box
    result = photo.copy()
    own = photo[top:bottom, left:right]
    shown = part.sample(alpha, box)
    touched = shown > 1 / 512
    if not touched.any():
        return result
    lab = srgb_to_lab(own[touched])
    # beyond the resolution of the grid the photo's detail fades as the drawn region covers it
    grid = srgb_to_lab(part.seen(photo, (alpha.shape[0], alpha.shape[1]))[0])
    smooth = np.stack([part.sample(grid[:, :, channel], box)[touched] for channel in range(3)], axis=1)
    moved = np.stack([part.sample(difference[:, :, channel], box)[touched] for channel in range(3)], axis=1)
    result[top:bottom, left:right][touched] = lab_to_srgb(
        smooth + (1 - shown[touched])[:, None] * (lab - smooth) + moved
    )
    return result


def _changed_part(changed: np.ndarray, frame: Frame) -> tuple[Frame, tuple[slice, slice]]:
    """The part of the frame around what changed, and its cells in the map."""
    spans = []
    for axis, length in zip((1, 0), changed.shape, strict=True):
        hits = np.nonzero(changed.any(axis=axis))[0]
        margin = round(_MARGIN * max(changed.shape))
        spans.append((max(0, int(hits[0]) - margin), min(length, int(hits[-1]) + 1 + margin)))
    (top, bottom), (left, right) = spans
    height, width = changed.shape
    part = frame.part(top / height, left / width, bottom / height, right / width)
    return part, (slice(top, bottom), slice(left, right))


def _shape(part: Frame, grid: int) -> tuple[int, int]:
    height, width = part.extent
    scale = min(1.0, grid / max(height, width))
    return max(2, round(height * scale)), max(2, round(width * scale))


def _own(lab: np.ndarray, kept: np.ndarray, inside: np.ndarray, in_strands: bool) -> _Own | None:
    """What a photo, Lab [h, w, 3] over the frame, shows of a label; None where that is next to nothing."""
    if kept.sum() < _FEWEST:
        return None
    weights = _enlarged(kept, inside.shape)
    sure = (weights > 0.5) & inside
    depth = ndimage.distance_transform_edt(np.pad(sure, 1, mode="edge"))[1:-1, 1:-1]
    deep = depth > _SURE * max(inside.shape)
    sure = deep if deep.sum() > _FEWEST else sure
    if sure.sum() < _FEWEST:
        return None
    known = sure.astype(np.float32)
    levels = [_masked_low_pass(lab[:, :, 0], known, scale * max(inside.shape)) for scale in (0.0, *_SCALES)]
    bands = [(finer - coarser)[sure] for finer, coarser in pairwise(levels)]
    strengths = (
        [band.std() for band in bands] if in_strands else [_NORMAL * np.median(np.abs(band)) for band in bands[:-1]]
    )
    pixels = lab[sure].astype(np.float64)
    spread = pixels - pixels.mean(axis=0)
    slopes = (spread[:, :1] * spread[:, 1:]).sum(axis=0) / max(np.square(spread[:, 0]).sum(), _SMALL)
    return _Own(
        mean=pixels.mean(axis=0),
        deviation=pixels.std(axis=0),
        grain=np.array(strengths),
        tint=(float(slopes[0]), float(slopes[1])),
    )


def _masked_low_pass(values: np.ndarray, known: np.ndarray, sigma: float) -> np.ndarray:
    if sigma == 0:
        return values
    weights = ndimage.gaussian_filter(known, sigma, mode="nearest")
    return ndimage.gaussian_filter(values * known, sigma, mode="nearest") / np.maximum(weights, _SMALL)


def _share(
    label: np.ndarray,
    area: np.ndarray,
    kept: np.ndarray,
    shape: tuple[int, int],
    side: float,
    steepness: float,
    in_strands: bool,
) -> np.ndarray:
    """How much of each cell is drawn, [*shape].

    Args:
        label: bool [h, w], the label in the new map.
        area: what is new of it.
        kept: what the photo has of it.
        shape: of the result.
        side: of the frame, in cells of the result.
        steepness: of its edges; at 1 they are as soft as the map enlarged.
        in_strands: whether its lower ends are soft.
    """
    sigma = (_ENDS, _ROUNDING) if in_strands else (_ROUNDING, _ROUNDING)
    soft = ndimage.gaussian_filter(label.astype(np.float32), sigma, mode="nearest")
    # lines of a pixel's width keep their full strength
    nearest = ndimage.distance_transform_edt(~label, return_distances=False, return_indices=True)
    peak = ndimage.maximum_filter(np.where(label, soft, 0), 3, mode="nearest")[tuple(nearest)]
    soft /= np.clip(2 * peak, _SMALL, 1)
    weights = resized(np.clip(soft, 0, 1), shape)
    if in_strands:
        noise = _unit(_strand_noise(shape, _SCALES[1] * side, side, (_ENDS_SEED,)))
        weights = weights + _EDGE_STRANDS * np.clip(noise, -1, 1) * 4 * weights * (1 - weights)
    # at its own edge the photo shows what lies behind; it serves from some depth in the region
    seam = _SEAM * side
    depth = ndimage.distance_transform_edt(np.pad(_enlarged(kept, shape) > 0.5, 1, mode="edge"))[1:-1, 1:-1]
    near = ndimage.distance_transform_edt(~(_enlarged(area, shape) > 0.5))
    wanted = (1 - smooth_step((depth - seam / 2) / seam)) * smooth_step(2 - near / seam)
    inside: np.ndarray = np.clip((weights - 0.5) * steepness + 0.5, 0, 1) * wanted
    return inside.astype(np.float32)


def _light(
    model: np.ndarray, label: np.ndarray, own: _Own | None, cells: tuple[slice, slice], shape: tuple[int, int],
    colour: tuple[RegionColour, float] | None, feature: bool,
) -> np.ndarray:  # fmt: skip
    """The low-frequency Lab [*shape, 3] of a label: the model's light and shade at the photo's level and contrast.

    A feature has the model's detail as well.
    """
    known = resized(label.astype(np.float32), (model.shape[0], model.shape[1])) > 0.5
    if not known.any():
        known = resized(label.astype(np.float32), (model.shape[0], model.shape[1])) > 0
    mean = model[known].mean(axis=0)
    # of what the photo lacks, as the frame of glasses, a small model draws less than the map says: what stands out
    around = ndimage.binary_dilation(known, iterations=3) & ~known
    beside = np.median(model[around], axis=0) if around.any() else mean
    contrast = np.square(model[known] - beside).sum(axis=1) + _SMALL  # where nothing stands out, the mean
    level = (model[known] * contrast[:, None]).sum(axis=0) / float(contrast.sum())
    if colour is not None:
        level = level + colour[1] * (np.array(colour[0].mean) - level)
    gain = np.full(3, 1.0 if feature else 0.5)
    sigma = 1.0
    if own is not None:
        level = own.mean
        gain = np.minimum(own.deviation / np.maximum(model[known].std(axis=0), _SMALL), _MOST_GAIN)
        sigma = _SCALES[-1] * model.shape[0] / 2
    if feature:
        sigma = _FEATURE_BLUR
    weights = known.astype(np.float32)
    shape_of_map = label.shape
    at = tuple(
        slice(s.start * n // length, s.stop * n // length)
        for s, n, length in zip(cells, model.shape, shape_of_map, strict=False)
    )
    fields = []
    for channel in range(3):
        low = _masked_low_pass(model[:, :, channel] - mean[channel], weights, sigma)
        far = ndimage.gaussian_filter(weights, sigma, mode="nearest") < _SMALL
        if far.any():
            low = low[tuple(ndimage.distance_transform_edt(far, return_distances=False, return_indices=True))]
        fields.append(resized((level[channel] + gain[channel] * low)[at], shape))
    return np.stack(fields, axis=2).astype(np.float32)


def _carried(lab: np.ndarray, drawn: np.ndarray, kept: np.ndarray, side: float, reach: float | None) -> np.ndarray:
    """The correction [h, w, 3] that makes the drawn part continue the photo's own part of the label smoothly.

    Args:
        lab: Lab of the photo.
        drawn: Lab of the drawn part.
        kept: bool [h, w], the photo's own part.
        side: side of the frame, in cells.
        reach: distance over which the correction fades, in cells; None carries it on everywhere.
    """
    if not kept.any():
        return np.zeros_like(drawn)
    known = kept.astype(np.float32)
    sigma = _SCALES[-1] * side / 2
    difference = np.stack(
        [
            _masked_low_pass(lab[:, :, c], known, sigma) - _masked_low_pass(drawn[:, :, c], known, sigma)
            for c in range(3)
        ],
        axis=2,
    )
    filled = _membrane(difference, kept)
    if reach is not None:
        filled *= np.exp(-ndimage.distance_transform_edt(~kept) / reach)[:, :, None]
    return filled.astype(np.float32)


def _membrane(values: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Fill a field [h, w, 3] smoothly where it is not known, by averages over growing squares (pull and push)."""
    weights = known.astype(np.float32)
    return _pulled(values.astype(np.float32) * weights[:, :, None], weights)


def _pulled(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    height, width = weights.shape
    if min(height, width) == 1:
        total = max(float(weights.sum()), _SMALL)
        return np.broadcast_to(values.sum(axis=(0, 1)) / total, values.shape)
    even = ((0, height % 2), (0, width % 2))
    half_weights = _halved(np.pad(weights, even))
    half_values = np.stack([_halved(np.pad(values[:, :, c], even)) for c in range(3)], axis=2)
    scale = np.minimum(1, half_weights) / np.maximum(half_weights, _SMALL)
    coarse = _pulled(half_values * scale[:, :, None], np.minimum(1, half_weights))
    finer = np.stack([resized(coarse[:, :, c], (height, width)) for c in range(3)], axis=2)
    return values + (1 - weights)[:, :, None] * finer


def _halved(field: np.ndarray) -> np.ndarray:
    return field[::2, ::2] + field[1::2, ::2] + field[::2, 1::2] + field[1::2, 1::2]


def _grain(strengths: np.ndarray, shape: tuple[int, int], side: float, label: int, *, in_strands: bool) -> np.ndarray:
    """The grain of a label in L [h, w] with the given standard deviations between two scales."""
    total = np.zeros(shape, dtype=np.float32)
    for number, strength in enumerate(strengths):
        sigma = _SCALES[number] * side * 0.7
        if in_strands:
            field = _strand_noise(shape, sigma, side, (_GRAIN_SEED, label, number))
        else:
            noise = white_noise(shape, _GRAIN_SEED, label, number)
            field = ndimage.gaussian_filter(noise, sigma / 2) - ndimage.gaussian_filter(noise, sigma)
        total += np.float32(strength) * _unit(field)
    return total


def _strand_noise(shape: tuple[int, int], sigma: float, side: float, key: tuple[int, ...]) -> np.ndarray:
    """Noise in long strands of a width, which hang down and sway; see `white_noise` for the key."""
    noise = white_noise(shape, *key)
    straight = ndimage.gaussian_filter(noise, (min(_STRAND * sigma, 0.12 * side), max(0.35, sigma / 2)), mode="wrap")
    straight -= ndimage.gaussian_filter(straight, (0, 2 * sigma + 0.5), mode="wrap")
    lengths = (_SWAY_LENGTHS[0] * side, _SWAY_LENGTHS[1] * side)
    sway = _unit(ndimage.gaussian_filter(white_noise(shape, _SWAY_SEED), lengths))
    rows, columns = np.indices(shape, dtype=np.float32)
    bent: np.ndarray = ndimage.map_coordinates(
        straight, (rows, columns + _SWAY * side * sway), order=1, mode="grid-wrap"
    )
    return bent


def _unit(field: np.ndarray) -> np.ndarray:
    return field / max(float(field.std()), _SMALL)


def _enlarged(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return resized(mask.astype(np.float32), shape)
