"""Photos of a session: opening with progress, styles of other photos, and composites."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from sean.editing.editor import Editor
from sean.editing.edits import SetStyle
from sean.errors import InputError
from sean.images import SourcePhoto
from sean.parsing.faces import Crop, cut
from sean.parsing.photo import Photo
from sean.photo_output import photo_bytes
from sean.web.frames import PNG_LEVEL, SHOWN_SIDE, new_document, thumbnail
from sean.web.queue import Kind
from sean.web.schemas import Source, Square, State
from sean.web.service import Service
from sean.web.sessions import Session, UnknownSession

PHOTO = "photo:"
_LOOK_SIDE = 160  # pixels


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An uploaded photo.

    Attributes:
        data: content of the picture file.
        segmap: content of the file with the label map of the whole photo; None lets the parser make the map of the
            face in it.
        name: name of the picture file.
        crop: the part to edit; None searches the face.
    """

    data: bytes
    segmap: bytes | None = None
    name: str = ""
    crop: Square | None = None


async def open_photo(service: Service, session: Session, upload: Upload, step: str = "") -> State:
    """Open a photo; the previous picture is kept for undo.

    Args:
        service: the service.
        session: the session; its user is informed of the progress.
        upload: the photo.
        step: name that the page gave to the request; the state repeats it.

    Raises:
        InputError: the files are not a picture and a map, or there is neither map nor parser.
    """
    image, segmap = await _opened(service, session, upload)

    def set_image() -> None:
        editor = session.editor.branch()
        editor.set_image(image, segmap)
        session.documents.open(new_document(editor, name=upload.name), step)

    state = await service.change(session, set_image, Kind.LARGE)
    service.progress(session, "encoding", 1.0)
    return state


async def set_crop(service: Service, session: Session, square: Square, step: str = "") -> State:
    """Edit another part of the photo; the edits of the present part are kept for undo. `step`: see `open_photo`.

    Raises:
        InputError: there is no photo or no parser, or the part lies outside the photo.
    """

    def move() -> None:
        document = session.document
        photo = document.editor.photo
        if photo is None or photo.source is None:
            raise InputError("expected a session with a photo; open one first")
        if service.parser is None:
            raise InputError(
                "this server has no parser for photos, so the part to edit cannot be moved; open the part as a photo"
            )
        editor = document.editor.branch()
        editor.set_image(replace(photo, crop=_crop_of(square, photo.source)))
        session.documents.open(new_document(editor, name=document.name), step)

    return await service.change(session, move, Kind.LARGE)


async def open_segmap(service: Service, session: Session, segmap: bytes, step: str = "") -> State:
    """Open another label map; the previous map is kept for undo. `step`: see `open_photo`."""
    ids = await service.decoded_segmap(segmap)

    def set_segmap() -> None:
        document = session.document
        editor = document.editor.branch()
        editor.set_segmap(ids)
        session.documents.open(new_document(editor, name=document.name), step)

    return await service.change(session, set_segmap, Kind.LARGE)


async def add_style_photo(service: Service, session: Session, upload: Upload, step: str = "") -> Source:
    """Add a photo as a source of styles; see `open_photo` for arguments and errors."""
    image, segmap = await _opened(service, session, upload)

    def add() -> None:
        editor = session.editor
        names = [source.removeprefix(PHOTO) for source in editor.sources if source.startswith(PHOTO)]
        if len(names) >= service.limits.style_photos:
            raise InputError(
                f"this session has {len(names)} style photos already, which is all it may have; begin a new "
                "session for others"
            )
        name = next(name for name in map(str, range(1, len(names) + 2)) if name not in names)
        added.append(editor.add_style_photo(name, image, segmap))
        session.document.thumbnails[name] = small
        session.document.style_steps[added[0]] = step

    added: list[str] = []
    small = thumbnail(image.image)
    state = await service.change(session, add, Kind.LARGE)
    service.progress(session, "encoding", 1.0)
    return next(source for source in state.sources if source.source == added[0])


