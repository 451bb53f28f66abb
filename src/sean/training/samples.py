"""Sample sheets of a training: segmap, photo, reconstruction, and each photo with the styles of the next one."""

from pathlib import Path

import torch
from torch import Tensor

from sean.contact_sheet import Tile, sheet
from sean.images import tensor_to_image, write_image
from sean.labels import LabelSet
from sean.models.base import StyledModel
from sean.segmap import colorize


@torch.no_grad()
def write_samples(
    path: Path, model: StyledModel, image: Tensor, segmap: Tensor, edges: Tensor | None, labels: LabelSet, title: str
) -> None:
    """Render and write a sheet.

    Args:
        path: path of the sheet.
        model: model in evaluation mode.
        image: [b, 3, h, w] in [-1, 1]; segmap: [b, h, w]; edges: [b, h, w] of the instances, if the model takes them.
        labels: label set with the colours of the segmaps.
        title: title of the sheet.
    """
    codes, present = model.encode(image, segmap)
    other = torch.roll(codes, 1, dims=0)
    # regions missing from the other photo keep their own styles
    exchanged = torch.where(torch.roll(present, 1, dims=0).unsqueeze(-1), other, codes)
    rows = {
        "segmap": [Tile(colorize(ids.cpu().numpy(), labels), pixelated=True) for ids in segmap],
        "photo": [Tile(tensor_to_image(picture.cpu())) for picture in image],
        "reconstruction": [
            Tile(tensor_to_image(picture.cpu().float())) for picture in model.render(segmap, codes, edges=edges)
        ],
        "styles of the photo to the left": [
            Tile(tensor_to_image(picture.cpu().float())) for picture in model.render(segmap, exchanged, edges=edges)
        ],
    }
    write_image(path, sheet(list(rows.values()), row_titles=list(rows), title=title))
