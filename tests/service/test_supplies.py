"""Workers on other machines: they have the database in common with the server, and fetch the rest from it."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import text
from tests.service.serving import Served, make_product, new_database, png, receiving, until

from reason_iad.errors import ConfigError, ImageError, ProductError, ReasonIADError, ServiceError
from reason_iad.products import Products
from reason_iad.service.api import make_app
from reason_iad.service.database import Database
from reason_iad.service.database.queue import Job
from reason_iad.service.faults import Unavailable
from reason_iad.service.people import People
from reason_iad.service.settings import Settings
from reason_iad.service.work.supplies import FromServer

CONFIG = """
[sinks.control]
kind = "webhook"
url = "{url}"
secret_file = "secret"

[[rules]]
sinks = ["control"]
"""


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'service.db'}"


@pytest.fixture
def server(tmp_path: Path, database: Database) -> Iterator[TestClient]:
    """A server with a product."""
    make_product(tmp_path / "data", count=2)
    key = People(database, 3).make_key("far", "inspect", "ann")
    with TestClient(make_app(Settings(tmp_path / "data"), database), "http://localhost") as client:
        client.headers["authorization"] = f"Bearer {key}"
        yield client


@pytest.fixture
def far(tmp_path: Path, server: TestClient) -> FromServer:
    """What a worker with a folder of its own fetches."""
    return fetching(tmp_path, server)


def fetching(tmp_path: Path, server: TestClient) -> FromServer:
    settings = Settings(tmp_path / "far", "postgresql://unused", server="http://localhost", key="riad_x")
    supplies = FromServer(settings)

    def asked(request: httpx2.Request) -> httpx2.Response:
        known = {name: value for name, value in request.headers.items() if name == "if-none-match"}
        found = server.request(request.method, request.url.path, headers=known)
        kept = {name: value for name, value in found.headers.items() if name in ("etag", "content-type")}
        return httpx2.Response(found.status_code, headers=kept, content=found.content)

    supplies._http = httpx2.Client(transport=httpx2.MockTransport(asked), base_url="http://localhost")
    return supplies


def sent(server: TestClient) -> Job:
    part = server.post("/v1/inspections", params={"product": "plate", "wait": 0}, content=png(1)).json()
    return Job(part["id"], "plate", part["picture"], "part", 1)


def test_a_product_is_fetched_once_and_again_when_it_was_changed(far: FromServer, tmp_path: Path) -> None:
    there = Products(tmp_path / "data" / "products").open("plate")
    here = far.products.open("plate")
    assert here.state_sha256 == there.state_sha256 and here.folder != there.folder
    assert far.products.open("plate").folder == here.folder
    for number in range(4):
        there = there.with_settings(false_alarms=0.1 + number / 10)
        now = far.products.open("plate")
        assert now.state_sha256 == there.state_sha256 and now.folder != here.folder
    assert not here.folder.exists(), "old states are not kept for ever"
    assert len(list((tmp_path / "far" / "products" / "plate").glob("?*/plate"))) == 3
    with pytest.raises(ProductError, match="no product 'other'"):
        far.products.open("other")


def test_a_product_that_is_here_is_not_sent_again(server: TestClient) -> None:
    answer = server.get("/v1/products/plate/archive")
    assert answer.status_code == 200 and answer.content.startswith(b"PK")
    again = server.get("/v1/products/plate/archive", headers={"If-None-Match": f'"x", {answer.headers["ETag"]}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", answer.headers["ETag"])
    assert server.get("/v1/products/nothing/archive").status_code == 404


def test_a_picture_is_there_only_while_it_is_looked_at(far: FromServer, server: TestClient) -> None:
    job = sent(server)
    with far.files(job) as files:
        assert hashlib.sha256(files.picture.read_bytes()).hexdigest() == job.picture
    assert files.template is None and not files.picture.exists()
    with pytest.raises(ImageError, match="not kept any more"), far.files(Job(999, "plate", job.picture, "x", 1)):
        pass


def answering(far: FromServer, status: int, content: bytes = b"", **headers: str) -> None:
    """The server answers this to everything."""
    answer = httpx2.MockTransport(lambda _: httpx2.Response(status, content=content, headers=headers))
    far._http = httpx2.Client(transport=answer, base_url="http://localhost")


@pytest.mark.parametrize(("status", "said"), [(401, "does not accept the key"), (403, "key"), (500, "500")])
def test_what_the_server_refuses_is_no_fault_of_the_part(far: FromServer, status: int, said: str) -> None:
    answering(far, status)
    with pytest.raises(Unavailable, match=said), far.files(Job(1, "plate", "0" * 64, "part", 1)):
        pass
    with pytest.raises(Unavailable, match=said):
        far.products.open("plate")
    with pytest.raises(Unavailable, match=said):
        far.takers()


def test_what_comes_damaged_is_not_used(far: FromServer, tmp_path: Path) -> None:
    answering(far, 200, b"another picture")
    with pytest.raises(Unavailable, match="damaged"), far.files(Job(1, "plate", "0" * 64, "part", 1)):
        pass
    far._most = 5
    with pytest.raises(Unavailable, match="more than it should"), far.files(Job(1, "plate", "0" * 64, "part", 1)):
        pass
    with pytest.raises(Unavailable, match="which state"):
        far.products.open("plate")
    answering(far, 200, b"no archive", etag='"' + "0" * 64 + '"')
    with pytest.raises(ReasonIADError):
        far.products.open("plate")
    with pytest.raises(ReasonIADError):
        far.products.open("../plate")
    assert not list((tmp_path / "far").rglob("product.json"))


def test_another_version_is_refused(far: FromServer) -> None:
    far.check()
    answering(far, 200, json.dumps({"version": "0.0.1", "rules": []}).encode())
    with pytest.raises(ServiceError, match=r"0\.0\.1.*Install the same version"):
        far.check()
    answering(far, 200, b"<html>")
    with pytest.raises(ServiceError, match="not one of this service"):
        far.check()


def test_a_worker_changes_no_form_of_a_database(database: Database) -> None:
    database.require_present_form()
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0000'"))
    with pytest.raises(ServiceError, match="another version"):
        database.require_present_form()


def test_what_a_worker_needs_is_asked_for(tmp_path: Path) -> None:
    for server, database in (("localhost", "postgresql://x"), ("http://localhost", "")):
        with pytest.raises(ConfigError):
            Settings(tmp_path, database, server=server)
    with pytest.raises(ConfigError, match="--workers"):
        Settings(tmp_path, "postgresql://x", workers=0, server="http://localhost")


@contextmanager
def worker(server: Served, folder: Path, database: str, key: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker with a folder of its own, as on another machine."""
    folder.mkdir()
    (folder / "key").write_text(key)
    given = ["--worker", "--server", server.url, "--key", str(folder / "key")]
    far = Served(folder / "data", *given, database=database)
    far.begin()
    assert far.process is not None
    try:
        yield far.process
    finally:
        for each in far.workers() if far.process.poll() is None else ():
            each.kill()
        far.process.kill()
        far.process.wait()


