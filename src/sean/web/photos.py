"""Photos of a session: opened with progress, taken styles from, and put together again."""

from functools import partial

import numpy as np

from sean.editing.edit_values import SEAM_MARGIN
from sean.editing.editor import Editor
from sean.editing.edits import SetStyle
from sean.errors import InputError
from sean.parsing.photo import Photo
from sean.photo_output import photo_bytes
from sean.web.pictures import PNG_LEVEL, thumbnail
from sean.web.rendering import Kind
from sean.web.schemas import Source, State
from sean.web.sessions import Session, UnknownSession
from sean.web.snapshots import original_of
from sean.web.studio import Studio

PHOTO = "photo:"


async def open_photo(studio: Studio, session: Session, photo: bytes, segmap: bytes | None) -> State:
    """Edit a photo from now on.

    Args:
        studio: does the work.
        session: whose; hears of the progress.
        photo: a picture file.
        segmap: a file with the label map of the whole photo; None has the parser make one of the face in it.

    Raises:
        InputError: not such files, or neither map nor parser.
    """
    image, ids = await _opened(studio, session, photo, segmap)

    def set_image(editor: Editor) -> None:
        editor.set_image(image, ids)
        session.original = original_of(editor)

    state = await studio.change(session, set_image, Kind.LARGE)
    studio.progress(session, "encoding", 1.0)
    return state


async def open_segmap(studio: Studio, session: Session, segmap: bytes) -> State:
    """Begin anew on another label map."""
    ids = await studio.decoded_segmap(segmap)
    return await studio.change(session, lambda editor: editor.set_segmap(ids), Kind.LARGE)


async def add_style_photo(studio: Studio, session: Session, photo: bytes, segmap: bytes | None) -> Source:
    """Add a photo as a source of styles; arguments and errors as of `open_photo`."""
    image, ids = await _opened(studio, session, photo, segmap)

    def add(editor: Editor) -> None:
        names = [source.removeprefix(PHOTO) for source in editor.sources if source.startswith(PHOTO)]
        if len(names) >= studio.limits.style_photos:
            raise InputError(f"this session has {len(names)} style photos already, which is all it may have")
        name = next(name for name in map(str, range(1, len(names) + 2)) if name not in names)
        added.append(editor.add_style_photo(name, image, ids))
        session.thumbnails[name] = small

    added: list[str] = []
    small = thumbnail(image.image)
    state = await studio.change(session, add, Kind.LARGE)
    studio.progress(session, "encoding", 1.0)
    return next(source for source in state.sources if source.source == added[0])


async def style_thumbnail(studio: Studio, session: Session, name: str) -> bytes:
    """A small picture of a style photo, PNG; of one that came with a project, the session's picture in its style.

    Raises:
        UnknownSession: there is no such style photo.
    """
    source = PHOTO + name
    if all(known.source != source for known in session.state.sources):
        raise UnknownSession("there is no such style photo")

    def render(editor: Editor) -> bytes:
        return thumbnail(editor.render(editor.after(SetStyle(source=source)), quick=True))

    if name not in session.thumbnails:
        session.thumbnails[name] = await studio.run(session.id, partial(render, session.editor), Kind.LARGE)
    return session.thumbnails[name]


async def composite(studio: Studio, session: Session) -> bytes:
    """The whole photo with the edits in it, PNG.

    Raises:
        InputError: the session has no photo.
    """
    await studio.run(session.id, session.editor.render, Kind.LARGE)  # which the editor keeps
    # not in a turn: a large photo takes seconds
    return await studio.run(session.id, partial(_whole_photo, session.editor), Kind.OUTSIDE)


def _whole_photo(editor: Editor) -> bytes:
    edited = editor.composited(margin=SEAM_MARGIN)
    assert editor.photo is not None
    return photo_bytes(edited, editor.photo.source, "PNG", compress_level=PNG_LEVEL)


async def _opened(
    studio: Studio, session: Session, photo: bytes, segmap: bytes | None
) -> tuple[Photo, np.ndarray | None]:
    """The decoded photo and what the model sees of it, and its map where one was given."""
    image = await studio.decoded(photo)
    photos = session.editor.photos
    if segmap is not None:
        return photos.located(image, crop="none"), await studio.decoded_segmap(segmap)
    if studio.parser is None:
        raise InputError("this server has no parser for photos; send the photo's label map with it")
    studio.progress(session, "finding the face", 0.0)
    find = partial(photos.located, image, on_no_face="whole")
    found = await studio.run(session.id, find, Kind.OUTSIDE)
    studio.progress(session, "making the map", 0.5)
    return found, None
