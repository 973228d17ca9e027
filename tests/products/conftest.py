"""Pictures and products for these tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reason_iad.products import Product, Products

Draw = Callable[..., Path]


@pytest.fixture
def draw(tmp_path: Path) -> Draw:
    """Write a picture below the folder of the test; the same seed gives the same picture."""

    def write(name: str, seed: int, size: tuple[int, int] = (24, 16)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def mark(tmp_path: Path) -> Draw:
    """Write a mask or an area: white in the given box, black elsewhere."""

    def write(name: str, box: tuple[int, int, int, int] = (2, 3, 6, 8), size: tuple[int, int] = (24, 16)) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.zeros((size[1], size[0]), np.uint8)
        pixels[box[1] : box[3], box[0] : box[2]] = 255
        Image.fromarray(pixels).save(path)
        return path

    return write


@pytest.fixture
def products(tmp_path: Path) -> Products:
    return Products(tmp_path / "products")


@pytest.fixture
def bracket(products: Products, draw: Draw, tmp_path: Path) -> Product:
    """A product of three good pictures in two views, and of one defect."""
    for name, seed in (("front/a", 1), ("front/b", 2), ("back/a", 3)):
        draw(f"good/{name}.png", seed)
    draw("bad/scratch/a.png", 11)
    return products.create("bracket", [tmp_path / "good"], defects=tmp_path / "bad")