@pytest.mark.slow
def test_a_worker_with_its_own_folder_inspects_for_a_server_without_workers(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = new_database(request)
    make_product(tmp_path / "data", count=3)
    (tmp_path / "secret").write_text("a secret")
    with receiving() as receiver:
        (tmp_path / "service.toml").write_text(CONFIG.replace("{url}", receiver.url))
        options = ("--workers", "0", "--config", str(tmp_path / "service.toml"))
        with Served(tmp_path / "data", *options, database=database) as server:
            key = server.client.post("/v1/keys", json={"name": "far", "scope": "inspect"}).json()["key"]
            server.client.headers["authorization"] = f"Bearer {key}"
            number = server.send(png(1)).json()["id"]
            with worker(server, tmp_path / "far", database, key) as process:
                until(lambda: server.client.get(f"/v1/inspections/{number}").json()["part"]["outcome"], 90)
                until(lambda: receiver.got, 20)  # the rules are those of the server
                Products(tmp_path / "data" / "products").open("plate").with_settings(false_alarms=0.3)
                again = server.send(png(2, bad=True), wait=30).json()
                assert again["state"] == "done", again
                assert len(list((tmp_path / "far" / "data" / "products" / "plate").glob("?*/plate"))) == 2
                process.terminate()
                assert process.wait(40) == 0
    assert not (tmp_path / "far" / "data" / "pictures").exists()
