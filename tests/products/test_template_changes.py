"""Types of defects on parts with a template: the labelled defects with the same change say them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.boards import save

from reason_iad.expert.change import Change
from reason_iad.expert.judging import Judgement, judge
from reason_iad.expert.part_kind import PartKind
from reason_iad.images import load_image
from reason_iad.inspection.by_product import PartInspector
from reason_iad.products import GivenDefect, Product, Products
from reason_iad.products.judging import part_kind
from reason_iad.products.known import known_defects
from reason_iad.products.template_changes import CHANGES, defect_changes

COPPER, GROUND = 215, 40
GOOD, SIDE = 5, 160


def template(pattern: int) -> np.ndarray:
    """(160, 160, 3) the drawing of a board with lines that run through, some of which are joined."""
    rng = np.random.default_rng(pattern)
    picture = np.full((SIDE, SIDE), GROUND, np.uint8)
    for row in range(10, SIDE, 16):
        picture[row : row + 5] = COPPER
        for column in rng.choice([8, 24, 40, 112, 128, 144], 2, replace=False):
            picture[row : row + 16, column : column + 5] = COPPER
    return np.repeat(picture[..., None], 3, 2)


def board(pattern: int, seed: int = 0) -> np.ndarray:
    """A photograph of that board."""
    rng = np.random.default_rng((pattern, seed))
    seen = template(pattern) + rng.normal(0, 3, (SIDE, SIDE, 3))
    return np.clip(seen, 0, 255).astype(np.uint8)


def with_spot(pattern: int) -> np.ndarray:
    """A board with a spot of copper between two lines, which touches neither."""
    return painted(pattern, slice(66, 70), slice(70, 74), COPPER)


def with_break(pattern: int) -> np.ndarray:
    """A board with a line that is interrupted."""
    return painted(pattern, slice(56, 65), slice(84, 92), GROUND)


def with_bridge(pattern: int) -> np.ndarray:
    """A board with two lines that are joined."""
    return painted(pattern, slice(60, 76), slice(84, 89), COPPER)


def painted(pattern: int, rows: slice, columns: slice, value: int) -> np.ndarray:
    drawn = board(pattern, 1)
    drawn[rows, columns] = value
    return drawn


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """Good boards and labelled defects, each with its template."""
    folder = tmp_path_factory.mktemp("boards")
    for pattern in range(GOOD):
        save(board(pattern), folder / "good" / f"{pattern}.png")
        save(template(pattern), folder / "templates" / f"{pattern}.bmp")
    given = []
    for pattern, (name, draw) in enumerate([("spot", with_spot), ("open", with_break)] * 2, GOOD):
        given.append(GivenDefect(save(draw(pattern), folder / "bad" / f"{pattern}.png"), name))
        save(template(pattern), folder / "templates" / f"{pattern}.bmp")
    settings = {"resolution": 96, "details": "off", "false_alarms": 0.2}
    return Products(folder / "products").create(
        "board", [folder / "good"], defects=given, template=folder / "templates", settings=settings
    )


@pytest.fixture(scope="module")
def kind(product: Product) -> PartKind:
    return part_kind(product)


def judged(kind: PartKind, part: np.ndarray, pattern: int) -> Judgement:
    return judge(kind, load_image(part), template=load_image(template(pattern)))


def test_what_labelled_defects_changed_is_known(product: Product, kind: PartKind) -> None:
    assert kind.templates is not None
    changes = {each.type: kind.templates.changes[each.sha256] for each in product.defects}
    assert changes == {"spot": Change(darker=False, touches=0), "open": Change(darker=True, touches=2)}
    assert len(kind.templates.changes) == 4


@pytest.mark.parametrize("pattern", range(20, 24))
@pytest.mark.parametrize(("draw", "name"), [(with_spot, "spot"), (with_break, "open")])
def test_the_type_is_that_of_the_defects_with_the_same_change(
    kind: PartKind, draw: object, name: str, pattern: int
) -> None:
    assert callable(draw)
    found = judged(kind, draw(pattern), pattern)
    assert found.verdict == "defect"
    (first, *_) = found.alike.defects
    assert first.example.type == name and first.types == (name,) and not first.unlike


def test_the_result_says_what_the_part_has_or_lacks(kind: PartKind) -> None:
    inspector = PartInspector(kind)
    for draw, said in (
        (with_spot, "A bright spot is there that touches no other bright area."),
        (with_bridge, "Two bright areas are joined there."),
        (with_break, "Two dark areas are joined there."),
    ):
        result = inspector.inspect(draw(21), template=template(21))
        assert "It differs most at the center. " + said in result.explanation, result.explanation


def test_a_change_that_no_labelled_defect_has_is_unlike_any_known_type(kind: PartKind) -> None:
    found = judged(kind, with_bridge(20), 20)
    assert found.verdict == "defect"
    assert found.alike.defects[0].unlike and found.alike.defects[0].types == ()


def test_changes_are_computed_once_and_a_damaged_cache_is_made_again(
    product: Product, kind: PartKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    expert, rule = kind.expert, kind.templates
    assert rule is not None
    known = known_defects(product, expert, "0" * 64)
    assert known is not None
    with monkeypatch.context() as patch:
        patch.setattr("reason_iad.expert.by_template.compare", None)
        assert defect_changes(product, known) == rule.changes
    cache: Path = product.cache_dir / CHANGES
    cache.write_bytes(b'{"a": 1}')
    assert defect_changes(product, known) == rule.changes
    assert cache.stat().st_size > 100
