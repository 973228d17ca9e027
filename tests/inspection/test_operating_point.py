"""A threshold by good parts: what it promises, and what it refuses to promise."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest

from reason_iad.errors import ConfigError, OutputError
from reason_iad.inspection.operating_point import (
    KnownPart,
    KnownParts,
    conformal_threshold,
    lowest_defective,
    operating_point,
)
from reason_iad.schema import (
    CategoryEvidence,
    Evidence,
    InputImage,
    Inspection,
    ModelVersion,
    ReferenceEvidence,
    Versions,
)
from reason_iad.schema.verdict import OperatingPoint, in_digits


def inspection(number: int, probability: float, **changes: object) -> Inspection:
    model = ModelVersion(name="nano", family="f", sha256=str(changes.pop("weights", "0")), device="cpu", dtype="f")
    result = Inspection(
        image=InputImage(name=f"{number}.png", sha256=f"{number:064d}", width=9, height=9),
        verdict="pass",
        probability=probability,
        threshold=0.5,
        method="direct",
        seed=0,
        evidence=Evidence(category=CategoryEvidence(name=None, origin="unknown", score=None, margin=None)),
        timings_ms={},
        versions=Versions(package="0", torch="0", transformers="0", model=model, config_sha256="c"),
    )
    return result.model_copy(update=changes)


def part(number: int, probability: float, others: int | None = None) -> KnownPart:
    return KnownPart(f"{number}.png", f"{number:064d}", probability, others)


def written(path: Path, results: list[Inspection]) -> Path:
    path.write_text("".join(each.model_dump_json() + "\n" for each in results))
    return path


@pytest.mark.parametrize("share", [0.01, 0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("kind", ["good", "defective"])
def test_the_promise_is_kept_and_not_wasted(share: float, kind: str) -> None:
    """Exact on average over draws of the known parts: floor(share * (n + 1)) / (n + 1) of new ones are wrong."""
    rng = np.random.default_rng(0)
    count = math.ceil(1 / share) + 3
    wrong = []
    for _ in range(3000):
        if kind == "good":
            *known, new = rng.beta(1, 6, count + 1).tolist()
            wrong.append(new >= conformal_threshold(known, share))
        else:
            *known, new = rng.beta(6, 1, count + 1).tolist()
            wrong.append(new < lowest_defective(known, share))
    expected = math.floor(round(share * (count + 1), 9)) / (count + 1)
    assert 0 < expected <= share
    assert float(np.mean(wrong)) == pytest.approx(expected, abs=4 * math.sqrt(expected / 3000))


@pytest.mark.parametrize(
    ("count", "alarms", "above"), [(9, 0.1, 0), (19, 0.1, 1), (20, 0.1, 1), (29, 0.1, 2), (64, 0.1, 5)]
)
def test_so_many_of_the_good_parts_themselves_are_above(count: int, alarms: float, above: int) -> None:
    scores = (np.arange(count) / 100).tolist()
    threshold = conformal_threshold(scores, alarms)
    assert sum(score >= threshold for score in scores) == above


def test_what_equals_the_highest_allowed_good_part_passes() -> None:
    threshold = conformal_threshold([0.25] * 9, 0.1)
    assert 0.25 < threshold < 0.25 + 1e-12
    assert conformal_threshold([0.0] * 9, 0.1) > 0  # a probability of 0 is never a defect


@pytest.mark.parametrize(("alarms", "least"), [(0.1, 9), (0.05, 19), (0.2, 4), (0.01, 99), (0.3, 3)])
def test_too_few_good_parts_are_refused_with_the_number_needed(alarms: float, least: int) -> None:
    conformal_threshold([0.2] * least, alarms)
    with pytest.raises(ConfigError, match=rf"^{least - 1} good parts are too few .* at least {least}, or"):
        conformal_threshold([0.2] * (least - 1), alarms)


@pytest.mark.parametrize("alarms", [0.0, 1.0, -0.1, math.nan, 10.0, 1e-310, 0.99999999999])
def test_a_share_out_of_range_is_refused(alarms: float) -> None:
    with pytest.raises(
        ConfigError, match=r"share of false alarms is .* between 0.0001 and 0.9999, such as 0.1 for a tenth"
    ):
        conformal_threshold([0.1] * 99, alarms)


def test_good_parts_that_are_certain_defects_leave_no_threshold() -> None:
    assert conformal_threshold([0.1] * 18 + [1.0], 0.1) < 1  # one of nineteen may be
    with pytest.raises(ConfigError, match=r"^2 of 19 good parts look like certain defects"):
        conformal_threshold([0.1] * 17 + [1.0, 1.0], 0.1)


def test_a_picture_inspected_twice_counts_once() -> None:
    parts = [part(number, number / 100) for number in range(19)]
    point = operating_point([*parts, *(part(number, 0.9) for number in range(9))], 0.1)
    assert (point.good_parts, point.false_alarms) == (19, 0.1)
    assert point.threshold == operating_point(parts, 0.1).threshold == pytest.approx(0.17)
    assert point.in_words() == (
        "The limit was set with 19 good parts. On average, at most 10 % of good parts are called defective."
    )


def test_results_are_read_from_a_file(tmp_path: Path) -> None:
    results = [inspection(number, 0.1) for number in range(9)]
    path = written(tmp_path / "good.jsonl", results)
    path.write_text(path.read_text() + '{"schema_version": "1.')  # a run that was killed
    assert KnownParts(path, "good").parts == [part(number, 0.1) for number in range(9)]


def test_a_file_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "good.jsonl"
    path.write_text("")
    with pytest.raises(OutputError, match="holds no results; write it with"):
        KnownParts(path, "good")
    path.write_text('{"probability": 0.5}\n')
    with pytest.raises(OutputError, match=r"Line 1 of .* is not a result"):
        KnownParts(path, "good")
    path.write_text(inspection(1, 0.1).model_dump_json() + '\n{"image": "b.png", "error": "no image"}\n')
    with pytest.raises(OutputError, match=r"'b.png' failed, according to .*good.jsonl'. Correct the image"):
        KnownParts(path, "good")
    with pytest.raises(OutputError, match=r"Line 2 of .* was made with other weights, compared with the first"):
        KnownParts(written(path, [inspection(1, 0.1), inspection(2, 0.1, weights="1")]), "good")


def test_defects_that_are_certain_good_parts_leave_no_threshold() -> None:
    assert lowest_defective([0.9] * 18 + [0.0], 0.1) > 0
    with pytest.raises(ConfigError, match=r"^2 of 19 defective parts look like certain good ones"):
        lowest_defective([0.9] * 17 + [0.0, 0.0], 0.1)
    with pytest.raises(
        ConfigError, match=r"^8 defective parts are too few .* 10 % missed defects; inspect at least 9"
    ):
        lowest_defective([0.9] * 8, 0.1)


def test_between_both_bounds_a_person_decides() -> None:
    good = [part(100 + number, number / 100) for number in range(30, 49)]  # .30 to .48
    bad = [part(number, number / 100) for number in range(40, 59)]  # .40 to .58
    point = operating_point(good, 0.1, bad, 0.1)
    assert (point.pass_below, point.threshold) == (pytest.approx(0.41), pytest.approx(0.47))
    assert [point.verdict(p) for p in (0.4, 0.41, 0.47, 0.4701)] == ["pass", "review", "review", "defect"]
    assert point.in_words() == (
        "The limits were set with 19 good and 19 defective parts. On average, at most 10 % of good parts are "
        "called defective and at most 10 % of defective parts pass. Parts between the two limits, 0.41 and 0.47, "
        "are handed to a person."
    )


def test_parts_that_are_told_apart_need_nobody() -> None:
    good = [part(number, number / 100) for number in range(19)]
    bad = [part(number, number / 100) for number in range(70, 89)]
    point = operating_point(good, 0.1, bad, 0.1)
    assert point.pass_below == point.threshold == pytest.approx((0.17 + 0.71) / 2)
    assert "person" not in point.in_words()


def test_one_bound_alone_needs_nobody() -> None:
    bad = [part(number, number / 100) for number in range(70, 89)]
    point = operating_point(defective=bad, missed=0.1)
    assert (point.pass_below, point.threshold, point.good_parts) == (pytest.approx(0.71), pytest.approx(0.71), 0)
    assert point.in_words() == (
        "The limit was set with 19 defective parts. On average, at most 10 % of defective parts pass."
    )
    with pytest.raises(ConfigError, match="Nothing is promised"):
        operating_point(bad)


def test_thresholds_are_in_order() -> None:
    with pytest.raises(ValueError, match="above the threshold"):
        OperatingPoint(false_alarms=0.1, good_parts=9, missed=0.1, defective_parts=9, pass_below=0.6, threshold=0.5)


def test_the_largest_share_lets_all_of_them_be_called_defective() -> None:
    assert conformal_threshold([0.2, 0.4], 0.9) == pytest.approx(0.2)


def test_a_part_is_good_or_defective() -> None:
    parts = [part(number, number / 100) for number in range(19)]
    with pytest.raises(ConfigError, match=r"'4.png' is among the good and the defective parts; remove it"):
        operating_point(parts, 0.1, [part(4, 0.9)], 0.5)


def test_swapped_files_are_noticed() -> None:
    good, bad = [part(number, 0.1) for number in range(9)], [part(100 + number, 0.9) for number in range(9)]
    operating_point(good, 0.1, bad, 0.1)
    with pytest.raises(ConfigError, match="Every defective part looks better than every good one"):
        operating_point(bad, 0.1, good, 0.1)


def test_references_that_had_hardly_any_others_promise_nothing() -> None:
    operating_point([part(number, 0.1, 2) for number in range(3)], 0.3)
    with pytest.raises(ConfigError, match=r"compared with 1 other\(s\); give at least 3 references"):
        operating_point([part(number, 0.1, 1) for number in range(2)], 0.4)


def test_a_known_part_knows_whether_it_is_a_reference() -> None:
    good = [
        ReferenceEvidence(name="r", sha256=f"{number:064d}", width=9, height=9, used=True) for number in (1, 2, 2)
    ]
    results = [inspection(number, 0.3) for number in (1, 7)]
    evidence = results[0].evidence.model_copy(update={"references": tuple(good)})
    parts = [KnownPart.of(each.model_copy(update={"evidence": evidence})) for each in results]
    assert parts == [part(1, 0.3, 1), part(7, 0.3, None)]


def test_what_is_no_file_or_of_another_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "good.jsonl"
    with pytest.raises(OutputError, match="is no file"):
        KnownParts(Path("/dev/zero"), "good")
    os.mkfifo(path)
    with pytest.raises(OutputError, match="is no file"):
        KnownParts(path, "good")
    path.unlink()
    written(path, [inspection(1, 0.1, schema_version="1.5")])
    with pytest.raises(OutputError, match=r"Line 1 of .* is not a result of this version"):
        KnownParts(path, "good")
    path.write_text("[" * 200_000)  # torn, and deep
    with pytest.raises(OutputError, match="holds no results"):
        KnownParts(path, "good")
    path.write_text("[" * (16 * 2**20 + 1))
    with pytest.raises(OutputError, match="too long for a result"):
        KnownParts(path, "good")


def test_the_threshold_that_was_in_force_plays_no_part(tmp_path: Path) -> None:
    point = operating_point([part(number, number / 100) for number in range(19)], 0.1)
    mixed = [inspection(1, 0.1), inspection(2, 0.1, threshold=0.3), inspection(3, 0.1, operating_point=point)]
    assert len(KnownParts(written(tmp_path / "good.jsonl", mixed), "good").parts) == 3


@pytest.mark.parametrize(
    ("probability", "shown"),
    [
        (0.35, "0.35"),
        (0.0012345, "0.0012"),
        (0.9985, "0.9985"),
        (0.99991, "0.99991"),
        (5e-324, "4.9e-324"),
        (1.0, "1"),
        (0.5, "0.5"),
    ],
)
def test_thresholds_are_shown_with_digits_that_tell_them_apart(probability: float, shown: str) -> None:
    assert in_digits(probability) == shown
