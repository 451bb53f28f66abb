"""The HTTP part: paths to what the studio does. Nothing here touches the model or a file."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, File, Path, Request, Response, UploadFile, WebSocket
from starlette.responses import JSONResponse

from sean.editing.editor import Editor
from sean.editing.edits import edit_from_json
from sean.editing.subjects import has_faces
from sean.web import live, photos, projects
from sean.web.pictures import map_png, png
from sean.web.rendering import Kind
from sean.web.schemas import (
    Detail,
    Health,
    LabelInfo,
    LimitsInfo,
    ModelInfo,
    NewSession,
    Source,
    State,
    edit_schema,
)
from sean.web.sessions import Session, UnknownSession
from sean.web.studio import Studio

_MEANINGS = {
    400: "the input cannot be used",
    403: "the request comes from a page of another site, or to an unknown host name",
    404: "there is no such session, or it has expired",
    408: "the body took too long to arrive",
    413: "the body is too large",
    422: "the request is not of this form",
    503: "the server is busy, try again in a moment",
}


_DETAIL = {"application/json": {"schema": {"$ref": "#/components/schemas/Detail"}}}


def _answers(*codes: int) -> dict[int | str, dict[str, Any]]:
    """Errors, as JSON whatever the route's own media type is (which a "model" would take)."""
    return {code: {"content": _DETAIL, "description": _MEANINGS[code]} for code in codes}


class PNGResponse(Response):
    """A PNG file."""

    media_type = "image/png"


def studio_of(request: Request) -> Studio:
    """The studio of the app that a request came to."""
    studio: Studio = request.app.state.studio
    return studio


TheStudio = Annotated[Studio, Depends(studio_of)]
SessionId = Annotated[str, Path(max_length=64, description="what POST /api/sessions gave")]


def session_of(session_id: SessionId, studio: TheStudio) -> Session:
    """The session that a path names."""
    return studio.store.get(session_id)


TheSession = Annotated[Session, Depends(session_of)]
Picture = Annotated[UploadFile, File(description="a picture file")]
LabelMap = Annotated[UploadFile | None, File(description="its label map, a PNG of ids or of the labels' colours")]

router = APIRouter()
sessions = APIRouter(prefix="/api/sessions/{session_id}", responses=_answers(404, 422, 503))
_BODY = _answers(400, 403, 408, 413)
_BODY[400]["model"] = Detail  # so that the description defines it
_WRITE = _answers(403, 408, 413)


@router.get("/health")
async def health(studio: TheStudio) -> Health:
    """Whether the server is there, and how much it has to do."""
    return Health(status="ok", sessions=len(studio.store), queued=studio.queue.queued)


@router.get("/api/model")
async def model(request: Request, studio: TheStudio) -> ModelInfo:
    """The model: its labels, size and style bank, and what the server allows."""
    pipeline, limits = studio.pipeline, studio.limits
    colors = zip(pipeline.labels.names, pipeline.labels.colors, strict=True)
    labels = [
        LabelInfo(id=index, name=name, color="#{:02x}{:02x}{:02x}".format(*color))
        for index, (name, color) in enumerate(colors)
    ]
    allowed = {name: getattr(limits, name) for name in LimitsInfo.model_fields}
    return ModelInfo(
        name=request.app.state.model_name,
        labels=labels,
        size=pipeline.image_size,
        blocks=pipeline.model.style_inputs,
        bank=len(pipeline.style_bank),
        faces=has_faces(pipeline),
        parses=studio.parser is not None,
        limits=LimitsInfo(**allowed),
    )


@router.get("/api/bank/{number}.png", response_class=PNGResponse, responses=_answers(400, 422, 503))
async def bank(number: Annotated[int, Path(ge=0)], studio: TheStudio) -> PNGResponse:
    """A small picture of a style of the bank."""
    data = await studio.bank_thumbnail(number)
    return PNGResponse(data, headers={"Cache-Control": "private, max-age=600"})


@router.post("/api/sessions", status_code=201, responses=_answers(422, 503) | _BODY)
async def begin(studio: TheStudio, new: Annotated[NewSession | None, Body()] = None) -> State:
    """Begin a session, which shows a drawn face (or scene) in a style of the bank."""
    session = await studio.begin(new.bank if new else None)
    return session.state


@sessions.get("")
async def state(session: TheSession) -> State:
    """What a session shows."""
    return session.state


@sessions.delete("", status_code=204, responses=_WRITE)
async def end(session: TheSession, studio: TheStudio) -> Response:
    """Forget a session with all that it holds."""
    studio.store.remove(session)
    return Response(status_code=204)


