"""Good parts that were doubtful are compared with, and set no limits."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from tests.parts import plate, save
from tests.products.conftest import Draw

from reason_iad.cli import main
from reason_iad.errors import ProductError
from reason_iad.images import load_image
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


def test_limits_and_what_is_usual_are_set_by_the_others(doubtful: Product, tmp_path: Path) -> None:
    kind, alone = part_kind(doubtful), part_kind(without_doubtful(doubtful, tmp_path))
    assert [each.counts for each in doubtful.good].count(False) == 2
    assert kind.limits == alone.limits and kind.left_out == alone.left_out and len(kind.left_out) == 8
    assert kind.expert.standings == alone.expert.standings and kind.expert.threshold == alone.expert.threshold
    read = part_kind(doubtful)
    assert read.expert.exceptions == kind.expert.exceptions == {e.sha256 for e in doubtful.good if not e.counts}


def test_only_parts_like_them_are_judged_otherwise(doubtful: Product, tmp_path: Path) -> None:
    """Some patches of any part are like those of the doubtful ones, so other scores may fall a little."""
    kind, alone = part_kind(doubtful), part_kind(without_doubtful(doubtful, tmp_path / "alone"))
    scores = {}
    for name, picture in shown().items():
        save(picture, tmp_path / f"{name}.png")
        image = load_image(tmp_path / f"{name}.png")
        scores[name] = alone.expert.assess(image).score, kind.expert.assess(image).score
    before, after = scores["spot"]
    assert before > max(kind.left_out) + 2 and after < before - 2, "a part with such a spot is normal now"
    for name in ("good", "dark scratch"):
        before, after = scores[name]
        assert before - 0.3 < after <= before + 1e-5, name


def shown() -> dict[str, np.ndarray]:
    """A good part, one with a spot as the doubtful ones have, and one with another defect."""
    spot, scratch = plate(40), plate(39)
    cv2.circle(spot, (60, 50), 6, (120, 120, 128), -1)
    cv2.line(scratch, (20, 90), (70, 100), (20, 20, 24), 2)
    return {"good": plate(32), "spot": spot, "dark scratch": scratch}


def without_doubtful(doubtful: Product, folder: Path) -> Product:
    """The same product, which was never asked about them."""
    good = [each.path for each in doubtful.good if each.counts]
    return Products(folder).create("plate", good, settings={"resolution": 112})


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
