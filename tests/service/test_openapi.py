"""The OpenAPI document says what is answered, whatever is sent: nothing undocumented, and no bug."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from tests.service.serving import Served, make_product, new_database, png

from reason_iad.service.api import make_app
from reason_iad.service.database import Database
from reason_iad.service.settings import Limits, Settings

schemathesis = pytest.importorskip("schemathesis")
from schemathesis.checks import (  # noqa: E402
    content_type_conformance,
    not_a_server_error,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.specs.openapi.checks import ignored_auth  # noqa: E402

pytestmark = pytest.mark.slow

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance,
    ignored_auth,
]  # fmt: skip
WORD = "correct horse battery"


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def document(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """What a server says of itself, with an inspected part, and an administrator who asks."""
    data = tmp_path_factory.mktemp("documented") / "data"
    make_product(data)
    many = 10**6
    limits = Limits(wait_s=0.1, per_minute=many, waiting=many, logins=many, body_bytes=2**20)
    database = new_database(request) if request.param == "postgresql" else ""
    with Served(data, database=database, limits=limits) as server:
        assert server.send(png(1), wait=30).status_code < 300
        person = {"name": "ann", "role": "administer", "password": WORD}
        assert server.client.put("/v1/people", json=person).status_code == 204
        login = server.client.post("/v1/login", json={"name": "ann", "password": WORD}).json()
        key = server.client.post(
            "/v1/keys", json={"name": "fuzz", "scope": "administer"}, headers={"X-CSRF-Token": login["csrf"]}
        ).json()["key"]
        yield schemathesis.openapi.from_url(
            f"{server.client.base_url}/v1/openapi.json", headers={"Authorization": f"Bearer {key}"}
        )
        assert "Traceback" not in server.said()


@pytest.mark.parametrize("mode", list(schemathesis.GenerationMode), ids=lambda mode: mode.value)
def test_every_answer_is_documented(document: Any, mode: Any) -> None:
    for found in document.get_all_operations():
        operation = found.ok()

        @given(operation.as_strategy(generation_mode=mode))
        @settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
        def ask(case: Any) -> None:
            if case.operation.method.lower() != "delete" or "fuzz" not in str(case.path_parameters):
                case.call_and_validate(checks=CHECKS, timeout=20)

        with suppress(Unsatisfiable):  # nothing can be sent wrongly where nothing is sent
            ask()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("text", ["a\x00b", "\ud800", "x" * 150])
def test_texts_that_no_database_keeps_are_refused(
    kind: str, text: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    data = Settings(tmp_path, new_database(request) if kind == "postgresql" else "")
    database = Database(data.database_url)
    database.upgrade()
    with TestClient(make_app(data, database), base_url="http://localhost", raise_server_exceptions=False) as client:
        body = json.dumps({"name": text, "role": "review", "password": WORD})
        for answer in (
            client.put("/v1/people", content=body),
            client.post("/v1/keys", content=json.dumps({"name": text, "scope": "review"})),
            client.post("/v1/login", content=json.dumps({"name": text, "password": text})),
            client.get("/v1/inspections", params={"product": text.encode("utf-8", "surrogatepass")}),
            client.get("/v1/inspections", params={"text": text.encode("utf-8", "surrogatepass")}),
        ):
            assert answer.status_code in (200, 403, 422), answer.text
        assert client.get(f"/v1/inspections/{2**70}/report").status_code == 422
    database.close()
