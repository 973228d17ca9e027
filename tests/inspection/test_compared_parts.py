"""Two parts compared: what differs is found in either direction, and what does not is left alone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageEnhance

from reason_iad.errors import ConfigError
from reason_iad.inspection.comparing import as_inspection, compare_parts
from reason_iad.schema.comparison import PartComparison

SPOT = (185, 30, 209, 54)


def board(*, spot: bool = False, gap: bool = False, turn: float = 0.0) -> Image.Image:
    """Dark lines on a bright ground; with an isolated dark spot, with a gap in a line, or turned."""
    picture = Image.new("RGB", (320, 240), (228, 228, 228))
    draw = ImageDraw.Draw(picture)
    for x in (40, 80, 150):
        draw.line((x, 0, x, 170), fill=(30, 30, 30), width=12)
    draw.line((150, 170, 320, 170), fill=(30, 30, 30), width=12)
    draw.rectangle((240, 20, 290, 140), fill=(30, 30, 30))
    draw.ellipse((30, 190, 70, 230), fill=(30, 30, 30))
    if spot:
        draw.ellipse(SPOT, fill=(30, 30, 30))
    if gap:
        draw.rectangle((70, 100, 90, 112), fill=(228, 228, 228))
    grain = np.random.default_rng(0).normal(0, 2, (240, 320, 1))
    grained = Image.fromarray(np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8))
    return grained.rotate(turn, Image.Resampling.BICUBIC, fillcolor=(228, 228, 228)) if turn else grained


def overlaps(comparison: PartComparison) -> bool:
    box = comparison.differences[0].box
    return box.x1 < SPOT[2] and SPOT[0] < box.x2 and box.y1 < SPOT[3] and SPOT[1] < box.y2


def test_parts_that_are_alike_do_not_differ() -> None:
    for other in (board(), ImageEnhance.Brightness(board()).enhance(0.9), board(turn=1.5)):
        found = compare_parts(board(), other)
        assert (found.outcome, found.differences) == ("same", ())
        assert found.score < found.level


def test_what_a_has_and_what_b_has_are_both_found() -> None:
    has, lacks = compare_parts(board(spot=True), board()), compare_parts(board(), board(spot=True))
    for found, shown in ((has, "a"), (lacks, "b")):
        assert found.outcome == "different" and len(found.differences) == 1 and overlaps(found)
        assert found.differences[0].shown_by == shown and found.differences[0].place == "top center"
    assert has.differences[0].words == "A has an isolated dark spot that B does not have."
    assert lacks.differences[0].words == "B has an isolated dark spot that A does not have."


def test_parts_of_two_tones_get_words_for_what_changed() -> None:
    found = compare_parts(board(gap=True), board())
    assert found.differences[0].words == "In A, a gap interrupts a dark line. In B the line is whole."
    assert found.explanation.startswith("The parts differ at one place, at the ") and "a gap" in found.explanation


def test_b_is_laid_as_a_lies() -> None:
    found = compare_parts(board(spot=True), board(turn=2.0))
    assert found.motion is not None and abs(found.motion.degrees) == pytest.approx(2, abs=0.3)
    assert found.outcome == "different" and overlaps(found)
    assert compare_parts(board(spot=True), board(turn=2.0), align=False).motion is None


def test_the_level_decides_what_counts() -> None:
    clear = compare_parts(board(spot=True), board())
    faint = compare_parts(board(spot=True), board(), level=clear.score + 1)
    assert faint.outcome == "same" and faint.score == clear.score
    for wrong in ({"level": 0.0}, {"mm_per_px": -1.0}, {"level": float("nan")}):
        with pytest.raises(ConfigError, match="must be a number above 0"):
            compare_parts(board(), board(), **wrong)


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (Image.new("RGB", (320, 240), "white"), "same kind"),
        (Image.fromarray(np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)), "same kind"),
        (board().resize((320, 120)), "different shapes"),
        (ImageEnhance.Brightness(board()).enhance(0.2), "darker"),
    ],
)
def test_what_cannot_be_compared_is_no_pass(other: Image.Image, reason: str) -> None:
    for pair in ((board(), other), (other, board())):
        found = compare_parts(*pair)
        assert found.outcome == "unjudged" and found.differences == () and reason in str(found.unjudged)
    assert compare_parts(board(), other, check_picture=False).outcome != "unjudged"


def test_sizes_follow_from_the_scale() -> None:
    (place,) = compare_parts(board(spot=True), board(), mm_per_px=0.1).differences
    assert place.length_mm == pytest.approx(place.length_px * 0.1, abs=0.01)
    assert place.area_mm2 == pytest.approx(place.area_px * 0.01, abs=0.01)


def test_a_comparison_is_json_and_an_inspection() -> None:
    found = compare_parts(board(spot=True), board())
    assert PartComparison.model_validate_json(found.to_json()) == found
    inspection = as_inspection(found)
    assert inspection.verdict == "defect" and inspection.findings == found.differences
    assert as_inspection(compare_parts(board(), board())).verdict == "pass"
    assert repr(found).endswith("different, 1 places)")
