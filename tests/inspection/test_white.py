"""Deep pictures that are compared have one white, which the result tells and the report uses again."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reason_iad import Inspector, save_report
from reason_iad.config import InspectorConfig
from reason_iad.errors import ConfigError
from reason_iad.inspection.comparing import compare_parts
from reason_iad.schema import Inspection


def deep(path: Path, highest: int, *, hot: bool = False) -> Path:
    """A 64x64 grey TIFF with values from 0 to `highest`."""
    values = np.tile(np.linspace(0, highest, 64).astype(np.uint16), (64, 1))
    if hot:
        values[3, 5] = 65535
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def inspector() -> Inspector:
    return Inspector.from_pretrained("fake", config=InspectorConfig(method="direct", check_picture=False))


def whites(result: Inspection) -> list[float | None]:
    return [result.image.white, *(each.white for each in result.evidence.references)]


def test_a_dark_part_is_not_made_bright(inspector: Inspector, tmp_path: Path) -> None:
    part, good = deep(tmp_path / "part.tif", 900), deep(tmp_path / "good.tif", 4000)
    result = inspector.inspect(part, references=[good])
    assert whites(result) == [4095, 4095]
    assert result.picture_notes() == ("Values were scaled from 0..4095 to 8 bits.",)


def test_one_hot_pixel_changes_no_white(inspector: Inspector, tmp_path: Path) -> None:
    part, good = deep(tmp_path / "part.tif", 3000, hot=True), deep(tmp_path / "good.tif", 4000)
    result = inspector.inspect(part, references=[good])
    assert whites(result) == [4095, 4095]
    assert result.picture_notes()[1] == "Values above 4095 were cut off; the brightest is 65535."


def test_good_parts_that_are_chosen_from_many_agree_too(tmp_path: Path) -> None:
    inspector = Inspector.from_pretrained(
        "fake", config=InspectorConfig(method="direct", check_picture=False, map_references=1)
    )
    good = [deep(tmp_path / f"{highest}.tif", highest) for highest in (900, 1000, 4000)]
    for part in (900, 3000):
        result = inspector.inspect(deep(tmp_path / "part.tif", part), references=good)
        assert set(whites(result)) == {4095}


def test_what_was_computed_with_another_white_is_not_used_again(inspector: Inspector, tmp_path: Path) -> None:
    good = deep(tmp_path / "good.tif", 900)
    dark, bright = deep(tmp_path / "dark.tif", 800), deep(tmp_path / "bright.tif", 4000)
    once = inspector.inspect(dark, references=[good]).evidence.anomaly_map
    inspector.inspect(bright, references=[good])  # the good part at another white
    again = inspector.inspect(dark, references=[good]).evidence.anomaly_map
    fresh = Inspector.from_pretrained("fake", config=inspector.config)
    assert once == again
    both = [each.inspect(bright, references=[good]).evidence.anomaly_map for each in (inspector, fresh)]
    assert both[0] == both[1]


def test_white_is_given(tmp_path: Path) -> None:
    config = InspectorConfig(method="direct", check_picture=False, white=2000)
    inspector = Inspector.from_pretrained("fake", config=config)
    part, good = deep(tmp_path / "part.tif", 900), deep(tmp_path / "good.tif", 4000)
    result = inspector.inspect(part, references=[good])
    assert whites(result) == [2000, 2000]
    assert result.picture_notes() == (
        "Values were scaled from 0..2000 to 8 bits, as it was set.",
        "good.tif: Values above 2000 were cut off; the brightest is 4000.",
    )


@pytest.mark.parametrize("white", [0.0, -1.0, float("inf")])
def test_white_has_to_be_above_0(white: float) -> None:
    with pytest.raises(ConfigError, match=r"white is .*; it must be a number above 0"):
        InspectorConfig(white=white)


def test_white_is_part_of_the_conditions_of_a_result() -> None:
    assert InspectorConfig().sha256() == InspectorConfig(white=None).sha256() != InspectorConfig(white=9).sha256()


def test_the_report_shows_the_pictures_as_they_were_compared(inspector: Inspector, tmp_path: Path) -> None:
    part, good = deep(tmp_path / "part.tif", 900), deep(tmp_path / "good.tif", 4000)
    result = inspector.inspect(part, references=[good])
    page = save_report(result, tmp_path / "report.html", image=part, references=[good]).read_text()
    assert "Values were scaled from 0..4095 to 8 bits." in page
    first = re.search(r"data:image/[a-z]+;base64,([A-Za-z0-9+/=]+)", page)
    assert first is not None
    with Image.open(io.BytesIO(base64.b64decode(first[1]))) as shown:
        assert abs(int(np.asarray(shown.convert("L")).max()) - 900 * 255 // 4095) < 8


def test_two_parts_that_are_compared_have_one_white(tmp_path: Path) -> None:
    dark, bright = deep(tmp_path / "a.tif", 900), deep(tmp_path / "b.tif", 4000)
    result = compare_parts(dark, bright, check_picture=False)
    assert (result.a.white, result.b.white) == (4095, 4095)
