"""The published figures that are built in: complete, from a source, and those of the files they were taken from."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from reason_iad.bench.published import MMAD_DATASETS, is_mmad, references
from reason_iad.bench.subtasks import SUBTASKS

BY_NAME = {each.name: each for each in references() if each.table}


def test_there_are_22_whole_tables_and_every_figure_has_a_source() -> None:
    assert len(BY_NAME) == 22
    for each in references():
        assert each.source and 0.3 < each.average < 0.9
        if each.table:
            assert len(each.table.values) == len(MMAD_DATASETS) * len(SUBTASKS)


def test_the_best_comes_first() -> None:
    averages = [each.average for each in references()]
    assert averages == sorted(averages, reverse=True)


@pytest.mark.parametrize(
    ("name", "average"),
    [
        ("Human expert", 86.7),
        ("Reason-IAD", 79.4),
        ("Reason-IAD, reproduced", 76.7),
        ("Anomaly-LR-7B", 87.1),
        ("Anomaly-LR-3B", 86.0),
        ("SiGMA", 85.2),
        ("AgentIAD", 82.9),
        ("AD-Copilot", 82.3),
        ("JUDO", 81.2),
    ],
)
def test_the_papers_averages_are_there(name: str, average: float) -> None:
    (found,) = [each for each in references() if each.name == name]
    assert 100 * found.average == pytest.approx(average)
    assert found.trained == name.startswith("Anomaly-LR")


@pytest.mark.parametrize(("name", "average"), [("GPT-4o", 74.9), ("Qwen2.5-VL-7B", 72.4)])
def test_an_average_that_differs_from_the_models_table_says_so(name: str, average: float) -> None:
    (found,) = [each for each in references() if each.name == name and each.table is None]
    assert 100 * found.average == pytest.approx(average)
    assert found.note and "repository" in found.note


def test_a_table_can_be_restricted_and_an_average_cannot() -> None:
    model = BY_NAME["GPT-4o"]
    part = model.restricted(["VisA"])
    assert part is not None and part.table is not None and model.table is not None
    assert part.table.datasets == ("VisA",)
    assert part.average == pytest.approx(model.table.dataset_average("VisA"))
    assert model.restricted(MMAD_DATASETS) == model
    assert model.restricted(["VisA", "mine"]) is None
    (human,) = [each for each in references() if each.name == "Human expert"]
    assert human.restricted(["VisA"]) is None and human.restricted(MMAD_DATASETS) == human


def test_mmad_is_known_by_its_datasets() -> None:
    assert is_mmad(MMAD_DATASETS) and is_mmad(["VisA"])
    assert not is_mmad([]) and not is_mmad(["VisA", "deeppcb"])


@pytest.mark.data
def test_every_figure_is_that_of_the_published_file(data_dir: Path) -> None:
    folder = data_dir / "mmad" / "published"
    averages = []
    for path in sorted(folder.glob("*.csv")):
        rows = {row[""]: row for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())}
        averages.append(float(rows["Average"]["Average"]))
        near = [each for each in BY_NAME.values() if abs(100 * each.average - averages[-1]) < 0.006]
        assert len(near) == 1, path.name
        table = near[0].table
        assert table is not None
        for dataset in MMAD_DATASETS:
            for subtask in SUBTASKS:
                assert 100 * table.values[dataset, subtask] == pytest.approx(
                    float(rows[dataset][subtask]), abs=0.00501
                )
        for subtask in SUBTASKS:
            mean = table.subtask_average(subtask)
            assert mean is not None and 100 * mean == pytest.approx(float(rows["Average"][subtask]), abs=0.006)
    assert len(averages) == 22
