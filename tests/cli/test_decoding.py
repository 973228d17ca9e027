"""Pictures are decoded beside the opening of the model, each once."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from reason_iad.cli.decoding import AHEAD, decoding
from reason_iad.errors import ImageError


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{number}.png" for number in range(AHEAD + 2)]
    for number, path in enumerate(paths):
        Image.new("RGB", (16, 16), (number, 0, 0)).save(path)
    return paths


def test_the_part_and_a_few_good_parts_are_decoded_in_order(files: list[Path]) -> None:
    with decoding(files[0], files[1:4], None) as coming:
        assert coming.part().name == "0.png"
        assert [getattr(each, "name", "") for each in coming.references()] == ["1.png", "2.png", "3.png"]


def test_of_many_good_parts_none_is_decoded_ahead(files: list[Path]) -> None:
    with decoding(files[0], files[1:], None) as coming:
        assert coming.references() == tuple(files[1:])


def test_what_is_wrong_with_a_picture_is_said(files: list[Path], tmp_path: Path) -> None:
    files[0].write_bytes(files[0].read_bytes()[:45])
    with decoding(files[0], [], None) as coming, pytest.raises(ImageError, match="damaged or cut off"):
        coming.part()
