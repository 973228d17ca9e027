"""Labelled defects of a product: kept in its cache, learnt anew after a change, and used at once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reason_iad.inspection.by_product import PartInspector
from reason_iad.products import GivenDefect, Product, Products
from reason_iad.products.judging import part_kind
from reason_iad.products.known import KNOWN
from reason_iad.schema import Box

SIDE = 96


def plate(path: Path, seed: int, spot: int = 0) -> Path:
    """A grey plate with a bar, and a faint spot of that many grey levels."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(110, 130) + rng.normal(0, rng.uniform(3, 6), (SIDE, SIDE))
    bar = int(rng.integers(38, 44))
    pixels[bar : bar + 10] += rng.uniform(40, 70)
    pixels[66:78, 22:36] -= spot
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """A product of twenty plates."""
    folder = tmp_path_factory.mktemp("known")
    for seed in range(20):
        plate(folder / "good" / f"{seed}.png", seed)
    return Products(folder / "products").create("plate", [folder / "good"], settings={"resolution": 96})


def missed(product: Product, folder: Path) -> Path:
    """A defect that passes."""
    inspector = PartInspector(part_kind(product))
    for spot in (30, 22, 16, 12, 9, 6, 4):
        path = plate(folder / f"spot-{spot}.png", 99, spot)
        if inspector.inspect(path).verdict == "pass":
            return path
    raise AssertionError("the expert finds everything")


def test_a_correction_counts_from_the_next_inspection_on(made: Product, tmp_path: Path) -> None:
    path = missed(made, tmp_path)
    assert part_kind(made).known is None
    corrected = made.with_defects([GivenDefect(path, "spot", box=Box(x1=20, y1=64, x2=38, y2=80))])
    found = PartInspector(part_kind(corrected)).inspect(path)
    assert found.verdict == "defect"
    assert found.defect_type == "spot"
    assert found.findings[0].type == "spot"
    assert found.is_clear("type")
    product = found.evidence.product
    assert product is not None
    assert product.resemblance > 0
    assert product.example is not None
    assert product.example.sha256 == found.image.sha256
    assert product.example.name == corrected.defects[0].path.name
    added = corrected.defects[0].added
    assert f"Looks like 'spot', seen on {added.day} {added:%B %Y}." in found.explanation
    assert product.good_place is not None
    assert product.good_place.sha256 in {each.sha256 for each in corrected.good}
    assert part_kind(corrected.undone()).known is None


def test_what_is_known_is_kept_until_the_defects_change(
    made: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    box = Box(x1=20, y1=64, x2=38, y2=80)
    product = made.with_defects([GivenDefect(plate(tmp_path / "a.png", 50, 60), "spot", box=box)])
    first = part_kind(product).known
    assert first is not None
    learnt: list[int] = []
    from reason_iad.expert.normality import example_learning

    real = example_learning.learn_defects

    def counted(expert: object, labelled: list[object], *rest: object) -> object:
        learnt.append(len(labelled))
        return real(expert, labelled, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(example_learning, "learn_defects", counted)
    again = part_kind(product).known
    assert again is not None
    assert (again.examples, learnt) == (first.examples, [])
    for file in (product.cache_dir / KNOWN).glob("*.safetensors"):
        file.write_bytes(b"damaged")
    assert part_kind(product).known is not None
    assert learnt == [1]
    more = product.with_defects([GivenDefect(plate(tmp_path / "b.png", 51, 50), "burn", box=box)])
    known = part_kind(more).known
    assert known is not None
    assert (known.types, learnt) == (("burn", "spot"), [1, 2])
    limits = part_kind(more.with_settings(missed=0.4)).limits  # each is measured as if it were not known itself
    assert limits.missed is not None
    assert limits.missed.parts == 2
    more.undone(to=made.state.revision)
