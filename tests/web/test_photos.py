"""Opening a picture is a step like an edit: undo goes back to the picture before, with all that was done to it."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from sean.editing.pipeline import SEANPipeline
from sean.labels import CELEBAMASK_HQ
from sean.parsing import photo
from sean.parsing.faces import Crop
from sean.web.limits import Limits
from sean.web.queue import Kind
from sean.web.service import Service

from ..pictures import difference
from .conftest import client_of, pixels, png_bytes
from .test_routes import DrawnParser, files
from .test_websocket import connected, received, until

HAT = {"kind": "paint", "points": [[0.5, 0.5]], "radius": 0.2, "label": "hat"}
HAIR = {**HAT, "label": "hair"}
PHOTO = np.random.default_rng(5).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.fixture
def service(pipeline: SEANPipeline, monkeypatch: pytest.MonkeyPatch) -> Service:
    """With a parser, and two faces in every photo."""
    crops = [
        Crop(top=4.0, left=-3.0, size=40.0, photo_size=(60, 80)),
        Crop(top=20.0, left=40.0, size=30.0, photo_size=(60, 80)),
    ]
    monkeypatch.setattr(photo, "find_faces", lambda image, parser: crops)
    return Service(pipeline, parser=DrawnParser(), limits=Limits(documents=2), num_threads=1)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient]:
    with client_of(service) as client:
        yield client


def post(client: TestClient, path: str, **options: Any) -> Any:
    answer = client.post(path, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()


def photo_opened(client: TestClient, session: str) -> Any:
    return post(client, f"{session}/photo", files={"file": ("me.jpg", png_bytes(PHOTO), "image/png")})


def picture(client: TestClient, session: str) -> bytes:
    return client.get(f"{session}/picture.png").content


def without_version(state: Any) -> Any:
    return {key: value for key, value in state.items() if key not in ("version", "can_redo")}


def test_opening_is_undone_and_redone_between_the_edits_of_both_pictures(client: TestClient, session: str) -> None:
    drawn = post(client, f"{session}/edits", json=HAT)
    drawn_picture = picture(client, session)
    opened = photo_opened(client, session)
    assert opened["document"] == 1 and opened["photo"]["name"] == "me.jpg" and opened["edits"] == 0
    edited = post(client, f"{session}/edits", json=HAIR)
    edited_picture = picture(client, session)

    assert without_version(post(client, f"{session}/undo")) == without_version(opened)
    assert without_version(post(client, f"{session}/undo")) == without_version(drawn)
    assert picture(client, session) == drawn_picture
    assert post(client, f"{session}/undo")["edits"] == 0
    assert post(client, f"{session}/undo")["can_undo"] is False
    for document, edits in ((0, 1), (1, 0), (1, 1), (1, 1)):
        state = post(client, f"{session}/redo")
        assert (state["document"], state["edits"]) == (document, edits)
    assert without_version(state) == without_version(edited)
    assert picture(client, session) == edited_picture


def test_an_edit_after_going_back_forgets_what_was_opened(client: TestClient, session: str) -> None:
    photo_opened(client, session)
    assert post(client, f"{session}/undo")["can_redo"] is True
    assert post(client, f"{session}/edits", json=HAT)["can_redo"] is False


def test_what_was_undone_before_opening_is_not_redone(client: TestClient, session: str) -> None:
    post(client, f"{session}/edits", json=HAT)
    post(client, f"{session}/undo")
    photo_opened(client, session)
    post(client, f"{session}/undo")
    assert post(client, f"{session}/redo")["photo"] is not None


@pytest.mark.parametrize("opening", ["drawing", "segmap", "crop", "project"])
def test_every_way_of_opening_can_be_undone(client: TestClient, session: str, opening: str) -> None:
    photo_opened(client, session)
    before = post(client, f"{session}/edits", json=HAIR)
    before_picture = picture(client, session)
    project = client.get(f"{session}/project.zip").content
    segmap = np.full((32, 32), CELEBAMASK_HQ.id_of("skin"), np.uint8)
    options: dict[str, Any] = {
        "drawing": {"json": {"bank": 2}},
        "segmap": {"files": files(file=png_bytes(segmap))},
        "crop": {"json": {"left": 1, "top": 2, "size": 30}},
        "project": {"files": files(file=project)},
    }
    after = post(client, f"{session}/{opening}", **options[opening])
    assert after["document"] == before["document"] + 1
    if opening == "project":
        post(client, f"{session}/undo")
    assert without_version(post(client, f"{session}/undo")) == without_version(before)
    assert picture(client, session) == before_picture


def steps_of(state: Any) -> dict[str, str]:
    return {source["source"]: source["step"] for source in state["sources"] if source["step"]}


def test_a_page_is_told_which_of_its_steps_has_been_done(client: TestClient, session: str) -> None:
    """Not in the answer alone, which may be lost."""
    post(client, f"{session}/styles?step=first", files=files(file=png_bytes(PHOTO)))
    post(client, f"{session}/photo?step=second", files=files(file=png_bytes(PHOTO)))
    post(client, f"{session}/styles?step=third", files=files(file=png_bytes(PHOTO)))
    state = client.get(session).json()
    assert state["step"] == "second"
    assert steps_of(state) == {"photo:1": "first", "photo:2": "third"}
    segmap = png_bytes(np.full((32, 32), 1, np.uint8))
    for path, options in {
        "crop": {"json": {"left": 1, "top": 2, "size": 30}},
        "segmap": {"files": files(file=segmap)},
        "project": {"files": files(file=client.get(f"{session}/project.zip").content)},
        "drawing": {"json": {"bank": 2}},
    }.items():
        assert post(client, f"{session}/{path}?step={path}", **options)["step"] == path
        assert steps_of(client.get(session).json()) == (
            {} if path in ("project", "drawing") else {"photo:1": "first", "photo:2": "third"}
        )
        undone = post(client, f"{session}/undo")
        assert undone["step"] == "second" and steps_of(undone) == {"photo:1": "first", "photo:2": "third"}


def test_so_many_pictures_are_kept(client: TestClient, session: str) -> None:
    for bank in (0, 1, 2):
        post(client, f"{session}/drawing", json={"bank": bank})
    assert [post(client, f"{session}/undo")["document"] for _ in range(3)] == [2, 1, 1]


def test_style_photos_belong_to_their_pictures(client: TestClient, session: str) -> None:
    post(client, f"{session}/styles", files=files(file=png_bytes(PHOTO)))
    first = client.get(f"{session}/styles/1.png").content
    photo_opened(client, session)
    assert client.get(f"{session}/styles/1.png").content == first  # it came along
    post(client, f"{session}/styles", files=files(file=png_bytes(PHOTO[::-1])))
    second = client.get(f"{session}/styles/2.png").content
    post(client, f"{session}/undo")
    assert client.get(f"{session}/styles/2.png").status_code == 404
    post(client, f"{session}/redo")
    assert client.get(f"{session}/styles/2.png").content == second != first


def test_the_faces_are_told_and_another_one_is_chosen(client: TestClient, session: str) -> None:
    state = photo_opened(client, session)
    faces = state["photo"]["faces"]
    assert [face["size"] for face in faces] == [40, 30] and state["photo"]["crop"] == faces[0]
    before = client.get(f"{session}/original.png").content
    state = post(client, f"{session}/crop", json=faces[1])
    assert state["photo"]["crop"] == faces[1] and state["photo"]["faces"] == faces
    assert state["photo"]["name"] == "me.jpg"
    assert client.get(f"{session}/original.png").content != before
    answer = client.post(f"{session}/crop", json={"left": 900, "top": 0, "size": 10})
    assert answer.status_code == 400 and "part of the photo" in answer.json()["detail"]


def test_no_face_is_said_and_the_whole_photo_taken(
    client: TestClient, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(photo, "find_faces", lambda image, parser: [])
    info = photo_opened(client, session)["photo"]
    assert info["faces"] == [] and info["crop"] == {"left": 0, "top": -10, "size": 80, "angle": 0}


def test_an_edit_for_a_picture_that_was_left_is_kept_in_that_one(client: TestClient, session: str) -> None:
    with connected(client, session) as socket:
        photo_opened(client, session)
        socket.send_json({"seq": 1, "document": 0, "edit": HAT})
        state, _ = until(socket, "state", 1)
        assert (state["document"], state["edits"]) == (1, 0)
        assert post(client, f"{session}/undo")["edits"] == 1
        socket.send_json({"seq": 2, "document": 7, "edit": HAT})
        assert "no longer kept" in until(socket, "error", 2)[0]["detail"]


def test_a_page_that_comes_back_hears_what_was_done_and_nothing_is_done_twice(client: TestClient, session: str) -> None:
    headers = {"host": "127.0.0.1"}
    with client.websocket_connect(f"{session}/live?page=a", headers=headers) as socket:
        assert received(socket)[0] == {"type": "welcome", "seq": 0}
        socket.send_json({"seq": 3, "edit": HAT})
        until(socket, "state", 3)
        socket.send_json({"seq": 4, "edit": {**HAT, "label": "nobody"}})
        until(socket, "error", 4)
    with client.websocket_connect(f"{session}/live?page=a", headers=headers) as socket:
        assert received(socket)[0] == {"type": "welcome", "seq": 4}
        for seq in (3, 4, 5):
            socket.send_json({"seq": seq, "edit": HAT})
        assert until(socket, "state", 5)[0]["edits"] == 2
    with client.websocket_connect(f"{session}/live?page=b", headers=headers) as socket:
        assert received(socket)[0]["seq"] == 0


def test_a_script_brings_the_edits_back(client: TestClient, session: str) -> None:
    photo_opened(client, session)
    post(client, f"{session}/edits", json=HAIR)
    post(client, f"{session}/edits", json=HAT)
    state = post(client, f"{session}/undo")
    script = client.get(f"{session}/script.json").content
    assert [edit["label"] for edit in json.loads(script)["done"] + json.loads(script)["undone"]] == ["hair", "hat"]
    other = f"/api/sessions/{client.post('/api/sessions').json()['id']}"
    photo_opened(client, other)
    again = post(client, f"{other}/script", files=files(file=script))
    assert (again["regions"], again["edits"], again["can_redo"]) == (state["regions"], 1, True)
    assert picture(client, other) == picture(client, session)
    for bad in (b"", b"[]", b'{"done": [{"kind": "dance"}], "undone": []}'):
        answer = client.post(f"{other}/script", files=files(file=bad))
        assert answer.status_code == 400 and "\n" not in answer.json()["detail"]
    assert client.get(other).json()["edits"] == 1


def test_a_photo_is_shown_whole_with_what_changed_in_it(client: TestClient, session: str) -> None:
    with connected(client, session) as socket:
        photo_opened(client, session)
        assert np.array_equal(pixels(client.get(f"{session}/whole.jpg").content), PHOTO)
        socket.send_json({"seq": 1, "render": True})
        header, data = until(socket, "frame", 1)
        assert (header["of"], header["area"], data) == ("photo", None, b"")  # nothing has been changed yet
        socket.send_json({"seq": 2, "edit": HAT})
        header, data = until(socket, "frame", 2)
        left, top, width, height = np.round(np.array(header["area"]) * (80, 60, 80, 60)).astype(int)
        composed = PHOTO.copy()
        composed[top : top + height, left : left + width] = pixels(data)
        assert np.array_equal(composed, pixels(client.get(f"{session}/photo.png").content))
        assert (width, height) != (80, 60)
        socket.send_json({"seq": 3, "view": "model"})
        header, data = until(socket, "frame", 3)
        assert header["of"] == "model" and data == picture(client, session)
        socket.send_json({"seq": 4, "view": "nothing"})
        assert "expected view" in until(socket, "error", 4)[0]["detail"]


def test_a_look_is_of_the_picture_that_it_was_asked_for(client: TestClient, service: Service, session: str) -> None:
    """Another picture may have been opened since, and its look must not be taken for one of this picture."""

    def look(**query: Any) -> np.ndarray:
        answer = client.get(f"{session}/looks/0.png", params={"region": "hair", **query})
        assert answer.status_code == 200, answer.text
        return pixels(answer.content)

    drawn = look()
    photo_opened(client, session)
    opened = look()
    documents = service.store.get(session.rpartition("/")[2]).documents
    assert drawn.shape != opened.shape
    assert difference(look(document=1), opened) <= 1
    assert look(document=0).shape == drawn.shape and difference(look(document=0), drawn) <= 1
    post(client, f"{session}/drawing", json={"bank": 2})
    assert difference(look(document=1), opened) <= 1  # an earlier one with a photo
    earlier = documents.find(1)
    assert earlier is not None and not earlier.editor._composites  # an earlier picture holds as little as before
    post(client, f"{session}/undo")
    assert look(document=2).shape == drawn.shape  # one that redo would bring back
    for bank in (0, 1, 2):
        post(client, f"{session}/drawing", json={"bank": bank})
    for gone in (0, 99):
        answer = client.get(f"{session}/looks/0.png", params={"document": gone})
        assert answer.status_code == 404
        assert answer.json() == {"detail": "the picture that this look is for is no longer kept"}
    for bad in (-1, "x"):
        assert client.get(f"{session}/looks/0.png", params={"document": bad}).status_code == 422


def test_looks_wait_for_all_other_work(
    client: TestClient, service: Service, session: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinds: list[Kind] = []
    submit = service.queue.submit

    def spied(key: str, work: Callable[[], Any], kind: Kind) -> Any:
        kinds.append(kind)
        return submit(key, work, kind)

    monkeypatch.setattr(service.queue, "submit", spied)
    assert client.get(f"{session}/looks/0.png", params={"region": "hair"}).status_code == 200
    assert kinds == [Kind.SPARE]
