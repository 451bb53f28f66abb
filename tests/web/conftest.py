"""A tiny model with a style bank, and an application around it that is driven without a network."""

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from starlette.testclient import TestClient

from sean.editing.pipeline import SEANPipeline
from sean.web import service as service_module
from sean.web.app import create_app
from sean.web.decoding import Decoder, decode
from sean.web.limits import Limits
from sean.web.service import Service

from ..support.pipelines import TINY as SMALL
from ..support.pipelines import random_pipeline

TINY = replace(SMALL, image_size=(32, 32))
HOST = "http://127.0.0.1"


def tiny_pipeline(num_styles: int = 3) -> SEANPipeline:
    """See `random_pipeline`."""
    torch.manual_seed(0)
    return random_pipeline(TINY, num_styles)


def client_of(service: Service, **options: Any) -> TestClient:
    """A client of an application; to be used in a with block, which starts and stops the application."""
    return TestClient(create_app(service, model_name="tiny", **options), base_url=HOST)


def png_bytes(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return file.getvalue()


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


class NearDecoder(Decoder):
    """Decodes in this process, without the seconds that starting another one takes."""

    def start(self) -> None:
        pass

    def _ask(self, request: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        header, parts = decode(request["task"], data, self._limits.picture_pixels, request.get("labels"))
        return header, b"".join(parts)


@pytest.fixture(autouse=True)
def _near_decoder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "Decoder", NearDecoder)


@pytest.fixture(scope="session")
def pipeline() -> SEANPipeline:
    """See `tiny_pipeline`; editors and services take forks of it."""
    return tiny_pipeline()


@pytest.fixture
def service(pipeline: SEANPipeline) -> Service:
    """Without a parser; the client that is made of it closes it."""
    return Service(pipeline, limits=Limits(), num_threads=1)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


@pytest.fixture
def session(client: TestClient) -> str:
    """The path of a new session."""
    return f"/api/sessions/{client.post('/api/sessions', json={'bank': 1}).json()['id']}"
