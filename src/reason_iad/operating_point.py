"""Thresholds by the user's own known parts, with a stated bound on false alarms, or missed defects, or both [ours].

A model's probability means something else on every product: good spindles of one factory all stay below .4, good
tiles of another reach .9. Where a user has good parts, they are inspected first, each against the others; the
threshold is then put where at most the allowed share of good parts reaches it. The probability is the score of a
conformal test for outliers (Bates, Candes, Lei, Romano and Sesia, "Testing for outliers with conformal p-values",
2023, section 1.1): if the next good part comes as these did, it is called defective with at most that probability,
whatever the model. Defective parts bound from the other side what may pass. What lies between, a person decides.

The bounds are exact where the known parts are not among the references. Where each good part was compared with the
others, as the next part is with all (the jackknife), that of false alarms holds nearly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

from reason_iad.batch import Conditions, Failure, read_log
from reason_iad.errors import ConfigError, OutputError
from reason_iad.images import printable
from reason_iad.schema import Inspection
from reason_iad.verdict import OperatingPoint


def operating_point(
    good: Iterable[Inspection] = (),
    false_alarms: float | None = None,
    defective: Iterable[Inspection] = (),
    missed: float | None = None,
) -> OperatingPoint:
    """The thresholds that known parts set.

    Where the parts are told apart so well that both bounds hold at any threshold between two, it is put halfway,
    and no part needs a person.

    Args:
        good: inspections of good parts, whatever their verdict; of one picture the first counts.
        false_alarms: share of good parts that may be called defective, in (0, 1); None: as many as there are.
        defective: the same of defective parts.
        missed: share of defective parts that may pass; None: as many as there are.

    Raises:
        ConfigError: no bound is asked for, one is out of its range, there are too few parts for it, or too many of
            them look like certain ones of the other kind.
    """
    high = low = None
    fine, faulty = _probabilities(good), _probabilities(defective)
    if false_alarms is not None:
        high = conformal_threshold(fine, false_alarms)
    if missed is not None:
        low = lowest_defective(faulty, missed)
    if high is None and low is None:
        raise ConfigError("Nothing is promised; say how many false alarms or missed defects there may be.")
    if high is None or low is None:
        high = low = high or low or 1.0
    elif low > high:
        high = low = (high + low) / 2
    return OperatingPoint(
        false_alarms=false_alarms,
        good_parts=len(fine) if false_alarms is not None else 0,
        missed=missed,
        defective_parts=len(faulty) if missed is not None else 0,
        pass_below=low,
        threshold=high,
    )


def _probabilities(parts: Iterable[Inspection]) -> list[float]:
    """Of a defect, one for each picture."""
    return list({each.image.sha256: each.probability for each in reversed([*parts])}.values())


def conformal_threshold(probabilities: Sequence[float], false_alarms: float) -> float:
    """The least threshold that at most a share of good parts reaches.

    Args:
        probabilities: of a defect, in [0, 1], of good parts.
        false_alarms: the share, in (0, 1).

    Raises:
        ConfigError: as above.
    """
    rank = _rank(len(probabilities), false_alarms, "good", "false alarms")
    highest = sorted(probabilities, reverse=True)[rank - 1]
    if highest >= 1:
        raise ConfigError(
            f"More than {100 * false_alarms:g} % of these good parts look like certain defects, so no threshold "
            "keeps the promise; give other references, or allow more false alarms."
        )
    return math.nextafter(highest, 1.0)


def lowest_defective(probabilities: Sequence[float], missed: float) -> float:
    """The largest threshold that at most a share of defective parts lies below.

    Args:
        probabilities: of a defect, in [0, 1], of defective parts.
        missed: the share, in (0, 1).

    Raises:
        ConfigError: as above.
    """
    rank = _rank(len(probabilities), missed, "defective", "missed defects")
    lowest = sorted(probabilities)[rank - 1]
    if lowest <= 0:
        raise ConfigError(
            f"More than {100 * missed:g} % of these defective parts look like certain good ones, so no threshold "
            "keeps the promise; give other references, or allow more missed defects."
        )
    return lowest


def _rank(count: int, share: float, kind: str, errors: str) -> int:
    """Which part from the wrong end is the first that has to be decided rightly: floor(share * (count + 1))."""
    if not 0 < share < 1:
        raise ConfigError(f"The share of {errors} is {share}; it must be between 0 and 1, such as 0.1.")
    # Rounded first: a tenth of 20 parts is 2, though 0.1 * 20 may be a hair less.
    rank = math.floor(round(share * (count + 1), 9))
    if not rank:
        least = math.ceil(round(1 / share - 1, 9))
        raise ConfigError(
            f"{count} {kind} parts are too few to promise at most {100 * share:g} % {errors}; inspect at least "
            f"{least}, or allow more."
        )
    return rank


class KnownParts:
    """Results of parts of which it is known what they are, as `inspect ... --json FILE.jsonl` wrote them.

    Attributes:
        results: one for each line.
    """

    def __init__(self, path: Path, kind: Literal["good", "defective"]) -> None:
        """Read a file.

        Args:
            path: the file.
            kind: what its parts are, for messages.

        Raises:
            OutputError: it is missing or empty, is not such a file, holds failed images, or results that were made
                under different conditions.
        """
        self._name, self._kind = printable(path), kind
        outcomes = read_log(path)
        failed = [each.image for each in outcomes if isinstance(each, Failure)]
        if failed:
            raise OutputError(
                f"{len(failed)} {kind} parts in '{self._name}' failed, '{failed[0]}' first; mend them and run the "
                "same again with --resume."
            )
        self.results = tuple(each for each in outcomes if isinstance(each, Inspection))
        if not self.results:
            raise OutputError(
                f"'{self._name}' holds no results; write it with "
                f"`reason-iad inspect PART... --reference GOOD... --json {self._name}`."
            )
        self._conditions = Conditions.of(self.results[0])
        for each in self.results[1:]:
            self._compare(Conditions.of(each))

    @property
    def threshold(self) -> float:
        """The threshold that was in force when they were made; it plays no part in the new one."""
        return self.results[0].threshold

    def require(self, conditions: Conditions) -> None:
        """Make sure that parts are inspected as these were; the threshold may differ.

        Raises:
            OutputError: they are not; the message says what differs.
        """
        self._compare(replace(conditions, threshold=None))

    def _compare(self, conditions: Conditions) -> None:
        if differences := self._conditions.differences(conditions):
            raise OutputError(
                f"The {self._kind} parts in '{self._name}' were inspected with {' and '.join(differences)}; their "
                "threshold holds for parts that are inspected alike."
            )
