"""The picture of the README: a photo in the public domain (scikit-image's astronaut), and four edits of it."""

from pathlib import Path

import numpy as np
from PIL import Image
from skimage.data import astronaut

import sean

EDITS = {"hair": "#6b2418", "hair ": "#1a1412", "lips": "#a3142c", "background": "#3f6f8f"}
BOX = (84, 0, 340, 256)
OUTPUT = Path(__file__).resolve().parents[1] / "docs/astronaut.jpg"


def main() -> None:
    """Write the picture."""
    editor = sean.Editor.from_pretrained()
    editor.set_image(astronaut())
    pictures = [astronaut()]
    for region, color in EDITS.items():
        editor.set_style(region.strip(), color)
        pictures.append(editor.composited())
        editor.undo()
    parts = [np.asarray(Image.fromarray(picture).crop(BOX)) for picture in pictures]
    Image.fromarray(np.concatenate(parts, axis=1)).save(OUTPUT, quality=92)


if __name__ == "__main__":
    main()
