"""Templates in a product: where they are, and what is refused before anything is written."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from tests.boards import board, save, spurred, template

from reason_iad.errors import ConfigError, ImageError, ProductError
from reason_iad.products import GivenDefect, Product, Products, export
from reason_iad.products.template_scores import template_rule


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three good boards and their templates."""
    for pattern in range(3):
        save(board(pattern), tmp_path / "good" / f"{pattern}.png")
        save(template(pattern), tmp_path / "templates" / f"{pattern}.bmp")
    return tmp_path


@pytest.fixture
def made(products: Products, folder: Path) -> Product:
    return products.create("board", [folder / "good"], template=folder / "templates")


def test_each_good_image_has_the_template_of_its_name(made: Product) -> None:
    assert made.template is None
    for good in made.good:
        file = made.templates[good.sha256]
        assert file.is_file() and file.parent.name == "templates"
        assert file.stem.partition("-")[0] == good.path.stem.partition("-")[0]
    assert "3 images got their template" in made.history()[-1].words


def test_a_product_without_templates_is_written_as_before(products: Products, folder: Path) -> None:
    plain = products.create("plain", [folder / "good"])
    assert "template" not in (plain.folder / "product.json").read_text()
    assert not plain.templates and plain.template is None and template_rule(plain) is None


def test_templates_change_what_results_follow_from(made: Product, products: Products, folder: Path) -> None:
    plain = products.create("plain", [folder / "good"])
    single = plain.with_settings(template=save(template(0), folder / "one.bmp"))
    assert len({made.state_sha256, plain.state_sha256, single.state_sha256}) == 3
    assert single.template is not None and len(set(single.templates.values())) == 1


def test_a_template_for_all_takes_the_place_of_the_others_and_comes_back_with_undo(
    made: Product, folder: Path
) -> None:
    golden = save(template(0), folder / "golden.bmp")
    after = made.with_settings(template=golden)
    assert after.template is not None and not any(each.template for each in after.state.good)
    back = after.undone()
    assert back.template is None and back.templates == made.templates
    assert not after.with_settings(template=None).templates


def test_good_images_that_are_there_get_templates(products: Products, folder: Path) -> None:
    plain = products.create("plain", [folder / "good"])
    after = plain.with_good(folder / "good", template=folder / "templates")
    assert len(after.good) == 3 and len(after.templates) == 3
    assert after.undone().templates == {}


def test_templates_are_named_for_single_pictures(products: Products, folder: Path) -> None:
    named = {folder / "good" / f"{number}.png": folder / "templates" / f"{number}.bmp" for number in range(3)}
    made = products.create("board", list(named), template=named)
    assert len(made.templates) == 3 and made.template is None and made.needs_templates
    with pytest.raises(ProductError, match="is empty"):
        made.with_good(folder / "good", template={})


def test_templates_travel_with_an_export(made: Product, products: Products, folder: Path) -> None:
    export(made, folder / "board.zip")
    taken = products.take(folder / "board.zip", "again")
    assert taken.state_sha256 == made.state_sha256
    assert {path.read_bytes() for path in taken.templates.values()} == {
        path.read_bytes() for path in made.templates.values()
    }


@pytest.mark.parametrize("how", ["changed", "missing", "elsewhere"])
def test_an_archive_with_a_wrong_template_is_refused(
    made: Product, products: Products, folder: Path, how: str
) -> None:
    export(made, folder / "board.zip")
    with zipfile.ZipFile(folder / "board.zip") as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    name = next(each for each in entries if "/templates/" in each)
    if how == "changed":
        entries[name] = b"no picture"
    elif how == "missing":
        del entries[name]
    else:
        state = json.loads(entries["board/product.json"])
        state["good"][0]["template"]["file"] = "templates/../../evil.bmp"
        entries["board/product.json"] = json.dumps(state).encode()
    with zipfile.ZipFile(folder / "bad.zip", "w") as archive:
        for each, content in entries.items():
            archive.writestr(each, content)
    with pytest.raises(ProductError):
        products.take(folder / "bad.zip", "again")
    assert products.names() == ("board",)


