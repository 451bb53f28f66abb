"""Square parts of photos: cutting one out, and pasting its edited picture back with a feathered edge.

Squares may be turned, so that a tilted head stands upright in the part that is cut out. `sean.parsing.faces.landmarks`
and `search` place the square around a face.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from sean.compositing.frame import Frame, carried
from sean.errors import InputError
from sean.icc import bands

DEFAULT_FEATHER = 0.08
# A crop mostly outside its photo shows almost nothing, and a huge one would fill the memory with repeated borders.
_LARGEST = 3.0
# Margin of the resampling around the crop, in pixels of the smaller of the two pictures.
_REACH = 3


@dataclass(frozen=True, kw_only=True)
class Crop:
    """A square of a photo, which may reach over its borders.

    Attributes:
        top: of its upper edge, in pixels of the photo from its upper border downwards.
        left: of its left edge, in pixels of the photo from its left border to the right.
        size: length of its sides in pixels of the photo.
        photo_size: height and width of the photo, in pixels.
        angle: in degrees, -180..180: the square of top, left and size is turned clockwise by it around its middle, and
            shows a head that is tilted by it upright.

    Raises:
        InputError: numbers that are not finite, a square beside the photo, or one over three times as large.
    """

    top: float
    left: float
    size: float
    photo_size: tuple[int, int]
    angle: float = 0.0

    def __post_init__(self) -> None:
        height, width = self.photo_size
        finite = all(math.isfinite(value) for value in (self.top, self.left, self.size))
        if not -180 <= self.angle <= 180:
            raise InputError(f"expected a crop's angle in -180..180 degrees, got {self.angle}")
        if not finite or min(height, width) < 1 or not 0 < self.size <= _LARGEST * max(height, width):
            raise InputError(
                f"expected a crop of a size in 0..{_LARGEST:g} times the photo's, got {self.size} in {height} x {width}"
            )
        shown = -self.size < self.top < height and -self.size < self.left < width
        if shown and self.angle:  # a turned square may show another part of the photo, or none
            first, start, last, stop = self.frame.box(self.photo_size)
            shown = self.size >= 1 and first < last and start < stop
        if not shown:
            raise InputError(
                f"expected a crop that shows a part of the photo ({height} x {width}), got the top {self.top} and the "
                f"left {self.left} with the size {self.size}"
            )

    @classmethod
    def whole(cls, photo_size: tuple[int, int]) -> "Crop":
        """The smallest square around a whole photo of that height and width, in its middle."""
        height, width = photo_size
        size = float(max(height, width))
        return cls(top=(height - size) / 2, left=(width - size) / 2, size=size, photo_size=photo_size)

    @property
    def frame(self) -> Frame:
        """Rows and columns of the crop in the photo."""
        return Frame.square(self.top, self.left, self.size, self.angle)

    def part(self, middle: tuple[float, float], size: float, turn: float = 0.0) -> "Crop":
        """Another crop by its place in this one.

        Args:
            middle: (y, x) of its middle, as parts of this one's sides.
            size: as a part of this one's.
            turn: in degrees clockwise, in addition to this one's angle.

        Raises:
            InputError: as for the class.
        """
        side, y, x = size * self.size, middle[0] * self.size, middle[1] * self.size
        if self.angle:
            y, x = y - self.size / 2, x - self.size / 2
            sine, cosine = math.sin(math.radians(self.angle)), math.cos(math.radians(self.angle))
            y, x = self.size / 2 + x * sine + y * cosine, self.size / 2 + x * cosine - y * sine
        return replace(
            self, top=self.top + y - side / 2, left=self.left + x - side / 2, size=side, angle=self.angle + turn
        )

    def overlap(self, other: "Crop") -> float:
        """Intersection over union with another crop of the photo, 0..1; their angles are left out."""
        down = min(self.top + self.size, other.top + other.size) - max(self.top, other.top)
        across = min(self.left + self.size, other.left + other.size) - max(self.left, other.left)
        shared = max(0.0, down) * max(0.0, across)
        return shared / (self.size**2 + other.size**2 - shared)


def cut(image: np.ndarray, crop: Crop, size: int) -> np.ndarray:
    """The part of a photo that a crop shows; border pixels are repeated where it leaves the photo.

    Args:
        image: uint8 [h, w, 3], the photo.
        crop: of a photo of that size.
        size: height and width of the result, in pixels.

    Returns:
        uint8 [size, size, 3]: bicubic (of a turned crop bilinear), antialiased where it shrinks.

    Raises:
        InputError: the crop is of a photo of another size.
    """
    _check_photo(image, crop)
    if crop.angle:
        return crop.frame.seen(image, (size, size))[0]
    margin = _REACH * math.ceil(crop.size / size)
    rows, above_below = _span(crop.top, crop.size, margin, image.shape[0])
    columns, beside = _span(crop.left, crop.size, margin, image.shape[1])
    shown = np.pad(image[rows, columns], (above_below, beside, (0, 0)), mode="edge")
    y, x = crop.top - rows.start + above_below[0], crop.left - columns.start + beside[0]
    box = (x, y, x + crop.size, y + crop.size)
    return np.array(Image.fromarray(shown).resize((size, size), Image.Resampling.BICUBIC, box=box))


def paste(
    photo: np.ndarray,
    crop: Crop,
    picture: np.ndarray,
    mask: np.ndarray | None = None,
    feather: float = DEFAULT_FEATHER,
) -> np.ndarray:
    """Put the edited picture of a crop back into its photo.

    Its weight falls smoothly to 0 towards the edges of the crop, except at the photo's border.
    Pixels outside the crop stay the photo's bit for bit, and so do those whose middle lies where the mask is 0.

    Args:
        photo: uint8 [H, W, 3].
        crop: of that photo.
        picture: uint8 [h, w, 3] of any size; shows what the crop shows.
        mask: [h, w] of any size, weights in [0, 1] of the picture; 1 everywhere when left out.
        feather: width of the edge in which the photo goes over into the picture, as a part of the crop's size; 0 for
            a hard edge.

    Returns:
        uint8 [H, W, 3], a new array.

    Raises:
        InputError: the crop is of a photo of another size.
    """
    _check_photo(photo, crop)
    result = photo.copy()
    if crop.angle:
        _paste_turned(result, crop, picture, mask, feather)
        return result
    rows, columns = (
        _Pixels.of(start, crop.size, extent)
        for start, extent in zip((crop.top, crop.left), photo.shape[:2], strict=True)
    )
    if not rows.count or not columns.count:
        return result
    placed = np.asarray(_resampled(Image.fromarray(picture), rows, columns, Image.Resampling.BICUBIC))
    for band in bands(rows.count, columns.count):  # band by band, as a large photo in floats would take gigabytes
        part = rows.part(band)
        weights = np.outer(part.weights(feather), columns.weights(feather))
        if mask is not None:
            weights *= _mask_weights(mask, part, columns)
        area = (slice(part.first, part.first + part.count), slice(columns.first, columns.first + columns.count))
        own = photo[area].astype(np.float32)
        result[area] = np.rint(own + weights[:, :, None] * (placed[band] - own)).astype(np.uint8)
    return result


def _paste_turned(photo: np.ndarray, crop: Crop, picture: np.ndarray, mask: np.ndarray | None, feather: float) -> None:
    """`paste` into the photo itself, for a crop that is turned."""
    side = math.ceil(crop.size)
    if min(picture.shape[:2]) > side:
        picture = np.asarray(Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC))
    photo_size = (photo.shape[0], photo.shape[1])
    shape = (picture.shape[0], picture.shape[1]) if mask is None else (mask.shape[0], mask.shape[1])
    edge = crop.frame.edge_weights(shape, photo_size, feather)
    inside = np.ones(shape, np.float32) if mask is None else (mask > 0).astype(np.float32)
    given = edge if mask is None else edge * mask.astype(np.float32)
    first, start, last, stop = crop.frame.box(photo_size)
    for rows in bands(max(0, last - first), max(0, stop - start)):
        top, bottom = first + rows.start, first + rows.stop
        box = (top, start, bottom, stop)
        place = Frame(matrix=(float(stop - start), 0.0, float(start), 0.0, float(bottom - top), float(top)))
        near = carried(inside, crop.frame, place, (bottom - top, stop - start))
        falloff = np.clip(2 * crop.frame.sample(inside, box) - 1, 0, 1)
        weights = np.clip(crop.frame.sample(given, box), 0, 1) * falloff * near
        own = photo[top:bottom, start:stop].astype(np.float32)
        shown = np.stack([crop.frame.sample(picture[:, :, channel], box) for channel in range(3)], axis=2)
        photo[top:bottom, start:stop] = np.rint(own + weights[:, :, None] * (shown - own)).astype(np.uint8)


@dataclass(frozen=True)
class _Pixels:
    """The pixels of one axis of the photo that a crop covers completely.

    Attributes:
        first, count: their range in the photo.
        start, step: place of their begin in the crop and width of each, as fractions of the crop's size.
        open_start, open_end: whether the photo goes on before and after the crop.
        skipped: number of pixels between `start` and the first one, for a subrange.
    """

    first: int
    count: int
    start: float
    step: float
    open_start: bool
    open_end: bool
    skipped: int = 0

    @classmethod
    def of(cls, start: float, size: float, extent: int) -> "_Pixels":
        first, end = max(0, math.ceil(start)), min(extent, math.floor(start + size))
        return cls(
            first=first,
            count=max(0, end - first),
            start=(first - start) / size,
            step=1 / size,
            open_start=start > 0,
            open_end=start + size < extent,
        )

    def part(self, pixels: slice) -> "_Pixels":
        """Some of these pixels, numbered from 0."""
        count = pixels.stop - pixels.start
        return replace(self, first=self.first + pixels.start, count=count, skipped=self.skipped + pixels.start)

    def span(self, extent: int) -> tuple[float, float]:
        """Their begin and end in a picture of the crop, in its pixels."""
        start = (self.start + self.skipped * self.step) * extent
        return start, min(float(extent), start + self.count * self.step * extent)

    @property
    def middles(self) -> np.ndarray:
        """The middle of each pixel in the crop, 0..1."""
        return self.start + (np.arange(self.skipped, self.skipped + self.count) + 0.5) * self.step

    def weights(self, feather: float) -> np.ndarray:
        """Weight of each pixel: from 0 at an open end smoothly to 1 (3 t^2 - 2 t^3) over the feather."""
        weights = np.ones(self.count, np.float32)
        ends = ((self.open_start, self.middles), (self.open_end, 1 - self.middles))
        for distance in (distance for is_open, distance in ends if is_open and feather > 0):
            t = np.clip(distance / feather, 0, 1)
            weights *= t * t * (3 - 2 * t)
        return weights


def _mask_weights(mask: np.ndarray, rows: _Pixels, columns: _Pixels) -> np.ndarray:
    """The mask at the photo's pixels. Interpolation alone would carry it into places where the mask is 0."""
    height, width = mask.shape
    nearest_rows = np.minimum((rows.middles * height).astype(int), height - 1)
    nearest_columns = np.minimum((columns.middles * width).astype(int), width - 1)
    inside = mask > 0

    def smooth(values: np.ndarray) -> np.ndarray:
        image = Image.fromarray(values.astype(np.float32))
        return np.asarray(_resampled(image, rows, columns, Image.Resampling.BILINEAR))

    # half-way between a cell of 0 and a cell of 1, `smooth(inside)` is 1/2
    falloff = np.clip(2 * smooth(inside) - 1, 0, 1)
    weights: np.ndarray = np.clip(smooth(mask), 0, 1) * falloff * inside[np.ix_(nearest_rows, nearest_columns)]
    return weights


def _resampled(image: Image.Image, rows: _Pixels, columns: _Pixels, method: Image.Resampling) -> Image.Image:
    (x, right), (y, bottom) = columns.span(image.width), rows.span(image.height)
    return image.resize((columns.count, rows.count), method, box=(x, y, right, bottom))


def _span(start: float, size: float, margin: int, extent: int) -> tuple[slice, tuple[int, int]]:
    """The pixels of one axis that the resampling needs, and how many repeated ones before and after them."""
    first, end = math.floor(start), math.ceil(start + size)
    return slice(max(first - margin, 0), min(end + margin, extent)), (max(0, -first), max(0, end - extent))


def _check_photo(photo: np.ndarray, crop: Crop) -> None:
    if photo.shape[:2] != crop.photo_size:
        raise InputError(
            f"expected a photo of the size that the crop was made for, {list(crop.photo_size)}, got "
            f"{list(photo.shape[:2])}"
        )
