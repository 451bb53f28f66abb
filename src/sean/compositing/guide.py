"""A photo prepared for composites: caches all results that depend on the photo and its map, but not on the edit."""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from sean.compositing.colour import RegionColour, lab_colour, srgb_to_lab
from sean.compositing.constants import shared_constants
from sean.compositing.frame import Box, Frame, carried
from sean.compositing.matte import ColourGuide, Matte, Veil, finished_matte, finished_veil, guide_radius

_SHARED = shared_constants("guide")

# Largest number of grid cells per side for mattes; their coefficients are smooth, so more cells add nothing.
_GRID = _SHARED["GRID"]
_STRIP_PIXELS = 1 << 18
# Largest cache for the next edit of the same regions; larger photos are processed again, strip by strip.
_CACHED_BYTES = 384 << 20
_MAX_WORKERS = 4
# Smaller shares change no level of 255.
_LEAST_SHARE = _SHARED["LEAST_SHARE"]
# Largest factor, and smallest as its inverse, between the lightness of a region's inside and that of its whole mask.
_MOST_MIXED = _SHARED["MOST_MIXED"]
# Width of the transition at edges of the frame inside the photo, as a fraction of the frame.
EDGE = _SHARED["EDGE"]

_Part = TypeVar("_Part")
_Result = TypeVar("_Result")


@dataclass(frozen=True, kw_only=True, eq=False)
class RegionPixels:
    """The pixels of a part of a photo that belong to given regions.

    Attributes:
        index: int64 [n], flat positions in the photo.
        lab: float32 [n, 3], colours of the pixels.
        shares: float32 [r, n] in [0, 1], the share of every region in every pixel; their sum is at most 1.
        veiled: for each region what shines through it; None of regions that are not of strands.
    """

    index: np.ndarray
    lab: np.ndarray
    shares: np.ndarray
    veiled: tuple["VeiledPixels | None", ...]

    @property
    def num_bytes(self) -> int:
        """Size of all arrays."""
        own = self.index.nbytes + self.lab.nbytes + self.shares.nbytes
        return own + sum(each.nbytes for veiled in self.veiled if veiled is not None for each in veiled.arrays)


@dataclass(frozen=True, kw_only=True, eq=False)
class VeiledPixels:
    """The pixels of a region through which its surroundings shine.

    Attributes:
        place: int64 [m], their positions among the pixels of the part.
        share: float32 [m] in (0, 1], the share of the surroundings.
        difference: float32 [m, 3], Lab of the surroundings minus that of the region.
    """

    place: np.ndarray
    share: np.ndarray
    difference: np.ndarray

    @property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """All arrays."""
        return self.place, self.share, self.difference


