"""How well the expert of a product finds defects of real parts: the table of docs/results.md.

    python benchmarks/experts.py --data ../shared/data [--set cookie/cookie] [--scores scores.csv]

The expert learns the good images of `train` and nothing else. Columns:

- image AUROC of its score over all test images;
- balanced accuracy at the product's own limit: the conformal limit at 5 % false alarms, from the left-out good
  images. A picture that cannot be judged counts as called defective;
- false alarms, and defects found, at that limit;
- test images that cannot be judged, good and defective;
- marked at the defect, of the defects found that have a mask: the centre of the clearest box lies in the mask,
  grown by 2 % of the image's side, and the box is at most four times as large as that of the mask or 1 % of the
  image.

The boards of deeppcb are compared with their own template, as a product with templates does it: half of the good
pairs make the product and leave the test. The figures are means over draws of these pairs.
"""

from __future__ import annotations

import argparse
import csv
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import cv2
import numpy as np
from PIL import Image

from reason_iad.expert.conformal import limits
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.judging import judge
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.normality.where import fine_encoder, learn_where
from reason_iad.expert.part_kind import PartKind
from reason_iad.images import LoadedImage, load_image
from reason_iad.products import Products
from reason_iad.products.judging import part_kind

SETS = (
    "ball_screw/spindle",
    "casting/impeller",
    "commutator/surface",
    "magnetic_tile/tile",
    "cookie/cookie",
    "toy_figure/figure",
)
BOARDS = "deeppcb/pcb_crop"
ALARMS = 0.05
DRAWS = 5
GROWN, TIMES, SMALL = 0.02, 4, 0.01
"""How much the mask is grown, and how large a box may be: times that of the mask, or share of the image."""


class Found(NamedTuple):
    """What is said of a test image."""

    path: Path
    kind: str
    score: float
    unjudged: bool
    marked: bool | None


class Line(NamedTuple):
    """A line of the table, as shares."""

    auroc: float
    balanced: float
    alarms: float
    found: float
    unjudged_good: float
    unjudged_bad: float
    marked: float


def photographs(folder: Path) -> Iterator[LoadedImage]:
    """The pictures of a folder, in order."""
    return map(load_image, sorted(folder.iterdir()))


def limit(good: Sequence[float]) -> float:
    """The conformal limit: on average at most `ALARMS` of good parts lie above it; infinite if they are too few."""
    rank = int(ALARMS * (len(good) + 1) + 1e-9)
    return sorted(good, reverse=True)[rank - 1] if rank else float("inf")


def auroc(good: Sequence[float], bad: Sequence[float]) -> float:
    """The share of pairs in which the defective image has the larger score; ties count half."""
    apart = np.subtract.outer(np.asarray(bad), np.asarray(good))
    return float((apart > 0).mean() + 0.5 * (apart == 0).mean())


