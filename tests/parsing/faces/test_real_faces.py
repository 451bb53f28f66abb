"""The numbers that crops of faces are made with, against crops of CelebAMask-HQ: there the crop is the picture."""

import numpy as np

from sean.images import read_image
from sean.labels import CELEBAMASK_HQ
from sean.parsing.faces import search
from sean.parsing.faces.crop import Crop
from sean.parsing.faces.detection import detect_faces
from sean.parsing.faces.landmarks import find_landmarks
from sean.segmap import read_segmap

from ...real_data import DATA, needs_data

FACES = DATA / "celebamask_mini"
SIZE = 256


@needs_data
def test_the_square_around_the_landmarks_is_the_picture() -> None:
    overlaps = []
    for path in sorted((FACES / "labels").glob("*.png"))[::9]:
        marks = find_landmarks(read_segmap(path, CELEBAMASK_HQ), CELEBAMASK_HQ)
        if marks is not None and marks.eye_distance:
            (y, x), size = marks.middle * SIZE, marks.size * SIZE
            crop = Crop(top=y - size / 2, left=x - size / 2, size=size, photo_size=(SIZE, SIZE))
            overlaps.append(crop.overlap(Crop.whole((SIZE, SIZE))))
    assert len(overlaps) > 90
    assert 0.94 < np.mean(overlaps) < 0.96


@needs_data
def test_the_square_around_a_detectors_box_is_the_picture() -> None:
    sizes, rises = [], []
    for path in sorted((FACES / "images").glob("*.jpg"))[:800:20]:
        box = detect_faces(read_image(path))[0]
        sizes.append(SIZE / box.size)
        rises.append((box.y - SIZE / 2) / box.size)
    assert abs(np.median(sizes) - search._CROP_SIZE) < 0.02
    assert abs(np.median(rises) - search._CROP_RISE) < 0.01
