"""Two detectors on the same images: metrics by their definition, known differences, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from tests.bench.made_runs import answer, make_run, write_run

from reason_iad.bench.detect.comparison import (
    RESAMPLED,
    DetectComparison,
    DetectRun,
    compare_detectors,
    weighted_metrics,
)
from reason_iad.bench.detect.exact import exact_areas
from reason_iad.bench.detect.records import DetectManifest, ScoreRecord
from reason_iad.bench.report.versus_detect import detect_conclusion, render_detect_comparison
from reason_iad.cli import main
from reason_iad.errors import DatasetError


def made(name: str, good: Any, bad: Any, category: str = "cup", **changes: Any) -> DetectRun:
    """A run with these scores of good and of abnormal images."""
    scores = [
        ScoreRecord(
            id=f"{category}/test/{'bad' if label else 'good'}/{number}.png", category=category,
            kind="bad" if label else "good", label=label, width=8, height=8,
            score=None if value is None else float(value),
        )
        for label, values in ((0, good), (1, bad))
        for number, value in enumerate(values)
    ]  # fmt: skip
    fields: dict[str, Any] = {
        "status": "complete", "detector": name, "statistic": "s", "dataset": "d", "layout": "mvtec",
        "dataset_sha256": "ab", "categories": (category,), "left_out": (), "references": "train", "shots": 8,
        "seed": 0, "limit": None, "images": len(scores), "model": None, "packages": {},
    }  # fmt: skip
    return DetectRun(name, DetectManifest(**fields | changes), tuple(scores), None)


def written(run: DetectRun, folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text(run.manifest.model_dump_json())
    (folder / "scores.jsonl").write_text("".join(f"{each.model_dump_json()}\n" for each in run.scores))
    return folder


def against(first: DetectRun, second: DetectRun, **changes: Any) -> DetectComparison:
    return compare_detectors(first, second, **changes)


def cli(*words: object) -> Result:
    return CliRunner().invoke(main, ["bench", "compare", *map(str, words)])


def test_metrics_of_repeated_images_are_those_of_the_definition() -> None:
    """Weights are as good as copies, ties included."""
    generator = np.random.default_rng(0)
    scores = generator.integers(0, 8, 30).astype(float)
    abnormal = generator.random(30) < 0.4
    weights = generator.integers(0, 4, (5, 30)).astype(float)
    found = weighted_metrics(scores, abnormal, weights)
    for row, weight in enumerate(weights.astype(int)):
        copies, truth = np.repeat(scores, weight), np.repeat(abnormal, weight)
        exact = exact_areas([copies], [truth], [[]])
        assert [found[name][row] for name in RESAMPLED] == pytest.approx([exact.auroc, exact.ap, exact.f1_max])


def test_a_detector_that_is_clearly_better_is_called_so_with_the_sign_of_the_table() -> None:
    generator = np.random.default_rng(1)
    good, bad = generator.normal(0, 1, 40), generator.normal(0, 1, 40)
    comparison = against(made("guess", good, bad), made("sure", good, bad + 6))
    (row,) = comparison.categories
    assert row.second > 0.99 and 0.3 < row.first < 0.7 and (row.normal, row.abnormal) == (40, 40)
    assert row.difference.value == pytest.approx(row.second - row.first)
    assert row.difference.interval.low > 0 and not row.noise
    first = detect_conclusion(comparison)[0]
    assert first.startswith("B ('sure') is better by") and "This is more than chance. B - A is +" in first
    back = against(made("sure", good, bad + 6), made("guess", good, bad))
    assert back.categories[0].difference.value == pytest.approx(-row.difference.value)
    assert "A ('sure') is better by" in detect_conclusion(back)[0] and "B - A is -" in detect_conclusion(back)[0]


def test_the_interval_is_that_of_delong() -> None:
    """Of one perfect and one independent detector, the variance is DeLong's of the latter (1988)."""
    generator = np.random.default_rng(2)
    good, bad = generator.normal(0, 1, 80), generator.normal(0.8, 1, 60)
    comparison = against(made("sure", np.zeros(80), np.ones(60)), made("other", good, bad))
    wins = (bad[:, None] > good[None]).astype(float)
    deviation = np.sqrt(wins.mean(1).var(ddof=1) / 60 + wins.mean(0).var(ddof=1) / 80)
    (row,) = comparison.categories
    assert row.second == pytest.approx(wins.mean())
    low, high = row.difference.interval
    assert (high - low) / 2 == pytest.approx(1.96 * deviation, rel=0.1)


