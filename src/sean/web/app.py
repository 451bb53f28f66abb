"""The application: the routes, the page's files, one-line errors, and the middleware around them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

import sean
from sean.errors import InputError
from sean.web.middleware import Access, BodyLimit, Guard
from sean.web.queue import Busy
from sean.web.routes import router, sessions
from sean.web.service import Service
from sean.web.sessions import UnknownSession

STATIC = Path(__file__).parent / "static"
LOCAL = Access()


class App(FastAPI):
    """The application with its middleware, which wraps everything, including errors of the server."""

    def __init__(self, service: Service, access: Access) -> None:
        super().__init__(
            title="sean",
            version=sean.__version__,
            description="Region-wise editing of pictures; see also WebSocket /api/sessions/{session_id}/live.",
            docs_url=None,  # these pages load scripts from other hosts
            redoc_url=None,
            lifespan=_lifespan,
        )
        self.state.service = service
        self._access = access

    def build_middleware_stack(self) -> ASGIApp:
        limited = BodyLimit(super().build_middleware_stack(), limits=self.state.service.limits)
        return Guard(limited, access=self._access)


def create_app(service: Service, *, model_name: str = "", access: Access = LOCAL, static: Path = STATIC) -> App:
    """The application around a service; it closes the service when it stops.

    Args:
        service: the operations to offer.
        model_name: name of the model, shown to users.
        access: host names and proxies of the server.
        static: folder of the page's files.
    """
    app = App(service, access)
    app.state.model_name = model_name
    app.include_router(router)
    app.include_router(sessions)
    for error, handler in _HANDLERS.items():
        app.add_exception_handler(error, handler)
    # one route per existing file: no path of a request reaches the file system
    for file in sorted(path for path in static.rglob("*") if path.is_file()):
        app.router.routes.append(_file_route(f"/{file.relative_to(static).as_posix()}", file))
    if (static / "index.html").is_file():
        app.router.routes.append(_file_route("/", static / "index.html"))
    return app


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    tidying = asyncio.create_task(service.keep_tidy())
    try:
        yield
    finally:
        tidying.cancel()
        await asyncio.to_thread(service.close)


def _file_route(path: str, file: Path) -> Route:
    async def serve(request: Request) -> Response:
        return FileResponse(file, headers={"Cache-Control": "no-cache"})

    return Route(path, serve, include_in_schema=False)


def _answer(status: int, detail: str, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"detail": " ".join(detail.split())}, status, headers)


async def _unusable(request: Request, error: Exception) -> JSONResponse:
    return _answer(400, str(error))


async def _unknown(request: Request, error: Exception) -> JSONResponse:
    return _answer(404, str(error))


async def _busy(request: Request, error: Exception) -> JSONResponse:
    return _answer(503, str(error), {"Retry-After": "1"})


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    """The first error of a malformed request, in one line."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return _answer(422, f"{place}: {first['msg']}")


async def _http_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    return _answer(error.status_code, error.detail, dict(error.headers or {}))


async def _failed(request: Request, error: Exception) -> JSONResponse:
    return _answer(500, "something went wrong on the server; try again, or begin a new session")


_HANDLERS = {
    InputError: _unusable,
    UnknownSession: _unknown,
    Busy: _busy,
    RequestValidationError: _malformed,
    HTTPException: _http_error,
    Exception: _failed,
}
