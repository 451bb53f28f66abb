"""The HTTP routes to the operations of the service. This module touches neither the model nor a file."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, File, Form, Path, Query, Request, Response, UploadFile, WebSocket
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from sean.data.faces.drawing import can_draw_faces
from sean.editing.edits import edit_from_json, edit_schema
from sean.errors import InputError
from sean.web import photos, projects
from sean.web.frames import map_png, png
from sean.web.queue import Kind
from sean.web.schemas import (
    Detail,
    Health,
    LabelInfo,
    LimitsInfo,
    ModelInfo,
    NewSession,
    Script,
    Source,
    Square,
    State,
)
from sean.web.service import Service, available_samples, sample_photo
from sean.web.sessions import Session, UnknownSession
from sean.web.websocket import serve

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


class JPEGResponse(Response):
    """A JPEG file."""

    media_type = "image/jpeg"


def service_of(request: Request) -> Service:
    """The service of the app that a request came to."""
    service: Service = request.app.state.service
    return service


TheService = Annotated[Service, Depends(service_of)]
SessionId = Annotated[str, Path(max_length=64, description="what POST /api/sessions gave")]


def session_of(session_id: SessionId, service: TheService) -> Session:
    """The session that a path names."""
    return service.store.get(session_id)


TheSession = Annotated[Session, Depends(session_of)]
Picture = Annotated[UploadFile, File(description="a picture file")]
LabelMap = Annotated[UploadFile | None, File(description="its label map, a PNG of ids or of the labels' colours")]
CropField = Annotated[str | None, Form(description='the part to edit: {"left": x, "top": y, "size": s} in pixels')]
PageName = Annotated[str, Query(max_length=64, description="name of the page, the same for each of its connections")]
StepName = Annotated[
    str, Query(max_length=64, description="name that the page gives to this request; the state repeats it")
]
_LONGEST_NAME = 200

router = APIRouter()
sessions = APIRouter(prefix="/api/sessions/{session_id}", responses=_answers(404, 422, 503))
_BODY = _answers(400, 403, 408, 413)
_BODY[400]["model"] = Detail  # so that the description defines it
_WRITE = _answers(403, 408, 413)


@router.get("/health")
async def health(service: TheService) -> Health:
    """Whether the server is there, and how much it has to do."""
    return Health(status="ok", sessions=len(service.store), queued=service.queue.queued)


@router.get("/api/model")
async def model(request: Request, service: TheService) -> ModelInfo:
    """The model: its labels, size and style bank, and what the server allows."""
    pipeline, limits = service.pipeline, service.limits
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
        faces=can_draw_faces(pipeline.labels),
        samples=list(available_samples()),
        parses=service.parser is not None,
        limits=LimitsInfo(**allowed),
    )


@router.get("/api/bank/{number}.png", response_class=PNGResponse, responses=_answers(400, 422, 503))
async def bank(number: Annotated[int, Path(ge=0)], service: TheService) -> PNGResponse:
    """A small picture of a style of the bank."""
    data = await service.bank_thumbnail(number)
    return PNGResponse(data, headers={"Cache-Control": "private, max-age=600"})


@router.get("/api/samples/{name}", response_class=PNGResponse, responses=_answers(404, 422))
async def sample(name: Annotated[str, Path(max_length=100)]) -> PNGResponse:
    """A sample photo; GET /api/model lists their names."""
    data = await asyncio.to_thread(sample_photo, name)
    if data is None:
        raise HTTPException(404, "there is no such sample")
    return PNGResponse(data)


@router.post("/api/sessions", status_code=201, responses=_answers(422, 503) | _BODY)
async def begin(service: TheService, new: Annotated[NewSession | None, Body()] = None) -> State:
    """Begin a session, which shows a drawn face (or scene) in a style of the bank."""
    session = await service.begin(new.bank if new else None)
    return session.state


@sessions.get("")
async def state(session: TheSession) -> State:
    """What a session shows."""
    return session.state


@sessions.delete("", status_code=204, responses=_WRITE)
async def end(session: TheSession, service: TheService) -> Response:
    """Forget a session with all that it holds."""
    service.store.remove(session)
    return Response(status_code=204)


@sessions.post("/photo", responses=_BODY)
async def photo(
    session: TheSession,
    service: TheService,
    file: Picture,
    segmap: LabelMap = None,
    crop: CropField = None,
    step: StepName = "",
) -> State:
    """Edit a photo from now on; undo goes back. Without a label map the server's parser makes one."""
    return await photos.open_photo(service, session, await _upload(file, segmap, crop), step)


