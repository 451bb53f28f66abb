"""The HTTP part against its own description: schemathesis finds no 5xx and no answer that is not declared."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.testclient import TestClient

from sean.editing.edits import KINDS
from sean.web.middleware import Access
from sean.web.service import Service

from .conftest import client_of

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NUM_EXAMPLES = 4
OPERATIONS = 27


def test_no_answer_of_the_server_is_a_surprise(service: Service) -> None:
    with client_of(service, access=Access.of("0.0.0.0")) as client:
        _test_all(client, client.post("/api/sessions").json()["id"])


def _test_all(client: TestClient, session_id: str) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", client.app)
    statuses = set()

    def check(operation: Any, mode: GenerationMode) -> None:
        @settings(
            max_examples=NUM_EXAMPLES, phases=[Phase.generate], suppress_health_check=list(HealthCheck), deadline=None
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def run(case: Any) -> None:
            if "session_id" in case.path_parameters and case.method != "DELETE":
                case.path_parameters["session_id"] = session_id
            response = case.call()
            statuses.add(response.status_code)
            case.validate_response(response, checks=CHECKS)

        run()

    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) == OPERATIONS
    for operation in operations:
        check(operation, GenerationMode.POSITIVE)
        if operation.body or operation.query:  # else there is nothing to get wrong
            check(operation, GenerationMode.NEGATIVE)
    assert {200, 201, 400, 404, 422} <= statuses
    assert client.get(f"/api/sessions/{session_id}").status_code == 200


def test_other_methods_are_answered_with_405(client: TestClient, session: str) -> None:
    for method, path in (("DELETE", "/api/model"), ("GET", "/api/sessions"), ("PUT", session), ("PATCH", "/health")):
        answer = client.request(method, path)
        assert answer.status_code == 405 and isinstance(answer.json()["detail"], str)


def test_the_description_knows_every_edit(client: TestClient) -> None:
    paths = client.get("/openapi.json").json()["paths"]
    body = paths["/api/sessions/{session_id}/edits"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert [kind["properties"]["kind"]["const"] for kind in body["oneOf"]] == list(KINDS)
    style = next(kind for kind in body["oneOf"] if kind["properties"]["kind"]["const"] == "set_style")
    assert style["required"] == ["kind", "source"] and "strength" in style["properties"]
    for path, operations in paths.items():
        for operation in operations.values():
            for code, answer in operation["responses"].items():
                if code >= "400":
                    assert answer["content"]["application/json"]["schema"]["$ref"].endswith("/Detail"), (path, code)


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
def test_pages_that_load_scripts_from_elsewhere_are_off(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404
