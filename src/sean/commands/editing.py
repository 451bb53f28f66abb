"""The commands that render pictures: demo, reconstruct, edit, interpolate, crossover."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sean.commands.devices import best_device
from sean.editing.demo import run_demo
from sean.editing.pipeline import DEFAULT_MODEL, SEANPipeline
from sean.editing.strips import crossover_strip, interpolation_strip
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.figures import Tile, sheet
from sean.images import format_of, read_image, save_image, write_image
from sean.segmap import read_segmap


@dataclass(frozen=True, kw_only=True)
class Photo:
    """A photo, its label map and its styles."""

    image: np.ndarray
    segmap: np.ndarray
    styles: StyleCodes


def demo(
    *, model: str = DEFAULT_MODEL, output: Path = Path("demo"), image: Path | None = None, segmap: Path | None = None
) -> None:
    """Show what the model does: reconstruct, edit region by region, reshape, interpolate and cross over.

    Without a photo it draws parametric faces with styles of the model's bank and edits those. Writes the pictures and
    one contact sheet, and prints where.

    Examples:
      sean demo
      sean demo --image me.jpg --segmap me.png --output my-demo

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        output: folder for the pictures.
        image: your own photo, cropped as the training pictures are.
        segmap: its label map (palette or grey PNG).
    """
    pipeline = SEANPipeline.from_pretrained(model, best_device())
    if (image is None) != (segmap is None):
        raise InputError("expected --image and --segmap together; give both or none")
    photo = None
    if image is not None and segmap is not None:
        opened = _open_photo(pipeline, image, segmap)
        photo = (opened.image, opened.segmap)
    sheet_path = run_demo(pipeline, output, photo=photo)
    print(f"{len(list(output.glob('*.png')))} pictures in {output}/, all on one sheet: {sheet_path}")


def reconstruct(*, model: str = DEFAULT_MODEL, image: Path, segmap: Path, output: Path) -> None:
    """Encode a photo's styles and render its label map with them.

    Examples:
      sean reconstruct --image me.jpg --segmap me.png --output again.png

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        image: the photo.
        segmap: its label map (palette or grey PNG).
        output: the picture to write.
    """
    format_of(output)  # refuses a wrong suffix before any work
    pipeline = SEANPipeline.from_pretrained(model, best_device())
    photo = _open_photo(pipeline, image, segmap)
    _write(output, pipeline(photo.segmap, photo.styles))


def edit(
    *,
    model: str = DEFAULT_MODEL,
    image: Path,
    segmap: Path,
    style: tuple[str, ...] = (),
    new_segmap: Path | None = None,
    output: Path,
) -> None:
    """Edit a photo: styles of regions from elsewhere, and a repainted label map.

    Examples:
      sean edit --image me.jpg --segmap me.png --style hair=you.jpg,you.png --output edited.png
      sean edit --image me.jpg --segmap me.png --style hair=bank:3 --style skin=saved.safetensors --output edited.png
      sean edit --image me.jpg --segmap me.png --new-segmap longer-hair.png --output edited.png

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        image: the photo.
        segmap: its label map (palette or grey PNG).
        style: REGION=SOURCE; repeat the option for more; several regions of one source as hair+skin=SOURCE. A source
            is PHOTO,LABELMAP or bank:N (a style of the model's bank) or a .safetensors style file.
        new_segmap: the label map to render, if it is another than the photo's.
        output: the picture to write.
    """
    format_of(output)  # refuses a wrong suffix before any work
    pipeline = SEANPipeline.from_pretrained(model, best_device())
    photo = _open_photo(pipeline, image, segmap)
    styles = photo.styles
    for option in style:
        regions, source = _parse_style_option(option)
        styles = styles.with_region(regions, _style_source(pipeline, source))
    target = photo.segmap if new_segmap is None else read_segmap(new_segmap, pipeline.labels)
    _write(output, pipeline(target, styles))


def interpolate(
    *,
    model: str = DEFAULT_MODEL,
    image: Path,
    segmap: Path,
    style_image: Path,
    style_segmap: Path,
    region: tuple[str, ...] = (),
    steps: int = 7,
    output: Path,
) -> None:
    """A strip of pictures from the photo's own styles to another photo's (the paper's Fig. 5).

    Examples:
      sean interpolate --image a.jpg --segmap a.png --style-image b.jpg --style-segmap b.png --output strip.png
      sean interpolate --image a.jpg --segmap a.png --style-image b.jpg --style-segmap b.png \\
          --region hair --region skin --steps 9 --output strip.png

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        image: the photo whose label map is rendered.
        segmap: its label map.
        style_image: the photo whose styles are reached at the end.
        style_segmap: its label map.
        region: interpolate this one only, or several by repeating the option; all when left out.
        steps: pictures in the strip.
        output: the strip to write.
    """
    format_of(output)  # refuses a wrong suffix before any work
    if steps < 2:
        raise InputError(f"expected at least 2 steps, got {steps}")
    pipeline = SEANPipeline.from_pretrained(model, best_device())
    photo, other = _open_photo(pipeline, image, segmap), _open_photo(pipeline, style_image, style_segmap)
    tiles = interpolation_strip(pipeline, photo.segmap, photo.styles, other.styles, steps, region or None)
    _write_strip(output, tiles)


def crossover(
    *,
    model: str = DEFAULT_MODEL,
    image: Path,
    segmap: Path,
    style_image: Path,
    style_segmap: Path,
    output: Path,
) -> None:
    """A strip in which more and more ResBlks take another photo's styles (the paper's Fig. 7).

    Examples:
      sean crossover --image a.jpg --segmap a.png --style-image b.jpg --style-segmap b.png --output strip.png

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        image: the photo whose label map is rendered; style A.
        segmap: its label map.
        style_image: the photo of style B.
        style_segmap: its label map.
        output: the strip to write.
    """
    format_of(output)  # refuses a wrong suffix before any work
    pipeline = SEANPipeline.from_pretrained(model, best_device())
    photo, other = _open_photo(pipeline, image, segmap), _open_photo(pipeline, style_image, style_segmap)
    _write_strip(output, crossover_strip(pipeline, photo.segmap, photo.styles, other.styles))


def _open_photo(pipeline: SEANPipeline, image: Path, segmap: Path) -> Photo:
    pixels, ids = read_image(image), read_segmap(segmap, pipeline.labels)
    if pixels.shape[:2] != ids.shape:
        raise InputError(
            "expected a photo and its label map of one size (h x w), got "
            f"{pixels.shape[0]} x {pixels.shape[1]} in {image} and {ids.shape[0]} x {ids.shape[1]} in {segmap}; "
            "crop or resize one like the other"
        )
    return Photo(image=pixels, segmap=ids, styles=pipeline.encode(pixels, ids))


def _parse_style_option(option: str) -> tuple[list[str], str]:
    regions, equals, source = option.partition("=")
    if not equals or not regions or not source:
        raise InputError(f"expected --style REGION=SOURCE, e.g. hair=you.jpg,you.png, got {option!r}")
    return regions.split("+"), source


def _style_source(pipeline: SEANPipeline, source: str) -> StyleCodes:
    """The styles that a SOURCE of `sean edit` names."""
    if source.startswith("bank:"):
        number, bank = source.removeprefix("bank:"), pipeline.style_bank
        if not number.isdecimal() or int(number) >= len(bank):
            raise InputError(f"expected bank:N with N in 0..{len(bank) - 1} for this model, got {source!r}")
        return bank[int(number)]
    if source.endswith(".safetensors"):
        return StyleCodes.load(source)
    image, comma, segmap = source.partition(",")
    if not comma:
        raise InputError(
            f"expected the label map of the style photo {image} after a comma, {image},LABELMAP.png "
            "(this version has no face parser to make one)"
        )
    return _open_photo(pipeline, Path(image), Path(segmap)).styles


def _write(output: Path, picture: Image.Image) -> None:
    save_image(output, picture)
    height, width = picture.height, picture.width
    note = ""
    if "resized_from" in picture.info:
        old_height, old_width = picture.info["resized_from"]
        note = f", the model's size (the label map was {old_width} x {old_height})"
    print(f"{output}: {width} x {height}{note}")


def _write_strip(output: Path, tiles: Sequence[Tile]) -> None:
    write_image(output, sheet([tiles]))
    print(f"{output}: {len(tiles)} pictures")
