"""The composite in JavaScript against that of the package, and the operations that it is made of against theirs."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from sean.compositing.colour import RegionColour
from sean.compositing.composite import composite
from sean.compositing.frame import Frame
from sean.compositing.guide import PhotoGuide
from sean.compositing.noise import white_noise
from sean.compositing.recolour import ModelPictures, RegionChange
from sean.editing.editor import Editor
from sean.parsing.faces.crop import Crop, cut

from .javascript import run

LARGEST_LEVELS = 2
AFFINE = (0.7, 0.1, -3.2, -0.05, 0.6, 2.0)


def assert_close(found: np.ndarray, wanted: Any, tolerance: float = 0.0) -> None:
    expected = np.asarray(wanted)
    assert np.abs(found.astype(float) - expected.ravel().astype(float)).max() <= tolerance


def test_pictures_are_resampled_as_pillow_does(rng: np.random.Generator) -> None:
    field = rng.random((37, 53), dtype=np.float32)
    levels = rng.integers(0, 256, (61, 83, 3), dtype=np.uint8)
    crop = Crop(top=-7.3, left=30.25, size=59.5, photo_size=(61, 83))
    turned = replace(crop, angle=33.0)
    found = run(
        """
        const planes = await load("compositing/planes.js");
        const { cut } = await load("photo.js");
        const { field, levels, affine, crop, turned } = given;
        return {
            smaller: planes.resized(field, 11, 20).data, larger: planes.resized(field, 80, 99).data,
            picture: planes.resizedPicture(levels, 30, 44).data, reduced: planes.reduced(levels, 3).data,
            moved: planes.transformed(field, affine, 50, 60).data,
            shown: planes.transformed(levels, affine, 50, 60, 3).data,
            cut: cut(levels, crop, 48).data, turned: cut(levels, turned, 48).data,
        };
        """,
        field=field,
        levels=levels,
        affine=AFFINE,
        crop={"top": crop.top, "left": crop.left, "size": crop.size},
        turned={"top": crop.top, "left": crop.left, "size": crop.size, "angle": turned.angle},
    )
    plane, picture = Image.fromarray(field), Image.fromarray(levels)
    bilinear, affine = Image.Resampling.BILINEAR, Image.Transform.AFFINE
    assert_close(found["smaller"], plane.resize((20, 11), bilinear), 1e-6)
    assert_close(found["larger"], plane.resize((99, 80), bilinear), 1e-6)
    assert_close(found["picture"], picture.resize((44, 30), Image.Resampling.BICUBIC))
    assert_close(found["reduced"], picture.reduce(3))
    assert_close(found["moved"], plane.transform((60, 50), affine, AFFINE, bilinear), 1e-6)
    assert_close(found["shown"], picture.transform((60, 50), affine, AFFINE, bilinear))
    assert_close(found["cut"], cut(levels, crop, 48))
    assert_close(found["turned"], cut(levels, turned, 48), 1)


def test_fields_are_filtered_as_scipy_does(rng: np.random.Generator) -> None:
    field = rng.random((37, 53), dtype=np.float32)
    mask = ndimage.gaussian_filter(rng.random((60, 71)), 3) > 0.5
    found = run(
        """
        const fields = await load("compositing/fields.js");
        const { whiteNoise } = await load("compositing/noise.js");
        const { field, mask, shift } = given;
        return {
            near: fields.gaussian(field, 2.3, "nearest").data, wrapped: fields.gaussian(field, [9, 0.4], "wrap").data,
            wide: fields.gaussian(field, 20).data, mean: fields.boxMean(field, 7).data,
            distances: fields.distances(mask).data, places: fields.nearestZeros(mask), depths: fields.depths(mask).data,
            largest: fields.largestAround(field).data, grown: fields.grown(mask, 3).data,
            bent: fields.shiftedAlongRows(field, shift.data).data, noise: whiteNoise(60, 20, 13, 1),
            median: [fields.median([3, 1, 2]), fields.median([4, 1, 2, 3])],
        };
        """,
        field=field,
        mask=mask,
        shift=20 * field - 10,
    )
    distances, (rows, columns) = ndimage.distance_transform_edt(mask, return_indices=True)
    assert_close(found["near"], ndimage.gaussian_filter(field, 2.3, mode="nearest"), 1e-6)
    assert_close(found["wrapped"], ndimage.gaussian_filter(field, (9, 0.4), mode="wrap"), 1e-6)
    assert_close(found["wide"], ndimage.gaussian_filter(field, 20), 1e-6)
    assert_close(found["mean"], ndimage.uniform_filter(field, 7, mode="nearest"), 1e-6)
    assert_close(found["distances"], distances, 1e-5)
    assert_close(found["places"]["rows"], rows)
    assert_close(found["places"]["columns"], columns)
    assert_close(found["depths"], ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1], 1e-5)
    assert_close(found["largest"], ndimage.maximum_filter(field, 3, mode="nearest"))
    assert_close(found["grown"], ndimage.binary_dilation(mask, iterations=3))
    at = np.indices(field.shape, dtype=np.float32)
    bent = ndimage.map_coordinates(field, (at[0], at[1] + 20 * field - 10), order=1, mode="grid-wrap")
    assert_close(found["bent"], bent, 1e-5)
    assert_close(found["noise"], white_noise((6, 10), 20, 13, 1), 1e-6)
    assert found["median"] == [2, 2.5]


def composite_in_javascript(
    photo: np.ndarray,
    frame: Frame,
    changes: list[RegionChange],
    pictures: ModelPictures,
    maps: tuple[np.ndarray, np.ndarray],
    **options: Any,
) -> np.ndarray:
    found = run(
        """
        const { Frame } = await load("compositing/frame.js");
        const { PhotoGuide } = await load("compositing/guide.js");
        const { composite } = await load("compositing/composite.js");
        const guide = new PhotoGuide(given.photo, new Frame(given.frame), given.changes[0].mask);
        const pictures = { own: given.own, edited: given.edited, frame: new Frame(given.place) };
        const colours = new Map([[3, { colour: { mean: [20, 5, 0], contrast: null }, strength: 0.5 }]]);
        const options = { strands: new Set([13]), colours, quick: given.quick };
        return composite(guide, given.changes, pictures, { own: given.first, edited: given.second }, options);
        """,
        photo=photo,
        frame=frame.matrix,
        changes=[
            {
                "mask": change.mask,
                "target": None if change.target is None else vars(change.target),
                "strength": change.strength,
                "strands": change.strands,
                "several": change.several,
            }
            for change in changes
        ],
        own=pictures.own,
        edited=pictures.edited,
        place=pictures.frame.matrix,
        first=maps[0],
        second=maps[1],
        **options,
    )
    result: np.ndarray = found["data"].reshape(photo.shape)
    return result


def assert_equal_pictures(found: np.ndarray, wanted: np.ndarray, photo: np.ndarray) -> None:
    assert (wanted != photo).any()
    assert np.abs(found.astype(int) - wanted).max() <= LARGEST_LEVELS
    assert (found != wanted).mean() < 0.001


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_random_edits_of_random_photos(rng: np.random.Generator, quick: bool, turned: bool) -> None:
    noise = ndimage.gaussian_filter(rng.random((150, 190, 3)), (2, 2, 0))
    photo = (255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)
    frame = Frame(matrix=(110.0, 20.0, 25.0, -20.0, 110.0, 35.0)) if turned else Frame.square(-20.5, 60.25, 140.0)
    first = 13 * (ndimage.gaussian_filter(rng.random((32, 32)), 3) > 0.5).astype(np.int64)
    first[22:24, 22:26] = 6
    second = first.copy()
    second[4:20, 8:14], second[25:29, 3:30], second[15, 2:30] = 13, 0, 3
    second[22:25, 22:26], second[9:11, 20:25] = 6, 5  # small ones: grown, and new
    own, edited = (rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(2))
    wider = frame.part(-0.2, -0.2, 1.2, 1.2)
    mask = np.pad(first == 13, 6, mode="edge")
    changes = [
        RegionChange(
            mask=mask, target=RegionColour(mean=(60.0, 20.0, -30.0), contrast=5.0), strength=0.8, strands=True
        ),
        RegionChange(mask=~mask, several=True),
    ]
    pictures = ModelPictures(own=own, edited=edited, frame=frame)
    guide = PhotoGuide(photo, wider, mask.shape)
    options: dict[str, Any] = {
        "strands": [13],
        "colours": {3: (RegionColour(mean=(20.0, 5.0, 0.0)), 0.5)},
        "quick": quick,
    }
    wanted = composite(guide, changes, pictures, (first, second), **options)
    found = composite_in_javascript(photo, wider, changes, pictures, (first, second), quick=quick)
    assert_equal_pictures(found, wanted, photo)


@pytest.mark.parametrize("turned", [False, True])
def test_the_colour_of_an_inside(rng: np.random.Generator, turned: bool) -> None:
    noise = ndimage.gaussian_filter(rng.random((150, 190, 3)), (4, 4, 0))
    photo = (255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)
    frame = Frame(matrix=(110.0, 20.0, 25.0, -20.0, 110.0, 35.0)) if turned else Frame.square(-20.5, 60.25, 140.0)
    masks = [noise[:32, :32, 0] > level for level in (0.45, 0.5, 0.51)]
    masks.append(np.zeros((32, 32), bool))
    guide = PhotoGuide(photo, frame, (32, 32))
    target = RegionColour(mean=(60.0, 20.0, -30.0))
    wanted = [guide.inside_colour(mask, target).mean for mask in masks]
    assert wanted[-1] == target.mean and all(each != target.mean for each in wanted[:-1])
    found = run(
        """
        const { Frame } = await load("compositing/frame.js");
        const { PhotoGuide } = await load("compositing/guide.js");
        const { flatColour } = await load("compositing/colour.js");
        const guide = new PhotoGuide(given.photo, new Frame(given.frame), given.masks[0]);
        return given.masks.map((mask) => guide.insideColour(mask, flatColour(given.target)).mean);
        """,
        photo=photo,
        frame=frame.matrix,
        masks=masks,
        target=target.mean,
    )
    np.testing.assert_allclose(found, wanted, atol=0.02)


def test_an_edited_portrait() -> None:
    data = pytest.importorskip("skimage.data")
    editor = Editor.from_pretrained()
    editor.set_image(data.astronaut())
    assert editor.photo is not None and editor.photo.crop is not None
    photo, crop = editor.photo.image, editor.photo.crop
    first, own = editor.state.segmap.astype(np.int64), np.asarray(editor.render())
    editor.paint([(0.3, 0.5), (0.3, 0.9), (0.5, 0.95)], 0.06, "hair")
    editor.paint([(0.5, 0.05), (0.8, 0.1)], 0.05, "skin")
    editor.paint([(0.35, 0.45), (0.65, 0.45)], 0.03, "eye_g")
    second, edited = editor.state.segmap.astype(np.int64), np.asarray(editor.render())
    frame = Frame.square(crop.top, crop.left, crop.size)
    changes = [
        RegionChange(mask=first == 13, target=RegionColour(mean=(70.0, 5.0, 35.0)), strands=True),
        RegionChange(mask=first == 0, target=RegionColour(mean=(40.0, 20.0, -60.0)), several=True),
    ]
    pictures = ModelPictures(own=own, edited=edited, frame=frame)
    guide = PhotoGuide(photo, frame, first.shape)
    colours = {3: (RegionColour(mean=(20.0, 5.0, 0.0)), 0.5)}
    wanted = composite(guide, changes, pictures, (first, second), strands=[13], colours=colours)
    found = composite_in_javascript(photo, frame, changes, pictures, (first, second), quick=False)
    assert_equal_pictures(found, wanted, photo)
