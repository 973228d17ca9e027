from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reason_iad.errors import KnowledgeError
from reason_iad.knowledge import Gallery, KnowledgeStore
from reason_iad.knowledge.gallery import GalleryImage

D = 8


def axis(index: int, tilt: float = 0.0, towards: int = 7) -> np.ndarray:
    vector = np.zeros(D, dtype=np.float32)
    vector[index] = 1.0
    vector[towards] += tilt
    return vector


@pytest.fixture
def gallery(tmp_path: Path) -> Gallery:
    found = Gallery.create(tmp_path / "gallery", model="nano@1", dimension=D)
    found.add("pcb", axis(0), "a.png", "sha-a")
    found.add("pcb", axis(1), "b.png", "sha-b")
    found.add("wood", axis(2), "c.png", "sha-c")
    return found


def test_the_nearest_image_decides_with_score_and_margin(gallery: Gallery) -> None:
    query = 3.0 * axis(0, tilt=0.5, towards=2)  # its length must not count
    unit = query / np.linalg.norm(query)
    found = gallery.classify(query, min_score=0.5, min_margin=0.1)
    assert (found.name, found.origin) == ("pcb", "gallery")
    assert found.score == pytest.approx(unit[0], abs=1e-6)
    assert found.margin == pytest.approx(unit[0] - unit[2], abs=1e-6)


def test_the_margin_is_to_another_category_not_to_the_next_image(gallery: Gallery) -> None:
    found = gallery.classify(axis(0) + axis(1), min_score=0.5, min_margin=0.5)
    assert found.name == "pcb"
    assert found.margin == pytest.approx(2**-0.5, abs=1e-6)


def test_below_the_score_or_the_margin_it_is_unknown(gallery: Gallery) -> None:
    between = axis(0, tilt=0.99, towards=2)
    close = gallery.classify(between, min_score=0.5, min_margin=0.02)
    assert (close.name, close.origin) == (None, "unknown")
    assert close.score is not None
    assert close.margin is not None
    assert 0 < close.margin < 0.02
    assert gallery.classify(between, min_score=0.5, min_margin=0.001).name == "pcb"
    assert gallery.classify(axis(5), min_score=0.5, min_margin=0.0).name is None


def test_one_category_has_no_margin(tmp_path: Path) -> None:
    gallery = Gallery.create(tmp_path / "one", model="m", dimension=D)
    empty = gallery.classify(axis(0), min_score=0.0, min_margin=0.0)
    assert (empty.name, empty.origin, empty.score, empty.margin) == (None, "unknown", None, None)
    gallery.add("pcb", axis(0), "a", "1")
    gallery.add("PCB", axis(1), "b", "2")  # the same category, written another way
    found = gallery.classify(axis(0), min_score=0.5, min_margin=0.5)
    assert (found.name, found.margin) == ("pcb", None)


def test_an_image_added_again_replaces_itself(gallery: Gallery) -> None:
    gallery.add("wood", axis(0), "a.png", "sha-a")
    assert len(gallery) == 3
    assert gallery.classify(axis(0), min_score=0.5, min_margin=0.1).name == "wood"


def test_many_images_in_one_commit_are_found_at_once(gallery: Gallery) -> None:
    images = [GalleryImage("gear", axis(4, tilt=i / 100), f"{i}.png", f"g{i}") for i in range(50)]
    assert gallery.add_many(images) == 50
    assert gallery.add_many([]) == 0
    assert gallery.categories() == {"gear": 50, "pcb": 2, "wood": 1}
    assert gallery.classify(axis(4), min_score=0.9, min_margin=0.1).name == "gear"


def test_it_survives_opening_again_and_refuses_another_model(gallery: Gallery) -> None:
    again = Gallery.open(gallery.path, model="nano@1")
    assert (again.dimension, len(again)) == (D, 3)
    with pytest.raises(KnowledgeError, match="made with the model 'nano@1', not 'nano@2'"):
        Gallery.open(gallery.path, model="nano@2")


@pytest.mark.parametrize(
    ("vector", "says"),
    [
        (np.ones(D + 1), r"has shape \(9,\)"),
        (np.ones((1, D)), r"has shape \(1, 8\)"),
        (np.zeros(D), "zero or not finite"),
        (np.full(D, np.nan), "zero or not finite"),
        (np.full(D, np.inf), "zero or not finite"),
    ],
)
def test_vectors_that_cannot_be_compared(gallery: Gallery, vector: np.ndarray, says: str) -> None:
    with pytest.raises(KnowledgeError, match=says):
        gallery.add("pcb", vector, "x.png", "x")
    with pytest.raises(KnowledgeError, match=says):
        gallery.classify(vector, min_score=0.0, min_margin=0.0)
    assert len(gallery) == 3


def test_huge_float32_vectors_do_not_overflow(gallery: Gallery) -> None:
    found = gallery.classify(axis(0) * np.float32(1e30), min_score=0.9, min_margin=0.1)
    assert found.score == pytest.approx(1.0)


def test_what_is_not_a_gallery(tmp_path: Path, store: KnowledgeStore) -> None:
    with pytest.raises(KnowledgeError, match="does not exist"):
        Gallery.open(tmp_path / "none", model="m")
    with pytest.raises(KnowledgeError, match="is not a reference gallery"):
        Gallery.open(store.location, model="m")
    with pytest.raises(KnowledgeError, match="something is there already"):
        Gallery.create(store.location, model="m", dimension=D)
    with pytest.raises(KnowledgeError, match="needs the id of its model"):
        Gallery.create(tmp_path / "x", model="", dimension=D)
    assert not (tmp_path / "x").exists()


def test_an_image_without_a_category(gallery: Gallery) -> None:
    with pytest.raises(KnowledgeError, match=r"category of 'x\.png' is empty"):
        gallery.add(" - ", axis(0), "x.png", "x")
