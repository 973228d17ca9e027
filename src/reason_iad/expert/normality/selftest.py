"""The self-test of an expert: defects drawn on its own good pictures show what it finds (METHOD section 4).

Each drawn defect is scored by the expert without the picture that it was drawn on in its memory; nothing else would
be fair. What is found says how much each number counts, and from which size on defects are found. Labelled defects,
where there are any, say more about how much each number counts, and so they weigh more.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field, FiniteFloat, NonNegativeFloat, PositiveFloat, ValidationError

from reason_iad.errors import ConfigError
from reason_iad.expert.conformal import limits
from reason_iad.expert.detection_limits import DetectionLimit, detection_limit
from reason_iad.expert.detection_limits import Trial as Hit
from reason_iad.expert.normality.drawing import DRAWN_AT, FAMILIES, Drawn, Family, Wanted, draw, hits, plan
from reason_iad.expert.normality.expert import Assessment, ProductExpert
from reason_iad.expert.normality.learning import EACH_ALONE, FOLDS, FOLDS_THINNED, reweighted
from reason_iad.expert.normality.looks import BATCH, HELD
from reason_iad.expert.normality.seeing import Progress, silent
from reason_iad.expert.normality.spread import spread_out
from reason_iad.expert.normality.statistics import prior
from reason_iad.files import write_atomic
from reason_iad.schema.record import Record

if TYPE_CHECKING:
    from reason_iad.expert.normality.level import Level
    from reason_iad.images import LoadedImage

COUNT = 200
"""Defects that are drawn."""
DRAWN_ON = 60
"""Good pictures that are drawn on, at most."""
FEWEST = 3
"""Good pictures that a self-test needs: one is drawn on, and the others are compared with it."""
MOST_BYTES = 64 * 2**20
"""A file that claims to be larger is no self-test."""
LABELLED = 3
"""From so many labelled defects on, they are listened to."""
REACH = 0.02
"""Share of the longer side by which a mark may miss the defect."""
FINER = 1.5
"""Defects are drawn at least so many times as finely as the expert looks."""
POWER, POWER_LABELLED = 0.5, 2.0
"""How much drawn defects alone, and together with labelled ones, change the weights.

