"""The HTTP part: every path once in earnest, and what it answers to what is not meant."""

import io
import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from sean.data.faces.drawing import FaceShape, draw_face
from sean.editing.editor import Editor
from sean.editing.edits import edit_from_json
from sean.editing.pipeline import SEANPipeline
from sean.editing.shapes import SEAM_MARGIN
from sean.labels import CELEBAMASK_HQ, LabelSet
from sean.models.build import build_model
from sean.parsing import photo
from sean.parsing.faces import Crop
from sean.parsing.segmenter import Segmenter
from sean.segmap import colorize
from sean.web.frames import map_png
from sean.web.limits import Limits
from sean.web.service import Service, begin, first_segmap

from ..pictures import difference
from ..profiles import WIDE_GAMUT
from .conftest import TINY, client_of, pixels, png_bytes

HAT = {"kind": "paint", "points": [[0.5, 0.5]], "radius": 0.2, "label": "hat"}
PHOTO = np.random.default_rng(1).integers(0, 256, (48, 40, 3), dtype=np.uint8)
FACE = draw_face(FaceShape(), (48, 40))


class DrawnParser(Segmenter):
    """Takes every photo for the same face."""

    def __init__(self) -> None:
        self.labels = CELEBAMASK_HQ
        self.size = (32, 32)

    def segmap(self, image: np.ndarray) -> np.ndarray:
        return draw_face(FaceShape(), (image.shape[0], image.shape[1]))


def files(**data: bytes) -> dict[str, tuple[str, bytes]]:
    return {name: ("../../etc/passwd", content) for name, content in data.items()}


def test_health_and_model(client: TestClient, session: str) -> None:
    assert client.get("/health").json() == {"status": "ok", "sessions": 1, "queued": 0}
    model = client.get("/api/model").json()
    assert model["name"] == "tiny" and model["size"] == [32, 32] and model["blocks"] == 6 and model["bank"] == 3
    assert model["faces"] is True and model["parses"] is False
    assert model["labels"][1] == {"id": 1, "name": "skin", "color": "#cc0000"} and len(model["labels"]) == 19
    assert model["limits"]["picture_pixels"] == 51_000_000


def test_a_session_begins_with_a_face_in_a_style_of_the_bank(client: TestClient, pipeline: SEANPipeline) -> None:
    answer = client.post("/api/sessions", json={"bank": 2})
    assert answer.status_code == 201
    state = answer.json()
    assert (state["version"], state["photo"], state["can_undo"], state["edits"]) == (0, None, False, 0)
    assert sum(region["area"] for region in state["regions"]) == pytest.approx(1)
    assert all(region["styles"] == [["own", 1.0]] * 6 for region in state["regions"])
    assert [source["source"] for source in state["sources"]] == ["own", "mean", "bank:0", "bank:1", "bank:2"]
    session = f"/api/sessions/{state['id']}"
    assert client.get(session).json() == state
    picture = np.asarray(pipeline.fork()(first_segmap(pipeline), pipeline.style_bank[2]))
    assert difference(pixels(client.get(f"{session}/picture.png").content), picture) <= 1
    assert np.array_equal(pixels(client.get(f"{session}/original.png").content), picture)
    assert np.array_equal(pixels(client.get(f"{session}/map.png").content), first_segmap(pipeline))
    assert client.get(f"{session}/photo.png").status_code == 400
    other = client.post("/api/sessions").json()
    assert other["id"] != state["id"]
    assert client.post("/api/sessions", json={"bank": 3}).json() == {
        "detail": "expected a number of a bank style in 0..2, got 3"
    }


def test_edits_undo_and_redo(client: TestClient, session: str) -> None:
    before = client.get(f"{session}/picture.png").content
    state = client.post(f"{session}/edits", json=HAT).json()
    assert (state["version"], state["edits"], state["can_undo"]) == (1, 1, True)
    assert "hat" in [region["label"] for region in state["regions"]]
    after = client.get(f"{session}/picture.png").content
    assert after != before
    state = client.post(f"{session}/undo").json()
    assert (state["version"], state["edits"], state["can_redo"]) == (2, 0, True)
    assert client.get(f"{session}/picture.png").content == before
    assert client.post(f"{session}/undo").json() == state  # nothing to undo: nothing changes
    assert client.post(f"{session}/redo").json()["version"] == 3
    assert client.get(f"{session}/picture.png").content == after
    style = {"kind": "set_style", "source": "bank:0", "regions": ["hair"], "strength": 0.5, "blocks": [3, 4, 5]}
    state = client.post(f"{session}/edits", json=style).json()
    hair = next(region for region in state["regions"] if region["label"] == "hair")
    assert hair["styles"] == [["own", 1.0]] * 3 + [["bank:0", 0.5]] * 3


