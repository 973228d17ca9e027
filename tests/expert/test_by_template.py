"""Parts compared with their template, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests.boards import SIDE, board, spurred, template

from reason_iad.expert.by_template import Difference, TemplateRule, compare, same_shape, score_of
from reason_iad.expert.conformal import limits
from reason_iad.expert.normality.area import EVERYWHERE, Area
from reason_iad.images import load_image


def compared(
    part: np.ndarray,
    drawing: np.ndarray,
    area: Area = EVERYWHERE,
    *,
    align: bool = True,
    least_px: float | None = None,
) -> Difference:
    return compare(load_image(part), load_image(drawing), area, align=align, least_px=least_px)


@pytest.mark.parametrize("pattern", range(4))
def test_a_good_board_differs_little_and_a_spur_is_marked(pattern: int) -> None:
    fine, bad = compared(board(pattern), template(pattern)), compared(spurred(pattern), template(pattern))
    assert fine.fits and bad.fits
    assert fine.score < 10 < 100 < bad.score
    x1, y1, x2, y2 = bad.marked[0].box
    assert abs((x1 + x2) / 2 - 92) < 4 and abs((y1 + y2) / 2 - 84) < 4


def test_the_template_is_laid_as_the_part_lies() -> None:
    part = board(1, shift=(5, -4))
    assert compared(part, template(1)).score < 10 < 50 < compared(part, template(1), align=False).score


def test_a_place_is_found_again_in_a_template_that_was_moved() -> None:
    part = np.roll(spurred(1), (-4, 5), (0, 1))
    found = compared(part, template(1))
    x, y = found.in_template(found.marked[0])
    assert abs(x * SIDE - 92) < 4 and abs(y * SIDE - 84) < 4


def test_a_template_of_another_size_is_the_same_template() -> None:
    large = np.kron(template(2), np.ones((2, 2, 1), np.uint8))
    assert compared(board(2), large).score < 60 < 100 < compared(spurred(2), large).score


@pytest.mark.parametrize("other", ["turned", "noise", "blank", "inverted", "narrow"])
def test_another_picture_does_not_fit(other: str) -> None:
    part = {
        "turned": np.rot90(board(3)).copy(),
        "noise": np.random.default_rng(0).integers(0, 255, (SIDE, SIDE, 3), np.uint8),
        "blank": np.full((SIDE, SIDE, 3), 128, np.uint8),
        "inverted": 255 - board(3),
        "narrow": board(3)[:, : SIDE // 2],
    }[other]
    assert not compared(part, template(3)).fits


def test_what_is_ignored_does_not_count() -> None:
    counts = np.ones((SIDE, SIDE), np.bool_)
    counts[76:94, 84:102] = False
    found = compared(spurred(1), template(1), Area(counts))
    assert found.score < 10 and not found.values[80:90, 88:98].any()


def test_what_is_too_small_does_not_count() -> None:
    assert compared(spurred(1), template(1), least_px=16).score < 10
    assert compared(spurred(1), template(1), least_px=5).score > 100
    assert compared(spurred(1, side=24), template(1), least_px=16).score > 100


def test_the_score_of_a_good_part_or_why_there_is_none() -> None:
    part, drawing = load_image(board(1)), load_image(template(1))
    score = score_of(part, drawing, EVERYWHERE, align=True)
    assert score == compare(part, drawing, EVERYWHERE, align=True).score
    assert score_of(drawing, drawing, EVERYWHERE, align=True) == "same"
    assert score_of(load_image(np.rot90(board(1)).copy()), drawing, EVERYWHERE, align=True) == "unlike"


def test_maps_and_probabilities_follow_from_good_scores() -> None:
    rule = TemplateRule(tuple(float(each) for each in range(1, 20)))
    found = limits(rule.scores, 0.05)
    assert rule.usual == 10 and rule.clear(found) == 20
    assert math.isclose(rule.deviations(30.0), 3 * rule.deviations(10.0))
    assert TemplateRule((0.0, 0.0)).usual == 1 and TemplateRule((0.0, 0.0)).deviations(5.0) == 5.0


def test_proportions() -> None:
    assert same_shape((100, 50), (201, 100)) and not same_shape((100, 50), (100, 60))
