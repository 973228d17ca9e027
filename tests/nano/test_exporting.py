from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reason_iad.bench.questions import read_units
from reason_iad.bench.subtasks import SUBTASKS, subtask_of
from reason_iad.errors import OutputError
from reason_iad.knowledge import scan
from reason_iad_nano.exporting import export_world

COUNT = 24


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world") / "drawn"
    export_world(out, COUNT, size=168)
    return out


@pytest.fixture(scope="module")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("world") / "invented"
    export_world(out, COUNT, size=168, invented=True)
    return out


def test_the_benchmark_can_read_it_and_every_subtask_is_asked(drawn: Path) -> None:
    units = read_units([drawn / "questions.json"], drawn, shots=1)
    assert len(units) == COUNT
    assert {subtask_of(question.kind) for unit in units for question in unit.questions} == set(SUBTASKS)


def test_masks_are_of_the_defect_and_only_defective_parts_have_one(drawn: Path) -> None:
    for key, entry in json.loads((drawn / "questions.json").read_text()).items():
        assert (entry["mask_path"] is None) == ("/good/" in key)
        if entry["mask_path"]:
            mask = np.asarray(Image.open(drawn / "/".join(key.split("/")[:2]) / entry["mask_path"]))
            assert mask.shape == (168, 168)
            assert set(np.unique(mask)) == {0, 255}


def test_the_right_letter_stands_anywhere(drawn: Path) -> None:
    letters = [
        question["Answer"]
        for entry in json.loads((drawn / "questions.json").read_text()).values()
        for question in entry["conversation"]
        if len(question["Options"]) == 4
    ]
    assert min(letters.count(letter) for letter in "ABCD") > len(letters) / 8


def test_knowledge_is_valid_and_names_the_right_options(drawn: Path) -> None:
    documents, problems = scan([drawn / "knowledge"])
    assert problems == []
    names = {entry.name.lower() for document in documents for entry in document.entries}
    for entry in json.loads((drawn / "questions.json").read_text()).values():
        for question in entry["conversation"]:
            if question["type"] == "Defect Classification":
                assert question["Options"][question["Answer"]].rstrip(".").lower() in names


def test_invented_names_replace_the_common_ones_and_wrong_knowledge_swaps_the_texts(
    drawn: Path, invented: Path
) -> None:
    def texts(folder: Path) -> dict[str, dict[str, str]]:
        documents, problems = scan([folder])
        assert problems == []
        return {d.category: {e.name: e.text for e in d.entries if e.kind == "defect"} for d in documents}

    common, right, wrong = (
        texts(drawn / "knowledge"),
        texts(invented / "knowledge"),
        texts(invented / "knowledge-wrong"),
    )
    assert right.keys() == wrong.keys() <= common.keys()
    for category, described in right.items():
        assert not described.keys() & common[category].keys()
        assert sorted(described.values()) == sorted(common[category].values())
        assert wrong[category].keys() == described.keys()
        assert all(wrong[category][name] != text for name, text in described.items() if len(described) > 1)


def test_the_same_numbers_give_the_same_files(drawn: Path, tmp_path: Path) -> None:
    export_world(tmp_path / "again", COUNT, size=168)
    names = sorted(path.relative_to(drawn) for path in drawn.rglob("*") if path.is_file())
    assert names == sorted(
        p.relative_to(tmp_path / "again") for p in (tmp_path / "again").rglob("*") if p.is_file()
    )
    assert all((drawn / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)


def test_a_folder_that_exists_is_not_touched(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(OutputError, match="exists; choose another"):
        export_world(tmp_path / "mine", 1)


def test_an_interrupted_export_leaves_nothing(tmp_path: Path) -> None:
    def stop(done: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_world(tmp_path / "out", 2, size=168, progress=stop)
    assert list(tmp_path.iterdir()) == []
