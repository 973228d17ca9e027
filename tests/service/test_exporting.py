"""Outcomes over time, and parts as a table; the same on both databases."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import update

from reason_iad.service.api import exporting, make_app
from reason_iad.service.database import Database, queue
from reason_iad.service.database.tables import Inspection
from reason_iad.service.keeping.pictures import Stored
from reason_iad.service.settings import Settings

NOON = 1_796_040_000.0
PICTURE = Stored("0" * 64, 1, 8, 8, "PNG")


@pytest.fixture
def client(tmp_path: Path, address: str) -> Iterator[TestClient]:
    settings = Settings(tmp_path / "data", address)
    settings.products.mkdir(parents=True)
    database = Database(settings.database_url)
    database.upgrade()
    with TestClient(make_app(settings, database), base_url="http://localhost") as made:
        made.app.state.database = database  # type: ignore[attr-defined]
        yield made
    database.close()


def came(
    client: TestClient, at: float, outcome: str, kind: str | None = None, name: str = "part", product: str = "a"
) -> None:
    """A part that came at a time and was done two seconds later."""
    database = client.app.state.database  # type: ignore[attr-defined]
    number, _ = queue.accept(database, queue.Part(product, PICTURE, name, "http"), 1000)
    found = queue.Finding(outcome, 0.5, 1.0, kind, None, "It differs.", "{}")
    queue.finish(database, "w", [(each, found) for each in queue.claim(database, "w", 1, 60)])
    with database.writing() as session:
        session.execute(update(Inspection).filter_by(id=number).values(received=at, finished=at + 2))


def test_parts_are_counted_by_step_outcome_and_type(client: TestClient) -> None:
    for minutes, outcome, kind in (
        (0, "pass", None), (59.999, "defect", "dent"), (60, "defect", "dent"), (61, "defect", "scratch"),
        (62, "defect", "dent"), (130, "pass", None),
    ):  # fmt: skip
        came(client, NOON + 60 * minutes, outcome, kind)
    came(client, NOON + 60, "defect", "dent", product="b")
    asked = {"since": NOON, "until": NOON + 7200, "step": 3600}
    found = client.get("/v1/statistics/series", params={**asked, "product": "a"}).json()
    counts = {
        (each["begin"] - NOON, each["outcome"], each["defect_type"]): each["parts"] for each in found["counts"]
    }
    assert counts == {
        (0, "pass", None): 1, (0, "defect", "dent"): 1, (3600, "defect", "dent"): 2, (3600, "defect", "scratch"): 1,
    }  # fmt: skip
    assert found["mean_seconds"] == pytest.approx(2) and found["most_seconds"] == pytest.approx(2)
    everything = client.get("/v1/statistics/series", params=asked).json()["counts"]
    assert sum(each["parts"] for each in everything) == 6


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"since": 10, "until": 10}, "time is empty"),
        ({"since": 0, "until": 1e9, "step": 60}, "Make `step` longer"),
        ({"step": 0}, "step"),
        ({"since": "nan"}, "since"),
    ],
)
def test_a_time_that_cannot_be_counted_is_refused(client: TestClient, asked: dict[str, float], said: str) -> None:
    answer = client.get("/v1/statistics/series", params=asked)
    assert answer.status_code == 422 and said in answer.json()["detail"]


def test_without_parts_there_is_nothing_to_count(client: TestClient) -> None:
    found = client.get("/v1/statistics/series").json()
    assert found["counts"] == [] and found["mean_seconds"] is None


def test_the_table_has_all_parts_that_fit(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting, "TOGETHER", 2)
    for number in range(5):
        came(client, NOON + number, "pass" if number % 2 else "defect", name=f'part "{number}",\nnew line')
    answer = client.get("/v1/inspections.csv")
    assert (
        answer.headers["content-type"].startswith("text/csv")
        and "attachment" in answer.headers["Content-Disposition"]
    )
    rows = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    assert [row["id"] for row in rows] == ["5", "4", "3", "2", "1"]
    assert rows[0]["name"] == 'part "4",\nnew line' and rows[0]["received"] == "2026-11-30T12:00:04.000+00:00"
    only = client.get("/v1/inspections.csv", params={"outcome": "pass", "since": NOON + 2}).text
    assert [row["id"] for row in csv.DictReader(io.StringIO(only))] == ["4"]


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1"])
def test_a_name_is_no_formula_for_a_spreadsheet(client: TestClient, name: str) -> None:
    came(client, time.time(), "pass", name=name)
    (row,) = csv.DictReader(io.StringIO(client.get("/v1/inspections.csv").text))
    assert row["name"] == f"'{name}" and row["score"] == "1.0"


def test_scores_of_a_product_come_in_order(client: TestClient) -> None:
    for number in range(4):
        came(client, NOON + number, "pass", product="a" if number else "b")
    found = client.get("/v1/products/a/scores", params={"last": 2}).json()
    assert [(each["id"], each["score"], each["outcome"], each["review"]) for each in found] == [
        (3, 1.0, "pass", None), (4, 1.0, "pass", None),
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["part-07", "PART 07", "07.png", "Part-07.png"])
def test_a_part_is_found_by_the_beginning_of_its_name(client: TestClient, text: str) -> None:
    came(client, NOON, "pass", name="Part-07.PNG")
    came(client, NOON, "pass", name="Part-08.PNG")
    found = client.get("/v1/inspections", params={"text": text}).json()["parts"]
    assert [each["name"] for each in found] == ["Part-07.PNG"]
