"""The public script's figures, against its arithmetic stated again plainly: it walks through a list it changes."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.bench.made_runs import answer, answers, make_run

from reason_iad.bench.compatible import answers_for_script, changed, compatible
from reason_iad.bench.records import AnswerRecord
from reason_iad.bench.scoring import score
from reason_iad.bench.subtasks import SUBTASKS

LETTERS = ["A", "B", "C", "D", "E"]


def script_table(text: str) -> dict[str, dict[str, float]]:
    """Row to column to percent, from an answers file; entries are removed from the list while it is walked."""
    entries: list[dict[str, Any]] = json.loads(text)

    def fold(kind: str) -> str:
        return "Object Analysis" if kind in ("Object Structure", "Object Details") else kind

    rows = list(dict.fromkeys(entry["image"].split("/")[0] for entry in entries))
    columns = list(dict.fromkeys(fold(entry["question_type"]) for entry in entries))
    total = {(row, column): [0, 0] for row in rows for column in columns}
    sides = {(row, side): [0, 0] for row in rows for side in ("normal", "abnormal")}
    for entry in entries:
        if entry["correct_answer"] not in LETTERS or entry["gpt_answer"] not in LETTERS:
            entries.remove(entry)
            continue
        row, column = entry["image"].split("/")[0], fold(entry["question_type"])
        right = entry["correct_answer"] == entry["gpt_answer"]
        total[row, column][0] += 1
        total[row, column][1] += right
        if column == "Anomaly Detection":
            side = "normal" if "good" in entry["image"] else "abnormal"
            sides[row, side][0] += 1
            sides[row, side][1] += right

    def ratio(pair: list[int]) -> float:
        return pair[1] / pair[0] if pair[0] else 0

    table = {}
    for row in rows:
        table[row] = {column: 100 * ratio(total[row, column]) for column in columns}
        normal, abnormal = ratio(sides[row, "normal"]), ratio(sides[row, "abnormal"])
        if "Anomaly Detection" in columns:
            table[row]["Anomaly Detection"] = (normal + abnormal) / 2 * 100
        table[row]["Average"] = sum(table[row].values()) / len(columns)
        table[row] |= {"Overkill": (1 - normal) * 100, "Miss": (1 - abnormal) * 100}
    if rows:
        table["Average"] = {name: sum(table[row][name] for row in rows) / len(rows) for name in table[rows[0]]}
    return table


def check(those: list[AnswerRecord]) -> None:
    run = make_run(those)
    expected = script_table(json.dumps(answers_for_script(run)))
    ours = compatible(run)
    assert list(ours.table.datasets) == [row for row in expected if row != "Average"]
    for row in ours.table.datasets:
        for column in ours.table.subtasks:
            assert 100 * ours.table.values[row, column] == pytest.approx(expected[row][column], abs=1e-9)
        average = ours.table.dataset_average(row)
        assert average is not None and 100 * average == pytest.approx(expected[row]["Average"], abs=1e-9)
        if row in ours.detection:
            assert 100 * ours.detection[row].overkill == pytest.approx(expected[row]["Overkill"], abs=1e-9)
            assert 100 * ours.detection[row].miss == pytest.approx(expected[row]["Miss"], abs=1e-9)
    if expected:
        overall = ours.table.overall
        assert overall is not None and 100 * overall == pytest.approx(expected["Average"]["Average"], abs=1e-9)


def block(pattern: str, kind: str = "Defect Analysis") -> list[AnswerRecord]:
    """One answer per sign: '+' right, '-' wrong, '?' unparsable."""
    signs = {"+": True, "-": False, "?": None}
    return [answer(f"D/p/test/x/{i:02d}.png", kind, signs[sign]) for i, sign in enumerate(pattern)]


@pytest.mark.parametrize(
    ("pattern", "right", "counted"),
    [
        ("++--", 2, 4),
        ("?++--", 1, 3),  # at the start: the first '+' is overlooked
        ("++?--", 2, 3),  # in the middle: a '-' is overlooked
        ("++--?", 2, 4),  # at the end: nothing is
        ("+??+-", 2, 3),  # the second '?' is what is overlooked
        ("+???+-", 1, 2),  # the third '?' is removed, and the '+' behind it is overlooked
        ("?+?+?+", 0, 0),
        ("????", 0, 0),
    ],
)
def test_an_unparsable_answer_hides_the_one_behind_it(pattern: str, right: int, counted: int) -> None:
    those = block(pattern)
    check(those)
    ours = compatible(make_run(those))
    assert ours.table.values["D", "Defect Analysis"] == (right / counted if counted else 0)
    assert len(those) - ours.unreadable - ours.overlooked == counted
    exact = score(those).table.values["D", "Defect Analysis"]
    assert exact == pytest.approx(pattern.count("+") / len(pattern)), "the exact figure counts every question"


def test_the_answer_that_is_hidden_may_be_of_another_dataset_and_subtask() -> None:
    those = [
        *answers("One", "Defect Analysis", right=3, asked=4),
        answer("One/p/test/x/last.png", "Defect Analysis", None),
        answer("Two/p/test/x/0.png", "Object Classification", right=False),
        *answers("Two", "Object Classification", right=1, asked=1),
    ]
    check(those)
    exact, ours = score(those).table, compatible(make_run(those)).table
    assert ours.values["One", "Defect Analysis"] == 3 / 4 and exact.values["One", "Defect Analysis"] == 3 / 5
    assert (
        ours.values["Two", "Object Classification"] == 1 and exact.values["Two", "Object Classification"] == 1 / 2
    )


def test_it_differs_from_the_exact_figures_only_where_an_answer_was_lost_or_a_cell_is_empty() -> None:
    subtasks = [name for name in SUBTASKS if name != "Anomaly Detection"]
    those = [each for dataset in ("One", "Two") for name in subtasks for each in answers(dataset, name, 2, 3)]
    for dataset in ("One", "Two"):
        for folder in ("good", "scratch"):
            those += answers(dataset, "Anomaly Detection", right=1, asked=2, folder=folder)
    assert not list(changed(score(those).table, compatible(make_run(those)).table))
    at = next(i for i, each in enumerate(those) if each.dataset == "Two" and each.kind == "Defect Description")
    those[at] = answer(those[at].image, those[at].kind, None)
    check(those)
    assert list(changed(score(those).table, compatible(make_run(those)).table)) == [("Two", "Defect Description")]
    without = [each for each in those if (each.dataset, each.kind) != ("Two", "Defect Description")]
    assert list(changed(score(without).table, compatible(make_run(without)).table)) == [
        ("Two", "Defect Description")
    ]


def test_detection_without_normal_images_is_halved_there_and_not_here() -> None:
    those = answers("D", "Anomaly Detection", right=4, asked=5)
    check(those)
    assert compatible(make_run(those)).table.values["D", "Anomaly Detection"] == pytest.approx(0.4)
    assert score(those).table.values["D", "Anomaly Detection"] == pytest.approx(0.8)


def test_the_path_says_what_is_normal_there() -> None:
    those = [
        answer("D/goods/test/x/0.png", "Anomaly Detection", right=True, abnormal=True),
        answer("D/part/test/ok/0.png", "Anomaly Detection", right=False, abnormal=False),
    ]
    check(those)
    figures = compatible(make_run(those)).detection["D"]
    assert (figures.overkill, figures.miss) == (0, 1)


def test_an_image_that_failed_is_not_in_the_file_at_all() -> None:
    failed = "D/p/test/x/0.png"
    those = [
        answer(failed, "Defect Analysis", True, 0),
        answer(failed, "Defect Description", None, 1, failure="error", error="out of memory"),
        *answers("D", "Defect Analysis", right=1, asked=2),
    ]
    check(those)
    ours = compatible(make_run(those))
    assert (ours.left_out, ours.unreadable, ours.overlooked) == (2, 0, 0)
    assert {entry["image"] for entry in answers_for_script(make_run(those))} == {each.image for each in those[2:]}


def test_letters_are_given_by_place_and_a_sixth_one_is_unreadable() -> None:
    six = {letter: letter.lower() for letter in "ABCDEF"}
    those = [
        answer("D/p/test/x/0.png", "Defect Analysis", options={"C": "c", "A": "a"}, truth="A", choice="A"),
        answer("D/p/test/x/1.png", "Defect Analysis", options=six, truth="F", choice="F"),
        answer("D/p/test/x/2.png", "Defect Analysis", right=False),
    ]
    check(those)
    entries = answers_for_script(make_run(those))
    assert [entry["gpt_answer"] for entry in entries] == ["B", "F", "B"]
    assert compatible(make_run(those)).table.values["D", "Defect Analysis"] == 1.0
    assert score(those).table.values["D", "Defect Analysis"] == pytest.approx(2 / 3)


def test_generated_text_is_passed_on_as_it_was() -> None:
    those = [answer("D/p/test/x/0.png", "Defect Analysis", None, reply="I cannot tell.")]
    assert answers_for_script(make_run(those))[0]["gpt_answer"] == "I cannot tell."


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["One", "Two", "GoodsAD"]),
            st.sampled_from(["good", "scratch"]),
            st.sampled_from([*SUBTASKS, "Object Details", "Object Structure"]),
            st.sampled_from([True, True, False, None, "error"]),
        ),
        max_size=40,
    )
)
def test_any_run_gives_the_table_of_the_script(made: list[tuple[str, str, str, bool | str | None]]) -> None:
    those = []
    for number, (dataset, folder, kind, right) in enumerate(made):
        image = f"{dataset}/p/test/{folder}/{number // 2}.png"
        failure = {"failure": "error"} if right == "error" else {}
        those.append(answer(image, kind, None if right == "error" else bool(right) if right is not None else None,
                            number, **failure))  # fmt: skip
    check(those)