@sessions.post("/photo", responses=_BODY)
async def photo(session: TheSession, studio: TheStudio, file: Picture, segmap: LabelMap = None) -> State:
    """Edit a photo from now on. Without a label map the server's parser makes one."""
    return await photos.open_photo(studio, session, await file.read(), await _bytes(segmap))


@sessions.post("/segmap", responses=_BODY)
async def segmap(session: TheSession, studio: TheStudio, file: Picture) -> State:
    """Begin anew on another label map; styles stay."""
    return await photos.open_segmap(studio, session, await file.read())


@sessions.post("/styles", responses=_BODY)
async def add_styles(session: TheSession, studio: TheStudio, file: Picture, segmap: LabelMap = None) -> Source:
    """Add a photo whose styles edits can name. Without a label map the server's parser makes one."""
    return await photos.add_style_photo(studio, session, await file.read(), await _bytes(segmap))


_EDIT_BODY = {"requestBody": {"content": {"application/json": {"schema": edit_schema()}}}}


@sessions.post("/edits", responses=_BODY, openapi_extra=_EDIT_BODY)
async def apply(session: TheSession, studio: TheStudio, edit: Annotated[dict[str, Any], Body()]) -> State:
    """Do an edit."""
    value = edit_from_json(edit)
    return await studio.change(session, lambda editor: editor.apply(value))


@sessions.post("/undo", responses=_WRITE)
async def undo(session: TheSession, studio: TheStudio) -> State:
    """Take the last edit back, if there is one."""
    return await studio.change(session, Editor.undo)


@sessions.post("/redo", responses=_WRITE)
async def redo(session: TheSession, studio: TheStudio) -> State:
    """Do the edit again that was undone last, if there is one."""
    return await studio.change(session, Editor.redo)


@sessions.get("/picture.png", response_class=PNGResponse)
async def picture(session: TheSession, studio: TheStudio) -> PNGResponse:
    """The rendered picture, of the model's size."""
    return PNGResponse(await studio.run(session.id, lambda: png(session.editor.render()), Kind.LARGE))


@sessions.get("/map.png", response_class=PNGResponse)
async def map_picture(session: TheSession, studio: TheStudio) -> PNGResponse:
    """The label map, a palette PNG of label ids."""
    labels = studio.pipeline.labels
    return PNGResponse(await studio.run(session.id, lambda: map_png(session.editor.state.segmap, labels), Kind.SMALL))


@sessions.get("/original.png", response_class=PNGResponse)
async def original(session: TheSession) -> PNGResponse:
    """The picture that the session began with, of the model's size: the photo, or a drawn face as rendered."""
    return PNGResponse(session.original)


@sessions.get("/photo.png", response_class=PNGResponse, responses=_answers(400))
async def composite(session: TheSession, studio: TheStudio) -> PNGResponse:
    """The whole photo with the edited parts in it; they fade out at their edges, all else is the photo's own."""
    return PNGResponse(await photos.composite(studio, session))


@sessions.get("/styles/{name}.png", response_class=PNGResponse, responses=_answers(400))
async def style_thumbnail(
    session: TheSession, studio: TheStudio, name: Annotated[str, Path(max_length=100)]
) -> PNGResponse:
    """A small picture of the style photo that edits call photo:NAME."""
    return PNGResponse(await photos.style_thumbnail(studio, session, name))


class ZipResponse(Response):
    """A zip file."""

    media_type = "application/zip"


@sessions.get("/project.zip", response_class=ZipResponse, responses=_answers(400))
async def save_project(session: TheSession, studio: TheStudio) -> ZipResponse:
    """The session as a file: photo, maps, styles and edits; `sean edit` and POST /project read it."""
    return ZipResponse(await projects.save(studio, session))


@sessions.post("/project", responses=_BODY)
async def load_project(session: TheSession, studio: TheStudio, file: UploadFile) -> State:
    """Go on with a project."""
    return await projects.load(studio, session, await file.read())


@sessions.websocket("/live")
async def live_editing(websocket: WebSocket, session_id: str) -> None:
    """Edits and previews in, states and pictures out; see `sean.web.live`."""
    studio: Studio = websocket.app.state.studio
    try:
        session = studio.store.get(session_id)
    except UnknownSession as error:
        await websocket.send_denial_response(JSONResponse({"detail": str(error)}, 404))
        return
    await live.serve(websocket, session, studio)


async def _bytes(file: UploadFile | None) -> bytes | None:
    return None if file is None else await file.read()
