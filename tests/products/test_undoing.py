"""The history says every change, and every change can be taken back, also the taking back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reason_iad.errors import ProductError
from reason_iad.products import GivenDefect, Product

Draw = Callable[..., Path]


def changed(bracket: Product, draw: Draw, mark: Draw) -> list[Product]:
    """The states of a product that is changed in every way."""
    states = [bracket, bracket.with_good(draw("c.png", 5))]
    states.append(states[-1].with_defects([GivenDefect(draw("d.png", 6), "dent", mark("m.png"))]))
    states.append(states[-1].with_settings(false_alarms=0.1, ignore=mark("area.png")))
    states.append(states[-1].with_defects([GivenDefect(draw("c.png", 5), "dent")], move=True))
    states.append(states[-1].without(bracket.good[0].path.name))
    return states


def same(one: Product, other: Product) -> bool:
    return one.state.contents == other.state.contents


def test_undo_goes_back_to_every_state(bracket: Product, draw: Draw, mark: Draw) -> None:
    states = changed(bracket, draw, mark)
    for number, state in reversed(list(enumerate(states[:-1], 1))):
        back = states[-1].undone(to=number)
        assert same(back, state)
        assert all(each.path.is_file() for each in (*back.good, *back.defects))
    revisions = [change.revision for change in back.history()]
    assert revisions == list(range(1, back.state.revision + 1))


def test_undo_can_be_undone(bracket: Product, draw: Draw) -> None:
    more = bracket.with_good(draw("c.png", 5))
    back = more.undone()
    again = back.undone()
    assert same(back, bracket) and same(again, more)
    words = [change.words for change in again.history()]
    assert words[1:] == ["Added 1 good image.", "Took back change 2: Added 1 good image.", "Took back change 3."]


def test_a_picture_that_was_taken_back_can_be_added_again(bracket: Product, draw: Draw) -> None:
    picture = draw("c.png", 5)
    again = bracket.with_good(picture).undone().with_good(picture)
    assert len(again.good) == 4 and all(each.path.is_file() for each in again.good)


def test_what_cannot_be_undone_says_why(bracket: Product, draw: Draw) -> None:
    with pytest.raises(ProductError, match=r"was only created.*product remove"):
        bracket.undone()
    less = bracket.without(bracket.good[0].path.name)
    with pytest.raises(ProductError, match="a number from 1 to 1"):
        less.undone(to=2)
    bracket.good[0].path.unlink()
    with pytest.raises(ProductError, match="is missing or changed"):
        less.undone()
    (bracket.folder / "history.jsonl").unlink()
    with pytest.raises(ProductError, match="history was deleted"):
        less.undone()
    assert len(less.with_good(draw("c.png", 5)).good) == 3, "the product itself goes on"


def test_a_damaged_history_is_told_and_does_not_hinder_use(bracket: Product, draw: Draw) -> None:
    file = bracket.folder / "history.jsonl"
    file.write_text('{"revision": "x"}\n' + file.read_text())
    assert len(Product.read(bracket.folder).good) == 3
    with pytest.raises(ProductError, match=r"Line 1 of .*history\.jsonl' is damaged"):
        bracket.with_good(draw("c.png", 5))


def test_a_product_changed_by_hand_is_not_undone_wrongly(bracket: Product, draw: Draw) -> None:
    more = bracket.with_good(draw("c.png", 5))
    file = more.folder / "product.json"
    (more.folder / "saved.json").write_text((file).read_text())
    file.write_text(bracket.state.text().replace('"revision": 1', '"revision": 2'))
    with pytest.raises(ProductError, match="does not fit the product"):
        Product.read(more.folder).undone()
