"""The HTTP interface: who may ask for what, and what is answered when something is wrong."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from PIL import Image
from tests.parts import plate, save
from tests.report import report_cases as cases

from reason_iad.products import Products
from reason_iad.service.api import make_app
from reason_iad.service.api.app import ROOMS
from reason_iad.service.api.guard import OPEN
from reason_iad.service.database import Database, queue
from reason_iad.service.people import People
from reason_iad.service.settings import Limits, Settings

WORD = "correct horse battery"
FOUND = queue.Finding("review", 0.5, 3.0, None, None, "It differs a little.", "{}")


@pytest.fixture
def settings(tmp_path: Path, address: str) -> Settings:
    return Settings(tmp_path / "data", address, limits=Limits(body_bytes=2**20, waiting=3, logins=3))


@pytest.fixture
def client(settings: Settings, tmp_path: Path) -> Iterator[TestClient]:
    """A service without workers, with one product."""
    settings.products.mkdir(parents=True)
    (tmp_path / "good").mkdir()
    for seed in range(3):
        save(plate(seed), tmp_path / "good" / f"{seed}.png")
    Products(settings.products).create("plate", [tmp_path / "good"])
    database = Database(settings.database_url)
    database.upgrade()
    with TestClient(
        make_app(settings, database), base_url="http://localhost", raise_server_exceptions=False
    ) as made:
        made.app.state.database = database  # type: ignore[attr-defined]
        yield made
    database.close()


def png(seed: int = 5) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.asarray(plate(seed), np.uint8)).save(out, "PNG")
    return out.getvalue()


def send(client: TestClient, seed: int = 5, **options: Any) -> Any:
    given = {"product": "plate", "name": "a.png", "wait": 0, **options.pop("params", {})}
    return client.post("/v1/inspections", params=given, content=png(seed), **options)


def people(client: TestClient) -> People:
    folk = People(client.app.state.database, 3)  # type: ignore[attr-defined]
    for name, role in (("ann", "administer"), ("rob", "review")):
        folk.add(name, role, WORD, "test")
    return folk


def login(client: TestClient, name: str) -> dict[str, str]:
    answer = client.post("/v1/login", json={"name": name, "password": WORD})
    assert answer.status_code == 200, answer.text
    return {"X-CSRF-Token": answer.json()["csrf"]}


def routes(client: TestClient) -> list[tuple[str, str, APIRoute]]:
    found = [
        (
            method,
            re.sub(r"\{number\}", "1", re.sub(r"\{(name|sha256)\}", "x", route.path.replace("{which}", "ignore"))),
            route,
        )
        for room in ROOMS
        for route in room.router.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    ]
    documented = client.app.openapi()["paths"]  # type: ignore[attr-defined]
    assert {route.path for _, _, route in found if route.include_in_schema} == set(documented), "no other room"
    return found


def test_every_path_is_closed_unless_it_is_listed_as_open(client: TestClient) -> None:
    people(client)
    for method, path, _ in routes(client):
        status = client.request(method, path, content=b"{}").status_code
        assert (status in (401, 403)) != (path in OPEN) or (path == "/v1/login" and status == 422), (
            method,
            path,
            status,
        )
    for path in ("/v1/openapi.json", "/", "/nothing", "/static/app.js", "/v1/login/../products", "//v1/health/x"):
        assert client.get(path).status_code == 401, path
    assert client.get("/v1/health").status_code == 200


def test_every_route_says_which_role_it_needs(client: TestClient) -> None:
    for method, path, route in routes(client):
        roles = [
            each.dependency.role
            for each in route.dependencies
            if each.dependency and hasattr(each.dependency, "role")
        ]
        assert len(roles) == (path not in OPEN), (method, path)


def test_a_reviewer_cannot_administer_and_a_key_only_what_it_is_for(client: TestClient) -> None:
    folk = people(client)
    token = login(client, "rob")
    for method, path, route in routes(client):
        needed = [each.dependency.role for each in route.dependencies if hasattr(each.dependency, "role")]  # type: ignore[union-attr]
        if path in ("/v1/logout", "/v1/events"):  # the one ends the login, the other never ends
            continue
        status = client.request(method, path, headers=token, json={}).status_code
        assert (status == 403) == ("administer" in needed), (method, path, status)
    client.cookies.clear()
    key = {"Authorization": f"Bearer {folk.make_key('line', 'inspect', 'ann')}"}
    assert client.get("/v1/products", headers=key).status_code == 200
    assert client.get("/v1/review/next", headers=key).status_code == 403
    assert client.get("/v1/products", headers={"Authorization": "Bearer riad_wrong"}).status_code == 401


def test_a_browser_needs_its_token_and_no_other_site_may_ask(client: TestClient) -> None:
    people(client)
    token = login(client, "ann")
    person = {"name": "new", "role": "review", "password": WORD}
    assert client.put("/v1/people", json=person).status_code == 403
    assert (
        client.put("/v1/people", json=person, headers={**token, "Origin": "http://evil.example"}).status_code == 403
    )
    assert (
        client.put("/v1/people", json=person, headers={**token, "Sec-Fetch-Site": "cross-site"}).status_code == 403
    )
    assert client.put("/v1/people", json=person, headers={**token, "Origin": "http://localhost"}).status_code == 204
    cookie = client.cookies.jar.__iter__().__next__()
    assert cookie.has_nonstandard_attr("HttpOnly") and cookie.get_nonstandard_attr("SameSite") == "strict"
    assert client.post("/v1/logout", headers=token).status_code == 204
    assert client.get("/v1/me").status_code == 401


def test_before_there_are_people_only_this_machine_is_let_in(client: TestClient, settings: Settings) -> None:
    assert client.get("/v1/me").json() == {"name": "local", "role": "administer", "csrf": None}
    assert client.get("/v1/me", headers={"Host": "evil.example"}).status_code == 421, (
        "a name that was bent to this machine"
    )
    assert send(client, headers={"Origin": "http://evil.example"}).status_code == 403
    people(client)
    assert client.get("/v1/me").status_code == 401


def test_a_part_is_accepted_and_read(client: TestClient) -> None:
    answer = send(client, headers={"Idempotency-Key": "one"})
    assert answer.status_code == 202 and answer.headers["Location"] == "/v1/inspections/1"
    assert send(client, headers={"Idempotency-Key": "one"}).json()["id"] == 1
    database = client.app.state.database  # type: ignore[attr-defined]
    queue.finish(database, "w", [(queue.claim(database, "w", 1, 60)[0], FOUND)])
    assert send(client, headers={"Idempotency-Key": "one"}, params={"wait": 5}).status_code == 200
    details = client.get("/v1/inspections/1").json()
    assert details["part"]["outcome"] == "review" and details["result"] == {}
    assert client.get("/v1/inspections/1/picture").content == png()
    assert client.get("/v1/statistics").json()["counts"] == {"review": 1}
    metrics = client.get("/v1/metrics").text
    for line in (
        'reason_iad_outcomes_hour{outcome="review"} 1.0', 'reason_iad_outcomes_hour{outcome="failed"} 0.0',
        'reason_iad_seconds_hour{of="mean"}', 'reason_iad_parts{state="waiting"} 0.0',
    ):  # fmt: skip
        assert line in metrics, metrics


def test_picture_map_and_report_of_a_part_are_read(client: TestClient) -> None:
    database = client.app.state.database  # type: ignore[attr-defined]
    result = cases.defect()
    heat = result.evidence.anomaly_map
    assert heat is not None
    full = queue.Finding("defect", 0.9, 3.0, "scratch", None, "A scratch.", result.to_json())
    number = send(client).json()["id"]
    for name in ("map", "report"):
        assert client.get(f"/v1/inspections/{number}/{name}").status_code == 409, "it is not done yet"
        assert client.get(f"/v1/inspections/999/{name}").status_code == 404
    queue.finish(database, "w", [(queue.claim(database, "w", 1, 60)[0], full)])
    answer = client.get(f"/v1/inspections/{number}/map")
    assert answer.headers["content-type"] == "image/png"
    seen = np.asarray(Image.open(io.BytesIO(answer.content)))
    shown = result.evidence.fusion.heat if result.evidence.fusion and result.evidence.fusion.heat else heat
    assert seen.shape == (shown.rows, shown.columns) and seen.dtype == np.uint8
    np.testing.assert_allclose(seen.flatten() / 255, np.clip(shown.values, 0, 1), atol=0.002)
    send(client, 8)
    (job,) = queue.claim(database, "w", 1, 60)
    queue.finish(database, "w", [(job, "The picture is damaged.")])
    for name in ("map", "report"):
        answer = client.get(f"/v1/inspections/{job.id}/{name}")
        assert answer.status_code == 404 and "could not be inspected" in answer.json()["detail"]


@pytest.mark.parametrize(("given", "called"), [({}, "C evil a.png"), ({"name": "part-17"}, "part-17")])
def test_a_form_with_one_file_is_a_part(client: TestClient, given: dict[str, str], called: str) -> None:
    files = {"picture": ("..\\..\\C:/tmp/C evil a.png", png(), "image/png")}
    answer = client.post(
        "/v1/inspections", params={"product": "plate", "wait": 0, **given}, files=files, data={"note": "x"}
    )
    assert answer.status_code == 202 and answer.json()["name"] == called
    number = answer.json()["id"]
    assert client.get(f"/v1/inspections/{number}/picture").content == png()
    assert send(client, 6).json()["name"] == "a.png", "a body that is the picture itself stays possible"
    added = client.post("/v1/products/plate/pictures", files={"picture": ("new.png", png(77), "image/png")})
    assert added.status_code == 200, added.text


@pytest.mark.parametrize(
    "form",
    [
        {"files": [("picture", ("a.png", png(), "image/png")), ("other", ("b.png", png(), "image/png"))]},
        {"files": {"picture": ("", b"", "image/png")}},
        {"files": {f"f{number}": (None, "x") for number in range(40)}},
        {"files": {"note": (None, "x" * 100_000)}},
        {"files": {"note": (None, "only words")}},
        {"content": b"--x\r\nno form", "headers": {"content-type": "multipart/form-data; boundary=y"}},
        {"content": png(), "headers": {"content-type": "multipart/form-data"}},
    ],
)
def test_other_forms_are_refused_in_a_sentence(client: TestClient, form: dict[str, Any]) -> None:
    answer = client.post("/v1/inspections", params={"product": "plate", "wait": 0}, **form)
    assert answer.status_code == 422 and "curl -F picture=@part.png" in answer.json()["detail"], answer.text


def test_what_curl_changes_on_its_way_is_said(client: TestClient) -> None:
    changed = png().replace(b"\r", b"").replace(b"\n", b"")  # as `curl -d @part.png` sends it
    for kind, said in (("application/x-www-form-urlencoded", True), ("application/octet-stream", False)):
        asked = {"product": "plate", "wait": 0}
        answer = client.post("/v1/inspections", params=asked, content=changed, headers={"content-type": kind})
        assert answer.status_code == 422 and ("--data-binary" in answer.json()["detail"]) == said, answer.text


def test_pictures_of_one_form_are_one_change_of_the_product(client: TestClient) -> None:
    def add(*files: tuple[str, bytes], **asked: str) -> Any:
        given = [("picture", (name, content)) for name, content in files]
        return client.post("/v1/products/plate/pictures", params=asked, files=given)

    before = client.get("/v1/products/plate").json()
    added = add(*((f"{seed}.png", png(seed)) for seed in (60, 61, 62)), ("again.png", png(60))).json()
    assert (added["good"], added["revision"]) == (before["good"] + 3, before["revision"] + 1)
    bad = add(*((f"{seed}.png", png(seed)) for seed in (63, 64)), defect="scratch").json()
    assert (bad["defects"], bad["revision"]) == ({"scratch": 2}, before["revision"] + 2)
    refused = add(("65.png", png(65)), ("notes.txt", b"no picture"))
    assert refused.status_code == 422 and refused.json()["detail"].startswith("'notes.txt' cannot be used.")
    assert client.get("/v1/products/plate").json()["revision"] == before["revision"] + 2, "none of them is added"
    many = add(*((f"{seed}.png", png(1)) for seed in range(41)))
    assert many.status_code == 422 and "up to 20 pictures" in many.json()["detail"]


def test_overload_is_said_and_nothing_grows(client: TestClient) -> None:
    for seed in range(3):
        assert send(client, seed).status_code == 202
    answer = send(client, 9)
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "2"
    assert answer.headers["content-type"] == "application/problem+json" and "waiting" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("params", "content", "status", "said"),
    [
        ({"product": "none"}, b"x", 404, "no product 'none'"),
        ({}, b"", 422, "empty"),
        ({}, b"no picture", 422, "not an image"),
        ({}, b"x" * (2**20 + 1), 413, "1 MiB"),
        ({"wait": "long"}, b"x", 422, "wait"),
    ],
)
def test_what_cannot_be_used_is_a_problem_in_one_sentence(
    client: TestClient, settings: Settings, params: dict[str, str], content: bytes, status: int, said: str
) -> None:
    answer = client.post("/v1/inspections", params={"product": "plate", **params}, content=content)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem["status"] == status and said in problem["detail"]
    assert str(settings.data) not in answer.text, "no path of the server"
    assert not list(settings.pictures.rglob("*?" * 20)) and not list((settings.pictures / "arriving").glob("*"))


def test_a_length_that_is_a_lie_is_found_out(client: TestClient) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(20):
            yield b"x" * 2**17

    assert client.post("/v1/inspections", params={"product": "plate"}, content=chunks()).status_code == 413


def test_two_reviewers_get_two_parts_and_a_correction_teaches_the_product(client: TestClient) -> None:
    database = client.app.state.database  # type: ignore[attr-defined]
    for seed in (50, 51):
        send(client, seed)
    for job in queue.claim(database, "w", 2, 60):
        queue.finish(database, "w", [(job, FOUND)])
    people(client)
    token = login(client, "rob")
    first = client.get("/v1/review/next").json()["part"]["id"]
    assert client.get("/v1/review/next").json()["part"]["id"] == first, "still the same for the same person"
    second = TestClient(client.app, base_url="http://localhost")
    other = login(second, "ann")
    assert second.get("/v1/review/next").json()["part"]["id"] != first
    assert second.post(f"/v1/inspections/{first}/review", json={"says": "good"}, headers=other).status_code == 409
    said = {"says": "defect", "defect_type": "scratch", "box": {"x1": 1, "y1": 1, "x2": 9, "y2": 9}}
    answer = client.post(f"/v1/inspections/{first}/review", json=said, headers=token)
    assert answer.status_code == 200 and "'scratch'" in answer.json()["words"]
    assert client.get("/v1/products/plate").json()["defects"] == {"scratch": 1}
    undone = client.post(f"/v1/inspections/{first}/review", json={"says": "undo"}, headers=token)
    assert undone.status_code == 200 and client.get("/v1/products/plate").json()["defects"] == {}
    reviews = client.get(f"/v1/inspections/{first}").json()["reviews"]
    assert [each["says"] for each in reviews] == ["defect", "undo"], "nothing is deleted"


def test_a_product_is_made_changed_and_undone(client: TestClient) -> None:
    made = client.post("/v1/products/new/pictures", content=png(1))
    assert made.status_code == 200 and made.json()["good"] == 1
    added = client.post("/v1/products/new/pictures", params={"defect": "dent"}, content=png(2)).json()
    assert added["defects"] == {"dent": 1}
    assert client.patch("/v1/products/new", json={"false_alarms": 0.1}).json()["settings"]["false_alarms"] == 0.1
    assert client.post("/v1/products/new/undo").json()["settings"]["false_alarms"] == 0.05
    (picture,) = client.get("/v1/products/new/pictures").json()["defects"]
    assert client.get(f"/v1/products/new/pictures/{picture['sha256']}").status_code == 200
    assert client.delete(f"/v1/products/new/pictures/{picture['sha256']}").json()["defects"] == {}
    assert len(client.get("/v1/products/new/history").json()) >= 4
    assert client.get("/v1/products/none").status_code == 404
    for name in ("..", "%2e%2e", "a%2fb", ".hidden"):
        assert client.post(f"/v1/products/{name}/pictures", content=png(1)).status_code in (404, 405, 409, 422), (
            name
        )