@sessions.post("/crop", responses=_BODY)
async def crop(session: TheSession, service: TheService, square: Square, step: StepName = "") -> State:
    """Edit another part of the photo from now on. Undo goes back to what was before."""
    return await photos.set_crop(service, session, square, step)


@sessions.post("/drawing", responses=_BODY)
async def drawing(session: TheSession, service: TheService, new: NewSession, step: StepName = "") -> State:
    """Edit a drawn face (or scene) from now on. Undo goes back to what was before."""
    return await service.draw(session, new.bank, step)


@sessions.post("/segmap", responses=_BODY)
async def segmap(session: TheSession, service: TheService, file: Picture, step: StepName = "") -> State:
    """Start again on another label map; styles are kept. Undo restores the previous picture."""
    return await photos.open_segmap(service, session, await file.read(), step)


@sessions.post("/styles", responses=_BODY)
async def add_styles(
    session: TheSession, service: TheService, file: Picture, segmap: LabelMap = None, step: StepName = ""
) -> Source:
    """Add a photo whose styles edits can name. Without a label map the server's parser makes one."""
    return await photos.add_style_photo(service, session, await _upload(file, segmap), step)


_EDIT_BODY = {"requestBody": {"content": {"application/json": {"schema": edit_schema()}}}}


@sessions.post("/edits", responses=_BODY, openapi_extra=_EDIT_BODY)
async def apply(session: TheSession, service: TheService, edit: Annotated[dict[str, Any], Body()]) -> State:
    """Do an edit."""
    return await service.edit(session, edit_from_json(edit))


@sessions.get("/script.json", responses=_answers(400))
async def script(session: TheSession, service: TheService) -> Script:
    """The edits since the picture was opened, done and undone."""
    return await service.script(session)


@sessions.post("/script", responses=_BODY)
async def replay(session: TheSession, service: TheService, file: UploadFile) -> State:
    """Do the edits of such a script."""
    return await service.replay(session, await file.read())


@sessions.post("/undo", responses=_WRITE)
async def undo(session: TheSession, service: TheService) -> State:
    """Undo the last edit, or the opening of the picture, if there is one."""
    return await service.undo(session)


@sessions.post("/redo", responses=_WRITE)
async def redo(session: TheSession, service: TheService) -> State:
    """Redo the edit or opening that was undone last, if there is one."""
    return await service.redo(session)


@sessions.get("/picture.png", response_class=PNGResponse)
async def picture(session: TheSession, service: TheService) -> PNGResponse:
    """The rendered picture, of the model's size."""
    return PNGResponse(await service.run(session.id, lambda: png(session.editor.render()), Kind.LARGE))


@sessions.get("/map.png", response_class=PNGResponse)
async def map_picture(session: TheSession, service: TheService) -> PNGResponse:
    """The label map, a palette PNG of label ids."""
    labels = service.pipeline.labels
    return PNGResponse(await service.run(session.id, lambda: map_png(session.editor.state.segmap, labels), Kind.SMALL))


@sessions.get("/original.png", response_class=PNGResponse)
async def original(session: TheSession) -> PNGResponse:
    """The picture that the session began with, of the model's size: the photo, or a drawn face as rendered."""
    return PNGResponse(session.document.original)


