"""The pictures of a session: the one that is edited, and those that opening another one has left, to go back to."""

import math
from dataclasses import dataclass, field

from sean.editing.editor import Editor
from sean.editing.edits import Edit
from sean.web.pictures import photo_file, png

SHOWN_SIDE = 1600
"""Pixels of the longer side of a photo as the page shows it."""


@dataclass(eq=False, kw_only=True)
class Document:
    """A picture and everything done to it.

    Attributes:
        editor: of this picture.
        original: what the model sees of the photo, or what it first made of a drawn map; PNG.
        whole: the whole photo as the page shows it, PNG or JPEG; of a drawn picture, `original`.
        name: of the photo's file; empty where there is none.
        thumbnails: PNG files of the style photos, by name.
        number: counts the documents of a session.
        left_at: edits done when another picture was opened; those beyond were taken back before that.
    """

    editor: Editor
    original: bytes
    whole: bytes
    name: str = ""
    thumbnails: dict[str, bytes] = field(default_factory=dict)
    number: int = 0
    left_at: float = math.inf

    @classmethod
    def of(cls, editor: Editor, *, name: str = "") -> "Document":
        """The document of an editor that has just begun; renders a drawn picture."""
        if editor.photo is None:
            original = png(editor.render())
            return cls(editor=editor, original=original, whole=original)
        assert editor.original is not None
        whole = photo_file(editor.photo_at(SHOWN_SIDE).image)
        return cls(editor=editor, original=png(editor.original), whole=whole, name=name)


@dataclass(eq=False)
class Documents:
    """A history of pictures: opening one is a step that undo takes back, between the edits of the two pictures.

    Attributes:
        current: the picture that is edited.
        most: how many pictures before it are kept.
    """

    current: Document
    most: int
    _earlier: list[Document] = field(default_factory=list)
    _later: list[Document] = field(default_factory=list)
    _count: int = 0

    def open(self, document: Document, *, styles_stay: bool = True) -> None:
        """Go on with another picture; what was undone before cannot be redone any more.

        Args:
            document: of an editor that is not in use here yet.
            styles_stay: whether its editor knows the style photos of the current one (see `Editor.branch`).
        """
        self._count += 1
        document.number = self._count
        if styles_stay:
            document.thumbnails |= self.current.thumbnails
        self.current.left_at = self.current.editor.num_edits
        self.current.editor.forget_rendered()
        self._earlier = [*self._earlier, self.current][-self.most :]
        self._later.clear()
        self.current = document

    def find(self, number: int | None) -> Document | None:
        """The document of that number, where it is still kept; None stands for the current one."""
        if number is None:
            return self.current
        return next((each for each in (self.current, *self._earlier, *self._later) if each.number == number), None)

    def apply(self, edit: Edit, document: Document) -> None:
        """Do an edit, in the current picture or, where it was meant for one that has been left since, in that one."""
        document.editor.apply(edit)
        if document is self.current:
            self._later.clear()
            document.left_at = math.inf
        else:
            document.left_at = document.editor.num_edits

    @property
    def can_undo(self) -> bool:
        """Whether there is an edit or an opening to take back."""
        return self.current.editor.can_undo or bool(self._earlier)

    @property
    def can_redo(self) -> bool:
        """Whether there is an edit or an opening to do again."""
        return self._can_redo_edit or bool(self._later)

    @property
    def _can_redo_edit(self) -> bool:
        editor = self.current.editor
        return editor.can_redo and editor.num_edits < self.current.left_at

    def undo(self) -> bool:
        """Take the last edit or opening back; False where there is none."""
        if self.current.editor.undo():
            return True
        if not self._earlier:
            return False
        self.current.editor.forget_rendered()
        self._later.append(self.current)
        self.current = self._earlier.pop()
        return True

    def redo(self) -> bool:
        """Do the edit or opening again that was taken back last; False where there is none."""
        if self._can_redo_edit:
            return self.current.editor.redo()
        if not self._later:
            return False
        self.current.editor.forget_rendered()
        self._earlier.append(self.current)
        self.current = self._later.pop()
        return True