def is_marked(box: tuple[float, float, float, float], mask: Path) -> bool | None:
    """Whether a box (x1, y1, x2, y2) marks the defect; None if there is no mask."""
    if not mask.is_file():
        return None
    defect = np.asarray(Image.open(mask).convert("L")) > 0
    reach = round(GROWN * max(defect.shape))
    grown = cv2.dilate(defect.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2))
    rows, columns = np.nonzero(defect)
    own = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
    x1, y1, x2, y2 = box
    centre = min(int(y1 + y2) // 2, grown.shape[0] - 1), min(int(x1 + x2) // 2, grown.shape[1] - 1)
    return bool(grown[centre]) and (x2 - x1) * (y2 - y1) <= max(TIMES * float(own), SMALL * defect.size)


def tests(folder: Path) -> Iterator[tuple[str, LoadedImage, Path]]:
    """Kind, picture and mask of each test image."""
    for kind in sorted((folder / "test").iterdir()):
        for path in sorted(kind.iterdir()):
            yield kind.name, load_image(path), folder / "ground_truth" / kind.name / f"{path.stem}_mask.png"


def by_expert(folder: Path) -> tuple[list[Found], float]:
    """What the expert says of each test image, and the limit."""
    encoder = make_encoder("efficientnet_lite0", None)
    good = list(photographs(folder / "train/good"))
    expert = learn(good, Eyes.of(encoder))
    one_way, steps = len(expert.likeness.turned) > 0, expert.turning.steps
    where = learn_where(good, fine_encoder(Eyes.of(encoder)), one_way=one_way, steps=steps)
    kind_of_part = PartKind(folder.name, "", expert, limits(expert.left_out, ALARMS), {}, where)
    found = []
    for kind, picture, mask in tests(folder):
        said = judge(kind_of_part, picture)
        marked = is_marked(said.marked[0].box, mask) if kind != "good" and said.marked else None
        unjudged = said.seen.likeness.reason is not None
        found.append(Found(Path(picture.name), kind, said.seen.score, unjudged, marked))
    return found, limit(expert.left_out)


def by_template(folder: Path, seed: int) -> tuple[list[Found], float]:
    """What a product says of each board by its template, and its limit; half of the good pairs make the product."""
    good = sorted((folder / "test/good").iterdir())
    order = np.random.default_rng(seed).permutation(len(good))
    learnt = {good[at] for at in order[: len(good) // 2]}
    with TemporaryDirectory() as place:
        for path in learnt:
            for source in (path, template_of(folder, path.stem)):
                target = Path(place) / source.parent.name / source.name
                target.parent.mkdir(exist_ok=True)
                target.symlink_to(source.resolve())
        catalogue, where = Products(Path(place) / "products"), Path(place)
        kind_of_part = part_kind(catalogue.create("board", [where / "good"], template=where / "template"))
        found = []
        for kind, picture, mask in tests(folder):
            if folder / "test" / kind / picture.name in learnt:
                continue
            template = load_image(template_of(folder, mask.stem.removesuffix("_mask")))
            said = judge(kind_of_part, picture, template=template)
            marked = is_marked(said.marked[0].box, mask) if kind != "good" and said.marked else None
            found.append(Found(Path(picture.name), kind, said.seen.score, said.verdict == "unjudged", marked))
    return found, kind_of_part.limits.defect_from


def template_of(folder: Path, name: str) -> Path:
    """The template of a board."""
    return folder / "template" / f"{name}.png"


def summary(found: Sequence[Found], beyond: float) -> Line:
    """The figures of a set at a limit."""
    good, bad = ([each for each in found if (each.kind == "good") is want] for want in (True, False))
    called = {each: each.unjudged or each.score > beyond for each in found}
    alarms, hits = (statistics.mean(called[each] for each in some) for some in (good, bad))
    marked = [each.marked for each in bad if called[each] and each.marked is not None]
    return Line(
        auroc([each.score for each in good], [each.score for each in bad]),
        (hits + 1 - alarms) / 2,
        alarms,
        hits,
        statistics.mean(each.unjudged for each in good),
        statistics.mean(each.unjudged for each in bad),
        statistics.mean(marked) if marked else float("nan"),
    )


def mean(lines: Sequence[Line]) -> Line:
    """The mean of each figure."""
    return Line(*(statistics.mean(column) for column in zip(*lines, strict=True)))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--set", choices=(BOARDS, *SETS), action="append", help="only this set")
    parser.add_argument("--scores", type=Path, help="also write one row per test image to this file")
    options = parser.parse_args()
    print(f"{'set':<22}" + "".join(f"{name:>15}" for name in Line._fields), flush=True)
    rows: list[Found] = []
    for name in options.set or (BOARDS, *SETS):
        if name == BOARDS:
            draws = [by_template(options.data / name, seed) for seed in range(DRAWS)]
            found, line = draws[0][0], mean([summary(*each) for each in draws])
        else:
            found, beyond = by_expert(options.data / name)
            line = summary(found, beyond)
        rows += found
        print(f"{name:<22}" + "".join(f"{value:>15.3f}" for value in line), flush=True)
    if options.scores:
        with options.scores.open("w", newline="") as file:
            csv.writer(file).writerows([Found._fields, *rows])


if __name__ == "__main__":
    main()
