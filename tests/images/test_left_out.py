"""Images that cannot be read are not skipped silently: they are counted and named."""

from __future__ import annotations

from pathlib import Path

import pytest

from reason_iad.errors import ImageError
from reason_iad.images import find_images, left_out_words, unread_images
from reason_iad.images.formats import HAS_HEIC


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.png", "b.JP2", "deep/c.cr2", "deep/d.dng", "e.exr", ".hidden.nef", "@eaDir/f.cr2", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def test_what_is_left_out_is_told_once(folder: Path) -> None:
    told: list[str] = []
    assert find_images([folder, folder / "a.png"], told.append) == [folder / "a.png"]
    assert told == [
        "Left out: 4 images of formats that cannot be read (b.JP2, c.cr2, d.dng and 1 more). "
        "Save them as PNG, TIFF or JPEG."
    ]


def test_unread_images_are_found_below_a_folder(folder: Path) -> None:
    assert [path.name for path in unread_images(folder)] == ["b.JP2", "c.cr2", "d.dng", "e.exr"]


def test_a_folder_of_nothing_else_says_what_it_holds(folder: Path) -> None:
    with pytest.raises(ImageError, match=r"deep' holds only 2 images of formats .* \(c\.cr2, d\.dng"):
        find_images([folder / "deep"])


def test_a_file_that_is_named_is_kept_so_that_loading_says_what_it_is(folder: Path) -> None:
    told: list[str] = []
    assert find_images([folder / "e.exr"], told.append) == [folder / "e.exr"]
    assert told == []


@pytest.mark.skipif(HAS_HEIC, reason="HEIC can be read here")
def test_what_reads_heic_is_named() -> None:
    said = left_out_words([Path("phone.HEIC")])
    assert said.startswith("Left out: 1 image of a format that cannot be read (phone.HEIC). Save it as PNG")
    assert said.endswith('pip install "reason-iad[heic]"')
