"""Limits on a score by parts of which it is known what they are, with a guarantee (METHOD section 5).

The share of a part's score among those of good parts is a conformal p-value (Bates, Candes, Lei, Romano and Sesia,
"Testing for outliers with conformal p-values", Annals of Statistics, 2023). It asks nothing of the scores but that
the next good part comes as these did. Two statements follow, and they are not the same:

- On average over draws of the known parts, the share of false alarms is k / (n + 1), or less where
  scores are equal. The limit is the k-th highest of n scores, and k = floor(share * (n + 1)).
- For these known parts, the share follows Beta(k, n + 1 - k). Its 95 % quantile is the largest share that is
  compatible with them, as of Clopper and Pearson.

Defective parts bound in the same way, from the other end, which of them pass. Scores that are equal count against
the promise: a score equal to the limit of the good parts is not called defective.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reason_iad.errors import ConfigError
from reason_iad.schema.verdict import Verdict

LEAST_SHARE = 1e-4
"""Nobody has the ten thousand parts that less would take."""
CONFIDENCE = 0.95
"""Of the statement about the known parts at hand."""


def rank(count: int, share: float) -> int:
    """Which score from the wrong end is the first that has to be decided rightly; 0: there are too few parts.

    Args:
        count: how many parts are known.
        share: of them that may be decided wrongly, in (0, 1).
    """
    # Rounded first: a tenth of 20 parts is 2, though 0.1 * 20 may be a hair less.
    return min(math.floor(round(share * (count + 1), 9)), count)


def needed(share: float) -> int:
    """The least number of known parts that is enough for a share in (0, 1)."""
    return math.ceil(round(1 / share - 1, 9))


def check_share(share: float, errors: str) -> None:
    """Make sure that a share can be promised.

    Args:
        share: of parts that may be decided wrongly.
        errors: what they are called, such as "false alarms".

    Raises:
        ConfigError: it is not in [`LEAST_SHARE`, 1 - `LEAST_SHARE`].
    """
    if not LEAST_SHARE <= share <= 1 - LEAST_SHARE:
        raise ConfigError(
            f"The share of {errors} is {share:g}; it must lie between {LEAST_SHARE} and {1 - LEAST_SHARE}, such as "
            "0.1 for a tenth."
        )


def p_value(good: Sequence[float], score: float) -> float:
    """How usual a score is among good parts, in [1 / (n + 1), 1].

    For good parts it is at most `a` with a probability of at most `a`, on average over draws.

    Args:
        good: scores of good parts, each left out of its own memory.
        score: of the part in question; higher is worse.

    Raises:
        ConfigError: there are no good parts, or a score is no finite number.
    """
    _check_scores("good", good)
    _check_scores("new", [score])
    if not good:
        raise ConfigError("A part can be compared only with good parts; give at least one.")
    return (1 + sum(each >= score for each in good)) / (len(good) + 1)


@dataclass(frozen=True, slots=True)
class Promise:
    """How many parts of one kind may be decided wrongly.

    Attributes:
        share: what was asked for, in (0, 1).
        parts: how many known parts the promise rests on.
    """

    share: float
    parts: int

    @property
    def rank(self) -> int:
        """Which score from the wrong end sets the limit; 0: there are too few parts."""
        return rank(self.parts, self.share)

    @property
    def kept(self) -> bool:
        """Whether there are enough parts."""
        return self.rank > 0

    @property
    def needed(self) -> int:
        """The least number of parts that is enough."""
        return needed(self.share)

    @property
    def on_average(self) -> float:
        """The share decided wrongly, on average over draws of the known parts: at most what was asked for."""
        return self.rank / (self.parts + 1)

    @property
    def at_most(self) -> float:
        """The largest share decided wrongly that is compatible with these known parts, with 95 % confidence."""
        if not self.kept:
            return 0.0
        from scipy.special import betaincinv

        return float(betaincinv(self.rank, self.parts + 1 - self.rank, CONFIDENCE))


@dataclass(frozen=True, slots=True)
class Limits:
    """What becomes of a score: below `pass_below` a part passes, from `defect_from` on it is defective.

    Parts between the two need a person.

    Attributes:
        pass_below: on the scale of the scores; -inf: no part passes by the limit alone.
        defect_from: the same, at least `pass_below`; inf: no part is called defective by the limit alone.
        false_alarms: what is promised of good parts, if anything is.
        missed: what is promised of defective parts, if anything is.
    """

    pass_below: float
    defect_from: float
    false_alarms: Promise | None
    missed: Promise | None

    @property
    def needed_good(self) -> int:
        """How many good parts would be enough for what was asked; 0: there are enough."""
        return 0 if self.false_alarms is None or self.false_alarms.kept else self.false_alarms.needed

    @property
    def needed_defective(self) -> int:
        """How many defective parts would be enough for what was asked; 0: there are enough."""
        return 0 if self.missed is None or self.missed.kept else self.missed.needed

    def verdict(self, score: float) -> Verdict:
        """What becomes of a part with this score."""
        if score >= self.defect_from:
            return "defect"
        return "pass" if score < self.pass_below else "review"

    def in_words(self) -> str:
        """What is promised, on average and for these parts, in short sentences."""
        said = []
        if self.false_alarms is not None:
            said.append(_said(self.false_alarms, "good", "of good parts are called defective"))
            if not self.false_alarms.kept:
                said.append("Until then no part is called defective: those that stand out are handed to a person.")
        if self.missed is not None:
            said.append(_said(self.missed, "defective", "of defective parts pass"))
            if not self.missed.kept:
                said.append("Until then no part passes without a person.")
        if -math.inf < self.pass_below < self.defect_from < math.inf:
            said.append("Parts between the two limits are handed to a person.")
        return " ".join(said)


def limits(
    good: Sequence[float],
    false_alarms: float | None,
    defective: Sequence[float] = (),
    missed: float | None = None,
) -> Limits:
    """The limits that known parts set.

    Where both bounds hold at any limit between two, it is put halfway, and no part needs a person. One bound alone
    sets one limit. Where there are too few parts for what is asked, parts beyond all known ones are handed to a
    person.

    Args:
        good: scores of good parts, each left out of its own memory; higher is worse.
        false_alarms: share of good parts that may be called defective; None: not bounded.
        defective: scores of parts that are known to be defective.
        missed: share of defective parts that may pass; None: not bounded.

    Raises:
        ConfigError: nothing is asked for, a share is out of its range, a score is no finite number, or all
            defective parts look better than all good ones.
    """
    _check_scores("good", good)
    _check_scores("defective", defective)
    if good and defective and max(defective) < min(good):
        raise ConfigError("Every defective part looks better than every good one; check which parts are which.")
    alarms, passed = (
        _promise(false_alarms, len(good), "false alarms"),
        _promise(missed, len(defective), "missed defects"),
    )
    if alarms is None and passed is None:
        raise ConfigError("Nothing is promised; say how many false alarms or missed defects there may be.")
    low, high = -math.inf, math.inf
    if alarms and alarms.kept:
        high = _just_above(sorted(good)[-alarms.rank])
    if passed and passed.kept:
        low = sorted(defective)[passed.rank - 1]
    if passed is None:
        low = high if high < math.inf else _just_above(max(good, default=-math.inf))
    if alarms is None:
        high = low if low > -math.inf else min(defective, default=math.inf)
    if low > high:
        low = high = low / 2 + high / 2
    return Limits(low, high, alarms, passed)


def _promise(share: float | None, parts: int, errors: str) -> Promise | None:
    if share is None:
        return None
    check_share(share, errors)
    return Promise(share, parts)


def _just_above(score: float) -> float:
    """The limit that a score does not reach, and every higher one does."""
    return math.nextafter(score, math.inf) if score > -math.inf else score


def _said(promise: Promise, kind: str, wrong: str) -> str:
    """Both statements; or for how much the parts are enough, and how many are needed."""
    asked = f"{100 * promise.share:.6g} %"
    parts = f"{promise.parts} {kind} part{'' if promise.parts == 1 else 's'}"
    if promise.kept:
        these = "this" if promise.parts == 1 else "these"
        return (
            f"On average, at most {asked} {wrong}. For {these} {parts}, it is at most "
            f"{_rounded_up(promise.at_most)} % with {100 * CONFIDENCE:g} % confidence."
        )
    cannot = f"That at most {asked} {wrong} cannot be promised yet. It needs at least {promise.needed} {kind} parts"
    if not promise.parts:
        return f"{cannot}, and there are none."
    are = "is" if promise.parts == 1 else "are"
    enough = _rounded_up(1 / (promise.parts + 1))
    return f"{cannot}, and there {are} {promise.parts}, which {are} enough for {enough} %."


def _rounded_up(share: float) -> str:
    """A share in percent: whole percents from one on, else one digit that counts; never less than it is."""
    percent = round(100 * share, 9)
    if percent >= 1:
        return f"{min(math.ceil(percent), 100)}"
    step = 10.0 ** math.floor(math.log10(percent))
    return f"{math.ceil(round(percent / step, 9)) * step:.6g}"


def _check_scores(kind: str, scores: Sequence[float]) -> None:
    for each in scores:
        if not math.isfinite(each):
            raise ConfigError(f"A score of {each} of a {kind} part is no number; inspect the part again.")
