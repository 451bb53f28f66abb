"""Copies from recipes: encode, exchange style codes, render, and in the mode "photo" keep the photo's detail."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from sean.augmentation.geometry import moved
from sean.augmentation.recipes import BANK, Donor, Part, PartChange, Recipe
from sean.augmentation.settings import AugmentSettings
from sean.compositing.frame import Frame
from sean.compositing.guide import PhotoGuide
from sean.compositing.recolour import ModelPictures, RegionChange, recoloured
from sean.data.paired import Pair
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.images import resize_image

_KEPT_STYLES = 4096


@dataclass(kw_only=True, eq=False)
class _Own:
    """A pair with its styles, the model's picture of it and its mattes; the last two are made on first use."""

    pair: Pair
    styles: StyleCodes
    picture: np.ndarray | None = None
    guide: PhotoGuide | None = None


class Restyler:
    """Makes copies of labelled pictures.

    Args:
        pipeline: the model; its labels are those of the pictures.
        read: returns the pair of a name, for sources of styles.
        settings: what may change.
    """

    def __init__(self, pipeline: SEANPipeline, read: Callable[[str], Pair], settings: AugmentSettings) -> None:
        self._pipeline = pipeline
        self._read = read
        self._settings = settings
        self._last: _Own | None = None
        self._codes: OrderedDict[tuple[str, Part], Tensor] = OrderedDict()

    def copy(self, pair: Pair, recipe: Recipe) -> Pair:
        """Make the copy of a pair that a recipe describes, at the pair's size.

        Without mirror and warp the maps are unchanged.
        """
        own = self._own_of(pair).styles
        codes = {change.part: self._new_code(own, pair, change) for change in recipe.changes}
        pair = moved(
            pair,
            self._pipeline.labels,
            mirror=recipe.mirror,
            warp=self._settings.warp,
            warp_seed=recipe.warp_seed,
        )
        table = self._pipeline.labels.flip_table if recipe.mirror else range(self._pipeline.labels.num_regions)
        codes = {Part(label=table[part.label], instance=part.instance): code for part, code in codes.items()}
        if recipe.mirror:
            order = list(table[: self._pipeline.labels.num_regions])
            own = StyleCodes(own.codes[order], own.present[order], own.labels)
        edited = self._rendered(pair, own, codes)
        if self._settings.mode == "render":
            image = resize_image(edited, (pair.segmap.shape[0], pair.segmap.shape[1]))
        else:
            image = self._composite(pair, own, edited, tuple(codes))
        return Pair(image=image, segmap=pair.segmap, instances=pair.instances)

    def _composite(self, pair: Pair, own: StyleCodes, edited: np.ndarray, parts: tuple[Part, ...]) -> np.ndarray:
        """The photo with the colours of its parts changed as the model changes them."""
        known = self._own_of(pair, own)
        height, width = pair.segmap.shape
        if known.picture is None:
            known.picture = self._rendered(pair, own, {})
        if known.guide is None:
            known.guide = PhotoGuide(pair.image, Frame.whole(height, width), (height, width), workers=1)
        pictures = ModelPictures(own=known.picture, edited=edited, frame=known.guide.frame)
        masks = [part.mask(pair.segmap, pair.instances) for part in parts]
        return recoloured(known.guide, [RegionChange(mask=mask) for mask in masks if mask.any()], pictures)

    def _own_of(self, pair: Pair, styles: StyleCodes | None = None) -> "_Own":
        """The values that depend on a pair alone; kept for its next copy."""
        if self._last is None or self._last.pair is not pair:
            own = _Own(pair=pair, styles=self._encoded(pair) if styles is None else styles)
            if styles is not None:  # a warped or mirrored pair is used for one copy
                return own
            self._last = own
        return self._last

    def _rendered(self, pair: Pair, own: StyleCodes, codes: dict[Part, Tensor]) -> np.ndarray:
        """Render a map with its own styles except for these parts; uint8 at the model's size."""
        variants = [own]
        numbers = np.zeros(pair.segmap.shape, dtype=np.int64)
        for part, code in sorted(codes.items(), key=lambda item: item[0]):
            if not part.instance:
                variants = [_with_code(style, part.label, code) for style in variants]
        taken: dict[int, int] = {}
        for part, code in sorted(codes.items(), key=lambda item: item[0]):
            if part.instance:  # objects of different labels share a variant
                number = taken[part.label] = taken.get(part.label, 0) + 1
                if number == len(variants):
                    variants.append(variants[0])
                variants[number] = _with_code(variants[number], part.label, code)
                numbers[part.mask(pair.segmap, pair.instances)] = number
        instances = pair.instances if self._pipeline.model.config.instance_edges else None
        if len(variants) == 1:
            return np.asarray(self._pipeline(pair.segmap, variants[0], instances))
        return np.asarray(self._pipeline(pair.segmap, variants, instances, variants=numbers))

    def _new_code(self, own: StyleCodes, pair: Pair, change: PartChange) -> Tensor:
        part = change.part
        start = own.codes[part.label] if not part.instance else self._part_code(pair, part)
        codes = [self._donated(donor, part.label) for donor in change.donors]
        target = codes[0] if len(codes) == 1 else torch.lerp(codes[0], codes[1], change.mix)
        return torch.lerp(start, target, change.strength)

    def _donated(self, donor: Donor, label: int) -> Tensor:
        """The style code of a donor: a region or object of another picture, or an entry of the bank; cached."""
        if self._settings.styles == BANK:  # a picture may have the name of the bank, too
            return self._pipeline.style_bank[donor.instance].codes[label]
        key = (donor.picture, Part(label=label, instance=donor.instance))
        if key not in self._codes:
            pair = self._read(donor.picture)
            if donor.instance:
                self._codes[key] = self._part_code(pair, key[1])
            else:
                codes = self._encoded(pair).codes
                for each in range(len(codes)):
                    self._codes[donor.picture, Part(label=each)] = codes[each]
            while len(self._codes) > _KEPT_STYLES:
                self._codes.popitem(last=False)
        self._codes.move_to_end(key)
        return self._codes[key]

    def _part_code(self, pair: Pair, part: Part) -> Tensor:
        """The style code of one object: encodes the picture with a map in which only this object has the label."""
        labels = self._pipeline.labels
        others = (pair.segmap == part.label) & ~part.mask(pair.segmap, pair.instances)
        styles = self._encoded(Pair(image=pair.image, segmap=np.where(others, labels.num_regions, pair.segmap)))
        if not styles.present[part.label]:  # the object vanishes at the model's size
            styles = self._encoded(pair)
        return styles.codes[part.label]

    def _encoded(self, pair: Pair) -> StyleCodes:
        return self._pipeline.encode(pair.image, pair.segmap)


def _with_code(styles: StyleCodes, label: int, code: Tensor) -> StyleCodes:
    codes, present = styles.codes.clone(), styles.present.clone()
    codes[label], present[label] = code, True
    return StyleCodes(codes, present, styles.labels)