weight = prior * (AUROC - 0.5) ** power. On six kinds of real parts (docs/results.md) no power from 0.5 to 3 lowered
the mean AUROC of real defects. With more than 0.5 it fell on castings, whose real defects change the whole picture,
while drawn ones change a place. With five labelled defects per type it fell on no set by more than .0005, with any
power.
"""
LEAST, MOST = 0.05, 0.5
"""Bounds of AUROC - 0.5 there: no number is silenced, and none is trusted for a little luck."""


class Trial(Record):
    """A drawn defect, and whether it was found. Lengths are in pixels of the good picture."""

    family: str
    kind: str
    image: str = Field(description="SHA-256 of the good picture.")
    contrast: PositiveFloat = Field(description="Grey levels by which it changes its pixels, on average.")
    length: PositiveFloat = Field(description="Longer side of the smallest rectangle around it.")
    area: PositiveFloat
    numbers: dict[str, FiniteFloat] = Field(description="What the expert measured, in deviations of good pictures.")
    score: FiniteFloat
    found: bool = Field(description="Whether such a part does not pass.")
    marked: bool = Field(description="Whether what most stands out is the defect.")

    @property
    def hit(self) -> Hit:
        """Its length, and whether it was found."""
        return Hit(self.length, self.found)


class SelfTest(Record):
    """What drawn defects say of an expert."""

    version: Literal[1] = 1
    seed: int = Field(ge=0)
    images: int = Field(ge=1, description="Good pictures that were drawn on.")
    limit: FiniteFloat = Field(description="Parts with a lower score pass.")
    weights: dict[str, NonNegativeFloat] = Field(description="What each number counts.")
    separates: dict[str, float] = Field(
        description="How well each number tells defects from left-out good pictures: AUROC, 1 is perfect."
    )
    trials: tuple[Trial, ...]

    def detection(self) -> dict[str, DetectionLimit]:
        """From which length on the defects of each family are found."""
        names = dict.fromkeys(trial.family for trial in self.trials)
        return {
            name: detection_limit([trial.hit for trial in self.trials if trial.family == name]) for name in names
        }


class _Kept(Record):
    """A self-test on disk, and what it was made for."""

    made_for: str
    test: SelfTest


def save_self_test(test: SelfTest, path: Path, made_for: str) -> None:
    """Write a self-test, whole or not at all.

    Args:
        test: what to keep.
        path: of the file.
        made_for: a name of all that it follows from; only who asks for the same gets it back.

    Raises:
        OutputError: it cannot be written.
    """
    write_atomic(path, _Kept(made_for=made_for, test=test).model_dump_json())


def load_self_test(path: Path, made_for: str) -> SelfTest | None:
    """Read a self-test; None if there is none, it was made for something else, or it is damaged."""
    try:
        if path.stat().st_size > MOST_BYTES:
            return None
        kept = _Kept.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return kept.test if kept.made_for == made_for else None


def self_test(
    expert: ProductExpert,
    good: Sequence[LoadedImage],
    *,
    false_alarms: float = 0.05,
    labelled: Sequence[Mapping[str, float]] = (),
    count: int = COUNT,
    seed: int = 0,
    families: Mapping[str, Family] = FAMILIES,
    progress: Progress = silent,
) -> SelfTest:
    """Draw defects on good pictures, and see which of them the expert finds.

    Args:
        expert: what was learnt from these good pictures.
        good: the same pictures. Each is asked for once and let go.
        false_alarms: share of good parts that may be called defective; where there are too few pictures for it,
            the smallest share that they are enough for.
        labelled: numbers of labelled real defects (`Assessment.numbers`).
        count: how many defects are drawn, at most.
        seed: at least 0; the same one draws the same defects.
        families: what is drawn.
        progress: told how far it is.

    Raises:
        ConfigError: there are too few good pictures, or none of them has room for a defect.
    """
    names = image_names(expert)
    if expert.stood_in or len(names) < FEWEST:
        raise ConfigError(f"A self-test needs at least {FEWEST} different good pictures; add more.")
    wanted = plan(spread_out(len(names), DRAWN_ON), count, seed, families)
    seen = list(_assessed(expert, good, wanted, progress))
    if not seen:
        raise ConfigError("No good picture has room for a drawn defect; check the areas to inspect and to ignore.")
    separates = _separates(expert.left_out_numbers, [found.numbers for found in seen], labelled)
    power = POWER_LABELLED if len(labelled) >= LABELLED else POWER
    weights = {name: _weight(name, area, power) for name, area in separates.items() if prior(name)}
    limit = limits(expert.left_out, max(false_alarms, 1 / (1 + len(expert.left_out)))).pass_below
    return SelfTest(
        seed=seed, images=len({found.image for found in seen}), limit=limit, weights=weights, separates=separates,
        trials=tuple(_trial(expert, limit, found) for found in seen),
    )  # fmt: skip


def tuned(expert: ProductExpert, test: SelfTest) -> ProductExpert:
    """The expert with the weights that a self-test of it chose."""
    return reweighted(expert, expert.left_out_numbers, test.weights)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the expert says of a drawn defect.

    Attributes:
        image: hash of the good picture.
        length, area: of the defect, in pixels.
        numbers: what was measured.
        marked: whether what most stands out is the defect.
        judged: whether the picture can be judged.
    """

    wanted: Wanted
    image: str
    length: float
    area: float
    numbers: Mapping[str, float]
    marked: bool
    judged: bool


