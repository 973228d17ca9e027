"""A product keeps the white of its deep pictures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reason_iad.products import Products
from reason_iad.products.deriving import learnt_from, product_eyes


def deep(path: Path, highest: int) -> Path:
    """A 64x64 grey TIFF with values from 0 to `highest`."""
    path.parent.mkdir(exist_ok=True, parents=True)
    values = np.tile(np.linspace(0, highest, 64).astype(np.uint16), (64, 1))
    Image.fromarray(values).save(path)
    return path


@pytest.fixture
def shelf(tmp_path: Path) -> Products:
    return Products(tmp_path / "products")


def test_white_is_learnt_of_all_good_pictures(shelf: Products, tmp_path: Path) -> None:
    good = [deep(tmp_path / f"{highest}.tif", highest) for highest in (900, 3000)]
    product = shelf.create("plate", good)
    assert product.settings.white == 4095
    assert "White is 4095 in pictures with more than 8 bits." in product.history()[0].words
    assert shelf.open("plate").settings.white == 4095


def test_white_stays_when_a_brighter_picture_comes_and_that_is_said(shelf: Products, tmp_path: Path) -> None:
    product = shelf.create("plate", [deep(tmp_path / "a.tif", 3000)])
    told: list[str] = []
    more = product.with_good(deep(tmp_path / "b.tif", 60000), tell=told.append)
    assert more.settings.white == 4095
    assert told == [
        "1 image is brighter than white, which is 4095 in this product. What is brighter is cut off. If white is "
        "65535, say so: reason-iad product set NAME --white 65535"
    ]


def test_another_white_means_learning_anew(shelf: Products, tmp_path: Path) -> None:
    product = shelf.create("plate", [deep(tmp_path / "a.tif", 3000)])
    changed = product.with_settings(white=16383)
    assert changed.history()[-1].words == "Set white: 16383."
    hashes = {learnt_from(each, product_eyes(each)) for each in (product, changed)}
    assert len(hashes) == 2 and changed.state_sha256 != product.state_sha256
    assert changed.undone().settings.white == 4095


def test_a_product_of_8_bits_is_written_as_before(shelf: Products, tmp_path: Path) -> None:
    Image.new("RGB", (32, 32), (9, 9, 9)).save(tmp_path / "a.png")
    product = shelf.create("plate", [tmp_path / "a.png"])
    assert product.settings.white is None
    assert "white" not in (product.folder / "product.json").read_text()
    assert product.with_good(deep(tmp_path / "b.tif", 3000)).settings.white == 4095


def test_parts_are_read_with_the_white_of_the_product(shelf: Products, tmp_path: Path) -> None:
    from reason_iad.inspection.by_product import PartInspector
    from reason_iad.products.judging import part_kind

    good = [deep(tmp_path / f"{highest}.tif", highest) for highest in (3000, 3100)]
    kind = part_kind(shelf.create("plate", good, settings={"resolution": 64}))
    inspector = PartInspector(kind)
    dark = inspector.inspect(deep(tmp_path / "dark.tif", 900))
    assert dark.image.white == 4095
    bright = inspector.inspect(deep(tmp_path / "bright.tif", 60000))
    assert bright.image.white == 4095
    assert "Values above 4095 were cut off; the brightest is 60000." in bright.image.notes
