"""What the server takes from an editor: its state as JSON, and its picture and map, with or without a preview."""

from dataclasses import dataclass

import numpy as np

from sean.editing.editor import Editor
from sean.editing.edits import Edit
from sean.editing.sources import OWN
from sean.editing.state import EditorState
from sean.editing.state import Region as Place
from sean.parsing.faces import Crop
from sean.web.documents import SHOWN_SIDE, Document, Documents
from sean.web.pictures import map_png, photo_file, png
from sean.web.schemas import PhotoInfo, Region, Source, Square, State


@dataclass(frozen=True, kw_only=True)
class Patch:
    """What edits have changed of a photo, as the page shows it.

    Attributes:
        area: left, top, width and height in parts of the photo's width and height; None where nothing has changed.
        data: that area of the edited photo, PNG or JPEG; empty where nothing has changed.
    """

    area: tuple[float, float, float, float] | None
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Frame:
    """What a state or a preview looks like.

    Attributes:
        version: of the session's state.
        document: number of the picture that is edited.
        picture: what the model made, PNG; empty where nobody asked for it.
        patch: what that changes in the photo; None where there is no photo, or nobody asked for it.
        map: palette PNG.
    """

    version: int
    document: int
    picture: bytes
    patch: Patch | None
    map: bytes


def snapshot(session_id: str, documents: Documents, version: int) -> State:
    """The state of a session as clients see it."""
    editor = documents.current.editor
    names = editor.pipeline.labels.names
    regions = [
        Region(
            label=names[region.label],
            instance=region.instance,
            area=region.area,
            at=_point_in(editor.state, region) if region.instance else None,
            styles=[(OWN, 1.0) if setting is None else setting for setting in region.styles],
        )
        for region in editor.regions
    ]
    return State(
        id=session_id,
        version=version,
        document=documents.current.number,
        photo=_photo_info(documents.current),
        regions=regions,
        sources=[Source(source=name, regions=list(has)) for name, has in editor.sources.items()],
        can_undo=documents.can_undo,
        can_redo=documents.can_redo,
        edits=editor.num_edits,
    )


def _point_in(state: EditorState, region: Place) -> tuple[float, float]:
    """The pixel of a region that is nearest to its middle, as fractions x and y."""
    rows, columns = np.nonzero((state.segmap == region.label) & (state.instances == region.instance))
    nearest = int(np.argmin((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2))
    height, width = state.segmap.shape
    return (float(columns[nearest]) + 0.5) / width, (float(rows[nearest]) + 0.5) / height


def _photo_info(document: Document) -> PhotoInfo | None:
    photo = document.editor.photo
    if photo is None:
        return None
    height, width = photo.image.shape[:2]
    return PhotoInfo(
        name=document.name,
        width=width,
        height=height,
        crop=None if photo.crop is None else _square(photo.crop),
        faces=None if photo.crop is None else [_square(face) for face in photo.faces],
    )


def _square(crop: Crop) -> Square:
    return Square(left=crop.left, top=crop.top, size=crop.size)


def frame(
    document: Document, version: int, preview: Edit | None = None, *, photo: bool = True, model: bool = True
) -> Frame:
    """The picture of a state, or, quicker and not quite as exact, of a preview: an edit that is not done.

    Args:
        document: with the editor.
        version: of the session's state.
        preview: see above.
        photo: whether somebody looks at the edited photo, where there is one.
        model: whether somebody looks at what the model made; without a photo, everybody does.

    Raises:
        InputError: the edit cannot be applied.
    """
    editor, quick = document.editor, preview is not None
    state = editor.state if preview is None else editor.after(preview)
    has_photo = editor.photo is not None
    return Frame(
        version=version,
        document=document.number,
        picture=png(editor.render(state, quick=quick)) if model or not has_photo else b"",
        patch=_patch(editor, state, quick=quick) if photo and has_photo else None,
        map=map_png(state.segmap, editor.pipeline.labels),
    )


def _patch(editor: Editor, state: EditorState, *, quick: bool) -> Patch:
    edited = editor.composited(state, quick=quick, max_side=SHOWN_SIDE)
    height, width = edited.shape[:2]
    changed = (edited != editor.photo_at(SHOWN_SIDE).image).any(axis=2)
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return Patch(area=None, data=b"")
    top, bottom, left, right = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    area = (left / width, top / height, (right - left) / width, (bottom - top) / height)
    return Patch(area=area, data=photo_file(edited[top:bottom, left:right]))
