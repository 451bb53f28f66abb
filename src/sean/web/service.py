"""The operations of the web editor, independent of HTTP: sessions and their edits, pictures and progress.

All methods run in the event loop. Work on a session's editor runs in turns of the queue, so never twice at once;
uploads are decoded in a guarded process (`sean.web.decoding`).
"""

import asyncio
import contextlib
import importlib.util
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import numpy as np

from sean.allocator import give_back_freed_memory
from sean.data.faces.drawing import FaceShape, can_draw_faces, draw_face
from sean.data.synthetic.layouts import draw_layout
from sean.editing.editor import Editor
from sean.editing.edits import Edit, edit_from_json
from sean.editing.pipeline import SEANPipeline
from sean.editing.styles import StyleCodes
from sean.errors import InputError
from sean.images import SourcePhoto
from sean.parsing.segmenter import Segmenter
from sean.web.decoding import Decoder
from sean.web.frames import Views, new_document, png, snapshot, thumbnail
from sean.web.limits import Limits
from sean.web.queue import Busy, FairQueue, Kind
from sean.web.schemas import Script, State
from sean.web.sessions import Documents, Session, SessionStore, UnknownSession, new_id
from sean.web.websocket import View, text

Result = TypeVar("Result")
GOING_AWAY = 1001
SESSION_GONE = 4404
_GOODBYE_SECONDS = 2.0
_MOST_BEGINNING = 4
_BANK = "bank"  # cannot be a session's id, which is longer
_FACE = FaceShape(hair_length=0.45, fringe=0.3)
_LAYOUT = "blobs"
_SEED = 3
SAMPLES = ("astronaut.png",)
"""Photos to try the editor with: scikit-image's astronaut, which is in the public domain."""


