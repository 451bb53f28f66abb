"""Faces in photos: detection, crops framed like the training pictures, and pasting the edited face back."""

from sean.parsing.faces.crop import Crop, cut, paste
from sean.parsing.faces.landmarks import has_landmarks
from sean.parsing.faces.search import find_face, find_faces

__all__ = ["Crop", "cut", "find_face", "find_faces", "has_landmarks", "paste"]
