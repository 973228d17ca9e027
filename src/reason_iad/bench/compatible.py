"""What MMAD's public script prints for the same answers, with its faults; for comparison with published tables.

Read off `evaluation/examples/helper/summary.py` of GitHub jam-cc/MMAD, commit bad03b44, and stated anew. Its
figures differ from the exact ones (`scoring`) in four ways:

1. It takes an entry whose answer is not a letter from A to E out of the list that it is walking through. Such an
   entry is counted neither as right nor as wrong, and **the entry behind it is never looked at**, whatever it says.
2. Its harness leaves an image out of the answers when the model fails on it.
3. An image is normal if its path contains 'good'. The accuracy on a kind of image that there is none of is 0, so
   detection on abnormal images alone is at most 50 %.
4. A cell without counted questions is 0, and goes into the averages.

Recall, precision and F1 stand in the published tables, but the published script no longer prints them; they follow
from its own counts.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reason_iad.bench.records import AnswerRecord
from reason_iad.bench.runs import Run
from reason_iad.bench.scoring import Cell, Detection, Table, Tally, ordered_subtasks
from reason_iad.bench.subtasks import DETECTION, subtask_of

NORMAL_FLAG = "good"
_LETTERS = frozenset("ABCDE")

Entry = dict[str, Any]
"""One answer as the public script reads it."""


@dataclass(frozen=True, slots=True)
class DetectionFigures:
    """The columns beside the averages, as shares; what is undefined is 0 there."""

    recall: float
    precision: float
    f1: float
    overkill: float
    miss: float


@dataclass(frozen=True, slots=True)
class Compatible:
    """The script's table, and what it left out.

    Attributes:
        table: every dataset has a value for every subtask that occurs; shares in [0, 1], not percent.
        detection: per dataset, if there are detection questions.
        unreadable: entries it removed.
        overlooked: entries it never looked at, because the one before was removed.
        left_out: answers that are not in the script's file, since their image failed.
    """

    table: Table
    detection: Mapping[str, DetectionFigures]
    unreadable: int
    overlooked: int
    left_out: int


def compatible(run: Run) -> Compatible:
    """The figures of MMAD's public script for a run."""
    entries = answers_for_script(run)
    datasets = tuple(dict.fromkeys(_dataset(entry) for entry in entries))
    kinds = {_subtask(entry) for entry in entries}
    subtasks = tuple(name for name in ordered_subtasks(kinds) if name in kinds)
    seen, unreadable = _looked_at(entries)
    counts: defaultdict[Cell, Tally] = defaultdict(Tally)
    sides: defaultdict[tuple[str, bool], Tally] = defaultdict(Tally)
    for entry in seen:
        one = Tally(asked=1, right=int(entry["gpt_answer"] == entry["correct_answer"]))
        cell = (_dataset(entry), _subtask(entry))
        counts[cell] += one
        if cell[1] == DETECTION:
            sides[cell[0], NORMAL_FLAG in entry["image"]] += one
    values = {(dataset, name): counts[dataset, name].accuracy or 0.0 for dataset in datasets for name in subtasks}
    detection: dict[str, DetectionFigures] = {}
    for dataset in datasets if DETECTION in subtasks else ():
        detection[dataset] = _figures(Detection(normal=sides[dataset, True], abnormal=sides[dataset, False]))
        values[dataset, DETECTION] = 1 - (detection[dataset].overkill + detection[dataset].miss) / 2
    return Compatible(
        table=Table(datasets, subtasks, values),
        detection=detection,
        unreadable=unreadable,
        overlooked=len(entries) - len(seen) - unreadable,
        left_out=len(run.answers) - len(entries),
    )


def answers_for_script(run: Run) -> list[Entry]:
    """The run as the answers file of the public script: `json.dump` this, and give the file to it.

    Letters are those the public harness shows: 'A' for the first option, whatever the file calls it. An answer that
    could not be read is given as it was generated, or as an empty text. A question's text is not kept in a run, its
    number stands for it.
    """
    failed = {answer.image for answer in run.answers if answer.failure in ("image", "error")}
    return [_entry(answer) for answer in run.answers if answer.image not in failed]


def _entry(answer: AnswerRecord) -> Entry:
    letters = {letter: chr(ord("A") + place) for place, letter in enumerate(answer.options)}
    options = {letters[letter]: text for letter, text in answer.options.items()}
    return {
        "image": answer.image,
        "question": {"type": "text", "text": f"Question {answer.index + 1}", "options": options},
        "question_type": answer.kind,
        "correct_answer": letters.get(answer.truth, answer.truth),
        "gpt_answer": letters.get(answer.choice, answer.choice) if answer.choice else answer.reply or "",
    }


def _looked_at(entries: Sequence[Entry]) -> tuple[list[Entry], int]:
    """The entries that the script counts, and how many it removes: each of those hides the one behind it."""
    seen, removed = [], 0
    rest = iter(entries)
    for entry in rest:
        if entry["gpt_answer"] in _LETTERS and entry["correct_answer"] in _LETTERS:
            seen.append(entry)
        else:
            removed += 1
            next(rest, None)
    return seen, removed


def _figures(detection: Detection) -> DetectionFigures:
    normal, abnormal = detection.normal.accuracy or 0.0, detection.abnormal.accuracy or 0.0
    return DetectionFigures(
        recall=abnormal,
        precision=detection.precision or 0.0,
        f1=detection.f1 or 0.0,
        overkill=1 - normal,
        miss=1 - abnormal,
    )


def _dataset(entry: Entry) -> str:
    return str(entry["image"]).split("/")[0]


def _subtask(entry: Entry) -> str:
    return subtask_of(entry["question_type"]) or str(entry["question_type"])


def changed(exact: Table, other: Table) -> Iterable[Cell]:
    """The cells whose figures differ, in the order of the exact table's; cells that only one has included."""
    for dataset in dict.fromkeys((*exact.datasets, *other.datasets)):
        for subtask in dict.fromkeys((*exact.subtasks, *other.subtasks)):
            cell = (dataset, subtask)
            mine, theirs = exact.values.get(cell), other.values.get(cell)
            if mine is None and theirs is None:
                continue
            if mine is None or theirs is None or abs(mine - theirs) > 1e-12:
                yield cell