def test_two_detectors_alike_may_differ_by_chance_and_the_same_one_does_not_differ() -> None:
    claims = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        first, second = (
            made(name, generator.normal(0, 1, 25), generator.normal(1, 1, 25)) for name in ("one", "two")
        )
        claims += not against(first, second, resamples=300).means[0].noise
    assert claims / 60 <= 0.12
    same = against(first, first)
    assert detect_conclusion(same)[0].startswith("The mean image AUROC of both runs is the same")
    assert "| no difference" in render_detect_comparison(same)


def test_images_are_paired() -> None:
    """Both find the same images hard: unpaired, the difference would drown in the spread of the images."""
    generator = np.random.default_rng(3)
    good, bad = generator.normal(0, 1, 60), generator.normal(1, 1, 60)
    comparison = against(made("one", good, bad), made("two", good, bad + 0.25))
    assert comparison.means[0].difference.interval.low > 0


def test_too_few_images_are_never_a_result() -> None:
    comparison = against(made("one", [1, 1], [0, 0]), made("two", [0, 0], [1, 1]))
    assert comparison.means[0].difference.value == 1 and comparison.means[0].noise
    (said,) = detect_conclusion(comparison)
    assert said.startswith("There are too few images to say which run is better.") and said.endswith("cup.")
    assert "| too few images" in render_detect_comparison(comparison)


def test_only_images_that_both_have_scored_are_compared_and_others_are_told() -> None:
    first = made("one", range(10), range(5, 15))
    second = made("two", [*range(9), None], range(5, 15))
    comparison = against(first, second)
    assert comparison.categories[0].normal == 9
    assert any("Only the 19 images that both runs have scored" in note for note in comparison.notes)
    with pytest.raises(DatasetError, match="no image in common"):
        against(first, made("two", range(10), range(10), category="mug"))
    with pytest.raises(DatasetError, match="its label or its size differs"):
        moved = second.scores[0].model_copy(update={"width": 9})
        against(first, DetectRun("two", second.manifest, (moved, *second.scores[1:]), None))
    with pytest.raises(DatasetError, match="both good and abnormal"):
        against(made("one", range(9), []), made("two", range(9), []))


def test_the_command_compares_two_detectors(tmp_path: Path) -> None:
    good, bad = range(10), range(5, 15)
    folders = [
        written(made("distance", good, bad), tmp_path / "a"),
        written(made("patchcore", good, range(20, 30)), tmp_path / "b"),
    ]
    result = cli(*folders)
    assert result.exit_code == 0, result.output
    assert "| detector  | distance | patchcore |" in result.output
    assert "B ('b') is better by" in result.output and cli(*folders).output == result.output
    report = json.loads(cli(*folders, "--format", "json").output)
    assert report["categories"][0]["verdict"] == "B better" and report["means"][0]["difference"] > 0


def test_a_run_of_questions_and_one_of_images_are_not_compared(tmp_path: Path) -> None:
    asked = write_run(make_run([answer("D/p/test/x/1.png", "Defect Analysis")], "asked"), tmp_path / "asked")
    result = cli(asked, written(made("distance", range(5), range(5)), tmp_path / "found"))
    assert result.exit_code == 2
    assert "found' is a run of 'bench detect', and" in result.output and "two of 'bench run'" in result.output


def test_a_damaged_run_is_told(tmp_path: Path) -> None:
    folders = [written(made(name, range(5), range(5)), tmp_path / name) for name in ("a", "b")]
    (folders[1] / "metrics.json").write_text("{")
    result = cli(*folders)
    assert result.exit_code == 2 and "missing or damaged" in result.output
