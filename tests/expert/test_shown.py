"""What a moved reference does not show is not compared: its border must not outshine a defect."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFilter

from reason_iad import Inspector, InspectorConfig
from reason_iad.expert.calibration import where_shown
from reason_iad.expert.pair import compare_pair
from reason_iad.expert.registration import Motion
from reason_iad.inspection.comparing import compare_parts

SIZE = (480, 400)
AROUND = 40
"""Pixels that a board is drawn larger, each way: what comes into the picture when it moves."""


def board(seed: int, shift: tuple[int, int] = (0, 0), *, broken: bool = False) -> Image.Image:
    """Dark traces that run beyond the border, and pads; one trace may be cut in the middle of the picture."""
    wide, high = SIZE[0] + 2 * AROUND, SIZE[1] + 2 * AROUND
    picture = Image.new("RGB", (wide, high), (225, 225, 220))
    draw, rng = ImageDraw.Draw(picture), np.random.default_rng(seed)
    for x in range(10, wide, 46):
        draw.rectangle((x, 0, x + 12, high), fill=(60, 55, 50))
    for _ in range(14):
        x, y = int(rng.integers(0, wide)), int(rng.integers(0, high))
        draw.ellipse((x, y, x + 26, y + 26), fill=(60, 55, 50))
    for y in (AROUND + 3, AROUND + SIZE[1] - 9):
        draw.rectangle((0, y, wide, y + 5), fill=(60, 55, 50))
    if broken:
        x = 10 + 46 * 5
        draw.rectangle((x - 1, high // 2 - 5, x + 13, high // 2 + 5), fill=(225, 225, 220))
    left, top = AROUND + shift[0], AROUND + shift[1]
    seen = picture.filter(ImageFilter.GaussianBlur(0.8)).crop((left, top, left + SIZE[0], top + SIZE[1]))
    noise = np.random.default_rng(99 + broken).normal(0, 1, (SIZE[1], SIZE[0], 3))
    return Image.fromarray((np.asarray(seen) + noise).clip(0, 255).astype(np.uint8))


def motion(dx: float = 0, dy: float = 0, degrees: float = 0) -> Motion:
    return Motion(dx, dy, degrees, 0.5, 0.9)


@pytest.mark.parametrize(
    ("moved", "rows", "columns"),
    [
        (motion(dx=0.006), slice(None), slice(1, None)),  # moved to the right: the left border is not shown
        (motion(dx=-0.006), slice(None), slice(None, -1)),
        (motion(dy=0.006), slice(1, None), slice(None)),
        (motion(dx=0.13, dy=-0.01), slice(None, -1), slice(2, None)),
        (motion(dx=0.0001), slice(None), slice(None)),
    ],
)
def test_the_border_that_a_moved_reference_does_not_show(moved: Motion, rows: slice, columns: slice) -> None:
    wanted = np.zeros((10, 12), bool)
    wanted[rows, columns] = True
    assert np.array_equal(moved.shows(10, 12, 480, 400), wanted)


def test_a_turn_hides_corners() -> None:
    shown = motion(degrees=2).shows(10, 10, 400, 400)
    assert not shown[[0, 0, -1, -1], [0, -1, 0, -1]].any() and shown[2:-2, 2:-2].all()
    assert motion().shows(10, 10, 400, 400).all()


def test_what_is_not_shown_does_not_stand_out() -> None:
    raw = torch.tensor([[9.0, 1.0], [2.0, 3.0]])
    shown = np.array([[False, True], [True, True]])
    assert where_shown(raw, shown).tolist() == [[2, 1], [2, 3]]
    assert where_shown(raw, None) is raw


@pytest.mark.parametrize("shift", [(3, 0), (-4, 3), (6, 6)])
def test_the_region_is_the_break_in_the_middle_and_not_the_border(shift: tuple[int, int]) -> None:
    look = Inspector.from_pretrained("nano", config=InspectorConfig(method="direct"))
    result = look.inspect(board(1, broken=True), references=board(1, shift))
    assert result.evidence.references[0].motion is not None
    assert result.verdict == "defect" and result.region is not None and result.region.box is not None
    box = result.region.box
    assert result.region.place == "center"
    assert box.x1 > 180 and box.x2 < 230 and box.y1 > 180 and box.y2 < 220
    heat = result.evidence.anomaly_map
    assert heat is not None
    values = np.array(heat.values).reshape(heat.rows, heat.columns)
    assert max(values[0].max(), values[-1].max(), values[:, 0].max(), values[:, -1].max()) == 0


@pytest.mark.parametrize("shift", [(3, 0), (6, 6)])
def test_two_parts_differ_at_the_break_alone(shift: tuple[int, int]) -> None:
    pair = compare_pair(board(1, broken=True), board(1, shift))
    high, wide = pair.standing.shape
    row, column = divmod(int(pair.standing.argmax()), wide)
    assert pair.motion is not None and abs(row / high - 0.5) < 0.05 and 0.38 < column / wide < 0.48
    assert compare_parts(board(1), board(1, shift)).outcome == "same"
