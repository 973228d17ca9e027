"""Lists of sets: every form that is beyond doubt is read; one that is not understood is never passed over."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest
from tests.bench.detect import trees

from reason_iad.bench.detect.problems import check
from reason_iad.bench.detect.readers import read_dataset, table
from reason_iad.errors import DatasetError

ROWS = [["split", "image", "label", "mask"],
        ["train", "img/g0.png", "0", ""], ["train", "img/g1.png", "0", ""],
        ["test", "img/g9.png", "0", ""], ["test", "img/b0.png", "1", "mask/b0.png"]]  # fmt: skip


def pictures(root: Path) -> Path:
    for name in ("g0", "g1", "g9"):
        trees.picture(root / f"img/{name}.png")
    trees.picture(root / "img/b0.png", spot=True)
    trees.mask(root / "mask/b0.png")
    return root


def written(rows: list[list[str]] = ROWS, separator: str = ",") -> str:
    return "".join(separator.join(row) + "\n" for row in rows)


def labels(root: Path) -> dict[str, int]:
    dataset = read_dataset(root)
    assert dataset.layout == "csv" and not check(dataset).problems
    return {sample.id: sample.label for sample in dataset.samples}


EXPECTED = {"img/g0.png": 0, "img/g1.png": 0, "img/g9.png": 0, "img/b0.png": 1}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16"]  # the last one writes its mark
)  # fmt: skip
def test_separators_and_encodings_beyond_doubt_are_read(separator: str, encoding: str, tmp_path: Path) -> None:
    (pictures(tmp_path) / "manifest.csv").write_bytes(written(separator=separator).encode(encoding))
    assert labels(tmp_path) == EXPECTED


def test_big_endian_utf_16_is_read(tmp_path: Path) -> None:
    content = codecs.BOM_UTF16_BE + written().encode("utf-16-be")
    (pictures(tmp_path) / "manifest.csv").write_bytes(content)
    assert labels(tmp_path) == EXPECTED


@pytest.mark.parametrize("name", ["labels.csv", "manifest.tsv", "Split.txt", "parts.csv"])
def test_a_list_of_another_name_is_read_and_told(name: str, tmp_path: Path) -> None:
    (pictures(tmp_path) / name).write_text(written(separator=";"))
    assert labels(tmp_path) == EXPECTED
    assert read_dataset(tmp_path).notes == (f"The images are listed in '{name}'.",)


def test_names_of_columns_and_splits_count_in_any_case(tmp_path: Path) -> None:
    rows = [[name.title() for name in ROWS[0]], *[[row[0].upper(), *row[1:]] for row in ROWS[1:]]]
    (pictures(tmp_path) / "manifest.csv").write_text(written(rows))
    assert labels(tmp_path) == EXPECTED


@pytest.mark.parametrize(("good", "bad"), [("ok", "ng"), ("GOOD", "bad"), ("Normal", "Anomaly"), ("OK", "nok")])
def test_labels_may_be_words(good: str, bad: str, tmp_path: Path) -> None:
    rows = [ROWS[0], *[[row[0], row[1], (good, bad)[int(row[2])], row[3]] for row in ROWS[1:]]]
    (pictures(tmp_path) / "manifest.csv").write_text(written(rows))
    assert labels(tmp_path) == EXPECTED


UNREAD: dict[str, tuple[str, bytes, str]] = {
    "columns": ("labels.csv", b"file,class\na.png,ok\n", r"lacks the column split, image, label, and has"),
    "a column": ("manifest.csv", b"split,image\n", r"lacks the column label, and has split, image"),
    "separator": ("split.txt", b"train|a.png|0\n", r"has no line of column names with commas, semicolons or tabs"),
    "encoding": ("manifest.csv", "split,image,label\ntrain,ä.png,0\n".encode("latin-1"),
                 r"is not UTF-8 text \(see line 2\); save it as 'CSV UTF-8'"),
    "wide": ("manifest.csv", "split,image,label\n".encode("utf-16-le"), "perhaps UTF-16"),
    "spreadsheet": ("Labels.xlsx", b"PK\3\4", "is a spreadsheet"),
    "json": ("metadata.jsonl", b"{}\n", "is JSON"),
    "headed": ("parts.csv", b"Image Path;Is Anomaly\na.png;0\n", "lacks the column split, image, label"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNREAD)
@pytest.mark.parametrize("layout", ["mvtec", "folder"])
def test_a_list_that_is_not_understood_is_an_error_with_the_reason(layout: str, case: str, tmp_path: Path) -> None:
    name, content, reason = UNREAD[case]
    before = read_dataset(trees.TREES[layout](tmp_path))
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DatasetError, match=reason) as error:
        read_dataset(tmp_path)
    for part in (f"{name}' looks like the list of the set", "columns split, image, label", "--layout"):
        assert part in str(error.value)
    assert read_dataset(tmp_path, layout) == before, "if the layout is stated, the file is left alone"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("readme.txt", "The set has images, labels, and a split.\n"),
        ("license.txt", "MIT"),
        ("classes.txt", "0 good\n1 scratch\n"),
        ("sizes.csv", "width,height\n20,24\n"),
        ("labelling.txt", "image: see label"),
        (".labels.csv", "file,class\n"),
    ],
)
def test_what_is_no_list_changes_nothing(name: str, content: str, tmp_path: Path) -> None:
    before = read_dataset(trees.mvtec(tmp_path))
    (tmp_path / name).write_text(content)
    assert read_dataset(tmp_path) == before


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="no links here")
def test_a_list_elsewhere_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(written())
    (pictures(tmp_path / "set") / "manifest.csv").symlink_to(tmp_path / "list.csv")
    with pytest.raises(DatasetError, match="leads out of the folder; copy the file into it"):
        read_dataset(tmp_path / "set")
    with pytest.raises(DatasetError, match="leads out of the folder; copy the file into it"):
        read_dataset(tmp_path / "set", "csv")


def test_a_list_that_is_absurdly_large_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (pictures(tmp_path) / "manifest.csv").write_text(written())
    monkeypatch.setattr(table, "MAX_LIST_BYTES", 20)
    with pytest.raises(DatasetError, match=r"manifest\.csv' is larger than 0 MiB"):
        read_dataset(tmp_path)


def test_two_lists_are_not_chosen_from(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (pictures(tmp_path) / name).write_text(written())
    with pytest.raises(DatasetError, match=r"a\.csv' looks like the list .* it is one of several"):
        read_dataset(tmp_path)
    (tmp_path / "manifest.csv").write_text(written())
    assert labels(tmp_path) == EXPECTED


def test_a_set_of_no_layout_is_told_which_columns_a_list_needs(tmp_path: Path) -> None:
    pictures(tmp_path)
    for layout in (None, "csv"):
        with pytest.raises(DatasetError, match=r"manifest\.csv .*columns split, image, label .*mask and category"):
            read_dataset(tmp_path, layout)


def test_paths_written_on_windows_are_read_and_told(tmp_path: Path) -> None:
    rows = [[cell.replace("/", "\\") for cell in row] for row in ROWS]
    (pictures(tmp_path) / "manifest.csv").write_text(written(rows))
    assert labels(tmp_path) == EXPECTED
    (note,) = read_dataset(tmp_path).notes
    assert note == "5 paths in 'manifest.csv' had backslashes, as Windows writes them. They were read with '/'."


def test_a_backslash_leads_nowhere_else(tmp_path: Path) -> None:
    trees.picture(tmp_path / "outside.png")
    root = pictures(tmp_path / "set")
    rows = [*ROWS, ["test", "..\\outside.png", "0", ""], ["test", "img\\none.png", "0", ""]]
    (root / "manifest.csv").write_text(written(rows))
    dataset = read_dataset(root)
    assert not dataset.notes
    problems = [problem for problem in check(dataset).problems if problem.kind == "unreadable"]
    assert [problem.where for problem in problems] == ["..\\outside.png", "img\\none.png"]
    assert all("backslashes; write '/'" in problem.message for problem in problems)


def test_visa_may_have_been_listed_on_windows(tmp_path: Path) -> None:
    before = read_dataset(trees.visa(tmp_path))
    path = tmp_path / "split_csv/1cls.csv"
    path.write_text(path.read_text().replace("/", "\\"))
    after = read_dataset(tmp_path)
    assert after.samples == before.samples and "Windows" in after.notes[0]
