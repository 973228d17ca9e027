"""Corrections that wait: a product learns what people say once somebody has confirmed it, where that is set."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from tests.parts import plate, save, scratched
from tests.service.test_api import FOUND, login, people

from reason_iad.products import Product, Products
from reason_iad.service.api import make_app
from reason_iad.service.configuration import Configuration, Corrections
from reason_iad.service.database import Database, queue
from reason_iad.service.database.tables import Correction, Event
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.settings import Settings

PATH = "/v1/products/plate/corrections"


class Line:
    """A service without workers, in which corrections wait.

    Args:
        folder: of its data.
        address: of its database.
        learn: when corrections are learnt.
    """

    def __init__(self, folder: Path, address: str, learn: Any = "after confirmation") -> None:
        configuration = Configuration(corrections=Corrections(learn=learn))
        self.settings = Settings(folder / "data", address, configuration=configuration)
        self.settings.products.mkdir(parents=True)
        (folder / "good").mkdir()
        for seed in range(3):
            save(plate(seed), folder / "good" / f"{seed}.png")
        self.products = Products(self.settings.products)
        self.products.create("plate", [folder / "good"], settings={"resolution": 96})
        self.database = Database(self.settings.database_url)
        self.database.upgrade()
        self.folder = folder
        app = make_app(self.settings, self.database)
        self.client = TestClient(app, base_url="http://localhost", raise_server_exceptions=False)
        app.state.database = self.database

    @property
    def product(self) -> Product:
        return self.products.open("plate")

    def found(self, picture: Any, outcome: queue.Finding = FOUND, *, sampled: bool = False) -> int:
        """A part that was inspected."""
        path = self.folder / "part.png"
        save(picture, path)
        stored = PictureStore(self.settings.pictures).take([path.read_bytes()], 2**24)
        part = queue.Part("plate", stored, "part.png", "http", sampled=sampled)
        number, _ = queue.accept(self.database, part, 1000)
        queue.finish(self.database, "w", [(each, outcome) for each in queue.claim(self.database, "w", 1, 60)])
        return number

    def say(self, number: int, says: str, **more: Any) -> dict[str, Any]:
        answer = self.client.post(f"/v1/inspections/{number}/review", json={"says": says, **more})
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    def waiting(self) -> list[dict[str, Any]]:
        return list(self.client.get(PATH).json()["corrections"])

    def decide(self, what: str, *numbers: int) -> Any:
        return self.client.post(f"{PATH}/{what}", json={"corrections": numbers})


@pytest.fixture
def line(tmp_path: Path, address: str) -> Iterator[Line]:
    made = Line(tmp_path, address)
    with made.client:
        yield made
    made.database.close()


def test_a_correction_waits_until_it_is_taken(line: Line) -> None:
    before = line.product.state_sha256
    good, bad = line.found(plate(7)), line.found(scratched(8))
    box = {"x1": 1, "y1": 2, "x2": 30, "y2": 40}
    assert "when somebody takes" in line.say(good, "good")["words"]
    line.say(bad, "defect", defect_type="scratch", box=box)
    assert line.product.state_sha256 == before, "the product has not learnt yet"
    first, second = line.waiting()
    assert (first["inspection"], first["says"], first["outcome"]) == (good, "good", "review")
    assert (second["inspection"], second["defect_type"], second["box"]) == (bad, "scratch", box)
    answer = line.decide("take", first["id"], second["id"])
    assert answer.json()["words"] == "The product 'plate' has learnt 2 corrections."
    assert len(line.product.good) == 4 and line.product.types == ("scratch",)
    assert line.product.defects[0].box is not None
    assert line.waiting() == []
    assert line.decide("take", first["id"]).status_code == 404, "it is taken already"


def test_what_is_dropped_is_not_learnt_and_stays_said(line: Line) -> None:
    before, number = line.product.state_sha256, line.found(plate(7))
    line.say(number, "good")
    (waiting,) = line.waiting()
    assert (
        line.decide("drop", waiting["id"]).json()["words"] == "1 correction dropped. The product was not changed."
    )
    assert line.product.state_sha256 == before and line.waiting() == []
    assert line.client.get(f"/v1/inspections/{number}").json()["part"]["review"] == "good"
    with line.database.reading() as session:
        kept = session.query(Correction).one()
        assert (kept.state, kept.decided_by) == ("dropped", "local")
        assert session.query(Event).filter_by(what="corrections dropped").one().detail == {
            "corrections": [waiting["id"]]
        }


def test_what_is_said_anew_or_taken_back_takes_the_place_of_what_waits(line: Line) -> None:
    number = line.found(scratched(7))
    line.say(number, "good")
    line.say(number, "defect", defect_type="dent")
    (waiting,) = line.waiting()
    assert waiting["defect_type"] == "dent"
    line.say(number, "undo")
    assert line.waiting() == []
    line.say(number, "defect", defect_type="dent")
    line.decide("take", line.waiting()[0]["id"])
    assert line.product.types == ("dent",)
    line.say(number, "undo")
    assert line.product.types == (), "what was taken is forgotten when the review is undone"


def test_only_reviewers_decide_and_only_of_their_product(line: Line) -> None:
    line.products.create("other", [line.folder / "good"])
    line.say(line.found(plate(7)), "good")
    (waiting,) = line.waiting()
    answer = line.client.post("/v1/products/other/corrections/take", json={"corrections": [waiting["id"]]})
    assert answer.status_code == 404 and "does not wait" in answer.json()["detail"]
    assert line.client.get("/v1/products/none/corrections").status_code == 404
    assert line.decide("take").status_code == 422
    folk = people(line.client)
    folk.add("eve", "inspect", "correct horse battery", "test")
    token = login(line.client, "eve")
    assert line.client.get(PATH, headers=token).status_code == 200
    answer = line.client.post(f"{PATH}/take", json={"corrections": [waiting["id"]]}, headers=token)
    assert answer.status_code == 403


def test_without_the_setting_a_product_learns_at_once(tmp_path: Path) -> None:
    made = Line(tmp_path, "", "at once")
    with made.client:
        made.say(made.found(plate(7)), "good")
        assert len(made.product.good) == 4
        assert made.client.get(PATH).json() == {"learn": "at once", "corrections": []}
    made.database.close()


@pytest.mark.parametrize("learn", ["at once", "after confirmation"])
def test_only_good_parts_of_the_random_sample_count_for_the_limits(tmp_path: Path, learn: str) -> None:
    made = Line(tmp_path, "", learn)
    with made.client:
        sampled, doubtful = made.found(plate(7), sampled=True), made.found(plate(8))
        made.say(sampled, "good")
        made.say(doubtful, "good")
        made.decide("take", *(each["id"] for each in made.waiting()))
        facts = made.client.get("/v1/products/plate").json()
        assert (facts["good"], facts["good_for_limits"]) == (5, 4)
        parts = [made.client.get(f"/v1/inspections/{each}").json()["part"] for each in (sampled, doubtful)]
        known = {each.sha256: each.counts for each in made.product.good}
        assert [known[each["picture"]] for each in parts] == [True, False]
    made.database.close()
