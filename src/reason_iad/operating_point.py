"""A threshold by the user's own good parts: so many of them, and no more, may be called defective [ours].

A model's probability means something else on every product: good spindles of one factory all stay below .4, good
tiles of another reach .9. Where a user has good parts, they are inspected first, each against the others; the
threshold is then put where at most the allowed share of good parts reaches it. The probability is the score of a
conformal test for outliers (Bates, Candes, Lei, Romano and Sesia, "Testing for outliers with conformal p-values",
2023, section 1.1): if the next good part comes as these did, it is called defective with at most that probability,
whatever the model. That is exact where the good parts that were inspected are not among the references. Where each
was compared with the others, as the next part is with all (the jackknife), it holds nearly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from reason_iad.batch import Conditions, Failure, read_log
from reason_iad.errors import ConfigError, OutputError
from reason_iad.images import printable
from reason_iad.schema import Inspection, OperatingPoint


def operating_point(good: Iterable[Inspection], false_alarms: float) -> OperatingPoint:
    """The threshold that good parts set.

    Args:
        good: inspections of good parts, whatever their verdict; of one picture the first counts.
        false_alarms: share of good parts that may be called defective, in (0, 1).

    Raises:
        ConfigError: the share is out of its range, there are too few good parts for it, or too many of them look
            like certain defects.
    """
    scores = list({each.image.sha256: each.probability for each in reversed([*good])}.values())
    threshold = conformal_threshold(scores, false_alarms)
    return OperatingPoint(false_alarms=false_alarms, good_parts=len(scores), threshold=threshold)


def conformal_threshold(probabilities: Sequence[float], false_alarms: float) -> float:
    """The least threshold at or above which at most a share of good parts lies.

    Args:
        probabilities: of a defect, in [0, 1], of good parts.
        false_alarms: the share, in (0, 1).

    Raises:
        ConfigError: as above.
    """
    if not 0 < false_alarms < 1:
        raise ConfigError(f"The share of false alarms is {false_alarms}; it must be between 0 and 1, such as 0.1.")
    count, share = len(probabilities), f"{100 * false_alarms:g} %"
    # Exact where the share is a decimal fraction: 0.9 * 10 is 9.000000000000002 for some ways to write it.
    rank = math.ceil(round((count + 1) * (1 - false_alarms), 9))
    if rank > count:
        least = math.ceil(round(1 / false_alarms - 1, 9))
        raise ConfigError(
            f"{count} good parts are too few to promise at most {share} false alarms; inspect at least {least}, or "
            "allow more."
        )
    highest = sorted(probabilities)[rank - 1]
    if highest >= 1:
        raise ConfigError(
            f"More than {share} of these good parts look like certain defects, so no threshold keeps the promise; "
            "give other references, or allow more."
        )
    return math.nextafter(highest, 1.0)


class GoodResults:
    """Results of good parts, as `inspect ... --json FILE.jsonl` wrote them.

    Attributes:
        results: one for each line.
    """

    def __init__(self, path: Path) -> None:
        """Read a file.

        Raises:
            OutputError: it is missing or empty, is not such a file, holds failed images, or results that were made
                under different conditions.
        """
        self._name = printable(path)
        outcomes = read_log(path)
        failed = [each.image for each in outcomes if isinstance(each, Failure)]
        if failed:
            raise OutputError(
                f"{len(failed)} good parts in '{self._name}' failed, '{failed[0]}' first; mend them and run the "
                "same again with --resume."
            )
        self.results = tuple(each for each in outcomes if isinstance(each, Inspection))
        if not self.results:
            raise OutputError(
                f"'{self._name}' holds no results; write it with "
                f"`reason-iad inspect GOOD... --reference GOOD... --json {self._name}`."
            )
        self._conditions = Conditions.of(self.results[0])
        for each in self.results[1:]:
            self._compare(Conditions.of(each))

    @property
    def threshold(self) -> float:
        """The threshold that was in force when they were made; it plays no part in the new one."""
        return self.results[0].threshold

    def require(self, conditions: Conditions) -> None:
        """Make sure that parts are inspected as the good ones were; the threshold may differ.

        Raises:
            OutputError: they are not; the message says what differs.
        """
        self._compare(replace(conditions, threshold=None))

    def _compare(self, conditions: Conditions) -> None:
        if differences := self._conditions.differences(conditions):
            raise OutputError(
                f"The good parts in '{self._name}' were inspected with {' and '.join(differences)}; their "
                "threshold holds for parts that are inspected alike."
            )