async def style_thumbnail(service: Service, session: Session, name: str) -> bytes:
    """A thumbnail of a style photo, PNG; for a style photo of a loaded project, the session's picture in its style.

    Raises:
        UnknownSession: the style photo does not exist.
    """
    source = PHOTO + name
    if all(known.source != source for known in session.state.sources):
        raise UnknownSession("there is no such style photo")

    def render(editor: Editor) -> bytes:
        return thumbnail(editor.render(editor.after(SetStyle(source=source)), quick=True))

    document = session.document
    if name not in document.thumbnails:
        document.thumbnails[name] = await service.run(session.id, partial(render, document.editor), Kind.SPARE)
    return document.thumbnails[name]


async def look(
    service: Service, session: Session, number: int, region: str | None, document: int | None = None
) -> bytes:
    """The session's picture, or the part of its photo that the model sees, in a style of the bank; PNG.

    Args:
        service: the service.
        session: the session, which does not change.
        number: number of the style.
        region: label that takes the style; None for all.
        document: number of the picture that the look is for, as another one may have been opened since; None for the
            present one.

    Raises:
        InputError: the style or label does not exist.
        UnknownSession: the picture is no longer kept.
    """
    edit = SetStyle(source=f"bank:{number}", regions=None if region is None else (region,))

    def render() -> bytes:
        found = session.documents.find(document)
        if found is None:
            raise UnknownSession("the picture that this look is for is no longer kept")
        try:
            return _looking(found.editor, edit)
        finally:
            if found is not session.document:
                found.editor.forget_rendered()  # as when it was left: earlier pictures take no memory for the next one

    return await service.run(session.id, render, Kind.SPARE)


def _looking(editor: Editor, edit: SetStyle) -> bytes:
    """A thumbnail of what an edit would give; PNG."""
    state = editor.after(edit)
    if editor.photo is None:
        return thumbnail(editor.render(state, quick=True))
    crop, extent = editor.photo.crop, max(editor.photo.image.shape[:2])
    side = min(SHOWN_SIDE, round(extent * _LOOK_SIDE / (extent if crop is None else crop.size)))
    edited = editor.composited(state, quick=True, max_side=side)
    smaller = editor.photo_at(side).crop
    return thumbnail(edited if smaller is None else cut(edited, smaller, _LOOK_SIDE))


async def composite(service: Service, session: Session, image_format: str = "PNG") -> bytes:
    """The whole photo with the edits in it, with the profile and the EXIF block of its file.

    Args:
        service: does the work.
        session: whose photo.
        image_format: "PNG", or "JPEG" in quality 95.

    Raises:
        InputError: the session has no photo.
    """
    editor = session.editor
    await service.run(session.id, editor.render, Kind.LARGE)  # cached by the editor
    # outside of the queue's turns, as a large photo takes seconds
    return await service.run(session.id, partial(_whole_photo, editor, image_format), Kind.OUTSIDE)


def _whole_photo(editor: Editor, image_format: str) -> bytes:
    edited = editor.composited()
    assert editor.photo is not None
    options = {"compress_level": PNG_LEVEL} if image_format == "PNG" else {}
    return photo_bytes(edited, editor.photo.source, image_format, **options)


async def _opened(service: Service, session: Session, upload: Upload) -> tuple[Photo, np.ndarray | None]:
    """The decoded photo with its crop, and its map if one was given."""
    service.progress(session, "reading the photo", 0.0)
    image = await service.decoded(upload.data)
    photos = session.editor.photos
    if upload.segmap is not None:
        return photos.located(image, crop="none"), await service.decoded_segmap(upload.segmap)
    if service.parser is None:
        raise InputError("this server has no parser for photos; send the photo's label map with it")
    if upload.crop is not None:
        return photos.located(image, crop=_crop_of(upload.crop, image)), None
    service.progress(session, "finding the face", 0.2)
    find = partial(photos.located, image, on_no_face="whole")
    found = await service.run(session.id, find, Kind.OUTSIDE)
    service.progress(session, "making the map", 0.6)
    return found, None


def _crop_of(square: Square, source: SourcePhoto) -> Crop:
    return Crop(top=square.top, left=square.left, size=square.size, photo_size=source.size, angle=square.angle)
