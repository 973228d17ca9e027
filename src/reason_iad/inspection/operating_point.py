"""Thresholds by the user's own known parts, with a stated bound on false alarms, or missed defects, or both [ours].

A model's probability means something else on every product: nine in ten good spindles of one factory stay below
.4, of the good tiles of another one below .9. Where a user has good parts, they are inspected first, each
against the others; the threshold is then put where at most the allowed share of good parts reaches it. The
probability is the score of a conformal test for outliers (Bates, Candes, Lei, Romano and Sesia, "Testing for
outliers with conformal p-values", Annals of Statistics, 2023): if the next good part comes as these did, it is
called defective with at most that probability, whatever the model. Defective parts bound from the other side
what may pass. What lies between, a person decides.

The bounds are exact where the known parts are not among the references, on average over draws of the known parts.
Where each good part was compared with the others, as the next part is with all (the jackknife), the bound on false
alarms holds nearly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from reason_iad.errors import ConfigError, OutputError
from reason_iad.expert import conformal
from reason_iad.files import read_lines
from reason_iad.images import printable
from reason_iad.inspection.conditions import Conditions
from reason_iad.inspection.many import Failure
from reason_iad.inspection.results import parse_line
from reason_iad.schema import Inspection
from reason_iad.schema.verdict import OperatingPoint

LONGEST_LINE = 16 * 2**20
"""Bytes that one result may have: a line names every reference."""
LEAST_COMPARED = 2
"""Other good parts that each is compared with, at least, where they are references themselves: with fewer, they and
the parts to come are compared in different ways."""
_KEEP = {
    "other references": "--reference",
    "another category": "--category",
    "another question": "--question",
    "other knowledge": "--knowledge",
    "other weights": "model",
}
"""What has to stay the same, by what differs (`conditions.py`)."""


@dataclass(frozen=True, slots=True)
class KnownPart:
    """What counts of the inspection of a part of which it is known what it is.

    Attributes:
        name, sha256: of the picture.
        probability: of a defect, in [0, 1].
        others: if it is a reference itself, how many other ones there are; else None.
    """

    name: str
    sha256: str
    probability: float
    others: int | None = None

    @classmethod
    def of(cls, result: Inspection) -> KnownPart:
        """What counts of a result."""
        image, given = result.image, {reference.sha256 for reference in result.evidence.references}
        others = len(given) - 1 if image.sha256 in given else None
        return cls(image.name, image.sha256, result.probability, others)


def operating_point(
    good: Iterable[KnownPart] = (),
    false_alarms: float | None = None,
    defective: Iterable[KnownPart] = (),
    missed: float | None = None,
) -> OperatingPoint:
    """The thresholds that known parts set.

    Where the parts are told apart so well that both bounds hold at any threshold between two, it is put halfway,
    and no part needs a person.

    Args:
        good: good parts as they were inspected; of one picture the first counts.
        false_alarms: share of good parts that may be called defective (`conformal.check_share`); None: not bounded.
        defective: the same of defective parts.
        missed: share of defective parts that may pass, the same.

    Raises:
        ConfigError: no bound is asked for, one is out of its range, there are too few parts for it, or too many of
            them look like certain ones of the other kind; a picture is called both good and defective, or good
            parts were compared with too few others.
    """
    fine, faulty = _distinct(good), _distinct(defective)
    _check(fine, faulty)
    bounds = []
    if missed is not None:
        bounds.append(lowest_defective([part.probability for part in faulty], missed))
    if false_alarms is not None:
        bounds.append(conformal_threshold([part.probability for part in fine], false_alarms))
    if not bounds:
        raise ConfigError("Nothing is promised; say how many false alarms or missed defects there may be.")
    low, high = bounds[0], bounds[-1]  # one bound alone is both
    if low > high:
        low = high = (low + high) / 2
    return OperatingPoint(
        false_alarms=false_alarms,
        good_parts=len(fine) if false_alarms is not None else 0,
        missed=missed,
        defective_parts=len(faulty) if missed is not None else 0,
        pass_below=low,
        threshold=high,
    )


def _distinct(parts: Iterable[KnownPart]) -> list[KnownPart]:
    """The first of each picture."""
    return list({part.sha256: part for part in reversed([*parts])}.values())


def _check(good: Sequence[KnownPart], defective: Sequence[KnownPart]) -> None:
    both = {part.sha256 for part in good} & {part.sha256 for part in defective}
    for part in good:
        if part.sha256 in both:
            raise ConfigError(
                f"'{part.name}' is among the good and the defective parts; remove it from one of them."
            )
        if part.others is not None and part.others < LEAST_COMPARED:
            raise ConfigError(
                f"'{part.name}' is a reference itself and was compared with {part.others} other(s); give at least "
                f"{LEAST_COMPARED + 1} references, or inspect good parts that are none."
            )
    if good and defective and max(p.probability for p in defective) < min(p.probability for p in good):
        raise ConfigError(
            "Every defective part looks better than every good one; give results of good parts as those of good "
            "parts, and those of defective parts as those of defective ones."
        )


def conformal_threshold(probabilities: Sequence[float], false_alarms: float) -> float:
    """The least threshold that at most a share of good parts reaches.

    Args:
        probabilities: of a defect, in [0, 1], of good parts.
        false_alarms: the share, as `conformal.check_share` wants it.

    Raises:
        ConfigError: as above.
    """
    return math.nextafter(_decisive(probabilities, false_alarms, "good", "false alarms", highest_first=True), 1.0)


def lowest_defective(probabilities: Sequence[float], missed: float) -> float:
    """The largest threshold that at most a share of defective parts lies below.

    Args:
        probabilities: of a defect, in [0, 1], of defective parts.
        missed: the share, as `conformal.check_share` wants it.

    Raises:
        ConfigError: as above.
    """
    return _decisive(probabilities, missed, "defective", "missed defects", highest_first=False)


def _decisive(
    probabilities: Sequence[float], share: float, kind: str, errors: str, *, highest_first: bool
) -> float:
    """The probability of the first part from the wrong end that has to be decided rightly."""
    rank = _rank(len(probabilities), share, kind, errors)
    worst, alike = (1.0, "defects") if highest_first else (0.0, "good ones")
    ordered = sorted(probabilities, reverse=highest_first)
    if ordered[rank - 1] == worst:
        raise ConfigError(
            f"{ordered.count(worst)} of {len(ordered)} {kind} parts look like certain {alike}, so no threshold "
            f"keeps {errors} to {100 * share:g} %; give other references, or allow more."
        )
    return ordered[rank - 1]


def _rank(count: int, share: float, kind: str, errors: str) -> int:
    """Which part from the wrong end is the first that has to be decided rightly."""
    conformal.check_share(share, errors)
    rank = conformal.rank(count, share)
    if not rank:
        raise ConfigError(
            f"{count} {kind} parts are too few to promise at most {100 * share:g} % {errors}; inspect at least "
            f"{conformal.needed(share)}, or allow more."
        )
    return rank


class KnownParts:
    """Results of parts of which it is known what they are, as `inspect ... --json FILE.jsonl` wrote them.

    Attributes:
        parts: one for each line.
    """

    def __init__(self, path: Path, kind: Literal["good", "defective"]) -> None:
        """Read a file, line by line.

        Args:
            path: the file.
            kind: what its parts are, for messages.

        Raises:
            OutputError: it is empty, is not such a file, holds failed images, or results that were made under
                different conditions.
        """
        self._name, self._kind = printable(path), kind
        self.parts: list[KnownPart] = []
        for number, line in enumerate(read_lines(path, longest=LONGEST_LINE), 1):
            outcome = parse_line(line, f"Line {number} of '{self._name}'")
            if isinstance(outcome, Failure):
                raise OutputError(
                    f"The image '{outcome.image}' failed, according to '{self._name}'. Correct the image, then run "
                    "the command that made this file again with --resume."
                )
            conditions = _without_threshold(Conditions.of(outcome))
            if number == 1:
                self._conditions = conditions
            elif differences := conditions.differences(self._conditions):
                raise OutputError(
                    f"Line {number} of '{self._name}' was made with {' and '.join(differences)}, compared with the "
                    "first one; inspect all of them alike."
                )
            if outcome.verdict != "unjudged":  # nothing was measured, and no such part passes
                self.parts.append(KnownPart.of(outcome))
        if not self.parts:
            raise OutputError(
                f"'{self._name}' holds no results; write it with "
                f"`reason-iad inspect PART... --reference GOOD... --json {self._name}`."
            )

    def require(self, conditions: Conditions) -> None:
        """Make sure that parts are inspected as these were; the threshold may differ.

        Raises:
            OutputError: they are not; the message says what differs.
        """
        if differences := self._conditions.differences(_without_threshold(conditions)):
            raise OutputError(
                f"'{self._name}' was made with {' and '.join(differences)}. Inspect the known {self._kind} parts "
                f"again with the same {_same(differences)}."
            )


def _same(differences: list[str]) -> str:
    """What has to stay the same, as short as it can be said."""
    return _KEEP.get(differences[0], "options") if len(differences) == 1 else "model and options"


def _without_threshold(conditions: Conditions) -> Conditions:
    return replace(conditions, threshold=None, bounds=None)
