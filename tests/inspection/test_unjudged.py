"""Beside good parts, a picture that shows something else gets no verdict, and no model is asked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from PIL import Image

from reason_iad import Inspection, Inspector, InspectorConfig
from reason_iad.backbones.fake import FakeBackbone
from reason_iad.cli import main
from reason_iad.inspection.operating_point import KnownParts
from reason_iad.report import render_report
from reason_iad.report.overview import Overview

Make = Callable[..., Path]


class Silent(FakeBackbone):
    """A model that must not be asked."""

    def embed_image(self, image: Image.Image) -> object:  # type: ignore[override]
        raise AssertionError("the model was asked")


@pytest.fixture
def good(make_image: Make) -> Path:
    return make_image("good.png", 120, 64)


@pytest.fixture
def white(tmp_path: Path) -> Path:
    path = tmp_path / "white.png"
    Image.new("RGB", (64, 64), "white").save(path)
    return path


def inspector(model: FakeBackbone | None = None, *, check: bool = True) -> Inspector:
    return Inspector(model or FakeBackbone(), config=InspectorConfig(method="direct", check_picture=check))


def test_what_shows_something_else_gets_no_verdict(good: Path, white: Path) -> None:
    found = inspector(Silent()).inspect(white, references=[good])
    assert found.verdict == "unjudged" and found.unjudged and found.explanation.startswith(found.unjudged)
    assert (found.region, found.findings, found.evidence.answers) == (None, (), ())
    assert [each.used for each in found.evidence.references] == [True] and found.caution is None
    assert Inspection.model_validate_json(found.to_json()) == found


def test_what_shows_the_part_gets_one(good: Path, make_image: Make) -> None:
    assert inspector().inspect(make_image("part.png", 110, 64), references=[good]).verdict in ("pass", "defect")


def test_it_can_be_switched_off_and_needs_a_good_part(good: Path, white: Path) -> None:
    assert inspector(check=False).inspect(white, references=[good]).verdict != "unjudged"
    assert inspector().inspect(white).verdict != "unjudged"


def test_good_parts_are_looked_at_once(good: Path, make_image: Make) -> None:
    asked = inspector()
    for number in range(3):
        asked.inspect(make_image(f"{number}.png", 110 + number, 64), references=[good])
    assert len(asked.setup.cache.glances) == 1


def test_the_exit_code_is_5(good: Path, white: Path, make_image: Make) -> None:
    def run(*words: object) -> tuple[int, str]:
        result = CliRunner().invoke(
            main, ["inspect", *map(str, words), "--model", "fake", "--method", "direct", "--reference", str(good)]
        )
        return result.exit_code, result.stdout

    code, shown = run(white)
    assert code == 5 and shown.splitlines()[0] == f"CANNOT BE JUDGED  {white}"
    assert "probability" not in shown and "Take another picture" in shown
    code, shown = run(white, make_image("part.png", 110, 64), "--threshold", 1.0)
    assert code == 5 and shown.splitlines()[0].startswith(f"CANNOT BE JUDGED  {white}  The picture ")
    assert run(white, "--no-check-picture")[0] in (0, 1)


def test_the_report_and_the_overview_give_the_reason_and_no_number(good: Path, white: Path, tmp_path: Path) -> None:
    found = inspector().inspect(white, references=[good])
    page = render_report(found, image=white, references=[good])
    assert "Cannot be judged" in page and str(found.unjudged) in page and "no verdict about the part" in page
    assert "How sure" not in page and "Probability of a defect" not in page
    with Overview(tmp_path) as overview:
        overview.add(found, "white.png", None, None)
        overview.write()
    assert str(found.unjudged) in (tmp_path / "index.html").read_text()
    assert ",unjudged,,," in (tmp_path / "results.csv").read_text()


def test_it_sets_no_limit(good: Path, white: Path, make_image: Make, tmp_path: Path) -> None:
    asked, log = inspector(), tmp_path / "known.jsonl"
    parts = (white, make_image("part.png", 110, 64))
    log.write_text("".join(f"{asked.inspect(part, references=[good]).to_json()}\n" for part in parts))
    assert [part.name for part in KnownParts(log, "good").parts] == ["part.png"]