def test_edits_that_cannot_be_done_change_nothing(client: TestClient, session: str) -> None:
    for edit, status in (
        ({"kind": "explode"}, 400),
        ({**HAT, "label": "wig"}, 400),
        ({**HAT, "radius": -1}, 400),
        ({**HAT, "points": [[0.5, 0.5]] * 10_001}, 400),
        ({"kind": "set_style", "source": "bank:9"}, 400),
        ({}, 400),
        ([], 422),
        (None, 422),
    ):
        answer = client.post(f"{session}/edits", json=edit)
        assert answer.status_code == status, edit
        assert isinstance(answer.json()["detail"], str) and "\n" not in answer.json()["detail"]
    assert client.get(session).json()["version"] == 0


def test_one_session_knows_nothing_of_another(client: TestClient, pipeline: SEANPipeline) -> None:
    a, b = (f"/api/sessions/{client.post('/api/sessions', json={'bank': n}).json()['id']}" for n in (0, 0))
    before = client.get(f"{b}/picture.png").content
    client.post(f"{a}/photo", files=files(file=png_bytes(PHOTO), segmap=png_bytes(FACE.astype(np.uint8))))
    client.post(f"{a}/edits", json=HAT)
    assert client.get(b).json()["version"] == 0
    assert client.get(f"{b}/picture.png").content == before


def test_a_photo_with_its_map(client: TestClient, session: str, pipeline: SEANPipeline) -> None:
    upload = files(file=png_bytes(PHOTO), segmap=png_bytes(FACE.astype(np.uint8)))
    state = client.post(f"{session}/photo", files=upload).json()
    assert state["photo"] and state["version"] == 1
    editor = Editor(pipeline)
    editor.set_image(PHOTO, FACE)
    assert np.array_equal(pixels(client.get(f"{session}/original.png").content), editor.original)
    assert difference(pixels(client.get(f"{session}/picture.png").content), np.asarray(editor.render())) <= 1
    assert np.array_equal(pixels(client.get(f"{session}/photo.png").content), PHOTO)
    client.post(f"{session}/edits", json=HAT)
    edited = pixels(client.get(f"{session}/photo.png").content)
    assert edited.shape == PHOTO.shape
    assert not np.array_equal(edited, PHOTO) and np.array_equal(edited[:5], PHOTO[:5])
    editor.apply(edit_from_json(HAT))
    assert difference(edited, np.asarray(editor.composite(margin=SEAM_MARGIN))) <= 1


def test_a_photo_without_a_map_needs_a_parser(client: TestClient, session: str) -> None:
    answer = client.post(f"{session}/photo", files=files(file=png_bytes(PHOTO)))
    assert answer.status_code == 400 and "no parser" in answer.json()["detail"]


