"""What corrections do: accuracy against the number of reviewed parts, and how many other verdicts one changes.

python benchmarks/corrections.py --data DIR --set ball_screw/spindle [--set …] [--good 10] [--draws 3]
                                 [--after 0 5 10 20 40] [--sample 0.1] [--singles 4]

DIR holds sets as folders with train/good, test/good and test/<type>, as MVTec AD has them. A product begins with a
few good images. Then parts come as they would on a line: they are inspected, and a person reviews those that are
doubtful and those of the random sample, through the queue, the reviews and the products of the service. Half of the
test pictures are never seen by the product: they measure. Afterwards single corrections are tried on copies of the
product, and verdicts on parts that have nothing to do with them are compared: of a defect, good parts and those
with other types; of a good part, the defective ones.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from reason_iad.expert.judging import judge
from reason_iad.expert.normality.looks import Look
from reason_iad.expert.normality.selftest import auroc
from reason_iad.expert.part_kind import PartKind
from reason_iad.files import file_sha256
from reason_iad.images import LoadedImage, find_images, load_image
from reason_iad.inspection.by_product import PartInspector
from reason_iad.products import Products
from reason_iad.products.judging import part_kind
from reason_iad.products.trial import trial_copy
from reason_iad.service.database import Database, queue
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.reviews.reviewing import Reviews, Said
from reason_iad.service.reviews.teaching import DEFECT, GOOD, Lesson, teach
from reason_iad.service.work.worker import finding

NAME, PERSON, BYTES = "part", "ann", 2**28


@dataclass(frozen=True, slots=True)
class Shown:
    """A part, and what it really is.

    Attributes:
        path: its picture.
        type: of its defect; 'good' without one.
    """

    path: Path
    type: str


@dataclass(frozen=True, slots=True)
class Draw:
    """Which pictures are what.

    Attributes:
        good: those that the product begins with.
        stream: parts that come one after the other.
        singles: parts that are tried as single corrections.
        unseen: parts that measure.
    """

    good: tuple[Path, ...]
    stream: tuple[Shown, ...]
    singles: tuple[Shown, ...]
    unseen: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Point:
    """How well the product does after some reviews."""

    reviews: int
    good: int
    defects: int
    auroc: float
    passed: float
    stopped: float


class Line:
    """A service without a server: its database, its pictures, its products, its reviews.

    Args:
        folder: of its data.
        draw: of the pictures.
        sample: share of parts that are reviewed in any case.
    """

    def __init__(self, folder: Path, draw: Draw, sample: float) -> None:
        self.products = Products(folder / "products")
        self.products.create(NAME, draw.good)
        self.folder, self.pictures = folder, PictureStore(folder / "pictures")
        self._database = Database(f"sqlite:///{folder / 'service.db'}")
        self._database.upgrade()
        self._reviews = Reviews(self._database, self.products, self.pictures)
        self.stream, self._sample, self._rng = deque(draw.stream), sample, random.Random(5)
        self._truth = {file_sha256(each.path): each.type for each in draw.stream}
        self.reviews = 0
        self.kind = self.learnt()

    def learnt(self) -> PartKind:
        """What parts are judged by from now on."""
        self.kind = part_kind(self.products.open(NAME))
        self._inspector = PartInspector(self.kind)
        return self.kind

    def review(self, until: int) -> bool:
        """Let parts come until so many were reviewed; returns whether there were enough."""
        while self.reviews < until:
            part = self._reviews.next(PERSON)
            if part is not None:
                kind = self._truth[part.picture]
                said = Said(GOOD) if kind == GOOD else Said(DEFECT, kind)
                self._reviews.say(part.id, PERSON, said)
                self.reviews += 1
            elif self.stream:
                self._inspect(self.stream.popleft())
            else:
                return False
        return True

    def _inspect(self, shown: Shown) -> None:
        stored = self.pictures.take([shown.path.read_bytes()], BYTES)
        part = queue.Part(NAME, stored, shown.path.name, "line", sampled=self._rng.random() < self._sample)
        queue.accept(self._database, part, 1000)
        for job in queue.claim(self._database, "w", 1, 600):
            found = finding(self._inspector.inspect(self.pictures.path(job.picture)))
            queue.finish(self._database, "w", [(job, found)])


class Unseen:
    """Parts that measure. They are looked at once: all states of the product look in the same way.

    Args:
        shown: the parts.
        kind: of any state of the product.
    """

    def __init__(self, shown: Sequence[Shown], kind: PartKind) -> None:
        self._seen: list[tuple[Shown, LoadedImage, Look]] = []
        for each in shown:
            image = load_image(each.path)
            self._seen.append((each, image, next(kind.expert.eyes.look([image.pixels]))))

    def verdicts(self, kind: PartKind) -> dict[Shown, tuple[str, float]]:
        """What is said of each part: the verdict, and the score."""
        found: dict[Shown, tuple[str, float]] = {}
        for shown, image, look in self._seen:
            judged = judge(kind, image, look, places=False)
            found[shown] = (judged.verdict, judged.seen.score)
        return found

    def measured(self, line: Line) -> Point:
        """How well the product does now."""
        product, found = line.products.open(NAME), self.verdicts(line.kind)
        good = [found[each] for each in found if each.type == GOOD]
        bad = [found[each] for each in found if each.type != GOOD]
        return Point(
            reviews=line.reviews, good=len(product.good), defects=len(product.defects),
            auroc=auroc([score for _, score in good], [score for _, score in bad]),
            passed=sum(verdict == "pass" for verdict, _ in good) / len(good),
            stopped=sum(verdict != "pass" for verdict, _ in bad) / len(bad),
        )  # fmt: skip


def drawn(folder: Path, options: argparse.Namespace, seed: int) -> Draw:
    """One draw: each type of the test pictures is split into halves."""
    rng, good, most = random.Random(seed), options.good, options.parts
    train = find_images([folder / "train/good"])
    rng.shuffle(train)
    stream = [Shown(path, GOOD) for path in train[good:]]
    unseen: list[Shown] = []
    for place in sorted(each for each in (folder / "test").iterdir() if each.is_dir()):
        shown = [Shown(path, place.name) for path in find_images([place])]
        rng.shuffle(shown)
        half = -(-len(shown) // 2)
        stream += shown[:half]
        unseen += shown[half:]
    rng.shuffle(stream)
    rng.shuffle(unseen)
    singles = [each for each in stream if each.type == GOOD][: options.singles // 2]
    singles += [each for each in stream if each.type != GOOD][: options.singles - len(singles)]
    good_ones = [each for each in unseen if each.type == GOOD][: most // 2]
    bad_ones = [each for each in unseen if each.type != GOOD][: most // 2]
    return Draw(
        tuple(train[:good]), tuple(each for each in stream if each not in singles), tuple(singles),
        (*good_ones, *bad_ones),
    )  # fmt: skip


def changed_by_one(line: Line, unseen: Unseen, singles: Sequence[Shown]) -> Iterator[tuple[str, int, int]]:
    """For single corrections: of what, how many verdicts on unrelated parts changed, and of how many."""
    before = unseen.verdicts(line.kind)
    for each in singles:
        with trial_copy(line.products.open(NAME), line.folder) as product:
            lesson = Lesson(each.path, GOOD if each.type == GOOD else DEFECT, each.type)
            after = unseen.verdicts(part_kind(teach(product, [lesson])))
        others = [s for s in before if (s.type != GOOD if each.type == GOOD else s.type != each.type)]
        what = "good" if each.type == GOOD else "defect"
        yield what, sum(before[s][0] != after[s][0] for s in others), len(others)


def one_draw(
    folder: Path, options: argparse.Namespace, seed: int
) -> tuple[list[Point], list[tuple[str, int, int]]]:
    """The curve of one draw, and what single corrections changed at its end."""
    draw, points = drawn(folder, options, seed), []
    with tempfile.TemporaryDirectory() as place:
        line = Line(Path(place), draw, options.sample)
        unseen = Unseen(draw.unseen, line.kind)
        for after in options.after:
            enough = line.review(after)
            line.learnt()
            points.append(unseen.measured(line))
            print(f"  draw {seed}: {points[-1]}", flush=True)
            if not enough:
                break
        return points, list(changed_by_one(line, unseen, draw.singles))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", action="append", dest="sets", required=True)
    parser.add_argument("--good", type=int, default=10, help="images that the product begins with")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--after", type=int, nargs="+", default=[0, 5, 10, 20, 40], help="reviews")
    parser.add_argument("--parts", type=int, default=60, help="unseen parts at most, half of them good")
    parser.add_argument("--sample", type=float, default=0.1, help="share of parts that are reviewed in any case")
    parser.add_argument("--singles", type=int, default=4, help="single corrections that are tried at the end")
    options = parser.parse_args()
    for name in options.sets:
        began, curves, singles = time.monotonic(), [], []
        print(name, flush=True)
        for seed in range(options.draws):
            points, changes = one_draw(options.data / name, options, seed)
            curves.append(points)
            singles += changes
        table(curves)
        for what in ("defect", "good"):
            of = [(changed, count) for kind, changed, count in singles if kind == what]
            if total := sum(count for _, count in of):
                changed = sum(each for each, _ in of)
                print(f"  one {what} part: {changed} of {total} unrelated verdicts changed ({changed / total:.2%})")
        print(f"  {time.monotonic() - began:.0f} s", flush=True)


def table(curves: Sequence[Sequence[Point]]) -> None:
    """Means over the draws."""
    print("  reviews  good  defects  AUROC  good passed  defects stopped  accuracy")
    for column in zip(*curves, strict=False):
        mean = {name: statistics.fmean(getattr(each, name) for each in column) for name in Point.__slots__}
        accuracy = (mean["passed"] + mean["stopped"]) / 2
        print(
            f"  {mean['reviews']:7.0f} {mean['good']:5.0f} {mean['defects']:8.0f}  {mean['auroc']:.3f} "
            f"{mean['passed']:12.1%} {mean['stopped']:16.1%} {accuracy:9.1%}"
        )


if __name__ == "__main__":
    main()
