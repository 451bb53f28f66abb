"""The commands that render pictures of photos as they are: demo, reconstruct, interpolate, crossover."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sean.commands.photo_options import DEFAULT_PHOTO_OPTIONS, PhotoOptions
from sean.errors import InputError
from sean.pretrained import DEFAULT_MODEL

if TYPE_CHECKING:
    from PIL import Image

    from sean.commands.photos import OpenedPhoto
    from sean.contact_sheet import Tile


def demo(
    *,
    model: str = DEFAULT_MODEL,
    output: Path = Path("demo"),
    image: Path | None = None,
    segmap: Path | None = None,
    photos: PhotoOptions = DEFAULT_PHOTO_OPTIONS,
    device: str = "auto",
) -> None:
    """Demonstrate the model: reconstruct, edit region by region, reshape, interpolate and cross over.

    Without a photo it draws parametric faces with styles of the model's bank and edits those. Writes the pictures and
    one contact sheet, and prints their paths.

    Examples:
      sean demo
      sean demo --image me.jpg --output my-demo
      sean demo --image me.jpg --segmap me.png --output my-demo

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        output: folder for the pictures.
        image: a photo to use.
        segmap: its label map (palette or grey PNG); left out, the parser makes it.
        photos: how photos without a label map are opened.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.commands.photos import open_photo, pipeline_for
    from sean.editing.demo import run_demo

    if image is None and segmap is not None:
        raise InputError(f"expected the photo of the label map {segmap}; give it as --image")
    pipeline = pipeline_for(model, device, photos)
    photo = None
    if image is not None:
        opened = open_photo(pipeline, image, segmap, photos)
        photo = (opened.image, opened.segmap)
    sheet_path = run_demo(pipeline, output, photo=photo)
    print(f"{len(list(output.glob('*.png')))} pictures in {output}/, all on one sheet: {sheet_path}")


def reconstruct(
    *,
    model: str = DEFAULT_MODEL,
    image: Path,
    segmap: Path | None = None,
    photos: PhotoOptions = DEFAULT_PHOTO_OPTIONS,
    output: Path,
    device: str = "auto",
) -> None:
    """Encode a photo's styles and render its label map with them.

    Examples:
      sean reconstruct --image me.jpg --output again.png
      sean reconstruct --image me.jpg --segmap me.png --output again.png

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        image: the photo.
        segmap: its label map (palette or grey PNG); left out, the parser makes it.
        photos: how photos without a label map are opened.
        output: the picture to write.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.commands.photos import open_photo, pipeline_for
    from sean.images import format_of

    format_of(output)  # refuses a wrong suffix before any work
    pipeline = pipeline_for(model, device, photos)
    photo = open_photo(pipeline, image, segmap, photos)
    _write(output, photo, pipeline(photo.segmap, photo.styles))


def interpolate(
    *,
    model: str = DEFAULT_MODEL,
    image: Path,
    style_image: Path,
    segmap: Path | None = None,
    style_segmap: Path | None = None,
    region: tuple[str, ...] = (),
    steps: int = 7,
    photos: PhotoOptions = DEFAULT_PHOTO_OPTIONS,
    output: Path,
    device: str = "auto",
) -> None:
    """Render a strip of pictures from the photo's own styles to another photo's (the paper's Fig. 5).

    Examples:
      sean interpolate --image a.jpg --style-image b.jpg --region hair --output strip.png
      sean interpolate --image a.jpg --segmap a.png --style-image b.jpg --style-segmap b.png --output strip.png
      sean interpolate --image a.jpg --segmap a.png --style-image b.jpg --style-segmap b.png \\
          --region hair --region skin --steps 9 --output strip.png

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        image: the photo whose label map is rendered.
        segmap: its label map; left out, the parser makes it.
        style_image: the photo of the styles at the end.
        style_segmap: its label map, likewise.
        region: interpolate this region only; repeat the option for more. By default all regions.
        steps: pictures in the strip.
        photos: how photos without a label map are opened.
        output: the strip to write.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.commands.photos import open_photo, pipeline_for
    from sean.editing.demo import interpolation_strip
    from sean.images import format_of

    format_of(output)  # refuses a wrong suffix before any work
    if steps < 2:
        raise InputError(f"expected at least 2 steps, got {steps}")
    pipeline = pipeline_for(model, device, photos)
    photo = open_photo(pipeline, image, segmap, photos)
    other = open_photo(pipeline, style_image, style_segmap, photos)
    tiles = interpolation_strip(pipeline, photo.segmap, photo.styles, other.styles, steps, region or None)
    _write_strip(output, tiles)


def crossover(
    *,
    model: str = DEFAULT_MODEL,
    image: Path,
    style_image: Path,
    segmap: Path | None = None,
    style_segmap: Path | None = None,
    photos: PhotoOptions = DEFAULT_PHOTO_OPTIONS,
    output: Path,
    device: str = "auto",
) -> None:
    """Render a strip in which more and more ResBlks take another photo's styles (the paper's Fig. 7).

    Examples:
      sean crossover --image a.jpg --style-image b.jpg --output strip.png
      sean crossover --image a.jpg --segmap a.png --style-image b.jpg --style-segmap b.png --output strip.png

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        image: the photo whose label map is rendered; style A.
        segmap: its label map; left out, the parser makes it.
        style_image: the photo of style B.
        style_segmap: its label map, likewise.
        photos: how photos without a label map are opened.
        output: the strip to write.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.commands.photos import open_photo, pipeline_for
    from sean.editing.demo import crossover_strip
    from sean.images import format_of

    format_of(output)  # refuses a wrong suffix before any work
    pipeline = pipeline_for(model, device, photos)
    photo = open_photo(pipeline, image, segmap, photos)
    other = open_photo(pipeline, style_image, style_segmap, photos)
    _write_strip(output, crossover_strip(pipeline, photo.segmap, photo.styles, other.styles))


def _write(output: Path, photo: "OpenedPhoto", rendered: "Image.Image") -> None:
    from sean.commands.photos import seen_square

    picture = photo.save(output, rendered)
    note = ""
    height, width = photo.photo.image.shape[:2]
    if photo.photo.crop is not None:
        note = seen_square(photo.photo.crop)
    elif (picture.width, picture.height) != (width, height):
        note = f", the model's size (the photo is {width} x {height})"
    print(f"{output}: {picture.width} x {picture.height}{note}")


def _write_strip(output: Path, tiles: "Sequence[Tile]") -> None:
    from sean.contact_sheet import sheet
    from sean.images import write_image

    write_image(output, sheet([tiles]))
    print(f"{output}: {len(tiles)} pictures")