def test_a_photo_without_a_map_is_parsed_where_the_face_is(
    pipeline: SEANPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    crop = Crop(top=4.0, left=-3.0, size=40.0, photo_size=(48, 40))
    monkeypatch.setattr(photo, "find_faces", lambda image, parser: [crop])
    service = Service(pipeline, parser=DrawnParser(), limits=Limits(style_photos=1), num_threads=1)
    editor = Editor(pipeline, parser=DrawnParser())
    editor.set_image(PHOTO, crop=crop)
    with client_of(service) as client:
        session = f"/api/sessions/{client.post('/api/sessions').json()['id']}"
        assert client.get("/api/model").json()["parses"] is True
        with client.websocket_connect(f"{session}/live", headers={"host": "127.0.0.1"}) as socket:
            assert client.post(f"{session}/photo", files=files(file=png_bytes(PHOTO))).json()["photo"]
            stages = []
            while "encoding" not in stages:
                message = json.loads(socket.receive().get("text") or "{}")
                if message.get("type") == "progress":
                    stages.append(message["stage"])
        # of messages of one kind the newest is sent: a slow client may miss one
        assert stages == [
            stage
            for stage in ("reading the photo", "finding the face", "making the map", "encoding")
            if stage in stages
        ]
        assert difference(pixels(client.get(f"{session}/picture.png").content), np.asarray(editor.render())) <= 1
        source = client.post(f"{session}/styles", files=files(file=png_bytes(PHOTO))).json()
        assert source["source"] == "photo:1" and "hair" in source["regions"]
        assert max(pixels(client.get(f"{session}/styles/1.png").content).shape[:2]) == 48
        answer = client.post(f"{session}/styles", files=files(file=png_bytes(PHOTO)))
        assert answer.status_code == 400 and "all it may have" in answer.json()["detail"]
        assert client.get(f"{session}/styles/2.png").status_code == 404


def test_another_map(client: TestClient, session: str) -> None:
    other = draw_face(FaceShape(hair_length=0.9), (32, 32))
    state = client.post(f"{session}/segmap", files=files(file=png_bytes(other.astype(np.uint8)))).json()
    assert state["version"] == 1
    assert np.array_equal(pixels(client.get(f"{session}/map.png").content), other)


def test_bad_uploads_are_refused_and_the_session_lives_on(client: TestClient, session: str) -> None:
    for path in ("photo", "segmap", "styles", "project"):
        for data in (b"", b"just text", b"PK\x03\x04" + bytes(40)):
            answer = client.post(f"{session}/{path}", files=files(file=data))
            detail = answer.json()["detail"]
            assert answer.status_code == 400 and detail.startswith("expected a p"), (path, data, detail)
            assert "\n" not in detail and "/tmp" not in detail
        assert client.post(f"{session}/{path}", files={"other": b"x"}).status_code == 422
        assert client.post(f"{session}/{path}", content=b"x").status_code == 422
    assert client.get(session).json()["version"] == 0


def test_a_project_comes_back(client: TestClient, session: str) -> None:
    upload = files(file=png_bytes(PHOTO), segmap=png_bytes(FACE.astype(np.uint8)))
    client.post(f"{session}/photo", files=upload)
    client.post(f"{session}/styles", files=upload)
    client.post(f"{session}/edits", json=HAT)
    client.post(f"{session}/edits", json={"kind": "set_style", "source": "photo:1", "regions": ["hat"]})
    answer = client.get(f"{session}/project.zip")
    assert answer.headers["content-type"] == "application/zip"
    new = f"/api/sessions/{client.post('/api/sessions').json()['id']}"
    loaded, state = client.post(f"{new}/project", files=files(file=answer.content)).json(), client.get(session).json()
    for key in ("regions", "sources", "edits"):
        assert loaded[key] == state[key]
    assert loaded["photo"] | {"name": ""} == state["photo"] | {"name": ""}
    for name in ("picture", "photo", "map", "original"):
        assert client.get(f"{new}/{name}.png").content == client.get(f"{session}/{name}.png").content
    assert pixels(client.get(f"{new}/styles/1.png").content).shape == (32, 32, 3)  # rendered: the photo is not kept


def test_projects_with_bombs_are_refused(client: TestClient, session: str) -> None:
    def project(name: str, data: bytes, count: int = 1) -> bytes:
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(count):
                archive.writestr(f"{number}{name}", data)
        return file.getvalue()

    for data in (
        project("photo.png", b"no picture"),
        project("a.png", png_bytes(PHOTO), count=9),
        project("project.json", b"0" * 300 * 2**20),
    ):
        answer = client.post(f"{session}/project", files=files(file=data))
        assert answer.status_code == 400 and "/tmp" not in answer.json()["detail"]
    assert client.get(session).json()["version"] == 0


def test_pictures_of_the_bank(client: TestClient, pipeline: SEANPipeline) -> None:
    answer = client.get("/api/bank/1.png")
    assert np.array_equal(
        pixels(answer.content), np.asarray(pipeline.fork()(first_segmap(pipeline), pipeline.style_bank[1]))
    )
    assert "max-age" in answer.headers["cache-control"]
    assert client.get("/api/bank/1.png").content == answer.content
    assert client.get("/api/bank/3.png").status_code == 400
    assert client.get("/api/bank/x.png").status_code == 422
    assert client.get("/api/bank/99999999999999999999.png").status_code == 400


def test_a_session_that_was_ended_is_gone(client: TestClient, session: str) -> None:
    assert client.delete(session).status_code == 204
    for path in ("", "/picture.png", "/original.png", "/project.zip", "/styles/1.png"):
        assert client.get(session + path).status_code == 404
    assert client.delete(session).status_code == 404


def test_guessed_ids_and_paths_lead_nowhere(client: TestClient, session: str) -> None:
    for guess in ("x", "..", "%2e%2e", "%2e%2e%2f%2e%2e", "a" * 43, "a" * 5000, "%00", "é"):
        for path in ("", "/picture.png", "/photo.png", "/project.zip", "/styles/1.png"):
            assert client.get(f"/api/sessions/{guess}{path}").status_code in (404, 422)
        for name in (guess, f"..%2f{guess}", f"%2fetc%2f{guess}"):
            assert client.get(f"{session}/styles/{name}.png").status_code in (404, 422)
            assert client.get(f"/api/bank/{name}.png").status_code in (404, 422)


def test_the_page_and_nothing_else_is_served(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200 and page.headers["content-type"].startswith("text/html")
    assert client.get("/index.html").content == page.content
    for path in (
        "/../app.py",
        "/..%2fapp.py",
        "/%2e%2e/app.py",
        "//etc/passwd",
        "/static/index.html",
        "/app.py",
        "/docs",
    ):
        assert client.get(path).status_code == 404, path


def test_a_model_of_other_labels_begins_with_a_scene() -> None:
    labels = LabelSet(name="many", names=tuple(f"label {number}" for number in range(300)))
    pipeline = SEANPipeline(build_model(replace(TINY, num_regions=300)), labels)
    with client_of(Service(pipeline, limits=Limits(), num_threads=1)) as client:
        model = client.get("/api/model").json()
        assert model["faces"] is False and model["bank"] == 0
        state = client.post("/api/sessions").json()
        assert len(state["regions"]) >= 2
        segmap = pixels(client.get(f"/api/sessions/{state['id']}/map.png").content)
    assert np.array_equal(segmap, colorize(first_segmap(pipeline), labels))


def test_maps_as_files_keep_pixels_of_no_region() -> None:
    labels = LabelSet(name="two", names=("a", "b"), palette=((1, 2, 3), (4, 5, 6)), ignore_id=255)
    with Image.open(io.BytesIO(map_png(np.array([[0, 1, 2]]), labels))) as image:
        assert np.array_equal(np.asarray(image), [[0, 1, 255]])
        assert np.array_equal(np.asarray(image.convert("RGB")), [[[1, 2, 3], [4, 5, 6], [0, 0, 0]]])


def test_beginning_without_a_bank_has_some_style() -> None:
    editor = Editor(SEANPipeline(build_model(TINY), CELEBAMASK_HQ))
    begin(editor, None)
    assert np.asarray(editor.render()).shape == (32, 32, 3)


def test_a_photo_comes_back_in_its_own_colours(client: TestClient, session: str) -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"
    values = np.random.default_rng(2).integers(0, 256, (48, 40, 4), dtype=np.uint8)
    Image.fromarray(np.rot90(values)).save(file, "PNG", icc_profile=WIDE_GAMUT, exif=exif)
    sideways = np.rot90(FACE).astype(np.uint8)  # as a program draws it that ignores the tag
    upload = files(file=file.getvalue(), segmap=png_bytes(sideways))
    assert client.post(f"{session}/photo", files=upload).status_code == 200
    assert np.array_equal(pixels(client.get(f"{session}/photo.png").content), values)
    client.post(f"{session}/edits", json=HAT | {"points": [[0.5, 0.2]], "radius": 0.1})
    with Image.open(io.BytesIO(client.get(f"{session}/photo.png").content)) as image:
        assert image.info["icc_profile"] == WIDE_GAMUT and image.getexif()[0x010F] == "a camera"
        edited = np.asarray(image)
    assert np.array_equal(edited[32:], values[32:]) and (edited[:32] != values[:32]).any()
    project = client.get(f"{session}/project.zip").content
    client.post(f"{session}/project", files=files(file=project))
    assert np.array_equal(pixels(client.get(f"{session}/photo.png").content), edited)


def test_a_jpeg_comes_back_as_a_jpeg(client: TestClient, session: str) -> None:
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x010F] = "a camera"
    Image.fromarray(PHOTO).save(file, "JPEG", quality=95, icc_profile=WIDE_GAMUT, exif=exif)
    upload = files(file=file.getvalue(), segmap=png_bytes(FACE.astype(np.uint8)))
    assert client.post(f"{session}/photo", files=upload).status_code == 200
    answer = client.get(f"{session}/photo.jpg")
    assert answer.headers["content-type"] == "image/jpeg"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.format, image.size) == ("JPEG", PHOTO.shape[1::-1])
        assert image.info["icc_profile"] == WIDE_GAMUT and image.getexif()[0x010F] == "a camera"


def test_a_map_of_another_shape_is_refused(client: TestClient, session: str) -> None:
    for path in ("photo", "styles"):
        upload = files(file=png_bytes(PHOTO), segmap=png_bytes(FACE.T.astype(np.uint8)))
        answer = client.post(f"{session}/{path}", files=upload)
        assert answer.status_code == 400
        assert "got 48 x 40 in the photo and 40 x 48 in the segmap; it lies on its side" in answer.json()["detail"]
