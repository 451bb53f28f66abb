"""The place of `sean.parsing.faces` in version 0.1, for scripts of that time."""

from sean.parsing.faces import Crop, cut, find_face, find_faces, paste

__all__ = ["Crop", "cut", "find_face", "find_faces", "paste"]
