"""The options of all commands that open photos. Light: the help of a command loads no torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sean.pretrained import BUNDLED

CropMode = Literal["auto", "none"]


@dataclass(frozen=True, kw_only=True)
class PhotoOptions:
    """How photos without a label map are opened.

    Attributes:
        parser: makes the label map of a photo that has none: "bundled" (faces), a parser's folder, or segformer: and a
            hub id or folder (needs transformers).
        label_mapping: JSON file that matches the parser's label names with the model's, see sean evaluate --help.
        crop: of photos without a label map: "auto" finds the face, which alone the model sees (an edited photo gets
            it back in its place); "none" takes the whole picture.
    """

    parser: str = BUNDLED
    label_mapping: Path | None = None
    crop: CropMode = "auto"


DEFAULT_PHOTO_OPTIONS = PhotoOptions()
