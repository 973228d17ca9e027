"""Beside a few good parts and without a product: which pictures cannot be judged?

    python benchmarks/plausible.py --data ../shared/data [--set cookie/cookie] [--references 1 8]

For each set and each number of references: the share of good and of defective test images that cannot be judged,
and the share of pictures that show something else (`KINDS`). References are drawn anew for each picture from
`train/good`; a set of boards with templates compares each board with its own.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from reason_iad.expert.normality.plausible import Glance, glance, implausible
from reason_iad.images import load_image

SETS = ("deeppcb/pcb_crop", "ball_screw/spindle", "casting/impeller", "commutator/surface", "magnetic_tile/tile",
        "cookie/cookie", "toy_figure/figure")  # fmt: skip
Make = Callable[[Image.Image, np.random.Generator], Image.Image]


def blank(good: Image.Image, chance: np.random.Generator) -> Image.Image:
    """White, black, or a grey."""
    return Image.new("RGB", good.size, (int(chance.choice([0, 255, chance.integers(40, 216)])),) * 3)


def noise(good: Image.Image, chance: np.random.Generator) -> Image.Image:
    """Every pixel on its own."""
    return Image.fromarray(chance.integers(0, 256, (good.height, good.width, 3), dtype=np.uint8))


def covered(good: Image.Image, chance: np.random.Generator) -> Image.Image:
    """The left or the upper half hidden behind one colour."""
    picture = good.copy()
    half = (good.width // 2, good.height) if chance.random() < 0.5 else (good.width, good.height // 2)
    picture.paste(tuple(int(value) for value in chance.integers(0, 256, 3)), (0, 0, *half))
    return picture


KINDS: Mapping[str, Make] = {
    "blank": blank,
    "noise": noise,
    "covered": covered,
    "blurred": lambda good, _: good.filter(ImageFilter.GaussianBlur(0.02 * max(good.size))),
    "dark": lambda good, _: good.point(lambda value: value / 4),
    "bright": lambda good, _: good.point(lambda value: min(255, value * 4)),
}


@cache
def seen(path: Path) -> Glance:
    """A file at a glance."""
    return glance(load_image(path).pixels)


def templates(folder: Path) -> dict[str, Path]:
    """The templates of a set by file name; none where it has none."""
    return (
        {path.name: path for path in (folder / "template").rglob("*.*")} if (folder / "template").is_dir() else {}
    )


def rows(data: Path, name: str, count: int) -> Iterator[tuple[str, int, int]]:
    """Kind of picture, how many cannot be judged, and how many there are."""
    folder, chance = data / name, np.random.default_rng(count)
    own, train = templates(folder), sorted((folder / "train/good").iterdir())

    def references(path: Path) -> list[Glance]:
        if own:
            return [seen(own[path.name])]
        return [seen(train[at]) for at in chance.choice(len(train), min(count, len(train)), replace=False)]

    tests = [path for path in sorted((folder / "test").glob("*/*")) if not own or path.name in own]
    good = [path for path in tests if path.parent.name == "good"]
    for kind, paths in (("good", good), ("defective", [path for path in tests if path.parent.name != "good"])):
        yield kind, sum(implausible(seen(path), references(path)) is not None for path in paths), len(paths)
    for kind, make in KINDS.items():
        some = good[:20]
        made = [(glance(make(load_image(path).pixels, chance)), references(path)) for path in some]
        yield kind, sum(implausible(*each) is not None for each in made), len(made)
    others = [
        sorted((data / each / "train/good").iterdir())[at] for each in SETS if each != name for at in (0, 1, 2)
    ]
    refused = sum(implausible(seen(path), references(good[0])) is not None for path in others)
    yield "another part", refused, len(others)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", action="append", choices=SETS)
    parser.add_argument("--references", type=int, nargs="+", default=[1, 8])
    options = parser.parse_args()
    heading = ["good", "defective", *KINDS, "another part"]
    print(f"| cannot be judged, % | references | {' | '.join(heading)} |\n|---|---|{'---|' * len(heading)}")
    for name in options.set or SETS:
        own = bool(templates(options.data / name))
        for count in options.references[:1] if own else options.references:
            found = {kind: f"{100 * some / max(of, 1):.0f}" for kind, some, of in rows(options.data, name, count)}
            print(f"| {name} | {'template' if own else count} | {' | '.join(found[kind] for kind in heading)} |")
            sys.stdout.flush()
    picture = load_image(sorted((options.data / SETS[0] / "train/good").iterdir())[0]).pixels
    start = time.perf_counter()
    for _ in range(20):
        glance(picture)
    print(f"\nOne picture takes {(time.perf_counter() - start) * 50:.0f} ms.")


if __name__ == "__main__":
    main()
