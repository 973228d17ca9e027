"""Can it be judged? What the expert says of pictures that no inspection should pass.

    python benchmarks/judging.py --data ../shared/data [--set cookie/cookie] [--shots 4] [--tune]

Each product has 500 implausible pictures, made from good pictures that the expert has not seen (`KINDS`; how strong
each is stands there). The expert learns the good images of `train`. For each kind the table counts the pictures
that cannot be judged, that are called defective (beyond the limit at 5 % false alarms, from left-out good images),
that need a person (beyond the limit at 20 %), and that pass; then the same of the real test images, where nothing
was made. `--tune` uses `train` alone: half of its good images are learnt, and the other half stands for the test
images. All thresholds of `likeness.py` were chosen so.

The boards of deeppcb are not here: cut-outs of boards differ from each other as much as from anything else, so
a picture of another thing cannot be told from them as a whole. Their template has to do that.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageFilter

from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.images import LoadedImage, load_image

Way = Image.Transpose
ANY_WAY: tuple[Way, ...] = ()
QUARTERS = (Way.ROTATE_90, Way.ROTATE_270)
EVERY = (*QUARTERS, Way.ROTATE_180, Way.FLIP_LEFT_RIGHT, Way.FLIP_TOP_BOTTOM)
SETS: Mapping[str, tuple[Way, ...]] = {
    "ball_screw/spindle": EVERY,
    "casting/impeller": ANY_WAY,
    "commutator/surface": QUARTERS,
    "magnetic_tile/tile": QUARTERS,
    "cookie/cookie": ANY_WAY,
    "toy_figure/figure": EVERY,
}
"""Product to the ways in which none of its good parts lies: those in which a person sees that a part is turned."""
ALARMS, DOUBT = 0.05, 0.2
"""Shares of good parts beyond the limits."""


class Source(NamedTuple):
    """What a picture is made from: a good picture, pictures of other products, and chance."""

    good: Image.Image
    others: Sequence[LoadedImage]
    ways: tuple[Way, ...]
    chance: np.random.Generator


def blank(source: Source) -> Image.Image:
    """White, black, or a grey."""
    level = int(source.chance.choice([0, 255, int(source.chance.integers(40, 216))]))
    return Image.new("RGB", source.good.size, (level,) * 3)


def noise(source: Source) -> Image.Image:
    """Of every pixel on its own or in grains of up to a tenth of the side, in colour or grey."""
    grain = int(source.chance.choice([1, 4, max(source.good.size) // 40, max(source.good.size) // 10]))
    width, height = (max(2, side // grain) for side in source.good.size)
    values = source.chance.integers(0, 256, (height, width, 3), dtype=np.uint8)
    if source.chance.random() < 0.5:
        values[:] = values[..., :1]
    return Image.fromarray(values).resize(source.good.size, Image.Resampling.BILINEAR)


def other(source: Source) -> Image.Image:
    """A good part of another product, in its own shape."""
    return source.others[int(source.chance.integers(len(source.others)))].pixels


def turned(source: Source) -> Image.Image:
    """Turned or mirrored in a way in which no good part lies."""
    return source.good.transpose(source.ways[int(source.chance.integers(len(source.ways)))])


def covered(source: Source) -> Image.Image:
    """One half hidden behind one colour."""
    width, height = source.good.size
    halves = [(0, 0, width // 2, height), (width // 2, 0, width, height),
              (0, 0, width, height // 2), (0, height // 2, width, height)]  # fmt: skip
    picture = source.good.copy()
    colour = tuple(int(value) for value in source.chance.integers(0, 256, 3))
    picture.paste(colour, halves[int(source.chance.integers(4))])
    return picture


def blurred(source: Source) -> Image.Image:
    """Out of focus: a Gaussian of 2 % of the longer side."""
    return source.good.filter(ImageFilter.GaussianBlur(0.02 * max(source.good.size)))


def dark(source: Source) -> Image.Image:
    """A quarter of the light."""
    return source.good.point(lambda value: value / 4)


def bright(source: Source) -> Image.Image:
    """Four times the light."""
    return source.good.point(lambda value: min(255, value * 4))


def cropped(source: Source) -> Image.Image:
    """Half the width and half the height, from anywhere, enlarged to the whole."""
    width, height = source.good.size
    x, y = (int(source.chance.integers(0, side // 2 + 1)) for side in source.good.size)
    return source.good.crop((x, y, x + width // 2, y + height // 2)).resize(source.good.size)


KINDS: Mapping[str, tuple[Callable[[Source], Image.Image], int, int]] = {
    "blank": (blank, 60, 60),
    "noise": (noise, 60, 60),
    "other": (other, 100, 140),
    "turned": (turned, 80, 0),
    "covered": (covered, 60, 80),
    "blurred": (blurred, 50, 50),
    "dark": (dark, 30, 30),
    "bright": (bright, 30, 30),
    "cropped": (cropped, 30, 50),
}
"""Kind to what makes it, how many of it there are, and how many where good parts lie in any way: 500 in all."""


def implausible(
    good: Sequence[LoadedImage], others: Sequence[LoadedImage], ways: tuple[Way, ...]
) -> Iterator[tuple[str, Image.Image]]:
    """500 pictures with their kinds, always the same."""
    for kind, (make, one_way, any_way) in KINDS.items():
        chance = np.random.default_rng(list(kind.encode()))
        for number in range(one_way if ways else any_way):
            yield kind, make(Source(good[number % len(good)].pixels, others, ways, chance))


def photographs(data: Path, name: str, part: str) -> list[LoadedImage]:
    """The pictures of a folder of a set, in order."""
    return [load_image(path) for path in sorted((data / name / part).iterdir())]


def limit(left_out: Sequence[float], share: float) -> float:
    """The conformal limit: on average at most this share of good parts lies above it; infinite if too few."""
    rank = int(share * (len(left_out) + 1) + 1e-9)
    return sorted(left_out, reverse=True)[rank - 1] if rank else float("inf")


def outcome(expert: ProductExpert, picture: LoadedImage) -> str:
    """One of `OUTCOMES`."""
    found = expert.assess(picture)
    if found.likeness.reason is not None:
        return "cannot be judged"
    if found.score > limit(expert.left_out, ALARMS):
        return "defective"
    return "person" if found.score > limit(expert.left_out, DOUBT) else "passes"


OUTCOMES = ("cannot be judged", "defective", "person", "passes")


def row(name: str, kind: str, counts: Counter[str]) -> str:
    """A line of the table."""
    return f"{name:<20} {kind:<22} {counts.total():>8} " + " ".join(f"{counts[each]:>16}" for each in OUTCOMES)


def measure(name: str, options: argparse.Namespace) -> Counter[str]:
    """Print the table of a product, and give the outcomes of its implausible pictures."""
    data, ways = options.data, SETS[name]
    references, good = photographs(data, name, "train/good"), photographs(data, name, "test/good")
    if options.tune:
        references, good = references[::2], references[1::2]
    if options.shots:
        chosen = np.random.default_rng(options.seed).permutation(len(references))[: options.shots]
        references = [references[at] for at in chosen]
    part = "train/good" if options.tune else "test/good"
    others = [picture for each in SETS if each != name for picture in photographs(data, each, part)]
    expert = learn(references, Eyes.of(make_encoder("efficientnet_lite0", None)))
    counts: dict[str, Counter[str]] = {}
    for number, (kind, picture) in enumerate(implausible(good, others, ways)):
        if number % options.every == 0:
            counts.setdefault(kind, Counter())[outcome(expert, load_image(picture))] += 1
    together = sum(counts.values(), Counter[str]())
    counts["(all of these)"] = together
    counts["good test images"] = Counter(outcome(expert, each) for each in good)
    if not options.tune:
        kinds = [path.name for path in (data / name / "test").iterdir() if path.name != "good"]
        defects = [each for kind in sorted(kinds) for each in photographs(data, name, f"test/{kind}")]
        counts["defective test images"] = Counter(outcome(expert, each) for each in defects)
    for kind, found in counts.items():
        print(row(name.split("/")[1], kind, found), flush=True)
    return together


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of the sets")
    parser.add_argument("--set", choices=SETS, action="append", help="only this product")
    parser.add_argument("--shots", type=int, help="learn so many good images")
    parser.add_argument("--seed", type=int, default=0, help="of the draw of these")
    parser.add_argument("--every", type=int, default=1, help="look at every so many-th picture only")
    parser.add_argument(
        "--tune", action="store_true", help="leave test images alone; half of train stands for them"
    )
    options = parser.parse_args()
    print(f"{'product':<20} {'pictures':<22} {'number':>8} " + " ".join(f"{each:>16}" for each in OUTCOMES))
    found = sum((measure(name, options) for name in options.set or SETS), Counter[str]())
    share = (found["cannot be judged"] + found["defective"]) / found.total()
    print(f"Of {found.total()} implausible pictures {share:.1%} cannot be judged or are called defective, ", end="")
    print(f"{found['person']} need a person, and {found['passes']} pass.")


if __name__ == "__main__":
    main()
