"""What labelled defects are worth: AUROC with and without them, and how often a type is stated and true.

    python benchmarks/examples.py DATA/magnetic_tile/tile [--draws 5] [--per-type 5] [--template]

A folder in the layout of MVTec AD. In each draw, so many defects of each type become labelled defects and leave the
test. The rest is judged with and without them, by limits for 5 % false alarms. No language model is asked.

With --template, each part is compared with the picture of the same name in the folder `template`. Half of the good
pairs of `test` make a product and leave the test. The score follows from the template alone, so labelled defects
say the type and change nothing else.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import numpy.typing as npt

from reason_iad.expert.conformal import limits
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.judging import Judgement, judge
from reason_iad.expert.normality.example_learning import Labelled, learn_defects
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.part_kind import PartKind
from reason_iad.images import LoadedImage, load_image
from reason_iad.products import Products
from reason_iad.products.gathering import GivenDefect, marked_pixels
from reason_iad.products.judging import part_kind

FALSE_ALARMS = 0.05
GOOD = "good"


@dataclass(frozen=True, slots=True)
class Part:
    """A picture of the test, what it shows, and where its mask is, if there is one."""

    path: Path
    kind: str
    mask: Path

    def image(self) -> LoadedImage:
        """The picture."""
        return load_image(self.path)

    def labelled(self) -> Labelled:
        """As a labelled defect."""
        marked = marked_pixels(self.mask) if self.mask.exists() else None
        return Labelled(self.image(), self.kind, datetime.now(timezone.utc), marked)


def parts(root: Path) -> list[Part]:
    """The pictures of the test."""
    return [
        Part(path, kind.name, root / "ground_truth" / kind.name / f"{path.stem}_mask.png")
        for kind in sorted((root / "test").iterdir())
        for path in sorted(kind.iterdir())
    ]


def auroc(bad: Sequence[float], good: Sequence[float]) -> float:
    """How often a defective part scores higher than a good one."""
    pairs = np.subtract.outer(np.asarray(bad), np.asarray(good))
    return float((pairs > 0).mean() + (pairs == 0).mean() / 2)


def drawn(every: list[Part], most: int, seed: int) -> list[Part]:
    """So many defects of each type, but never more than half of them."""
    rng = np.random.default_rng(seed)
    found: list[Part] = []
    for kind in sorted({each.kind for each in every} - {GOOD}):
        mine = [each for each in every if each.kind == kind]
        chosen: npt.NDArray[np.int64] = rng.permutation(len(mine))[: min(most, len(mine) // 2)]
        found += [mine[int(at)] for at in chosen]
    return found


def template_of(root: Path, part: Part) -> Path:
    """The template of a part."""
    return root / "template" / part.path.name


def by_template(root: Path, draws: int, per_type: int) -> list[dict[str, float]]:
    """Each draw, with a product whose parts have their own templates."""
    every = parts(root)
    rows = []
    for seed in range(draws):
        good = [each for each in every if each.kind == GOOD]
        order = np.random.default_rng(seed).permutation(len(good))
        own = [good[at] for at in order[: len(good) // 2]]
        chosen = drawn(every, per_type, seed)
        defects = [GivenDefect(each.path, each.kind, each.mask if each.mask.exists() else None) for each in chosen]
        with TemporaryDirectory() as place:
            templates = Path(place) / "template"
            templates.mkdir()
            for each in (*own, *chosen):
                (templates / each.path.name).symlink_to(template_of(root, each).resolve())
            catalogue = Products(Path(place) / "products")
            made = catalogue.create("parts", [each.path for each in own], defects=defects, template=templates)
            kind = part_kind(made)
            rest = [each for each in every if each not in chosen and each not in own]
            after = {each: judge(kind, each.image(), template=load_image(template_of(root, each))) for each in rest}
            rows.append(told(after, kind))
        print_draw(seed, rows[-1])
    return rows


def print_draw(seed: int, row: dict[str, float]) -> None:
    """The figures of a draw."""
    print(f"draw {seed + 1}: " + ", ".join(f"{name} {value:.3f}" for name, value in row.items()), flush=True)


def main() -> None:
    """Measure one set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--per-type", type=int, default=5)
    parser.add_argument("--template", action="store_true", help="parts have their own templates")
    given = parser.parse_args()
    rows = (by_template if given.template else by_good_images)(given.root, given.draws, given.per_type)
    for name in rows[0]:
        values = [row[name] for row in rows]
        print(f"{name:34} mean {np.nanmean(values):.3f}, lowest {np.nanmin(values):.3f}")


def by_good_images(root: Path, draws: int, per_type: int) -> list[dict[str, float]]:
    """Each draw, with and without labelled defects."""
    good = [load_image(path) for path in sorted((root / "train" / GOOD).iterdir())]
    expert = learn(good, Eyes.of(make_encoder("efficientnet_lite0", None)))
    plain = PartKind("", "", expert, limits(expert.left_out, FALSE_ALARMS), {})
    every = parts(root)
    before = {each: judge(plain, each.image()).seen.score for each in every}
    rows = []
    for seed in range(draws):
        chosen = drawn(every, per_type, seed)
        known = learn_defects(expert, [each.labelled() for each in chosen], good)
        kind = PartKind("", "", expert, limits(known.left_out, FALSE_ALARMS), {}, known=known)
        rest = [each for each in every if each not in chosen]
        rows.append(measured(kind, plain, rest, before))
        print_draw(seed, rows[-1])
    return rows


def measured(kind: PartKind, plain: PartKind, rest: list[Part], before: dict[Part, float]) -> dict[str, float]:
    """One draw."""
    after = {each: judge(kind, each.image()) for each in rest}
    bad, good = ([each for each in rest if (each.kind == GOOD) == fine] for fine in (False, True))
    limit = plain.limits.defect_from
    return {
        "AUROC without": auroc([before[each] for each in bad], [before[each] for each in good]),
        "found without": above(before, bad, limit),
        "false alarms without": above(before, good, limit),
        **told(after, kind),
    }


def told(after: dict[Part, Judgement], kind: PartKind) -> dict[str, float]:
    """How good the scores are, and how often a type is stated and true."""
    bad, good = ([each for each in after if (each.kind == GOOD) == fine] for fine in (False, True))
    found = [each for each in bad if after[each].alike.defects]
    stated = [each for each in found if after[each].alike.defects[0].types]
    true = [each for each in stated if each.kind in after[each].alike.defects[0].types]
    one = [each for each in stated if after[each].alike.defects[0].types == (each.kind,)]
    score = {each: judgement.seen.score for each, judgement in after.items()}
    called = partial(above, score, limit=kind.limits.defect_from)
    return {
        "AUROC with": auroc([score[each] for each in bad], [score[each] for each in good]),
        "found with": called(bad),
        "false alarms with": called(good),
        "type stated, of found": len(stated) / max(len(found), 1),
        "true among names, of stated": len(true) / max(len(stated), 1),
        "one name and true, of stated": len(one) / max(len(stated), 1),
    }


def above(scores: dict[Part, float], of: list[Part], limit: float) -> float:
    """The share of these parts with a score from the limit on."""
    return float(np.mean([scores[each] >= limit for each in of])) if of else float("nan")


if __name__ == "__main__":
    main()
