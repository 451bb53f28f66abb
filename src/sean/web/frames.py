"""The page's view of a session as JSON and picture files: its state, and frames with or without a preview.

`Views` renders a frame for the newest state or preview and hands it to the session's WebSockets. At most one render
per session waits in the queue, always the newest; while no client has taken the last frame, nothing is rendered. A
preview, which its own client alone sees, waits for a render that others wait for instead of taking its place.
"""

import asyncio
import io
import logging
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from PIL import Image

from sean.editing.editor import Editor
from sean.editing.edits import Edit
from sean.editing.sources import OWN
from sean.editing.state import EditorState
from sean.editing.state import Region as Place
from sean.errors import InputError
from sean.labels import LabelSet
from sean.parsing.faces import Crop
from sean.segmap import colorize, palette_image
from sean.web.queue import Busy, FairQueue
from sean.web.schemas import PhotoInfo, Region, Source, Square, State
from sean.web.sessions import Document, Documents, Session, SessionStore
from sean.web.websocket import MODEL, RESULT, Connection, View, binary

_logger = logging.getLogger(__name__)
SHOWN_SIDE = 1600
"""Pixels of the longer side of a photo as the page shows it."""
THUMBNAIL_SIZE = 128
"""Pixels of the longer side of a thumbnail."""
_SMALL_PIXELS = 256 * 256
_JPEG_QUALITY = 95
PNG_LEVEL = 1  # higher levels of compression take several times as long for little gain


@dataclass(frozen=True, kw_only=True)
class Patch:
    """The changed area of a photo, as the page shows it.

    Attributes:
        area: left, top, width and height as fractions of the photo's width and height; None without changes.
        data: this area of the edited photo, PNG or JPEG; empty without changes.
    """

    area: tuple[float, float, float, float] | None
    data: bytes


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The pictures of a state or a preview.

    Attributes:
        version: version of the session's state.
        document: number of the edited picture.
        picture: the model's picture, PNG; empty if not requested.
        patch: the changed area of the photo; None if there is no photo, or if not requested.
        map: label map, palette PNG.
    """

    version: int
    document: int
    picture: bytes
    patch: Patch | None
    map: bytes


def snapshot(session_id: str, documents: Documents, version: int) -> State:
    """The state of a session for clients."""
    editor = documents.current.editor
    names, steps = editor.pipeline.labels.names, documents.current.style_steps
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
        step=documents.current.step,
        photo=_photo_info(documents.current),
        regions=regions,
        sources=[
            Source(source=name, regions=list(has), step=steps.get(name, "")) for name, has in editor.sources.items()
        ],
        can_undo=documents.can_undo,
        can_redo=documents.can_redo,
        edits=editor.num_edits,
    )


def _point_in(state: EditorState, region: Place) -> tuple[float, float]:
    """The pixel of a region that is nearest to the region's centre, as fractions x and y."""
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
    return Square(left=crop.left, top=crop.top, size=crop.size, angle=crop.angle)


