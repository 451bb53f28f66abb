"""Damaged pictures and label maps: a picture of sound shape and ids, or one line."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sean.images import EncodedPicture, read_photo
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.segmap import palette_image, read_instances, read_segmap

from .damage import damaged, few, read

PLAIN = LabelSet(name="plain", names=tuple(f"label{index}" for index in range(20)), ignore_id=255)
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 17, 3), dtype=np.uint8)
IDS = np.random.default_rng(1).integers(0, 19, (12, 17))


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


MAPS = {
    "palette PNG": encoded(palette_image(IDS, CELEBAMASK_HQ), "PNG"),
    "grey PNG": encoded(Image.fromarray(IDS.astype(np.uint8)), "PNG"),
    "deep PNG": encoded(Image.fromarray(IDS.astype(np.uint16)), "PNG"),
    "coloured PNG": encoded(palette_image(IDS, CELEBAMASK_HQ).convert("RGB"), "PNG"),
    "palette BMP": encoded(palette_image(IDS, CELEBAMASK_HQ), "BMP"),
    "palette TIFF": encoded(palette_image(IDS, CELEBAMASK_HQ), "TIFF"),
    "packed TIFF": encoded(Image.fromarray(IDS.astype(np.uint8)), "TIFF", compression="tiff_lzw"),
    "GIF": encoded(palette_image(IDS, CELEBAMASK_HQ), "GIF"),
}
PHOTOS = {
    kind: encoded(Image.fromarray(PIXELS), kind, exif=Image.Exif().tobytes())
    for kind in ("JPEG", "PNG", "WEBP", "TIFF")
} | {
    "GIF": encoded(Image.fromarray(PIXELS), "GIF"),
    "BMP": encoded(Image.fromarray(PIXELS), "BMP"),
    "transparent": encoded(Image.fromarray(np.dstack([PIXELS, PIXELS[..., 0]])), "PNG"),
}


@pytest.mark.parametrize("kind", MAPS)
@few
@given(data=st.data())
def test_label_maps(kind: str, data: st.DataObject) -> None:
    picture = EncodedPicture(name="a.png", data=data.draw(damaged(MAPS[kind])))
    for labels in (CELEBAMASK_HQ, PLAIN):
        segmap = read(lambda labels=labels: read_segmap(picture, labels))
        if segmap is not None:
            assert segmap.dtype == np.int64 and segmap.ndim == 2 and segmap.size
            assert segmap.min() >= 0 and segmap.max() <= labels.num_regions
    numbers = read(lambda: read_instances(picture))
    assert numbers is None or (numbers.ndim == 2 and numbers.min() >= 0)


@pytest.mark.parametrize("kind", MAPS)
def test_sound_label_maps_are_read(kind: str) -> None:
    assert np.array_equal(read_segmap(EncodedPicture(name="a", data=MAPS[kind]), CELEBAMASK_HQ), IDS)


@pytest.mark.parametrize("kind", PHOTOS)
@few
@given(data=st.data())
def test_photos(kind: str, data: st.DataObject) -> None:
    photo = read(lambda: read_photo(EncodedPicture(name="a", data=data.draw(damaged(PHOTOS[kind])))))
    if photo is not None:
        assert photo.image.dtype == np.uint8 and photo.image.ndim == 3 and photo.image.shape[2] == 3
        assert photo.image.size