def _assessed(
    expert: ProductExpert, good: Sequence[LoadedImage], wanted: Sequence[Wanted], progress: Progress
) -> Iterator[_Found]:
    """What the expert says of each drawn defect without the picture that it was drawn on."""
    names, done = image_names(expert), 0
    sizes = [0 if level.detailed else level.size or 0 for level in expert.levels]
    size = max(DRAWN_AT, round(FINER * max(sizes)))
    for fold in folds(expert.levels, len(names)):
        mine = {at: some for at in fold if (some := [each for each in wanted if each.image == at])}
        levels = tuple(level.without({names[at] for at in fold}) for level in expert.levels) if mine else ()
        for at, some in mine.items():
            left_out = replace(expert, levels=levels, likeness=expert.likeness.without(at))
            image = _image(good, at, names)
            pictures = draw(image, some, expert.area, size)
            together = max(1, min(BATCH, HELD // (image.width * image.height)))
            while batch := list(islice(pictures, together)):
                looks = expert.eyes.look([each.picture for each in batch])
                for each, look in zip(batch, looks, strict=True):
                    yield _found(each, names[at], left_out.assess_look(look))
            done += len(some)
            progress("drawn defects looked for", done, len(wanted))


def _found(drawn: Drawn, name: str, seen: Assessment) -> _Found:
    rows, columns = seen.excess.shape
    row, column = divmod(int(seen.excess.argmax()), columns)
    spot = (column + 0.5) / columns, (row + 0.5) / rows
    return _Found(
        drawn.wanted, name, drawn.length, drawn.area, seen.numbers, hits(drawn.mask, spot, REACH),
        seen.likeness.reason is None,
    )  # fmt: skip


def _trial(expert: ProductExpert, limit: float, found: _Found) -> Trial:
    wanted, score = found.wanted, expert.score(found.numbers)
    return Trial(
        family=wanted.family, kind=wanted.kind, image=found.image, contrast=wanted.contrast, length=found.length,
        area=found.area, numbers=dict(found.numbers), score=score, found=score >= limit or not found.judged,
        marked=found.marked,
    )  # fmt: skip


def _separates(
    good: Sequence[Mapping[str, float]],
    drawn: Sequence[Mapping[str, float]],
    labelled: Sequence[Mapping[str, float]],
) -> dict[str, float]:
    """How well each number tells defects from good pictures. All drawn defects count as much as `LABELLED` real
    ones."""
    result = {}
    for name in good[0]:
        normal = [each[name] for each in good]
        area = auroc(normal, [each[name] for each in drawn])
        if len(labelled) >= LABELLED:
            share = len(labelled) / (len(labelled) + LABELLED)
            area = (1 - share) * area + share * auroc(normal, [each[name] for each in labelled])
        result[name] = area
    return result


def auroc(good: Sequence[float], defective: Sequence[float]) -> float:
    """Share of pairs of a good and a defective part of which the defective one has the higher number."""
    from scipy.stats import rankdata

    ranks = rankdata([*good, *defective])[len(good) :]
    n = len(defective)
    return float((ranks.sum() - n * (n + 1) / 2) / (n * len(good)))


def _weight(name: str, area: float, power: float) -> float:
    told: float = float(np.clip(area - 0.5, LEAST, MOST)) ** power
    return prior(name) * told


def folds(levels: Sequence[Level], count: int) -> list[range]:
    """Numbers of pictures that are left out together, as when the expert learnt."""
    thinned = any(level.bank.thinned for level in levels)
    most = FOLDS_THINNED if thinned else count if count <= EACH_ALONE else FOLDS
    return [range(fold, count, most) for fold in range(min(most, count))]


def image_names(expert: ProductExpert) -> list[str]:
    """Hashes of the good pictures, by number."""
    return [member.sha256 for member in expert.levels[0].bank.members]


def _image(good: Sequence[LoadedImage], number: int, names: Sequence[str]) -> LoadedImage:
    """The good picture of a number. Pictures that are there twice have one, so it may stand further back."""
    for at in range(number, len(good)):
        image = good[at]
        if image.sha256 == names[number]:
            return image
    raise ConfigError("These are not the good pictures that the expert learnt from; let it learn anew.")