class Service:
    """See the module.

    Args:
        pipeline: pipeline whose forks the sessions use; it must not be used elsewhere afterwards.
        parser: parser for photos without a label map, or None.
        limits: limits of the server.
        num_threads: number of torch's threads for the model; None keeps it.
    """

    def __init__(
        self,
        pipeline: SEANPipeline,
        *,
        parser: Segmenter | None = None,
        limits: Limits,
        num_threads: int | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.parser = parser
        self.limits = limits
        self.store = SessionStore(limits, self._forgotten)
        self.queue = FairQueue(max_waiting=limits.waiting, num_threads=num_threads)
        self.views = Views(self.queue, self.store)
        self.decoder = Decoder(limits)
        self._decoding = ThreadPoolExecutor(1, thread_name_prefix="sean-decoding")
        self._bank_pipeline = pipeline.fork()
        self._thumbnails: dict[int, bytes] = {}
        self._bank_lock = asyncio.Lock()
        self._num_beginning = 0
        # bounds the turns of a round that go to new sessions
        self._beginning = asyncio.Semaphore(_MOST_BEGINNING)

    async def run(self, key: str, work: Callable[[], Result], kind: Kind) -> Result:
        """Do work in a turn of the session `key`.

        Raises:
            UnknownSession: the session was dropped before its turn.
        """
        future = self.queue.submit(key, work, kind)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if future.cancelled() and task is not None and not task.cancelling():
                raise UnknownSession from None
            raise

    async def begin(self, bank: int | None) -> Session:
        """Begin a session with a drawn face (or scene) in a style of the bank.

        Raises:
            InputError: the style does not exist.
            Busy: too many sessions begin at once.
        """
        if self._num_beginning >= self.limits.sessions:
            raise Busy("the server is busy with other new sessions; try again in a moment")
        self._num_beginning += 1
        try:
            async with self._beginning:
                session_id = new_id()
                session = await self.run(session_id, partial(self._begun, session_id, bank), Kind.LARGE)
                self.store.add(session)
        finally:
            self._num_beginning -= 1
        return session

    async def draw(self, session: Session, bank: int | None, step: str = "") -> State:
        """Open a drawn face (or scene) in a style of the bank.

        Args:
            session: the session.
            bank: number of the style; None for the mean of the bank.
            step: name that the page gave to the request; the state repeats it.

        Raises:
            InputError: the style does not exist.
        """

        def open_drawing() -> None:
            session.documents.open(new_document(self._drawing(bank)), step)

        return await self.change(session, open_drawing, Kind.LARGE)

    async def edit(
        self, session: Session, edit: Edit, view: View | None = None, *, document: int | None = None
    ) -> State:
        """Apply an edit.

        Args:
            session: the session.
            edit: the edit.
            view: origin of the request.
            document: number of the picture that the edit belongs to, as another picture may have been opened since.

        Raises:
            InputError: the edit cannot be applied, or its picture is no longer kept.
        """

        def apply() -> None:
            target = session.documents.find(document)
            if target is None:
                raise InputError(
                    "this edit was made for a picture that is no longer kept; make it anew in the present one"
                )
            session.documents.apply(edit, target)

        return await self.change(session, apply, view=view)

    async def undo(self, session: Session, view: View | None = None) -> State:
        """Undo the last edit, or the opening of the picture."""
        return await self.change(session, session.documents.undo, view=view)

    async def redo(self, session: Session, view: View | None = None) -> State:
        """Redo the edit or opening that was undone last."""
        return await self.change(session, session.documents.redo, view=view)

    async def script(self, session: Session) -> Script:
        """The edits of the present picture."""

        def read() -> Script:
            editor = session.editor
            return Script(done=_as_json(editor.edits), undone=_as_json(editor.undone))

        return await self.run(session.id, read, Kind.SMALL)

    async def replay(self, session: Session, data: bytes) -> State:
        """Apply the edits of a script (see `script`), and undo its undone edits.

        Raises:
            InputError: not a script, too many edits, or an edit that cannot be applied.
        """
        try:
            script = Script.model_validate_json(data)
        except ValueError:
            raise InputError('expected a script as {"done": [edits], "undone": [edits]}') from None
        if len(script.done) + len(script.undone) > self.limits.project_edits:
            raise InputError(
                f"expected a script of at most {self.limits.project_edits} edits, got "
                f"{len(script.done) + len(script.undone)}; replay it in parts"
            )
        edits = [edit_from_json(values) for values in (*script.done, *script.undone)]

        def replay() -> None:
            session.editor.replay(edits)
            for _ in script.undone:
                session.editor.undo()

        return await self.change(session, replay, Kind.LARGE)

    async def change(
        self, session: Session, action: Callable[[], Any], kind: Kind = Kind.SMALL, view: View | None = None
    ) -> State:
        """Change a session's pictures and show the result.

        Args:
            session: the session.
            action: the change, run in a turn; it returns False if nothing has changed.
            kind: cost of the action.
            view: origin of the request.

        Returns:
            The state afterwards.
        """
        state = await self.run(session.id, partial(self._changed, session, action, view or View()), kind)
        if not session.expired:
            self.store.make_room(session)
            for connection in session.connections:
                seq = view.seq if view is not None and view.connection is connection else connection.last_done
                connection.put_state(state, seq)
            self.views.show(session, view or View())
        return state

    def progress(self, session: Session, stage: str, done: float) -> None:
        """Report the progress of opening a photo to a session's user."""
        for connection in session.connections:
            connection.put("progress", text("progress", stage=stage, done=done))

    async def decoded(self, data: bytes) -> SourcePhoto:
        """An uploaded picture; see `Decoder.image`."""
        return await self._decode(self.decoder.image, data)

    async def decoded_segmap(self, data: bytes) -> np.ndarray:
        """An uploaded label map of the model's labels; see `Decoder.segmap`."""
        return await self._decode(self.decoder.segmap, data, self.pipeline.labels)

    async def checked(self, data: bytes) -> None:
        """See `Decoder.check`."""
        await self._decode(self.decoder.check, data)

    async def bank_thumbnail(self, number: int) -> bytes:
        """A thumbnail of a style of the bank, PNG.

        Raises:
            InputError: the style does not exist.
        """
        styles = bank_style(self.pipeline, number)
        async with self._bank_lock:  # only one thumbnail waits in the queue, so that sessions get their turns
            if number not in self._thumbnails:
                segmap = first_segmap(self.pipeline)
                work = partial(_thumbnail, self._bank_pipeline, segmap, styles)
                self._thumbnails[number] = await self.run(_BANK, work, Kind.LARGE)
        return self._thumbnails[number]

    async def keep_tidy(self) -> None:
        """Drop unused sessions and return free memory to the system, until cancelled."""
        while True:
            await asyncio.sleep(min(30.0, self.limits.idle_seconds / 4))
            self.store.sweep()
            await asyncio.to_thread(give_back_freed_memory)

    async def disconnect_all(self) -> None:
        """Close all WebSockets when the server stops, and wait a short time for that."""
        for session in self.store.all():
            for connection in session.connections:
                connection.close(GOING_AWAY)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                while any(session.connections for session in self.store.all()):
                    await asyncio.sleep(0.01)

    def close(self) -> None:
        """Drop all sessions, and end threads and processes after running work."""
        self.store.clear()
        self.queue.close()
        self._decoding.shutdown()
        self.decoder.close()

    async def _decode(self, work: Callable[..., Result], *arguments: Any) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._decoding, work, *arguments)

    def _begun(self, session_id: str, bank: int | None) -> Session:
        documents = Documents(new_document(self._drawing(bank)), most=self.limits.documents)
        session = Session(id=session_id, documents=documents, state=snapshot(session_id, documents, 0))
        session.measure()
        return session

    def _drawing(self, bank: int | None) -> Editor:
        editor = Editor(self.pipeline, parser=self.parser)
        begin(editor, bank)
        return editor

    def _changed(self, session: Session, action: Callable[[], Any], view: View) -> State:
        page = view.connection.page if view.connection is not None else ""
        if page and view.seq <= session.answered.get(page, 0):
            return session.state  # sent again after its answer was lost
        try:
            if action() is not False:
                session.state = snapshot(session.id, session.documents, session.state.version + 1)
        finally:
            if page:
                session.note_answered(page, view.seq)
        session.measure()
        return session.state

    def _forgotten(self, session: Session) -> None:
        self.queue.forget(session.id)
        self.views.forget(session)
        for connection in session.connections:
            connection.close(SESSION_GONE)


