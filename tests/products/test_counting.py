"""Good parts that were doubtful are compared with, and set no limits."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner
from tests.parts import plate, save
from tests.products.conftest import Draw

from reason_iad.cli import main
from reason_iad.errors import ProductError
from reason_iad.expert.conformal import limits
from reason_iad.products import Product, Products, export
from reason_iad.products.fitting import Begin, fit_model
from reason_iad.products.judging import part_kind


def test_a_product_whose_pictures_all_count_is_written_as_before(bracket: Product, draw: Draw) -> None:
    text = (bracket.folder / "product.json").read_text()
    assert "counts" not in text and all(each.counts for each in bracket.good)
    changed = bracket.with_good(draw("doubtful.png", 5), counts=False)
    assert [each.counts for each in changed.good].count(False) == 1
    assert "not for the limits" in changed.history()[-1].words
    counted = bracket.undone().with_good(draw("doubtful.png", 5))
    assert counted.state_sha256 != changed.state_sha256, "limits follow from it"


def test_it_is_kept_by_undo_export_and_import(bracket: Product, draw: Draw, tmp_path: Path) -> None:
    changed = bracket.with_good(draw("doubtful.png", 5), counts=False)
    assert changed.without(draw("doubtful.png", 5)).undone().state_sha256 == changed.state_sha256
    export(changed, tmp_path / "b.zip")
    came = Products(tmp_path / "elsewhere").take(tmp_path / "b.zip")
    assert [each.counts for each in came.good] == [each.counts for each in changed.good]


@pytest.fixture(scope="module")
def doubtful(tmp_path_factory: pytest.TempPathFactory) -> Product:
    """Eight good parts, and two with a faint spot that a person called good."""
    folder = tmp_path_factory.mktemp("doubtful")
    for name in ("good", "doubtful"):
        (folder / name).mkdir()
    for seed in range(8):
        save(plate(seed), folder / "good" / f"{seed}.png")
    for seed in (20, 21):
        picture = plate(seed)
        cv2.circle(picture, (60, 50), 6, (120, 120, 128), -1)
        save(picture, folder / "doubtful" / f"a{seed}.png")
    made = Products(folder / "products").create("plate", [folder / "good"], settings={"resolution": 112})
    return made.with_good(folder / "doubtful", counts=False)


def test_limits_are_set_by_the_others(doubtful: Product) -> None:
    kind = part_kind(doubtful)
    counts = [each.counts for each in doubtful.good]
    scores = list(zip(counts, kind.expert.left_out, strict=True))
    assert counts.count(False) == 2
    assert kind.left_out == tuple(score for count, score in scores if count)
    assert max(score for count, score in scores if not count) > max(kind.left_out), "they stand out most"
    asked = doubtful.with_settings(false_alarms=0.2)
    assert part_kind(asked).limits == limits(kind.left_out, 0.2) != limits(kind.expert.left_out, 0.2)
    asked.undone()


def test_where_none_is_left_that_counts_all_do(doubtful: Product, tmp_path: Path) -> None:
    first, *others = [each.path for each in doubtful.good[:4]]
    made = Products(tmp_path).create("p", [first], settings={"resolution": 96})
    made = made.with_good(*others, counts=False).without(first)
    assert not any(each.counts for each in made.good)
    assert len(part_kind(made).left_out) == len(made.good) == 3


def test_a_model_is_fitted_with_parts_that_count(doubtful: Product) -> None:
    kind = part_kind(doubtful)
    begin = Begin(product="a" * 64, model="m", config="b" * 64, prompted="c")
    with pytest.raises(ProductError, match="8 good images that count for the limits"):
        fit_model(doubtful, kind, begin, lambda *_: pytest.fail("no model is asked"))


def test_it_is_told(doubtful: Product) -> None:
    asked = ["product", "show", "plate", "--products", str(doubtful.folder.parent)]
    shown = CliRunner().invoke(main, asked)
    assert "10 good" not in shown.output and "8 of them set the limits" in shown.output
    facts = json.loads(CliRunner().invoke(main, [*asked, "--json"]).output)
    assert facts["good"]["images"] == 10 and facts["good"]["for_limits"] == 8
