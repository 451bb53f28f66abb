"""The commands that inspect: the label map of a photo, and the models with their regions and styles."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sean.commands.photo_options import (
    DEFAULT_PHOTO_OPTIONS,
    PhotoOptions,
    check_overwrites,
    is_many,
    listed_photos,
    outputs_for,
)
from sean.errors import InputError
from sean.pretrained import DEFAULT_MODEL, bundled_models

if TYPE_CHECKING:
    from sean.editing.pipeline import SEANPipeline


_COLUMNS = 8


def parse(
    photo: tuple[Path, ...],
    /,
    *,
    output: Path,
    photos: PhotoOptions = DEFAULT_PHOTO_OPTIONS,
    overwrite: bool = False,
    device: str = "auto",
) -> None:
    """Make the label map of a photo: a palette PNG of the photo's size, which every --segmap takes.

    Change it in any drawing program that keeps the palette, and give it to sean edit --new-segmap. Several photos, or
    a folder, go into the folder --output; torchrun shares them out over processes.

    Examples:
      sean parse me.jpg -o me.png
      sean parse group.jpg --face 1 -o second.png
      sean parse holidays/ -o maps/
      sean parse street.jpg --parser segformer:nvidia/segformer-b0-finetuned-ade-512-512 --crop none -o street.png

    Args:
        photo: the photo; or several, or a folder of them.
        output: the PNG to write; for several photos, the folder.
        photos: how photos are opened.
        overwrite: the output may be the photo itself.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.commands.photos import for_each_photo
    from sean.devices import process_device
    from sean.parsing.photo import parse as parsed
    from sean.parsing.segmenter import Segmenter
    from sean.segmap import write_segmap

    if photos.label_mapping is not None:
        raise InputError("expected no --label-mapping: the map has the parser's own labels")
    if not photo:
        raise InputError("expected a photo, got none; sean parse --help has examples")
    many = is_many(photo)
    files = listed_photos(photo)
    outputs = outputs_for(files, output, many, suffix=".png")
    if any(target.suffix.lower() != ".png" for target in outputs):
        raise InputError(f"expected --output as a .png, which keeps label ids, got {output}")
    check_overwrites(files, outputs, overwrite)
    segmenter = Segmenter.from_pretrained(photos.parser, device=process_device(device))
    targets = dict(zip(files, outputs, strict=True))

    def work(path: Path) -> None:
        ids = parsed(path, parser=segmenter, crop=photos.crop_choice, face=photos.face)
        target = targets[path]
        write_segmap(target, ids, segmenter.labels)
        print(f"{target}: {ids.shape[1]} x {ids.shape[0]}")

    for_each_photo(files, work, many)


def list_(model: str = DEFAULT_MODEL, /, *, output: Path | None = None, device: str = "auto") -> None:
    """List the bundled models, a model's regions and groups, and the styles of its bank.

    Examples:
      sean list
      sean list runs/faces/model
      sean list -o bank.jpg

    Args:
        model: a bundled name, a model folder, or a hub id owner/name.
        output: also write the styles of the bank as a contact sheet.
        device: where to compute: auto (a CUDA card where there is one, else the CPU), cpu, cuda, or cuda:1.
    """
    from sean.editing.pipeline import SEANPipeline
    from sean.images import format_of

    if output is not None:
        format_of(output)
    pipeline = SEANPipeline.from_pretrained(model, device)
    labels = pipeline.labels
    height, width = pipeline.image_size
    groups = [f"{name} ({', '.join(labels.names[i] for i in ids)})" for name, ids in labels.groups.items()]
    print(f"models:  {', '.join(bundled_models())}")
    print(f"{model}: {width} x {height}, labels {labels.name}")
    print(f"regions: {', '.join(labels.names)}")
    if groups:
        print(f"groups:  {', '.join(groups)}")
    print(f"styles:  {_summary(_style_names(pipeline))}")
    if output is not None:
        _write_bank(pipeline, output)


def _style_names(pipeline: "SEANPipeline") -> list[str]:
    return [f"bank:{style.name or number}" for number, style in enumerate(pipeline.style_bank)]


def _summary(styles: list[str]) -> str:
    if not styles:
        return "no style bank"
    numbered = len(styles) > 1 and all(name == f"bank:{number}" for number, name in enumerate(styles))
    return f"{styles[0]} to {styles[-1]}" if numbered else ", ".join(styles)


def _write_bank(pipeline: "SEANPipeline", output: Path) -> None:
    from sean.contact_sheet import Tile, sheet
    from sean.editing.demo import drawn_faces, draws_faces
    from sean.images import write_image

    if not pipeline.style_bank:
        raise InputError("expected a model with a style bank for a contact sheet; sean style-bank adds one")
    segmap = drawn_faces(pipeline)[0].segmap if draws_faces(pipeline) else _scene(pipeline)
    pictures = [pipeline(segmap, style) for style in pipeline.style_bank]
    tiles = [Tile(np.asarray(each), caption=name) for each, name in zip(pictures, _style_names(pipeline), strict=True)]
    write_image(output, sheet([tiles[start : start + _COLUMNS] for start in range(0, len(tiles), _COLUMNS)]))
    print(f"{output}: {len(tiles)} styles")


def _scene(pipeline: "SEANPipeline") -> "np.ndarray":
    from sean.data.synthetic.scenes import SyntheticScenes

    return SyntheticScenes(size=pipeline.image_size, length=1, seed=0, labels=pipeline.labels).scene(0).segmap