def frame(
    document: Document, version: int, preview: Edit | None = None, *, photo: bool = True, model: bool = True
) -> Frame:
    """The pictures of the present state, or of a preview, which are rendered faster and slightly less exactly.

    Args:
        document: document with the editor.
        version: version of the session's state.
        preview: an edit to show without applying it.
        photo: whether a client shows the edited photo, if there is one.
        model: whether a client shows the model's picture; without a photo, all clients do.

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


def new_document(editor: Editor, *, name: str = "") -> Document:
    """A new document; a drawn picture is rendered.

    Args:
        editor: editor with a photo or a map, without edits.
        name: name of the photo's file.
    """
    if editor.photo is None:
        original = png(editor.render())
        return Document(editor=editor, original=original, whole=original)
    assert editor.original is not None
    whole = photo_file(editor.photo_at(SHOWN_SIDE).image)
    return Document(editor=editor, original=png(editor.original), whole=whole, name=name)


class Views:
    """Renders frames of sessions and passes them to their connections.

    Args:
        queue: queue of renders.
        store: store of the sessions.
    """

    def __init__(self, queue: FairQueue, store: SessionStore) -> None:
        self._queue = queue
        self._store = store
        self._due: dict[Session, View] = {}  # renders postponed until a client takes the last frame
        self._previews: dict[Session, View] = {}  # previews postponed until a render for others is done
        self._for_all: dict[Session, Future[Frame]] = {}  # the newest render for all connections
        self._tasks: set[asyncio.Task[None]] = set()

    def show(self, session: Session, view: View) -> None:
        """Render for a view; a newer view replaces one that has not begun, but for a preview see the module."""
        if session.expired or not session.connections:
            return
        if view.preview is not None and self._do_others_wait(session, view.connection):
            self._previews[session] = view
            return
        self._previews.pop(session, None)
        if all(connection.waits("frame") for connection in session.connections):
            self._due[session] = view
        else:
            self._begin(session, view)

    def taken(self, session: Session) -> None:
        """A client has taken its last frame."""
        view = self._due.pop(session, None)
        if view is not None:
            self._begin(session, view)

    def forget(self, session: Session) -> None:
        """Drop a session."""
        for kept in (self._due, self._previews, self._for_all):
            kept.pop(session, None)

    def _do_others_wait(self, session: Session, connection: Connection | None) -> bool:
        """Whether a render that has not begun is for another connection, too."""
        if session.connections <= {connection}:
            return False
        due, rendering = self._due.get(session), self._for_all.get(session)
        if due is not None and due.preview is None:
            return True
        return rendering is not None and not rendering.running() and not rendering.done()

    def _begin(self, session: Session, view: View) -> None:
        self._due.pop(session, None)
        try:
            rendering = self._queue.newest(session.id, partial(self._render, session, view.preview))
        except Busy:  # the server is stopping
            return
        if view.preview is None:
            self._for_all[session] = rendering
        # the numbers of now, as the picture does not show what is done while it is rendered
        seqs = {connection: connection.last_done for connection in session.connections}
        if view.connection in seqs:
            seqs[view.connection] = max(view.seq, seqs[view.connection])
        task = asyncio.create_task(self._deliver(session, view, seqs, rendering))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _render(self, session: Session, preview: Edit | None) -> Frame:
        views = {connection.view for connection in tuple(session.connections)}  # others join and leave meanwhile
        photo, model = RESULT in views, MODEL in views
        result = frame(session.document, session.state.version, preview, photo=photo, model=model)
        session.measure()
        return result

    async def _deliver(
        self, session: Session, view: View, seqs: dict[Connection, int], rendering: "Future[Frame]"
    ) -> None:
        try:
            result = await asyncio.wrap_future(rendering)
        except asyncio.CancelledError:  # replaced by a newer one
            return
        except Exception as error:
            if not isinstance(error, InputError):
                _logger.exception("a render failed")
            if view.connection is not None:
                detail = str(error) if isinstance(error, InputError) else "the picture could not be rendered"
                view.connection.put_error(detail, view.seq)
        else:
            self._hand_out(session, view, seqs, result)
        if self._for_all.get(session) is rendering:
            del self._for_all[session]
        preview = self._previews.pop(session, None)
        if preview is not None:
            self.show(session, preview)

    def _hand_out(self, session: Session, view: View, seqs: dict[Connection, int], result: Frame) -> None:
        if session.expired:
            return
        self._store.make_room(session)
        for connection in session.connections:
            if connection is view.connection or view.preview is None:
                self._put(connection, result, seqs.get(connection, 0))

    @staticmethod
    def _put(connection: Connection, result: Frame, seq: int) -> None:
        header: dict[str, Any] = {"seq": seq, "version": result.version, "document": result.document}
        if connection.view == RESULT and result.patch is not None:
            connection.put("frame", binary("frame", result.patch.data, of="photo", area=result.patch.area, **header))
        elif result.picture:
            connection.put("frame", binary("frame", result.picture, of="model", **header))
        if connection.map_sent != result.map:
            connection.map_sent = result.map
            connection.put("map", binary("map", result.map, **header))


def png(image: Image.Image | np.ndarray) -> bytes:
    """A PIL picture or an array as a PNG file."""
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    file = io.BytesIO()
    image.save(file, format="PNG", compress_level=PNG_LEVEL)
    return file.getvalue()


def photo_file(image: np.ndarray) -> bytes:
    """A photo uint8 [h, w, 3] for the page: a small photo as PNG, else as JPEG without visible loss."""
    if image.shape[0] * image.shape[1] <= _SMALL_PIXELS:
        return png(image)
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()


def map_png(segmap: np.ndarray, labels: LabelSet) -> bytes:
    """Label ids [h, w] in 0..k as a PNG for `sean.segmap.read_segmap`: a palette picture of the set's colours or, if
    the ids do not fit into a palette, an RGB picture of these colours."""
    none = labels.num_regions if labels.ignore_id is None else labels.ignore_id
    if none > 255:
        return png(colorize(segmap, labels))
    return png(palette_image(np.where(segmap == labels.num_regions, none, segmap), labels))


def thumbnail(image: Image.Image | np.ndarray) -> bytes:
    """A picture reduced to fit into a square of `THUMBNAIL_SIZE` pixels, as a PNG."""
    small = Image.fromarray(image) if isinstance(image, np.ndarray) else image.copy()
    small.thumbnail((THUMBNAIL_SIZE, THUMBNAIL_SIZE))
    return png(small)
