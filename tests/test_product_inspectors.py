"""From a product to its inspector, as a program in Python uses it."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.parts import plate, save, scratched

from reason_iad import Inspector, InspectorConfig, ProductError, product_inspector
from reason_iad.backbones.fake import FakeBackbone
from reason_iad.products import Product, Products
from reason_iad.products.watching import FILE


@pytest.fixture
def product(tmp_path: Path) -> Product:
    (tmp_path / "good").mkdir()
    for seed in range(8):
        save(plate(seed), tmp_path / "good" / f"{seed}.png")
    settings = {"false_alarms": 0.2, "resolution": 128}
    return Products(tmp_path / "products").create("plate", [tmp_path / "good"], settings=settings)


def test_a_product_inspects_without_a_model(product: Product) -> None:
    inspector = product_inspector(product)
    fine, bad = inspector.inspect(plate(100)), inspector.inspect(scratched(101))
    assert (fine.verdict, bad.verdict) == ("pass", "defect")
    assert bad.evidence.product is not None and bad.evidence.product.name == "plate"
    assert not bad.evidence.product.model_asked


def test_the_model_is_loaded_when_it_is_needed_and_with_the_configuration_that_was_given(product: Product) -> None:
    config, loaded = InspectorConfig(method="direct", seed=3), []

    def load() -> Inspector:
        loaded.append(1)
        return Inspector(FakeBackbone(), config=config)

    inspector = product_inspector(product, "fake", config=config, load=load)
    assert not loaded
    bad = inspector.inspect(scratched(101))
    assert loaded == [1] and bad.evidence.product is not None and bad.evidence.product.model_asked
    assert bad.seed == 3


def test_scores_are_remembered_where_that_is_asked_for(product: Product) -> None:
    product_inspector(product).inspect(plate(100))
    inspector = product_inspector(product, remember=True)
    assert not (product.cache_dir / FILE).exists()
    inspector.inspect(plate(101))
    assert len((product.cache_dir / FILE).read_text().splitlines()) == 1


def test_a_product_without_good_images_has_no_inspector(tmp_path: Path) -> None:
    with pytest.raises(ProductError):
        product_inspector(Products(tmp_path).open("bracket"))
