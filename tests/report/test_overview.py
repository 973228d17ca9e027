"""The overview: parts that need attention first, small, without a script, and a table that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path

import pytest
from tests.report import report_cases as cases

from reason_iad.report import render_report, save_report
from reason_iad.report.overview import COLUMNS, ORDER, PAGE, TABLE, Overview, headline
from reason_iad.schema import Inspection
from reason_iad.schema.verdict import ALONE


def named(result: Inspection, name: str, **changes: object) -> Inspection:
    image = result.image.model_copy(update={"name": name})
    return result.model_copy(update={"image": image, **changes})


@pytest.fixture
def page(tmp_path: Path) -> str:
    """A page with a part of every verdict there is, added in another order than it shows."""
    bad, fine = cases.plate(True), cases.plate(False, 1)
    with Overview(tmp_path) as overview:
        overview.add(named(cases.good(), "in/fine.png"), "fine.png", fine, tmp_path / "fine.png.html")
        overview.add_failed("in/torn.png", "torn.png", "It is <damaged>.")
        overview.add(named(cases.defect(), "in/weak.png", probability=0.6), "weak.png", bad, None)
        overview.add(named(cases.defect(), "in/=a b#1.png"), "=a b#1.png", bad, tmp_path / "ü" / "=a b#1.png.html")
        overview.add(named(cases.defect(), "in/odd.png", verdict="review", claims=()), "odd.png", bad, None)
        overview.write()
    return (tmp_path / PAGE).read_text(encoding="utf-8")


def test_parts_that_need_attention_come_first(page: str) -> None:
    names = re.findall(r'class="name" dir="auto">([^<]*)<', page)
    assert names == ["=a b#1.png", "weak.png", "odd.png", "torn.png", "fine.png"]
    assert "<h1>2 of 5 parts have a defect. 1 needs a person. 1 was not inspected. 1 passed.</h1>" in page
    assert ORDER == ("defect", "review", "unjudged", "failed", "pass")


def test_each_part_has_its_picture_its_words_and_its_report(page: str) -> None:
    assert page.count("data:image/webp;base64,") == 4
    assert 'href="%C3%BC/%3Da%20b%231.png.html"' in page and 'href="fine.png.html"' in page
    assert "Scratch, top right" in page and "It is &lt;damaged&gt;." in page and "<damaged>" not in page
    assert "96.2 %" in page and "Perhaps scratch, perhaps top right" in page


def test_the_page_filters_without_a_script_and_asks_the_network_for_nothing(page: str) -> None:
    assert "<script" not in page and "http" not in page.replace('http-equiv="Content-Security-Policy"', "")
    for kind, count in (("defect", 2), ("review", 1), ("failed", 1), ("pass", 1)):
        assert f"#show-{kind}:checked ~ .parts > :not(.is-{kind})" in page
        assert page.count(f'<li class="is-{kind}">') == count
    assert 'id="show-unjudged"' not in page, "there is no such part"


def test_the_table_has_a_row_per_part_and_no_formula(page: str, tmp_path: Path) -> None:
    data = (tmp_path / TABLE).read_bytes()
    assert data.startswith(b"\xef\xbb\xbf"), "spreadsheets know UTF-8 by this mark"
    rows = list(csv.DictReader(io.StringIO(data.decode("utf-8-sig"))))
    assert tuple(rows[0]) == COLUMNS and [row["verdict"] for row in rows] == [
        "pass", "failed", "defect", "defect", "review",
    ]  # fmt: skip
    strong = rows[3]
    assert (strong["type"], strong["place"], strong["probability"]) == ("scratch", "top right", "0.962")
    assert (strong["x"], strong["y"], strong["width"], strong["height"]) == ("428", "66", "132", "92")
    assert strong["report"] == "ü/=a b#1.png.html"


def test_results_without_a_good_part_are_told_first(tmp_path: Path) -> None:
    def written(*results: Inspection) -> tuple[str, list[str]]:
        with Overview(tmp_path) as overview:
            for number, result in enumerate(results):
                overview.add(named(result, f"{number}.png"), f"{number}.png", None, None)
            overview.write()
        with (tmp_path / TABLE).open(encoding="utf-8-sig", newline="") as file:
            counts = [row["good_parts"] for row in csv.DictReader(file)]
        return (tmp_path / PAGE).read_text(encoding="utf-8"), counts

    alone, compared = cases.bare(), cases.defect()
    page, counts = written(alone, alone)
    head = page.partition("<input")[0]
    assert ALONE.replace("'", "&#39;") in head and page.count("<small>the model&#39;s opinion alone</small>") == 2
    assert counts == ["0", "0"]
    page, counts = written(alone, compared)
    assert "1 of 2 parts were compared with no good part" in page and counts == ["0", str(compared.good_parts_used)]
    assert "opinion alone" not in written(compared)[0]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_text_that_a_spreadsheet_would_run_is_text(tmp_path: Path, start: str) -> None:
    evil = f"{start}HYPERLINK(0)"
    with Overview(tmp_path) as overview:
        overview.add(named(cases.defect(), evil, defect_type=evil), "x", None, None)
        overview.add_failed("x.png", "x.png", evil)
        overview.write()
    with (tmp_path / TABLE).open(encoding="utf-8-sig", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert cells.count(f"'{evil}") == 3 and evil not in cells


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"pass": 1}, "The part passed."),
        ({"pass": 1200}, "All 1,200 parts passed."),
        ({"pass": 2, "defect": 1}, "1 of 3 parts has a defect. 2 passed."),
        ({"pass": 2, "failed": 1}, "2 of 3 parts passed. 1 was not inspected."),
        ({"review": 2}, "No part passed. 2 need a person."),
    ],
)
def test_the_headline(counts: dict[str, int], said: str) -> None:
    assert headline(Counter(counts)) == said


def test_reports_of_many_parts_are_small(tmp_path: Path) -> None:
    references = tuple(cases.plate(False, seed) for seed in range(1, 5))
    fine = save_report(cases.good(), tmp_path / "a.html", image=cases.plate(False, 1), compact=True)
    assert fine.stat().st_size < 60_000 and fine.read_text().count("<img") == 1
    bad = render_report(cases.defect(), image=cases.plate(True), references=references, compact=True)
    whole = render_report(cases.defect(), image=cases.plate(True), references=references)
    assert bad.count("<img") == whole.count("<img") and len(bad) < 0.6 * len(whole)
