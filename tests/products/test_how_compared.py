"""How parts of a product are compared: settings decide it, it is found out otherwise, and it is said."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tests.parts import plate, save

from reason_iad.errors import ConfigError
from reason_iad.expert.normality import looks, selftest, where
from reason_iad.inspection.by_product import PartInspector
from reason_iad.products import Product, Products
from reason_iad.products.checking import check_product
from reason_iad.products.deriving import learnt_from, product_expert, product_eyes
from reason_iad.products.judging import part_kind
from reason_iad.products.unnamed import unnamed_kind


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pictures of 128 x 96 pixels are large."""
    monkeypatch.setattr(looks, "SIZES", (32, 48))
    monkeypatch.setattr(looks, "LARGE", 2)
    monkeypatch.setattr(selftest, "self_test", partial(selftest.self_test, count=8))


def made(folder: Path, **settings: object) -> Product:
    (folder / "good").mkdir(parents=True)
    for seed in range(4):
        save(plate(seed), folder / "good" / f"{seed}.png")
    return Products(folder / "products").create("clamp", [folder / "good"], settings=settings)


def test_a_setting_says_whether_details_are_looked_at(tmp_path: Path, small: None) -> None:
    clamp = made(tmp_path)
    assert product_eyes(clamp).sizes == (32, 48, 111)
    assert product_eyes(clamp.with_settings(details="off")).sizes == (32, 48)
    assert not product_eyes(clamp.with_settings(details="auto", resolution=96)).detailed, "half as large again"
    assert product_eyes(clamp.with_settings(details="on", resolution=96)).sizes == (67, 96, 111)
    with pytest.raises(ConfigError, match="details"):
        clamp.with_settings(details="sometimes")


def test_a_product_of_large_pictures_is_learnt_checked_and_used_again(tmp_path: Path, small: None) -> None:
    clamp = made(tmp_path)
    done = check_product(clamp)
    assert done.compared[0] == "Parts are compared with good parts as they lie."
    assert "Details of the pictures" in done.compared[1] and "111 x 111" in done.compared[1]
    assert product_expert(clamp).eyes.detailed, "read from the cache"


def test_good_images_without_a_product_are_looked_at_in_detail_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(looks, "LARGE", 1.1)
    good = tmp_path / "good.png"
    save(plate(0).repeat(4, 0).repeat(4, 1), good)
    kind = unnamed_kind([good])
    assert kind.expert.eyes.sizes == (224, 320, 443)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert not unnamed_kind([good]).expert.eyes.detailed, "and it is not mixed up with what was learnt before"


def test_an_orientation_that_is_set_is_believed_and_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(where, "SIZE", 64)
    clamp = made(tmp_path, resolution=64, orientation="any")
    kind = part_kind(clamp)
    assert kind.expert.turning.steps == 8 and "as was asked for" in kind.expert.in_words()[0]
    said = PartInspector(kind).inspect(tmp_path / "good" / "0.png")
    assert said.evidence.product is not None and said.evidence.product.angles == 8
    assert "compared with good parts at 8 angles" in (said.explanation or "")
    fixed = clamp.with_settings(orientation="fixed")
    assert learnt_from(fixed, product_eyes(fixed)) != learnt_from(clamp, product_eyes(clamp))
    assert product_expert(fixed).turning.steps == 1
