"""Two runs against each other: counts and figures by hand, and what is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tests.bench.made_runs import answer, answers, make_run, write_run

from reason_iad.bench.comparison import Comparison, compare
from reason_iad.bench.records import AnswerRecord
from reason_iad.bench.report.difference import between, word
from reason_iad.bench.report.versus import conclusion, render_comparison
from reason_iad.bench.runs import Run
from reason_iad.bench.statistics import Difference, Interval
from reason_iad.bench.subtasks import SUBTASKS
from reason_iad.cli import main
from reason_iad.errors import DatasetError


def block(
    kind: str, first: str, second: str, folder: str = "scratch"
) -> tuple[list[AnswerRecord], list[AnswerRecord]]:
    """Answers of two runs to the same questions: '+' right, '-' wrong, '?' none."""
    signs = {"+": True, "-": False, "?": None}
    name = kind.replace(" ", "_")
    images = [f"D/p/test/{folder}/{name}{number:03d}.png" for number in range(len(first))]
    return (
        [answer(image, kind, signs[sign]) for image, sign in zip(images, first, strict=True)],
        [answer(image, kind, signs[sign]) for image, sign in zip(images, second, strict=True)],
    )


def runs(*blocks: tuple[list[AnswerRecord], list[AnswerRecord]], **changes: Any) -> tuple[Run, Run]:
    first, second = ([each for block in blocks for each in block[side]] for side in (0, 1))
    return make_run(first, "direct", method="direct"), make_run(second, "full", **changes)


def against(*blocks: tuple[list[AnswerRecord], list[AnswerRecord]]) -> Comparison:
    return compare(*runs(*blocks))


def cli(*words: object) -> Result:
    return CliRunner().invoke(main, ["bench", "compare", *map(str, words)])


def test_a_subtask_is_counted_pair_by_pair() -> None:
    comparison = against(block("Defect Analysis", "++++----??", "++-+++++-?"))
    (row,) = comparison.rows
    assert row.pairs == (3, 4, 1, 2), "both, only the second, only the first, neither"
    assert (row.first, row.second) == pytest.approx((0.4, 0.7))
    assert row.difference.value == pytest.approx(0.3)
    assert row.p == pytest.approx(2 * (1 + 5) / 2**5)
    assert row.noise and comparison.noise
    assert comparison.agreement == pytest.approx(0.3), "two missing answers do not agree"


def test_detection_weighs_both_sides_alike() -> None:
    """The second run finds all defects by calling everything abnormal; that is no better."""
    comparison = against(
        block("Anomaly Detection", "++++++++++", "----------", folder="good"),
        block("Anomaly Detection", "-" * 30, "+" * 30),
    )
    (row,) = comparison.rows
    assert (row.first, row.second) == (0.5, 0.5)
    assert row.difference.value == 0 and row.difference.interval.low < 0 < row.difference.interval.high
    assert row.p == 1.0 and row.noise
    assert comparison.total.difference.value == pytest.approx(0.5), "all questions alike, it is"


def test_p_values_are_corrected_for_the_number_of_subtasks() -> None:
    comparison = against(
        block("Defect Analysis", "-" * 8 + "+" * 4, "+" * 8 + "+" * 4),
        block("Defect Description", "-" * 6 + "+" * 4, "+" * 6 + "+" * 4),
        block("Object Classification", "+-", "-+"),
    )
    by_name = {row.name: row for row in comparison.rows}
    raw = [2 / 2**8, 2 / 2**6, 1.0]
    names = ["Defect Analysis", "Defect Description", "Object Classification"]
    assert [by_name[name].p for name in names] == pytest.approx(raw)
    assert [by_name[name].corrected for name in names] == pytest.approx([3 * raw[0], 2 * raw[1], 1.0])
    assert [row.name for row in comparison.rows] == sorted(names, key=SUBTASKS.index)


def test_a_clear_difference_is_called_so_and_noise_is_called_noise() -> None:
    clear = against(block("Defect Analysis", "-" * 30 + "+" * 30, "+" * 60))
    assert not clear.noise and not clear.rows[0].noise
    first, more = conclusion(clear)
    assert first.startswith("B ('full') is better by 50.0 points in the average. This is more than chance.")
    assert more == "More than chance: Defect Analysis (B better)." and "| B better" in render_comparison(clear)
    noise = against(block("Defect Analysis", "+--+" * 5, "-++-" * 4 + "+-++"))
    first, more = conclusion(noise)
    assert first.startswith(
        "B ('full') is ahead by 5.0 points in the average, but this may be chance. B - A is +5.0"
    )
    assert more == "May be chance: Defect Analysis." and "| may be chance" in render_comparison(noise)
    same = against(block("Defect Analysis", "+-+", "+-+"))
    first, more = conclusion(same)
    assert first.startswith("The average of both runs is the same (95 % interval -")
    assert more == "No difference: Defect Analysis." and "| no difference" in render_comparison(same)


def test_the_sign_is_the_same_in_the_words_and_in_the_table() -> None:
    """A is better: the difference and its interval are negative wherever they stand."""
    comparison = against(block("Defect Analysis", "+" * 60, "-" * 30 + "+" * 30))
    low, high = (f"{100 * bound:+.1f}" for bound in comparison.average.interval)
    assert low.startswith("-") and high.startswith("-")
    (first, more) = conclusion(comparison)
    assert first == (
        "A ('direct') is better by 50.0 points in the average. This is more than chance. "
        f"B - A is -50.0 points, 95 % interval {low} to {high}."
    )
    assert more == "More than chance: Defect Analysis (A better)."
    row = next(line for line in render_comparison(comparison).splitlines() if line.startswith("| Average"))
    assert "-50.0" in row and f"{low} to {high}" in row and "A better" in row


def test_an_interval_without_zero_that_may_be_chance_is_explained() -> None:
    """Six questions gained and none lost is clear alone (p 0.03), and not among seven kinds of questions."""
    kinds = ["Defect Analysis", "Defect Description", "Defect Localization", "Object Classification"]
    comparison = against(
        block(kinds[0], "-" * 6 + "+" * 20, "+" * 26), *(block(kind, "+-" * 6, "-+" * 6) for kind in kinds[1:])
    )
    (row,) = [row for row in comparison.rows if row.name == kinds[0]]
    assert row.p < 0.05 <= row.corrected and not row.holds_zero and row.noise
    said = " ".join(conclusion(comparison))
    assert "More than chance" not in said
    assert "The interval of Defect Analysis does not contain 0. Even so it may be chance: among 4 kinds" in said


def test_a_bound_that_decides_is_not_printed_as_zero() -> None:
    difference = Difference(0.021, Interval(0.0003, 0.0417))
    assert (
        between(difference) == "+0.030 to +4.2" and between(Difference(0.0, Interval(0.0, 0.1))) == "+0.0 to +10.0"
    )
    assert word(0.00001, noise=False) == word(-1e-17, noise=True) == "no difference"


def test_questions_about_one_image_count_as_one_draw() -> None:
    """Ten questions per image, all gained or all lost together: as a pile of questions it looks certain."""
    first, second = [], []
    for number in range(40):
        gain = number < 24
        for index in range(10):
            image = f"D/p/test/x/{number:02d}.png"
            first.append(answer(image, "Defect Analysis", not gain, index))
            second.append(answer(image, "Defect Analysis", gain, index))
    comparison = compare(make_run(first, "a"), make_run(second, "b"))
    assert comparison.rows[0].p < 0.01, "McNemar takes questions as independent"
    assert comparison.total.noise and comparison.noise, "resampled images do not"


def test_false_alarms_are_as_rare_as_promised() -> None:
    """Two runs that are equally good, many times: a corrected difference is claimed in at most 5 % of them."""
    generator = np.random.default_rng(2)
    claims = 0
    for _ in range(120):
        blocks = []
        for kind in SUBTASKS[1:4]:
            signs = ["".join(generator.choice(["+", "-"], 40, p=[0.7, 0.3])) for _ in range(2)]
            blocks.append(block(kind, signs[0], signs[1]))
        comparison = compare(*runs(*blocks), resamples=2)
        claims += any(not row.noise for row in comparison.rows)
    assert claims / 120 <= 0.08


def test_runs_on_other_questions_are_refused_by_name() -> None:
    first, _ = runs(block("Defect Analysis", "++", "+-"))
    other = make_run(answers("E", "Defect Analysis", 1, 3), "other", questions_sha256="other", shots=0)
    with pytest.raises(DatasetError) as caught:
        compare(first, other)
    message = str(caught.value)
    assert "'direct' and 'other' were not asked the same questions" in message
    assert "questions 2 and 3" in message and "shots 1 and 0" in message
    assert "only 'other' has answered 3, such as 'E/part/test/scratch/defect_analysis_000.png#0'" in message


def test_the_same_ids_with_other_content_are_refused() -> None:
    first, second = runs(block("Defect Analysis", "+", "+"))
    changed = make_run([second.answers[0].model_copy(update={"truth": "C"})], "changed")
    with pytest.raises(DatasetError, match="was changed"):
        compare(first, changed)
    same = make_run(second.answers, "same", questions_sha256="other")
    with pytest.raises(DatasetError, match="other texts, options, answers or templates"):
        compare(first, same)


def test_the_same_questions_about_other_images_are_refused() -> None:
    first, second = runs(block("Defect Analysis", "+", "+"))
    shown = [
        make_run([run.answers[0].model_copy(update={"files_sha256": sha256})], run.name)
        for run, sha256 in ((first, "1" * 64), (second, "2" * 64), (second, None))
    ]
    with pytest.raises(DatasetError, match=r"'direct' and 'full' were not shown the same images: .*#0' have"):
        compare(shown[0], shown[1])
    assert compare(shown[0], shown[0]).agreement == compare(shown[0], shown[2]).agreement == 1


def test_only_what_both_have_answered_is_compared() -> None:
    first, second = runs(block("Defect Analysis", "++--", "+-++"))
    part = make_run(second.answers[1:], "part", questions=4, status="running")
    comparison = compare(first, part)
    assert comparison.total.pairs.asked == 3
    assert any("'part' is not finished (3 of 4)" in note for note in comparison.notes)
    with pytest.raises(DatasetError, match="in common"):
        compare(make_run(first.answers[:1], "a", questions=4), part)


def test_it_says_under_what_conditions_the_runs_differ() -> None:
    first, second = runs(
        block("Defect Analysis", "+-", "-+"),
        config={"method": "full", "seed": 3, "reasoning": {"steps": 3}},
        seed=3,
        knowledge_sha256="abcdef" * 10,
    )
    first = replace(first, manifest=first.manifest.model_copy(update={"config": {"method": "direct", "seed": 0}}))
    comparison = compare(first, second)
    assert comparison.differs == (
        ("config.reasoning.steps", "–", "3"),
        ("knowledge files", "none", "sha256 abcdefabcdef"),
        ("method", "direct", "full"),
        ("seed", "0", "3"),
    ), "what says the same thing twice stands once"
    assert "| knowledge files" in render_comparison(comparison)


def test_swapping_the_runs_swaps_the_result() -> None:
    first, second = runs(
        block("Anomaly Detection", "++-+-", "+-++-", folder="good"), block("Anomaly Detection", "+--++", "+++++")
    )
    forward, backward = compare(first, second), compare(second, first)
    assert forward.rows[0].difference.value == pytest.approx(-backward.rows[0].difference.value)
    low, high = forward.average.interval
    assert backward.average.interval == pytest.approx((-high, -low))
    assert forward.rows[0].p == pytest.approx(backward.rows[0].p)


def test_the_command_prints_a_table_or_json_and_is_repeatable(tmp_path: Path) -> None:
    first, second = runs(block("Defect Analysis", "-" * 30 + "+" * 30, "+" * 60))
    folders = [write_run(run, tmp_path / "runs" / run.name) for run in (first, second)]
    result = cli(*folders)
    assert result.exit_code == 0, result.output
    row = next(line for line in result.output.splitlines() if line.startswith("| Defect Analysis"))
    cells = [cell.strip() for cell in row.split("|")[1:-1]]
    assert cells[:5] == ["Defect Analysis", "60", "50.0", "100.0", "+50.0"]
    assert cells[6:] == ["0", "30", "\\< 0.0001", "\\< 0.0001", "B better"]
    assert cli(*folders).output == result.output
    report = json.loads(cli(*folders, "--format", "json").output)
    assert report["subtasks"][0]["only_b_right"] == 30 and not report["average"]["noise"]
    assert report["average"]["low"] < 0.5 < report["average"]["high"]


def test_a_folder_of_several_runs_is_not_one_run(tmp_path: Path) -> None:
    for run in runs(block("Defect Analysis", "+", "+")):
        write_run(run, tmp_path / run.name)
    result = cli(tmp_path, tmp_path / "full")
    assert result.exit_code == 2 and "holds 2 runs (direct, full). Name one of them." in result.output
    assert cli(tmp_path / "full", tmp_path / "full").exit_code == 2
