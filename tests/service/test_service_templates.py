"""Parts that come to the service with a template of their own: sent, inspected, reviewed, learnt, deleted."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from dataclasses import asdict
from functools import cache
from pathlib import Path
from shutil import copytree
from tempfile import mkdtemp
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient
from PIL import Image
from pydantic import ValidationError
from sqlalchemy import update
from tests.boards import board, save, spurred, template
from tests.service.browsing import CHROMIUM, Watched, axe, chromium, problems
from tests.service.serving import Served
from tests.service.test_folder import names, refused, watched
from tests.service.test_pages import drop, see
from tests.service.test_supplies import fetching

from reason_iad.cli import main
from reason_iad.client import Client, Refused
from reason_iad.products import Products, derive
from reason_iad.service.api import make_app
from reason_iad.service.database import Database, queue
from reason_iad.service.database.tables import Inspection
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.keeping.retention import sweep
from reason_iad.service.reviews import trials
from reason_iad.service.settings import Settings
from reason_iad.service.sources.folder import FolderTable
from reason_iad.service.work.kinds import Kinds
from reason_iad.service.work.ray_replica import _Sent
from reason_iad.service.work.supplies import OwnFolder
from reason_iad.service.work.worker import inspected

GOOD = 10


@cache
def learnt() -> Path:
    """Products 'plate' of boards with a template each, and 'plain' without, learnt once for all tests."""
    folder = Path(mkdtemp(prefix="riad-boards"))
    for pattern in range(GOOD):
        save(board(pattern), folder / "good" / f"{pattern}.png")
        save(template(pattern), folder / "templates" / f"{pattern}.png")
    settings = {"resolution": 160, "false_alarms": 0.2}
    products = Products(folder / "products")
    derive(products.create("plate", [folder / "good"], template=folder / "templates", settings=settings))
    products.create("plain", [folder / "good"], settings=settings)
    return folder / "products"


@pytest.fixture
def address(tmp_path: Path) -> str:
    """SQLite only: nothing here depends on the database but the columns, which are tested with both."""
    return f"sqlite:///{tmp_path / 'data' / 'service.db'}"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    copytree(learnt(), tmp_path / "data" / "products")
    return tmp_path / "data"


@pytest.fixture
def settings(data: Path) -> Settings:
    return Settings(data)


@pytest.fixture
def client(settings: Settings, database: Database) -> Iterator[TestClient]:
    with TestClient(make_app(settings, database), "http://localhost") as client:
        yield client


@pytest.fixture
def database(settings: Settings, address: str) -> Iterator[Database]:
    made = Database(address)
    made.upgrade()
    yield made
    made.close()


def png(picture: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return out.getvalue()


def send(client: TestClient, picture: np.ndarray, own: np.ndarray | None, **asked: Any) -> Any:
    files = {"picture": ("part.png", png(picture), "image/png")}
    if own is not None:
        files["template"] = ("drawing.png", png(own), "image/png")
    headers = {"Idempotency-Key": asked.pop("key")} if "key" in asked else {}
    return client.post(
        "/v1/inspections", params={"product": "plate", "wait": 0, **asked}, files=files, headers=headers
    )


def work(settings: Settings, database: Database) -> list[queue.Job]:
    """Inspect what waits, as a worker does."""
    supplies = OwnFolder(settings)
    kinds = Kinds(supplies.products)
    jobs = queue.claim(database, "w", 20, 60)
    for job in jobs:
        queue.finish(database, "w", [(job, inspected(kinds, supplies, job))])
    return jobs


def outcome(client: TestClient, number: int) -> str:
    part = client.get(f"/v1/inspections/{number}").json()["part"]
    assert part["state"] == "done", part
    return str(part["outcome"])


def test_a_part_is_compared_with_the_template_that_comes_with_it(
    client: TestClient, settings: Settings, database: Database
) -> None:
    numbers = [
        send(client, picture, own).json()["id"]
        for picture, own in (
            (board(50), template(50)),
            (spurred(50), template(50)),
            (board(50), template(51)),
            (template(50), template(50)),
        )
    ]
    work(settings, database)
    assert [outcome(client, number) for number in numbers[:2]] == ["pass", "defect"]
    assert outcome(client, numbers[2]) != "pass", "another template is another part"
    assert outcome(client, numbers[3]) == "review", "nothing was compared"
    part, bad = (client.get(f"/v1/inspections/{number}").json() for number in numbers[:2])
    assert part["result"]["evidence"]["product"]["template"]["name"] == "template of part.png"
    assert str(settings.data) not in json.dumps(bad)
    assert client.get(f"/v1/inspections/{numbers[0]}/template").content == png(template(50))
    preview = client.get(f"/v1/inspections/{numbers[0]}/preview", params={"of": "template", "size": "small"})
    assert (
        preview.status_code == 200
        and preview.content != client.get(f"/v1/inspections/{numbers[0]}/preview", params={"size": "small"}).content
    )
    report = client.get(f"/v1/inspections/{numbers[1]}/report").text
    assert "The same place of its template" in report and "part.png" in report


def test_parts_come_with_a_template_where_they_need_one_and_only_there(client: TestClient) -> None:
    without = client.post("/v1/inspections", params={"product": "plate", "wait": 0}, content=png(board(1)))
    assert without.status_code == 409 and "Each part of 'plate' has its own template" in without.json()["detail"]
    needless = send(client, board(1), template(1), product="plain")
    assert needless.status_code == 409 and "'plain' has no templates" in needless.json()["detail"]
    assert client.get("/v1/inspections/1/template").status_code == 404
    files = {"picture": ("a.png", png(board(1))), "template": ("b.png", b"no picture")}
    broken = client.post("/v1/inspections", params={"product": "plate", "wait": 0}, files=files)
    assert broken.status_code == 422 and broken.json()["detail"].startswith("The template cannot be used.")
    twice = client.post(
        "/v1/inspections", params={"product": "plate", "wait": 0},
        files=[("picture", ("a.png", png(board(1)))), *2 * [("template", ("b.png", png(template(1))))]],
    )  # fmt: skip
    assert twice.status_code == 422
    facts = {each["name"]: each["templates"] for each in client.get("/v1/products").json()}
    assert facts == {"plate": "each", "plain": "none"}


def test_a_key_belongs_to_picture_and_template(client: TestClient) -> None:
    first = send(client, board(1), template(1), key="k")
    assert send(client, board(1), template(1), key="k").json()["id"] == first.json()["id"]
    other = send(client, board(1), template(2), key="k")
    assert other.status_code == 409 and "'k' was used for another part" in other.json()["detail"]


def test_a_reviewed_part_is_learnt_together_with_its_template(
    client: TestClient, settings: Settings, database: Database
) -> None:
    good, bad, same = (
        send(client, picture, own).json()["id"]
        for picture, own in ((board(60), template(60)), (spurred(61), template(61)), (template(62), template(62)))
    )
    work(settings, database)

    def say(number: int, **said: Any) -> str:
        answer = client.post(f"/v1/inspections/{number}/review", json=said)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["words"])

    assert "a good part" in say(good, says="good")
    assert "the defect 'spur'" in say(bad, says="defect", defect_type="spur")
    before = Products(settings.products).open("plate")
    assert "learns nothing" in say(same, says="good")
    after = Products(settings.products).open("plate")
    assert after.state_sha256 == before.state_sha256
    assert len(after.good) == GOOD + 1 and [each.type for each in after.defects] == ["spur"]
    learnt_now = {file.read_bytes() for file in after.templates.values()}
    assert png(template(60)) in learnt_now and png(template(61)) in learnt_now
    say(good, says="undo")
    assert len(Products(settings.products).open("plate").good) == GOOD
    again = send(client, board(60), template(63)).json()["id"]
    work(settings, database)
    answer = client.post(f"/v1/inspections/{again}/review", json={"says": "defect"}).json()
    assert answer["contradicts"] is None, "the same picture with another template is another part"


def test_a_change_is_tried_on_parts_with_their_templates(
    client: TestClient, settings: Settings, database: Database
) -> None:
    for pattern in range(70, 74):
        send(client, spurred(pattern) if pattern % 2 else board(pattern), template(pattern))
    work(settings, database)
    with database.writing() as session:
        number = trials.ask(session, "plate", "ann", {"settings": {"false_alarms": 0.3}})
        session.get_one(trials.Trial, number).state = "working"
    trials.run_trial(settings, database, number)
    found = client.get(f"/v1/products/plate/trials/{number}").json()
    assert found["state"] == "done" and found["found"]["compared"] == 4, found


def test_pictures_join_the_product_with_their_template(client: TestClient) -> None:
    files = {"picture": ("a.png", png(board(80))), "template": ("b.png", png(template(80)))}
    added = client.post("/v1/products/plate/pictures", files=files)
    assert added.status_code == 200 and added.json()["good"] == GOOD + 1, added.text
    without = client.post("/v1/products/plate/pictures", files={"picture": ("a.png", png(board(81)))})
    assert without.status_code == 409 and "has no template" in without.json()["detail"]
    several = [("picture", (f"{number}.png", png(board(number)))) for number in range(82, 85)]
    own = [("template", (f"{number}.bmp", png(template(number)))) for number in range(82, 85)]
    together = client.post("/v1/products/plate/pictures", files=[*several, *own[::-1]])
    assert together.status_code == 200 and together.json()["good"] == GOOD + 4, together.text
    assert together.json()["revision"] == added.json()["revision"] + 1, "they are one change"
    stray = client.post("/v1/products/plate/pictures", files=[*several, ("template", ("x.bmp", png(template(1))))])
    assert stray.status_code == 422 and "with the names of their pictures" in stray.json()["detail"]
    made = client.post("/v1/products/new/pictures", files=files)
    assert made.status_code == 200 and made.json()["templates"] == "each", made.text


def test_a_template_is_deleted_with_the_last_part_that_came_with_it(
    client: TestClient, settings: Settings, database: Database
) -> None:
    pictures = PictureStore(settings.pictures)
    parts = [send(client, board(90, seed), template(90)).json() for seed in range(2)]
    other = pictures.path(parts[0]["template"])
    work(settings, database)

    def age(number: int) -> None:
        with database.writing() as session:
            session.execute(update(Inspection).where(Inspection.id == number).values(finished=0.0))
        for path in settings.pictures.glob("??/*"):
            os.utime(path, (0, 0))

    age(parts[0]["id"])
    assert sweep(database, pictures, 1) == 1
    assert other.is_file() and not pictures.path(parts[0]["picture"]).exists()
    age(parts[1]["id"])
    assert sweep(database, pictures, 1) == 1
    assert not other.exists()


def test_a_folder_brings_parts_with_the_templates_of_their_names(
    data: Path, database: Database, tmp_path: Path
) -> None:
    incoming, drawings = tmp_path / "incoming", tmp_path / "drawings"
    incoming.mkdir()
    for name, pattern in (("a", 1), ("b", 2), ("b.x", 2)):
        save(template(pattern), drawings / f"{name}.bmp")
    save(template(3), drawings / "two.png"), save(template(3), drawings / "two.bmp")
    for name in ("a.png", "none.png", "two.png"):
        save(board(1), incoming / name)
    with watched(incoming, database, templates=drawings):
        end = time.monotonic() + 30
        while (len(names(database)), len(refused(database))) != (1, 2) and time.monotonic() < end:
            time.sleep(0.05)
    assert names(database) == ["a.png"] and sorted(refused(database)) == ["none.png", "two.png"]
    with database.reading() as session:
        own = session.get_one(Inspection, 1).template
    assert own is not None
    assert (data / "pictures" / own[:2] / own).read_bytes() == (drawings / "a.bmp").read_bytes()


def test_templates_are_no_parts_of_the_watched_folder(tmp_path: Path) -> None:
    given = {"kind": "folder", "product": "plate", "folder": tmp_path, "templates": tmp_path / "drawings"}
    with pytest.raises(ValidationError, match="would be taken for parts"):
        FolderTable.model_validate(given)


def test_a_source_that_brings_none_waits_and_loses_no_part(data: Path, database: Database, tmp_path: Path) -> None:
    incoming = tmp_path / "incoming"
    save(board(1), incoming / "a.png")
    with watched(incoming, database):
        time.sleep(1.0)
    assert not names(database) and not refused(database)


def test_workers_elsewhere_and_on_ray_have_both_pictures(
    client: TestClient, settings: Settings, database: Database, tmp_path: Path
) -> None:
    send(client, board(1), template(1))
    (job,) = queue.claim(database, "w", 1, 60)
    assert queue.Job(**json.loads(json.dumps(asdict(job)))) == job
    with fetching(tmp_path, client).files(job) as far:
        assert far.template is not None
        assert (far.picture.read_bytes(), far.template.read_bytes()) == (png(board(1)), png(template(1)))
    with _Sent(None, [png(board(1)), png(template(1))]).files(job) as sent:  # type: ignore[arg-type]
        assert sent.template is not None
        assert (sent.picture.read_bytes(), sent.template.read_bytes()) == (png(board(1)), png(template(1)))
    assert not sent.template.exists()


def test_the_command_and_the_client_send_templates_to_a_running_server(data: Path, tmp_path: Path) -> None:
    for pattern in (50, 51):
        save(spurred(pattern) if pattern == 51 else board(pattern), tmp_path / "parts" / f"{pattern}.png")
        save(template(pattern), tmp_path / "drawings" / f"{pattern}.bmp")
    with Served(data) as server:
        with Client(server.url) as ours:
            part = ours.inspect(png(board(52)), "plate", template=png(template(52)))
            assert (part.outcome, part.template is not None) == ("pass", True)
            with pytest.raises(Refused, match="has its own template"):
                ours.inspect(png(board(52)), "plate")
        given = ["inspect", str(tmp_path / "parts"), "--server", server.url, "--product", "plate"]
        log = tmp_path / "results.jsonl"
        ended = CliRunner().invoke(
            main,
            [*given, "--template", str(tmp_path / "drawings"), "--json", str(log), "--report", str(tmp_path / "r")],
        )
        assert ended.exit_code == 1, ended.output
        found = [json.loads(line) for line in log.read_text().splitlines()]
        assert [each["verdict"] for each in found] == ["pass", "defect"]
        assert "The same place of its template" in next((tmp_path / "r").glob("51*.html")).read_text(
            encoding="utf-8"
        )
        (tmp_path / "drawings" / "51.bmp").unlink()
        missing = CliRunner().invoke(main, [*given, "--template", str(tmp_path / "drawings")])
        assert missing.exit_code == 2 and "has no template" in missing.output, missing.output


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.timeout(400)
def test_on_the_pages_a_product_with_templates_is_made_and_its_parts_are_sent_and_reviewed(tmp_path: Path) -> None:
    with chromium() as browser, Served(tmp_path / "data") as server:
        watched_page = Watched(browser, server.url)
        page = watched_page.open("/products")
        page.get_by_text("Each part has its own template").click()
        page.locator("#new-name").fill("plate")
        drop(page, "#new .templates .drop", {f"{pattern}.bmp": png(template(pattern)) for pattern in range(3)})
        see(page, "3 templates ready.", "#new")
        drop(page, "#new > .drop", {f"{pattern}.png": png(board(pattern)) for pattern in range(3)})
        page.wait_for_url("**/products/plate", timeout=60_000)
        see(page, "3 good pictures, 0 known defects. Change 1.", "#facts")
        drop(page, "#add-good > .drop", {"3.png": png(board(3))})
        see(page, "has no template", "#add-good")
        drop(page, "#add-good .templates .drop", {"3.png": png(template(3))})
        drop(page, "#add-good > .drop", {"3.png": png(board(3))})
        see(page, "4 good pictures", "#facts")
        Products(server.data / "products").open("plate").with_settings(resolution=96)  # learns in seconds
        page = watched_page.open("/line")
        drop(page, "#send > .drop", {"part.png": png(spurred(50))})
        see(page, "Each part of 'plate' has its own template", "#send")
        drop(page, "#send .templates .drop", {"part.bmp": png(template(50))})
        drop(page, "#send > .drop", {"part.png": png(spurred(50))})
        see(page, "Needs a person", "#last .verdict", 120)
        page = watched_page.open("/review")
        see(page, "Its template", "#part .template")
        shown = page.locator("#part .template img").evaluate("each => each.decode().then(() => each.naturalWidth)")
        assert shown > 0
        page.keyboard.press("g")
        see(page, "as a good part now", "#said")
        assert not [each for each in watched_page.complaints if "409" not in each]  # one was refused on purpose
        assert problems(page, axe()) == []
