"""One list of what names mean: images, masks, good parts, and what systems leave between them."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import reason_iad
from reason_iad.errors import ImageError
from reason_iad.images import find_images, is_image_name, is_litter, is_normal_name
from reason_iad.images.kinds import (
    ABNORMAL_NAMES,
    IMAGE_SUFFIXES,
    MASK_ENDING,
    MASK_FOLDER,
    NORMAL_NAMES,
    is_abnormal_name,
    is_mask_folder,
    mask_stems,
)

LITTER = [
    ".DS_Store", "._part.png", ".thumbnails", "Thumbs.db", "THUMBS.DB", "desktop.ini", "@eaDir", "#recycle",
    "$RECYCLE.BIN", "System Volume Information", "__MACOSX", "lost+found", "@Recycle",
]  # fmt: skip


@pytest.mark.parametrize("name", LITTER)
def test_what_systems_leave_is_litter(name: str) -> None:
    assert is_litter(name)


@pytest.mark.parametrize("name", ["part.png", "good", "@home", "_old", "#1", "thumbs", "line 1", "ok"])
def test_what_people_name_is_none(name: str) -> None:
    assert not is_litter(name)


def test_images_are_known_by_their_suffix_in_any_case() -> None:
    assert all(
        is_image_name(f"part{suffix}") and is_image_name(f"PART{suffix.upper()}") for suffix in IMAGE_SUFFIXES
    )
    assert not any(map(is_image_name, ["part", "part.txt", "part.png.txt", ".png", "._part.png", "png"]))


def test_good_parts_are_known_by_the_names_of_their_folders_in_any_case() -> None:
    assert all(map(is_normal_name, ["good", "Good", "GOOD", "ok", "OK", "normal", "Normal"]))
    assert not any(map(is_normal_name, ["ko", "bad", "not good", "goods", "NG", ""]))


def test_defective_parts_are_known_by_the_names_of_their_folders_in_any_case() -> None:
    assert all(map(is_abnormal_name, ["bad", "NG", "ko", "Defect", "Anomaly"]))
    assert not any(map(is_abnormal_name, ["scratch", "good", "", "badge"]))
    assert not NORMAL_NAMES & ABNORMAL_NAMES


def test_thumbnails_and_deleted_files_are_no_parts(tmp_path: Path) -> None:
    for name in ("000.png", "line/001.png", *(f"{folder}/000.png" for folder in LITTER if "." not in folder[1:])):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "$RECYCLE.BIN").mkdir()
    (tmp_path / "$RECYCLE.BIN" / "000.png").touch()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images([tmp_path])]
    assert found == ["000.png", "line/001.png"]
    only = tmp_path / "only"
    (only / "@eaDir").mkdir(parents=True)
    (only / "@eaDir" / "000.png").touch()
    with pytest.raises(ImageError, match="holds no image"):
        find_images([only])
    assert [path.name for path in find_images([only / "@eaDir"])] == ["000.png"], "if it was asked for"


def test_masks_are_known_by_the_names_of_their_folders_and_files() -> None:
    assert all(map(is_mask_folder, [MASK_FOLDER, "Ground_Truth", "masks", "MASKS"]))
    assert not any(map(is_mask_folder, ["mask", "good", "masks2", ""]))
    assert mask_stems(Path("scratch/a.b.png")) == ("a.b_mask", "a.b")


def test_no_other_reader_has_such_a_list() -> None:
    words = {MASK_FOLDER, MASK_ENDING, *NORMAL_NAMES, *(name.lower() for name in LITTER)} - {
        "normal"
    }  # VisA's label
    package = Path(reason_iad.__file__).parent
    readers = [
        *package.glob("images/*.py"),
        *package.glob("bench/detect/readers/*.py"),
        package / "bench" / "questions.py",
        package / "inspection" / "galleries.py",
        package / "products" / "gathering.py",
    ]
    for path in readers:
        if path.name != "kinds.py":
            constants = [
                node.value for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Constant)
            ]
            assert not words & {value.lower() for value in constants if isinstance(value, str)}, path
