"""The pages without a browser: what is sent to whom, and that nothing in it needs another place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from reason_iad.service.api import make_app
from reason_iad.service.api.pages import FOLDER, page_files
from reason_iad.service.database import Database
from reason_iad.service.people import People
from reason_iad.service.settings import Settings

FILES = sorted(FOLDER.iterdir())
BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def client(tmp_path: Path) -> Iterator[TestClient]:
    settings = Settings(tmp_path / "data")
    settings.products.mkdir(parents=True)
    database = Database(settings.database_url)
    database.upgrade()
    with TestClient(make_app(settings, database), base_url="http://localhost", follow_redirects=False) as made:
        made.app.state.database = database  # type: ignore[attr-defined]
        yield made
    database.close()


@pytest.fixture
def closed(client: TestClient) -> TestClient:
    """A service whose people have to log in."""
    People(client.app.state.database, 5).add("ann", "administer", "correct horse battery", "test")  # type: ignore[attr-defined]
    return client


def test_whoever_opens_a_page_without_a_login_is_sent_to_it_and_programs_are_refused(closed: TestClient) -> None:
    sent = closed.get("/products/big plate", headers=BROWSER)
    assert sent.status_code == 303 and sent.headers["Location"] == "/login?next=%2Fproducts%2Fbig%20plate"
    assert closed.get("/line").status_code == 401, "a program"
    assert closed.get("/v1/products", headers=BROWSER).status_code == 401, "the interface stays what it is"
    assert closed.post("/line", headers=BROWSER).status_code == 401
    assert closed.get("/login", headers=BROWSER).status_code == 200


def test_before_the_login_only_its_own_files_are_sent(closed: TestClient) -> None:
    open_files = {path.name for path in FILES if closed.get(f"/static/{path.name}").status_code == 200}
    page = (FOLDER / "login.html").read_text() + (FOLDER / "login.js").read_text()
    assert open_files == set(re.findall(r"/static/([\w.]+)", page)) and "import " not in page


def test_pages_are_sent_with_their_type_and_only_when_they_changed(client: TestClient) -> None:
    assert client.get("/").headers["Location"] == "/line"
    for path in (
        "/line",
        "/review",
        "/products",
        "/products/x",
        "/inspections/1",
        "/statistics",
        "/people",
        "/login",
    ):
        answer = client.get(path)
        assert answer.status_code == 200 and answer.headers["content-type"] == "text/html; charset=utf-8", path
        assert "script-src 'self';" in answer.headers["Content-Security-Policy"]
    answer = client.get("/static/dom.js")
    assert answer.headers["content-type"].startswith("text/javascript")
    again = client.get("/static/dom.js", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and not again.content


@pytest.mark.parametrize("name", ["none.js", "..%2Fsettings.py", "%2e%2e%2fapi%2fapp.py", "", ".", "login.html%00"])
def test_a_name_never_becomes_a_path(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_files_are_small_need_no_other_place_and_refer_to_what_is_there(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert path.name in page_files(), "its kind is not sent"
    assert text.count("\n") < 200
    elsewhere = re.findall(r"(?:https?:)?//(?!www\.w3\.org)[\w.]+\.\w+", re.sub(r"^\s*//.*$", "", text, flags=re.M))
    assert not elsewhere, elsewhere
    for name in re.findall(r"(?:/static/|from \"\./)([\w.]+)", text):
        assert name in page_files(), name
    if path.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text), "the policy forbids it"
        assert '<html lang="en">' in text and "<main" in text and text.count("<h1") == 1
    if path.suffix == ".js":
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", text)
