"""Photos to try the editor with: scikit-image's astronaut, which is in the public domain."""

import importlib.util

from sean.web.pictures import png

NAMES = ("astronaut.png",)


def available() -> bool:
    """Whether scikit-image is here, which brings the photo."""
    return importlib.util.find_spec("skimage") is not None


def photo(name: str) -> bytes | None:
    """A sample photo as a PNG file; None where there is no such one."""
    if name not in NAMES or not available():
        return None
    from skimage.data import astronaut

    return png(astronaut())