_PHOTO_TYPES: dict[int | str, dict[str, Any]] = {200: {"content": {"image/png": {}, "image/jpeg": {}}}}


@sessions.get("/whole.jpg", response_class=Response, responses=_PHOTO_TYPES)
async def whole(session: TheSession) -> Response:
    """The whole photo before all edits, at most 1 600 pixels a side; of a drawn picture the same as original.png."""
    data = session.document.whole
    return Response(data, media_type="image/png" if data.startswith(b"\x89PNG") else "image/jpeg")


@sessions.get("/photo.png", response_class=PNGResponse, responses=_answers(400))
async def composite(session: TheSession, service: TheService) -> PNGResponse:
    """The whole photo with the edited parts in it; they fade out at their edges, all else is the photo's own."""
    return PNGResponse(await photos.composite(service, session))


@sessions.get("/photo.jpg", response_class=JPEGResponse, responses=_answers(400))
async def composite_jpeg(session: TheSession, service: TheService) -> JPEGResponse:
    """The same as photo.png as a JPEG in quality 95, for photos that came as one."""
    return JPEGResponse(await photos.composite(service, session, "JPEG"))


@sessions.get("/looks/{number}.png", response_class=PNGResponse, responses=_answers(400))
async def look(
    session: TheSession,
    service: TheService,
    number: Annotated[int, Path(ge=0)],
    region: Annotated[
        str | None, Query(max_length=100, description="the one that takes the style; all if left out")
    ] = None,
    document: Annotated[
        int | None, Query(ge=0, description="number of the picture that it is for; the present one if left out")
    ] = None,
) -> PNGResponse:
    """A small picture of the part that the model sees, in a style of the bank; the session stays as it is."""
    return PNGResponse(await photos.look(service, session, number, region, document))


@sessions.get("/styles/{name}.png", response_class=PNGResponse, responses=_answers(400))
async def style_thumbnail(
    session: TheSession, service: TheService, name: Annotated[str, Path(max_length=100)]
) -> PNGResponse:
    """A small picture of the style photo that edits call photo:NAME."""
    return PNGResponse(await photos.style_thumbnail(service, session, name))


class ZipResponse(Response):
    """A zip file."""

    media_type = "application/zip"


@sessions.get("/project.zip", response_class=ZipResponse, responses=_answers(400))
async def save_project(session: TheSession, service: TheService) -> ZipResponse:
    """The session as a file: photo, maps, styles and edits; `sean edit` and POST /project read it."""
    return ZipResponse(await projects.save(service, session))


@sessions.post("/project", responses=_BODY)
async def load_project(session: TheSession, service: TheService, file: UploadFile, step: StepName = "") -> State:
    """Go on with a project. Undo goes back to what was before."""
    return await projects.load(service, session, await file.read(), file.filename or "", step)


@sessions.websocket("/live")
async def live_editing(
    websocket: WebSocket,
    session_id: str,
    page: PageName = "",
) -> None:
    """Edits and previews in, states and pictures out; see `sean.web.websocket`."""
    service: Service = websocket.app.state.service
    try:
        session = service.store.get(session_id)
    except UnknownSession as error:
        await websocket.send_denial_response(JSONResponse({"detail": str(error)}, 404))
        return
    await serve(websocket, session, service, page)


async def _upload(file: UploadFile, segmap: UploadFile | None, crop: str | None = None) -> photos.Upload:
    try:
        square = None if crop is None else Square.model_validate_json(crop)
    except ValueError:
        raise InputError('expected crop as {"left": x, "top": y, "size": s}, in pixels of the photo') from None
    map_data = None if segmap is None else await segmap.read()
    return photos.Upload(data=await file.read(), segmap=map_data, name=_shown_name(file.filename), crop=square)


def _shown_name(name: str | None) -> str:
    """The name of a user's file as far as it can be shown: without folders, control characters and great length."""
    last = (name or "").replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(letter for letter in last if letter.isprintable())[:_LONGEST_NAME]
