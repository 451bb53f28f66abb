"""Sessions saved as projects (zip files) and loaded again."""

import asyncio
import io
import tempfile
import zipfile
from functools import partial
from pathlib import Path

from sean.editing.editor import Editor
from sean.editing.project import ZIP_ERRORS, ProjectLimits
from sean.errors import InputError
from sean.web.frames import new_document
from sean.web.limits import Limits
from sean.web.queue import Kind
from sean.web.schemas import State
from sean.web.service import Service
from sean.web.sessions import Session

_NAME = "project.zip"
_MOST_PICTURES = 3


async def save(service: Service, session: Session) -> bytes:
    """The session as a zip file."""
    return await service.run(session.id, partial(_saved, session), Kind.OUTSIDE)


async def load(service: Service, session: Session, data: bytes, name: str = "", step: str = "") -> State:
    """Load a project into a session.

    Args:
        service: the service.
        session: the session.
        data: content of the zip file.
        name: name of the file.
        step: name that the page gave to the request; the state repeats it.

    Raises:
        InputError: the project is missing, damaged or too large, or belongs to another model.
    """
    for picture in await asyncio.to_thread(_pictures, data, service.limits):
        await service.decoded(picture)  # a crash stays in the decoding process

    editor = await service.run(session.id, partial(_loaded, service, data), Kind.OUTSIDE)

    def open_project() -> None:
        session.documents.open(new_document(editor, name=name), step, styles_stay=False)

    return await service.change(session, open_project, Kind.LARGE)


def _pictures(data: bytes, limits: Limits) -> list[bytes]:
    """The PNG files of a project."""
    pictures = []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [name for name in archive.namelist() if name.endswith(".png")]
            if len(names) > _MOST_PICTURES:
                raise InputError(f"expected a project with {_MOST_PICTURES} pictures at most, got {len(names)}")
            for name in names:
                with archive.open(name) as file:
                    pictures.append(file.read(limits.upload_bytes))
    except InputError:
        raise
    except ZIP_ERRORS as error:
        raise InputError("expected a project, a .zip that was saved here, but the file is none or damaged") from error
    return pictures


def _saved(session: Session) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _NAME
        session.editor.save(path)
        return path.read_bytes()


def _loaded(service: Service, data: bytes) -> Editor:
    limits = ProjectLimits(
        max_bytes=service.limits.project_bytes,
        max_pixels=service.limits.picture_pixels,
        max_edits=service.limits.project_edits,
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / _NAME
        path.write_bytes(data)
        try:
            return Editor.load(path, service.pipeline, parser=service.parser, limits=limits)
        except InputError as error:  # the message must not name the server's folders
            raise InputError(str(error).replace(str(path), "the file")) from error
