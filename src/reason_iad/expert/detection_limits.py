"""How small a defect is found: probability of detection against size (MIL-HDBK-1823A, hit or miss).

Each trial is a drawn defect of a known size that was found or missed. The logit of the probability that one is
found rises with the logarithm of its size. `a50` and `a90` are the sizes at which the fitted curve reaches 50 % and
90 %. `a90/95` is the size from which at least 90 % are found with 95 % confidence.

The confidence is that of the likelihood ratio, for slopes that do not fall: a curve is possible if the trials are
at least 1/20 as likely under it as under the best one, and all bounds hold for every possible curve. Where all
defects are found, this is the bound of Clopper and Pearson: 29 of 29 are needed for 90 %. In simulations with
20 to 160 trials, the true `a90` is below the stated `a90/95` in 94 to 100 of 100 draws, and with the usual bound
for a single size (a ratio of 1/3.87) in as few as 80 (`benchmarks/detection_limits.py`). Samples so small are often
separated: everything above one size is found, everything below is missed, and no best slope exists.

Nothing is said about sizes that were not drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import optimize
from scipy.special import expit, log_expit, logit

from reason_iad.errors import ConfigError

CONFIDENCE = 0.95
POD = 0.9
"""What is promised: the probability of detection of `a90` and `a90/95`."""
ENOUGH = math.ceil(math.log(1 - CONFIDENCE) / math.log(POD))
"""Trials that promise it if all are found: 29."""
LEAST_RATIO = math.log(1 - CONFIDENCE)
"""Logarithm of the likelihood ratio that a curve needs to be possible."""
_STEEP = 1e4
"""Slope of a step, in logits for each standard deviation of the logarithms of the sizes."""
_CERTAIN = 40.0
"""Logit of a probability that is 1 to all digits."""
_HALVINGS = 26

Array = npt.NDArray[np.float64]


class Trial(NamedTuple):
    """A drawn defect: its size, above 0, in pixels; and whether it was found."""

    size: float
    found: bool


class Point(NamedTuple):
    """The curve at one size: estimate, and bounds with 95 % confidence; all in [0, 1] but the size."""

    size: float
    pod: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class DetectionLimit:
    """What trials with one kind of defect say. Sizes are in pixels.

    Attributes:
        trials: what was drawn, in order of size.
        a50: half of the defects of this size are found; None: not among the sizes that were drawn.
        a90: the same for 90 %.
        a90_95: from this size on at least 90 % are found, with 95 % confidence; None: the trials do not show it.
    """

    trials: tuple[Trial, ...]
    a50: float | None
    a90: float | None
    a90_95: float | None

    @property
    def found(self) -> int:
        """How many were found."""
        return sum(trial.found for trial in self.trials)

    def curve(self, count: int = 30) -> tuple[Point, ...]:
        """Points of the curve from the smallest to the largest size drawn, evenly spaced in its logarithm."""
        fit = _Fit.of(self.trials)
        at = np.linspace(fit.x.min(), fit.x.max(), count)
        best = np.clip(fit.logits(at), -_CERTAIN, _CERTAIN)
        low, high = (fit.outermost(at, best, end) for end in (-_CERTAIN, _CERTAIN))
        columns = (fit.sizes(at), expit(best), expit(low), expit(high))
        return tuple(Point(*map(float, row)) for row in zip(*columns, strict=True))

    def in_words(self, kind: str, larger: str = "larger", scale: float | None = None) -> str:
        """From which size on such defects are found, in short sentences.

        Args:
            kind: of defect, in the plural: "scratches".
            larger: how one says that they are: "longer".
            scale: millimetres per pixel; None: sizes are said in pixels.
        """
        name = kind[:1].upper() + kind[1:]
        largest = _size(self.trials[-1].size, scale, math.ceil)
        said = []
        if not self.found:
            return f"{name} are not found in the sizes that were drawn, up to {largest}."
        if self.a90_95 is not None:
            said.append(f"{name} {larger} than {_size(self.a90_95, scale, math.ceil)} are found in 9 of 10 cases.")
        elif self.found == len(self.trials):
            said.append(
                f"All {self.found} {kind} that were drawn are found; {ENOUGH} are needed to promise 9 of 10 cases."
            )
        else:
            said.append(
                f"{self.found} of {len(self.trials)} {kind} up to {largest} are found; this is too little to "
                "promise 9 of 10 cases for any size."
            )
        if self.a50 is not None:
            said.append(f"{name} under {_size(self.a50, scale, round)} are missed in half of the cases or more.")
        return " ".join(said)


def detection_limit(trials: Sequence[Trial]) -> DetectionLimit:
    """What trials with one kind of defect say.

    Raises:
        ConfigError: there are no trials, or a size is no number above 0.
    """
    if not trials:
        raise ConfigError("No defect was drawn, so nothing is known of what is found; draw at least one.")
    for trial in trials:
        if not (math.isfinite(trial.size) and trial.size > 0):
            raise ConfigError(f"A defect of size {trial.size} cannot be drawn; sizes are numbers above 0.")
    fit = _Fit.of(sorted(trials))
    return DetectionLimit(tuple(sorted(trials)), fit.size_at(0.0), fit.size_at(float(logit(POD))), fit.promised())


def detection_limits(trials: Mapping[str, Sequence[Trial]]) -> dict[str, DetectionLimit]:
    """The same for each kind of defect."""
    return {kind: detection_limit(each) for kind, each in trials.items()}


@dataclass(frozen=True, slots=True, eq=False)
class _Fit:
    """The best curve: logit of the probability = intercept + slope * x, slope >= 0.

    Attributes:
        drawn: (N,) sizes in pixels.
        x: (N,) their logarithms, standardised with `centre` and `spread`.
        sign: (N,) 1 where found, else -1.
        likelihood: logarithm of the best one, or what it tends to where the curve is a step.
    """

    drawn: Array
    x: Array
    sign: Array
    centre: float
    spread: float
    intercept: float
    slope: float
    likelihood: float

    @classmethod
    def of(cls, trials: Sequence[Trial]) -> _Fit:
        drawn = np.array([trial.size for trial in trials], dtype=np.float64)
        logs = np.log(drawn)
        centre, spread = float(logs.mean()), float(logs.std()) or 1.0
        x = (logs - centre) / spread
        sign = np.where([trial.found for trial in trials], 1.0, -1.0)
        return cls(drawn, x, sign, centre, spread, *_best(x, sign))

    def logits(self, at: Array) -> Array:
        """Of the probability on the best curve, at standardised logarithms of sizes."""
        return self.intercept + self.slope * at

    def sizes(self, at: Array) -> Array:
        """Pixels of standardised logarithms of sizes, within what was drawn."""
        return np.clip(np.exp(self.centre + self.spread * at), self.drawn.min(), self.drawn.max())

    def size_at(self, target: float) -> float | None:
        """The size at which the best curve has this logit, if that is among the drawn ones."""
        if not self.slope:
            return None
        at = (target - self.intercept) / self.slope
        return float(self.sizes(np.array([at]))[0]) if self.x.min() <= at <= self.x.max() else None

    def possible(self, at: Array, target: Array) -> npt.NDArray[np.bool_]:
        """Whether a possible curve goes through these places.

        Args:
            at: (K,) standardised logarithms of sizes.
            target: (K,) logits there.

        Returns:
            (K,)
        """
        # The likelihood is concave in the slope. Its derivative is halved to zero, over b / (1 + b) in [0, 1).
        away = self.x[None] - at[:, None]  # (K, N)
        low, high = np.zeros(len(at)), np.full(len(at), 1 - 1e-6)
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            logits = target[:, None] + (middle / (1 - middle))[:, None] * away
            rises = (self.sign * away * expit(-self.sign * logits)).sum(1) > 0
            low, high = np.where(rises, middle, low), np.where(rises, high, middle)
        logits = target[:, None] + (low / (1 - low))[:, None] * away
        likelihood = log_expit(self.sign * logits).sum(1)
        return np.asarray(likelihood - self.likelihood >= LEAST_RATIO)

    def outermost(self, at: Array, inside: Array, end: float) -> Array:
        """The last logit from `inside`, which is possible, towards `end` that is possible, at each place (K,)."""
        outside = np.full(len(at), end)
        for _ in range(_HALVINGS):
            middle = (inside + outside) / 2
            fits = self.possible(at, middle)
            inside, outside = np.where(fits, middle, inside), np.where(fits, outside, middle)
        return outside

    def promised(self) -> float | None:
        """The least drawn size at which every possible curve is at 90 % or above."""
        target = np.array([logit(POD)])

        def shown(at: float) -> bool:
            place = np.array([at])
            return bool(self.logits(place)[0] >= target[0] and not self.possible(place, target)[0])

        low, high = float(self.x.min()), float(self.x.max())
        if not shown(high):
            return None
        if shown(low):
            return float(self.sizes(np.array([low]))[0])
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if shown(middle) else (middle, high)
        return float(self.sizes(np.array([high]))[0])


def _best(x: Array, sign: Array) -> tuple[float, float, float]:
    """Intercept, slope and logarithm of the likelihood of the best curve."""
    found, missed = x[sign > 0], x[sign < 0]
    if not len(missed):
        return _CERTAIN, 0.0, 0.0
    if not len(found):
        return -_CERTAIN, 0.0, 0.0
    low, high = float(missed.max()), float(found.min())
    if low < high:
        return -_STEEP * (low + high) / 2, _STEEP, 0.0
    if low == high and x.min() < x.max():  # a step at a size of which some were found
        hits, misses = int((found == low).sum()), int((missed == low).sum())
        share = hits / (hits + misses)
        likelihood = hits * math.log(share) + misses * math.log(1 - share)
        return float(logit(share)) - _STEEP * low, _STEEP, likelihood

    def negative(curve: Array) -> tuple[float, Array]:
        logits = sign * (curve[0] + curve[1] * x)
        pull = sign * expit(-logits)
        return -float(log_expit(logits).sum()), -np.array([pull.sum(), (pull * x).sum()])

    level = float(logit(len(found) / len(x)))
    result = optimize.minimize(
        negative, [level, 0.0], jac=True, method="L-BFGS-B", bounds=[(None, None), (0.0, _STEEP)],
        options={"ftol": 1e-15, "gtol": 1e-9},
    )  # fmt: skip
    return float(result.x[0]), float(result.x[1]), -float(result.fun)


def _size(pixels: float, scale: float | None, rounding: Callable[[float], int]) -> str:
    """A size with two digits that count, in millimetres or pixels."""
    size, unit = (pixels, "px") if scale is None else (pixels * scale, "mm")
    step = 10.0 ** (math.floor(math.log10(size)) - 1)
    return f"{rounding(round(size / step, 6)) * step:.6g} {unit}"
