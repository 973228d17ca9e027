"""The cascade against asking the model about every part: accuracy on the same parts, and calls and time saved.

python benchmarks/cascade.py --data DIR [--set ball_screw/spindle] [--good 24] [--parts 24] [--slow SECONDS]

DIR holds sets as folders with train/good, test/good and test/<type>, as MVTec AD has them. A product is made of
good training pictures, the embedded model is fitted to it, and test pictures are inspected in three ways: by the
comparison alone, by the cascade, and by always asking. With --slow, a stand-in takes the place of the model: it
knows nothing and takes so long for each picture as a large model does. Nothing is tuned on test pictures.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reason_iad import FakeBackbone, Inspection, Inspector, InspectorConfig
from reason_iad.expert.joint import Asked, joint_of
from reason_iad.images import find_images
from reason_iad.inspection.by_product import PartInspector
from reason_iad.inspection.jointly import prompted_by
from reason_iad.products import Products
from reason_iad.products.fitting import begin_of, fit_model
from reason_iad.products.judging import part_kind


class Slow(FakeBackbone):
    """A model of random weights that takes its time for each scene."""

    seconds = 0.0

    def head(self, *args: Any, **options: Any) -> Any:
        """Sleep, then go on."""
        time.sleep(self.seconds)
        return super().head(*args, **options)


def main() -> None:
    """Fit, inspect and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--set", default="ball_screw/spindle")
    parser.add_argument("--good", type=int, default=24)
    parser.add_argument("--parts", type=int, default=24, help="of each kind, good and defective")
    parser.add_argument("--slow", type=float, metavar="SECONDS")
    parser.add_argument("--method", default="full")
    options = parser.parse_args()
    folder, config = options.data / options.set, InspectorConfig(method=options.method)
    good = spread(find_images([folder / "train/good"]), options.good)
    tests = spread(find_images([folder / "test/good"]), options.parts)
    bad = [path for path in find_images([folder / "test"]) if path.parent.name != "good"]
    known = [(path, False) for path in tests] + [(path, True) for path in spread(bad, options.parts)]
    with tempfile.TemporaryDirectory() as place:
        product = Products(place).create("part", good)
        kind = part_kind(product)
        model = stand_in(options.slow, config) if options.slow else Inspector.from_pretrained("nano", config=config)
        asking = PartInspector(kind, lambda: model, config=config)
        begin = begin_of(product, kind, "model", config.sha256(), prompted_by(model.setup))
        start = time.perf_counter()
        found = fit_model(product, kind, begin, lambda image, seen, hidden: asking.says(image, seen, [hidden]))
        parts = len(found.good) + len(found.defective)
        print(f"fitted with {parts} parts in {time.perf_counter() - start:.0f} s: {found.weights}")
        print(
            f"told apart: {found.separation:.3f} with the model, {found.separation_alone:.3f} without", flush=True
        )
        left_out, prompted = kind.expert.left_out, begin.prompted

        def inspector(*, always: bool) -> PartInspector:
            joint = joint_of(found, Asked(0.05, always=always), left_out, "model", prompted)
            return PartInspector(kind, lambda: model, always=always, config=config, joint=joint)

        ways = {
            "comparison alone": PartInspector(kind, config=config),
            "cascade": inspector(always=False),
            "always asking": inspector(always=True),
        }
        right = {name: measured(name, way.inspect, known) for name, way in ways.items()}
    for name in ("cascade", "comparison alone"):
        more = sum(a and not b for a, b in zip(right[name], right["always asking"], strict=True))
        fewer = sum(b and not a for a, b in zip(right[name], right["always asking"], strict=True))
        print(f"{name} against always asking: {more} parts right that it gets wrong, {fewer} the other way round")


def stand_in(seconds: float, config: InspectorConfig) -> Inspector:
    """A slow model without weights."""
    model = Slow(context_length=1 << 16)
    model.seconds = seconds
    return Inspector(model, config=config)


def measured(name: str, inspect: Callable[[Path], Inspection], known: list[tuple[Path, bool]]) -> list[bool]:
    """Inspect, print, and say of each part whether it was decided rightly. What needs a person or cannot be judged
    counts as called defective."""
    start = time.perf_counter()
    results = [inspect(path) for path, _ in known]
    seconds = time.perf_counter() - start
    right = [(result.verdict != "pass") == bad for result, (_, bad) in zip(results, known, strict=True)]
    share = {
        bad: [each for each, (_, is_bad) in zip(right, known, strict=True) if is_bad == bad]
        for bad in (False, True)
    }
    balanced = sum(sum(some) / len(some) for some in share.values()) / 2
    products = [result.evidence.product for result in results]
    asked = sum(product is not None and product.model_asked for product in products)
    decided = sum(product is not None and product.decided_by == "comparison and model" for product in products)
    print(
        f"{name:17} balanced accuracy {balanced:.3f}, good parts passed {sum(share[False])}/{len(share[False])}, "
        f"defects found {sum(share[True])}/{len(share[True])}, model asked {asked}/{len(known)} "
        f"(whether: {decided}), {seconds / len(known):.2f} s a part",
        flush=True,
    )
    return right


def spread(paths: list[Path], most: int) -> list[Path]:
    """At most so many, evenly spread."""
    count = min(len(paths), most)
    return [paths[round(at * (len(paths) - 1) / max(1, count - 1))] for at in range(count)]


if __name__ == "__main__":
    main()