class PhotoGuide:
    """Mattes, colours and pixels of a photo's regions, computed on first use.

    Args:
        photo: uint8 [h, w, 3]; must not change.
        frame: the part of the photo that the maps of regions cover.
        map_size: (h, w) of these maps.
        workers: threads for parts of the photo; by default one per processor, at most 4.
    """

    def __init__(
        self, photo: np.ndarray, frame: Frame, map_size: tuple[int, int], *, workers: int | None = None
    ) -> None:
        self.photo, self.frame, self.map_size = photo, frame, map_size
        self.shape = grid_shape(frame)
        self.workers = workers or min(_MAX_WORKERS, len(os.sched_getaffinity(0)))
        seen, self.inside = frame.seen(photo, self.shape)
        self.seen = seen
        colours = np.ascontiguousarray(seen.transpose(2, 0, 1), dtype=np.float32) / 255
        self._guide = ColourGuide(colours, guide_radius(self.shape, map_size))
        self._edges = frame.edge_weights(self.shape, (photo.shape[0], photo.shape[1]), EDGE)
        self._mattes: dict[bytes, tuple[Matte, RegionColour | None]] = {}
        self._veils: dict[bytes, Veil] = {}
        self._pixels: tuple[tuple[tuple[bytes, bool], ...], list[RegionPixels]] | None = None

    def matte(self, mask: np.ndarray) -> Matte:
        """The matte of a region, bool [h, w] in the map."""
        return self._region(mask)[0]

    def colour(self, mask: np.ndarray) -> RegionColour | None:
        """The colour of a region in the photo; None if the region is not visible."""
        return self._region(mask)[1]

    def inside_colour(self, mask: np.ndarray, mean: RegionColour) -> RegionColour:
        """The colour of a region's inside if only the mean of the whole region is known, as for a style.

        A region shows other things, too, at its border and in its gaps: the mean includes them, the colour of the
        inside does not. Mean and inside are assumed to differ in the picture of the style as they do in this photo, so
        the photo's own mean gives the photo's own colour.

        Args:
            mask: bool [h, w], the region in the photo's map.
            mean: the mean of all pixels of such a region in another picture.
        """
        own, plain = self.colour(mask), self._plain_mean(mask)
        if own is None or plain is None:
            return mean
        gain = min(max(own.mean[0] / max(plain[0], 1.0), 1 / _MOST_MIXED), _MOST_MIXED)
        a, b = (mean.mean[channel] + own.mean[channel] - plain[channel] for channel in (1, 2))
        return RegionColour(mean=(mean.mean[0] * gain, a, b))

    def pixels(self, masks: Sequence[np.ndarray]) -> list[RegionPixels]:
        """The pixels of regions, in parts of bounded size."""
        return self.each_part(masks, lambda part: part)

    def each_part(
        self,
        masks: Sequence[np.ndarray],
        function: Callable[[RegionPixels], _Result],
        strands: Sequence[bool] | None = None,
    ) -> list[_Result]:
        """Apply a function to the pixels of regions part by part, on several threads.

        Args:
            masks: one bool [h, w] in the map for each region.
            function: function of a part.
            strands: for each region whether its surroundings shine through it, as through hair; None for no region.

        Returns:
            The results, from the top of the photo downwards.
        """
        strands = strands or [False] * len(masks)
        key = tuple((_key(mask), of_strands) for mask, of_strands in zip(masks, strands, strict=True))
        if self._pixels is not None and self._pixels[0] == key:
            return self._mapped(function, self._pixels[1])
        mattes = [self.matte(mask) for mask in masks]
        veils = [self._veil(mask) if of_strands else None for mask, of_strands in zip(masks, strands, strict=True)]
        kept: list[RegionPixels] = []

        def taken(box: Box) -> _Result:
            part = self._part(mattes, veils, box)
            kept.append(part)
            if sum(each.num_bytes for each in kept) > _CACHED_BYTES:
                overflown.append(True)
            if overflown:
                kept.clear()
            return function(part)

        overflown: list[bool] = []
        self._pixels = None
        results = self._mapped(taken, self._strips(mattes))
        if not overflown:
            self._pixels = (key, kept)
        return results

    def memory(self) -> Iterator[np.ndarray]:
        """The cached arrays."""
        yield from (self.seen, self.inside, self._edges)
        yield from self._guide.memory()
        for matte, _ in self._mattes.values():
            yield from (matte.slopes, matte.offset, matte.least, matte.most)
        for veil in self._veils.values():
            yield from (veil.slopes, veil.offset, veil.near, veil.difference)
        for part in () if self._pixels is None else self._pixels[1]:
            yield from (part.index, part.lab, part.shares)
            for veiled in part.veiled:
                yield from () if veiled is None else veiled.arrays

    def _region(self, mask: np.ndarray) -> tuple[Matte, RegionColour | None]:
        key = _key(mask)
        if key not in self._mattes:
            matte = self._guide.matte(mask)
            most, least = matte.most * self._edges, matte.least * self._edges
            matte = Matte(slopes=matte.slopes, offset=matte.offset, least=least, most=most)
            sure = np.where(self.inside, np.maximum(least - 0.5, 0), 0)
            if not sure.any():  # the region is too thin to have an inside
                sure = np.where(self.inside, matte.on_grid(self._guide.colours), 0)
            shown = sure > 0
            colour = lab_colour(srgb_to_lab(self.seen[shown]), sure[shown])
            self._mattes[key] = (matte, colour)
        return self._mattes[key]

    def _plain_mean(self, mask: np.ndarray) -> list[float] | None:
        """Lab of the mean level of all pixels of a region; None if the photo does not show it."""
        shown = carried(mask, self.frame, self.frame, self.shape) & self.inside
        if not shown.any():
            return None
        levels = self.seen[shown].mean(axis=0, dtype=np.float64)
        mean: list[float] = srgb_to_lab(np.rint(levels).astype(np.uint8)[None])[0].tolist()
        return mean

    def _veil(self, mask: np.ndarray) -> Veil | None:
        colour = self.colour(mask)
        if colour is None:
            return None
        key = _key(mask)
        if key not in self._veils:
            # without the fall to 0 at the edges of the frame, where the region goes on
            matte = self._guide.matte(mask).on_grid(self._guide.colours)
            self._veils[key] = Veil.of(srgb_to_lab(self.seen), matte, self.inside, colour.mean)
        return self._veils[key]

    def _strips(self, mattes: Sequence[Matte]) -> list[Box]:
        """The boxes of the photo that contain the regions: strips of their bounding box."""
        most: np.ndarray = np.zeros(self.shape) + sum(matte.most for matte in mattes)
        rows, columns = np.nonzero(most.any(axis=1))[0], np.nonzero(most.any(axis=0))[0]
        if not len(rows):
            return []
        height, width = self.shape
        part = self.frame.part(
            (rows[0] - 1) / height, (columns[0] - 1) / width, (rows[-1] + 2) / height, (columns[-1] + 2) / width
        )
        first, start, last, stop = part.box((self.photo.shape[0], self.photo.shape[1]))
        step = max(1, _STRIP_PIXELS // max(1, stop - start))
        return [(row, start, min(row + step, last), stop) for row in range(first, last, step)]

    def _part(self, mattes: Sequence[Matte], veils: Sequence[Veil | None], box: Box) -> RegionPixels:
        top, left, bottom, right = box
        part = self.photo[top:bottom, left:right]
        shares = np.stack([self._shares(matte, box, part) for matte in mattes])
        total = shares.sum(axis=0)
        np.divide(shares, total, out=shares, where=total > 1)
        rows, columns = (total > _LEAST_SHARE).nonzero()
        lab = srgb_to_lab(part[rows, columns])
        return RegionPixels(
            index=(rows + top) * self.photo.shape[1] + columns + left,
            lab=lab,
            shares=shares[:, rows, columns],
            veiled=tuple(None if veil is None else self._veiled(veil, box, rows, columns, lab) for veil in veils),
        )

    def _veiled(self, veil: Veil, box: Box, rows: np.ndarray, columns: np.ndarray, lab: np.ndarray) -> VeiledPixels:
        """The veil at pixels of a box of the photo, which have these colours."""

        def at(field: np.ndarray) -> np.ndarray:
            return self.frame.sample(field, box)[rows, columns]

        linear = at(veil.offset)
        for channel, slope in enumerate(veil.slopes):
            linear += at(slope) * lab[:, channel]
        share = finished_veil(linear, at(veil.near))
        place = (share > _LEAST_SHARE).nonzero()[0]
        difference = np.stack([at(field)[place] for field in veil.difference], axis=1)
        return VeiledPixels(place=place, share=share[place], difference=difference)

    def _shares(self, matte: Matte, box: Box, part: np.ndarray) -> np.ndarray:
        """The matte of a box of the photo."""
        most = self.frame.sample(matte.most, box)
        if not most.any():
            return np.zeros_like(most)
        linear = np.array(self.frame.sample(matte.offset, box))
        for channel in range(3):
            linear += self.frame.sample(matte.slopes[channel], box) * (part[:, :, channel] * np.float32(1 / 255))
        return finished_matte(linear, self.frame.sample(matte.least, box), most)

    def _mapped(self, function: Callable[[_Part], _Result], parts: Sequence[_Part]) -> list[_Result]:
        if self.workers == 1 or len(parts) < 2:
            return [function(part) for part in parts]
        with ThreadPoolExecutor(self.workers) as pool:
            return list(pool.map(function, parts))


def grid_shape(frame: Frame) -> tuple[int, int]:
    """The size of the grid for a frame: the photo's own resolution, at most 512 cells a side."""
    height, width = frame.extent
    scale = min(1.0, _GRID / max(height, width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def _key(mask: np.ndarray) -> bytes:
    return np.packbits(mask).tobytes()
