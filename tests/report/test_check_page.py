"""The page of a product's check: it stands alone, is the same every time, and shows what it was given, escaped."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reason_iad.errors import OutputError
from reason_iad.report.check import SHOWN, CheckPage, Curve, Remark, Scores, render_check, save_check

CURVE = Curve(
    "scratches & cracks", "Scratches <longer> than 3 mm are found.", "mm",
    ((1.0, 0.2, 0.1, 0.4), (3.0, 0.9, 0.7, 0.97), (9.0, 0.99, 0.9, 1.0)), (1.0, 2.0, 9.0), (False, True, True), 4.0,
)  # fmt: skip


@pytest.fixture
def page(tmp_path: Path) -> CheckPage:
    Image.fromarray(np.full((40, 60, 3), 90, np.uint8)).save(tmp_path / "a.png")
    return CheckPage(
        name="<b>bracket</b>", has=("9 good pictures.",), advice=("Add more.",), finds=("All is found.",),
        curves=(CURVE, replace(CURVE, promised=None)), promise="At most 5 %.",
        scores=Scores((-1.0, 0.0, 2.0), (5.0, 300.0), 2.1, 2.1),
        remarks=(Remark("Some are dark.", ((tmp_path / "a.png", "a<i>.png"),) * (SHOWN + 2)),),
    )  # fmt: skip


def test_it_shows_what_it_was_given_and_nothing_runs(page: CheckPage) -> None:
    html = render_check(page)
    assert "&lt;b&gt;bracket&lt;/b&gt;" in html and "<b>bracket" not in html and "a&lt;i&gt;.png" in html
    assert "Scratches &amp; cracks" in html and "&lt;longer&gt;" in html
    assert html.count("<img") == SHOWN and "and 2 more" in html
    assert html.count("<svg") == 3 and "<script" not in html
    assert not re.search(r"(src|href)=\"(?!data:|#)", html) and "default-src 'none'" in html
    assert "At most 5 %." in html and "called defective" in html
    assert html == render_check(page)


def test_it_says_when_nothing_is_wrong_and_nothing_was_tested(page: CheckPage) -> None:
    scores = Scores((0.0, 1.0), (), 1.1, None)
    html = render_check(replace(page, remarks=(), curves=(), advice=(), scores=scores))
    assert "Nothing is wrong with the good pictures." in html
    assert "How to read the plots" not in html and "What would help most" not in html
    assert "handed to a person" in html and ">defective<" not in html


def test_it_is_written_whole_or_not_at_all(page: CheckPage, tmp_path: Path) -> None:
    assert save_check(page, tmp_path / "check.html").read_text().startswith("<!DOCTYPE html>")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(OutputError):
        save_check(page, tmp_path / "folder.html")
