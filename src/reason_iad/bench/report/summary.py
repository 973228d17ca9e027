"""Everything that a report says about one run, computed once from its folder."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reason_iad.bench.compatible import Compatible, compatible
from reason_iad.bench.confidence import Bin, Calibration, RiskCoverage, by_reward, calibration, risk_coverage
from reason_iad.bench.intervals import average_interval, cell_intervals, subtask_intervals
from reason_iad.bench.records import AnswerRecord, Manifest
from reason_iad.bench.resampling import resampled_injection
from reason_iad.bench.runs import Run, find_runs, read_run
from reason_iad.bench.scoring import Cell, Scores, column_of, ordered_subtasks, score
from reason_iad.bench.statistics import Interval, Pairs, mcnemar
from reason_iad.images import printable


@dataclass(frozen=True, slots=True)
class Reasoning:
    """What latent reasoning did to the answers of its own initial state.

    Attributes:
        pairs: 'first' is right after reasoning only, 'second' right before it only.
        changed: answers that became another letter, right or wrong.
        p: exact p-value of the difference (McNemar).
    """

    pairs: Pairs
    changed: int
    p: float


@dataclass(frozen=True, slots=True)
class Injection:
    """Where injected patches lay, over the questions about images with a mask; means, shares in [0, 1].

    Attributes:
        inside: share of the injected patches that touch the mask; `chance`: of all patches.
        difference: interval of inside minus chance, images resampled.
        subtasks: inside and chance per subtask.
    """

    answers: int
    inside: float
    chance: float
    difference: Interval
    subtasks: Mapping[str, tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Timing:
    """Milliseconds per question, and the most memory held, in MB."""

    ms: tuple[float, ...]
    peak_mb: float

    @property
    def median(self) -> float:
        """The middle one."""
        return self.quantile(0.5)

    def quantile(self, q: float) -> float:
        """The smallest time that a share q of the questions does not exceed."""
        return self.ms[max(0, -int(-q * len(self.ms) // 1) - 1)]


@dataclass(frozen=True, slots=True)
class Summary:
    """One run, judged.

    Attributes:
        label: unique among the runs of a report.
        intervals: of every cell of the exact table; `subtasks` those of its last row, `average` that of its
            average, None without answers.
        notes: what a reader must know to read the figures, in sentences.
    """

    label: str
    manifest: Manifest
    answers: tuple[AnswerRecord, ...]
    scores: Scores
    intervals: Mapping[Cell, Interval]
    subtasks: Mapping[str, Interval]
    average: Interval | None
    compatible: Compatible
    calibration: Calibration | None
    risk: RiskCoverage | None
    rewards: tuple[Bin, ...]
    reasoning: Reasoning | None
    injection: Injection | None
    timing: Timing | None
    notes: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every question was answered."""
        return len(self.answers) == self.manifest.questions


def load(folders: Sequence[Path]) -> list[Summary]:
    """Read and judge all runs in these folders; each is a run, or holds one per method.

    Raises:
        DatasetError: there is none, or one cannot be read.
        MissingExtraError: statsmodels is not installed.
    """
    paths = list(dict.fromkeys(path for folder in folders for path in find_runs(folder)))
    return [summarize(read_run(path), label) for path, label in zip(paths, unique_labels(paths), strict=True)]


def summarize(run: Run, label: str | None = None) -> Summary:
    """Judge a run."""
    scores, same = score(run.answers), compatible(run)
    judged = calibration(run.answers)
    intervals = cell_intervals(scores)
    return Summary(
        label=label or run.name,
        manifest=run.manifest,
        answers=run.answers,
        scores=scores,
        intervals=intervals,
        subtasks=subtask_intervals(scores.table, intervals),
        average=average_interval(scores, run.answers) if run.answers else None,
        compatible=same,
        calibration=judged,
        risk=risk_coverage(run.answers),
        rewards=by_reward(run.answers),
        reasoning=_reasoning(run.answers),
        injection=_injection(run.answers),
        timing=_timing(run),
        notes=tuple(_notes(run, scores, same, judged)),
    )


def _reasoning(answers: Sequence[AnswerRecord]) -> Reasoning | None:
    both = [answer for answer in answers if answer.initial is not None]
    if not both:
        return None
    outcomes = [(answer.right, answer.initial == answer.truth) for answer in both]
    cases = ((True, True), (True, False), (False, True), (False, False))
    pairs = Pairs(*(outcomes.count(case) for case in cases))
    return Reasoning(pairs, sum(answer.choice != answer.initial for answer in both), mcnemar(pairs))


def _injection(answers: Sequence[AnswerRecord]) -> Injection | None:
    shares: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
    for answer in answers:
        if answer.inside is not None and answer.chance is not None:
            shares[column_of(answer)].append((answer.inside, answer.chance))
    if not shares:
        return None
    everything = [pair for pairs in shares.values() for pair in pairs]
    return Injection(
        len(everything),
        *_means(everything),
        difference=resampled_injection(answers),
        subtasks={name: _means(shares[name]) for name in ordered_subtasks(shares) if name in shares},
    )


def _means(pairs: Sequence[tuple[float, float]]) -> tuple[float, float]:
    return sum(pair[0] for pair in pairs) / len(pairs), sum(pair[1] for pair in pairs) / len(pairs)


def _timing(run: Run) -> Timing | None:
    if not run.timings:
        return None
    return Timing(tuple(sorted(each.ms for each in run.timings)), max(each.peak_mb for each in run.timings))


def _notes(run: Run, scores: Scores, same: Compatible, judged: Calibration | None) -> list[str]:
    """What limits the figures; a sentence each."""
    manifest, total = run.manifest, scores.total
    notes = []
    if len(run.answers) != manifest.questions:
        notes.append(
            f"The run is not finished: {len(run.answers)} of {manifest.questions} questions answered. "
            "The figures are over these, and may still change a lot."
        )
    if manifest.limit is not None:
        notes.append(f"Only {_count(manifest.limit, 'image')} were asked about (--limit).")
    if total.unparsable:
        notes.append(f"{_count(total.unparsable, 'answer')} could not be read; counted as wrong.")
    if total.failed:
        notes.append(f"{_count(total.failed, 'question')} failed (image or error); counted as wrong.")
    for dataset, detection in scores.detection.items():
        for side, tally in (("normal", detection.normal), ("abnormal", detection.abnormal)):
            if not tally.asked:
                notes.append(f"'{dataset}' has no {side} images, so its detection is on the other kind alone.")
    ignored = (
        (same.unreadable, f"drops {_count(same.unreadable, 'unreadable answer')}"),
        (same.overlooked, f"overlooks {_count(same.overlooked, 'answer')} behind them"),
        (same.left_out, f"never sees {_count(same.left_out, 'answer')} about images that failed"),
    )
    if clauses := [clause for count, clause in ignored if count]:
        notes.append(f"MMAD's script {', '.join(clauses)}.")
    if judged and judged.answers < len(run.answers):
        notes.append(f"Calibration is over the {_count(judged.answers, 'answer')} that have probabilities.")
    return notes


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def unique_labels(paths: Sequence[Path]) -> list[str]:
    """Folder names, with as many of their parents as tell them apart."""
    resolved = [path.resolve() for path in paths]
    for depth in range(1, max(len(path.parts) for path in resolved) + 1):
        labels = ["/".join(path.parts[-depth:]) for path in resolved]
        if len(set(labels)) == len(labels):
            break
    return [printable(label) for label in labels]