def _thumbnail(pipeline: SEANPipeline, segmap: np.ndarray, styles: StyleCodes) -> bytes:
    return thumbnail(pipeline(segmap, styles))


def _as_json(edits: Iterable[Edit]) -> list[dict[str, Any]]:
    return [edit.to_json() for edit in edits]


def first_segmap(pipeline: SEANPipeline) -> np.ndarray:
    """The label map at the start of a session: ids [h, w] of the model's size."""
    if can_draw_faces(pipeline.labels):
        return draw_face(_FACE, pipeline.image_size)
    return draw_layout(_LAYOUT, pipeline.image_size, pipeline.labels.num_regions, np.random.default_rng(_SEED))


def bank_style(pipeline: SEANPipeline, number: int) -> StyleCodes:
    """A style of the bank.

    Raises:
        InputError: the bank has no style with this number.
    """
    if number >= len(pipeline.style_bank):
        raise InputError(f"expected a number of a bank style in 0..{len(pipeline.style_bank) - 1}, got {number}")
    return pipeline.style_bank[number]


def begin(editor: Editor, bank: int | None) -> None:
    """Start a new editor with a drawn face (or scene), in a style of the bank or, without a number, in its mean.

    Raises:
        InputError: see `bank_style`.
    """
    if bank is not None:
        editor.set_own_styles(bank_style(editor.pipeline, bank))
    editor.set_segmap(first_segmap(editor.pipeline))


def available_samples() -> tuple[str, ...]:
    """The names of the sample photos; empty without scikit-image, which contains them."""
    return SAMPLES if importlib.util.find_spec("skimage") is not None else ()


def sample_photo(name: str) -> bytes | None:
    """A sample photo as a PNG file; None if the name is unknown."""
    if name not in available_samples():
        return None
    from skimage.data import astronaut

    return png(astronaut())
