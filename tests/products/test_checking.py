"""The check of a product: its pictures, its limit, what drawn and labelled defects show, and what would help."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from tests.parts import plate, save, scratched

from reason_iad.expert.normality import selftest
from reason_iad.products import GivenDefect, Product, Products
from reason_iad.products.checking import ProductCheck, check_product, product_self_test
from reason_iad.products.deriving import product_expert
from reason_iad.products.detected import DETECTED, keep_detected, last_detected


@pytest.fixture(scope="module")
def clamp(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """A product of nine good pictures, one of them dark and one with a scratch, and of three labelled defects."""
    folder = tmp_path_factory.mktemp("clamp")
    for seed in range(9):
        (folder / "good").mkdir(exist_ok=True)
        save(plate(seed, light=0.5 if seed == 8 else 1.0), folder / "good" / f"{seed}.png")
    for seed in range(3):
        (folder / "bad" / "scratch").mkdir(parents=True, exist_ok=True)
        save(scratched(100 + seed, length=30), folder / "bad" / "scratch" / f"{seed}.png")
    settings = {"resolution": 128, "scale": 0.5}
    return Products(folder / "products").create(
        "clamp", [folder / "good"], defects=folder / "bad", settings=settings
    )


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selftest, "self_test", partial(selftest.self_test, count=12))


@pytest.fixture(scope="module")
def checked(clamp: Product) -> ProductCheck:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(selftest, "self_test", partial(selftest.self_test, count=12))
        return check_product(clamp)


def test_it_says_what_the_product_has_and_what_is_wrong(checked: ProductCheck) -> None:
    assert (checked.good, checked.views, checked.sizes) == (9, {"": 9}, ((128, 96),))
    remarks = {each.why: each.images for each in checked.remarks}
    assert [Path(image).name[0] for image in remarks["dark"]] == ["8"]
    assert "is enough" in checked.promise or "are enough" in checked.promise, "nine are too few for 5 %"
    assert checked.defect_from is None and checked.pass_below > max(checked.good_scores)
    assert checked.advice[0].startswith("Look at the 1 conspicuous picture first.")
    assert any(each.startswith("Add 10 good pictures. A limit of 5 %") for each in checked.advice)


def test_it_says_what_is_found(checked: ProductCheck) -> None:
    (known,) = checked.labelled
    assert (known.type, known.images) == ("scratch", 3)
    assert known.found == sum(score >= checked.pass_below for score in checked.defect_scores)
    assert sum(each.drawn for each in checked.detection) in range(8, 13)
    for each in checked.detection:
        assert each.found == sum(each.hits) >= each.marked and len(each.sizes) == each.drawn
        assert each.words.startswith(each.kind[:1].upper()) or each.kind in each.words
        assert " px" not in each.words, "the scale is known"


def test_what_was_found_is_kept_beside_the_product_until_the_next_check(
    clamp: Product, checked: ProductCheck
) -> None:
    last = last_detected(clamp)
    assert last is not None and last.current and last.detected.scale == 0.5
    assert last.detected.detection == checked.detection and last.detected.change == clamp.state.revision
    changed = clamp.with_settings(false_alarms=0.3)
    last = last_detected(changed)
    assert last is not None and not last.current, "it is shown, and said to be older"
    changed.undone()
    (clamp.cache_dir / DETECTED).write_text("{}")
    assert last_detected(clamp) is None
    keep_detected(clamp, checked.detection, None)


def test_it_goes_into_json_and_back(checked: ProductCheck) -> None:
    assert ProductCheck.model_validate_json(checked.model_dump_json()) == checked


def test_the_self_test_is_kept_until_the_product_changes(
    clamp: Product, checked: ProductCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    expert = product_expert(clamp)
    kept = product_self_test(clamp, expert)

    def again(*_: object, **__: object) -> None:
        raise AssertionError("it is there")

    with monkeypatch.context() as patch:
        patch.setattr(selftest, "self_test", again)
        assert product_self_test(clamp, expert) == kept
    changed = clamp.with_settings(false_alarms=0.2)
    assert product_self_test(changed, expert).limit < kept.limit
    changed.undone()


def test_of_two_pictures_it_says_that_there_is_no_self_test(tmp_path: Path) -> None:
    for seed in range(2):
        save(plate(seed), tmp_path / f"{seed}.png")
    two = Products(tmp_path / "p").create(
        "two", [tmp_path / "0.png", tmp_path / "1.png"], settings={"resolution": 96}
    )
    done = check_product(two)
    assert not done.detection and done.untested is not None and "add more" in done.untested
    assert done.promise.startswith("There are too few good pictures") and not done.remarks


def test_defects_that_look_better_than_every_good_part_are_said_to_be_missed(tmp_path: Path) -> None:
    for seed in range(4):
        save(plate(seed), tmp_path / f"{seed}.png")
    save(plate(0, light=1.01), tmp_path / "fine.png")
    product = Products(tmp_path / "p").create(
        "odd", [tmp_path / f"{seed}.png" for seed in range(4)], settings={"resolution": 96}
    )
    product = product.with_defects([GivenDefect(tmp_path / "fine.png", "none")])
    done = check_product(product)
    assert [(each.images, each.found) for each in done.labelled] == [(1, 0)]