def _drop_one(folder: Path) -> None:
    (folder / "templates" / "1.bmp").unlink()


def _one_more(folder: Path) -> None:
    save(template(9), folder / "templates" / "9.bmp")


def _twice(folder: Path) -> None:
    save(template(1), folder / "templates" / "1.png")


def _narrow(folder: Path) -> None:
    save(template(1)[:, :100], folder / "templates" / "1.bmp")


def _tiny(folder: Path) -> None:
    save(template(1)[::8, ::8], folder / "templates" / "1.bmp")


def _itself(folder: Path) -> None:
    (folder / "templates" / "1.bmp").write_bytes((folder / "good" / "1.png").read_bytes())


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_drop_one, "1.png' has no template in"),
        (_one_more, "9.bmp' belongs to no image"),
        (_twice, "Two templates are called '1'"),
        (_narrow, "is 100x160 pixels"),
        (_tiny, "is 20x20 pixels"),
        (_itself, "is the same picture as"),
    ],
)
def test_what_does_not_fit_is_one_error_before_anything_is_written(
    products: Products, folder: Path, spoil: object, said: str
) -> None:
    assert callable(spoil)
    spoil(folder)
    with pytest.raises(ProductError, match=said):
        products.create("board", [folder / "good"], template=folder / "templates")
    assert products.names() == () and not list(products.folder.glob("*"))


def test_a_broken_template_is_an_error_before_anything_is_written(products: Products, folder: Path) -> None:
    (folder / "templates" / "1.bmp").write_bytes(b"no picture")
    with pytest.raises(ImageError):
        products.create("board", [folder / "good"], template=folder / "templates")
    assert products.names() == ()


def test_a_good_image_that_is_added_needs_a_template_where_others_have_one(made: Product, folder: Path) -> None:
    new = save(board(5), folder / "new" / "5.png")
    with pytest.raises(ProductError, match="has no template, and others"):
        made.with_good(new)
    assert len(Product.read(made.folder).good) == 3
    assert len(made.with_good(new, template=save(template(5), folder / "five.bmp")).templates) == 4


def test_a_folder_cannot_be_the_template_of_all(made: Product, folder: Path) -> None:
    with pytest.raises(ProductError, match="is a folder"):
        made.with_settings(template=folder / "templates")


def test_scores_of_good_boards_are_computed_once(
    made: Product, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = template_rule(made)
    assert rule is not None and len(rule.scores) == 3 and all(0 < score < 20 for score in rule.scores)
    new = save(board(5), folder / "new" / "5.png")
    more = made.with_good(new, template=save(template(5), folder / "five.bmp"))
    asked: list[tuple[int, int]] = []
    again = template_rule(more, lambda _, number, of: asked.append((number, of)))
    assert again is not None and len(again.scores) == 4 and asked == [(1, 1)]
    monkeypatch.setattr("reason_iad.products.template_scores.score_of", None)
    once_more = template_rule(more)
    assert once_more is not None and once_more.scores == again.scores


def test_a_good_board_with_the_template_of_another_is_named(products: Products, folder: Path) -> None:
    (folder / "templates" / "1.bmp").unlink()
    save(template(1).transpose(1, 0, 2), folder / "templates" / "1.bmp")
    made = products.create("board", [folder / "good"], template=folder / "templates")
    with pytest.raises(ConfigError, match=r"'1-\w+\.png' does not look like its template '1-\w+\.bmp'"):
        template_rule(made)


def test_defects_may_have_templates_too(made: Product, folder: Path) -> None:
    bad = save(spurred(1), folder / "bad" / "b.png")
    after = made.with_defects([GivenDefect(bad, "spur")], template=save(template(1), folder / "one.bmp"))
    assert after.templates[after.defects[0].sha256].is_file()
    from reason_iad.products.template_scores import defective_scores

    rule = template_rule(after)
    assert rule is not None
    (score,) = defective_scores(after, rule)
    assert score is not None and score > 2 * max(rule.scores)
    assert defective_scores(made.undone().with_defects([GivenDefect(bad, "spur")]), rule) == (None,)
