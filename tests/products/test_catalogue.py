"""The folder of all products: names, and how products come and go."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reason_iad.errors import ConfigError, OutputError, ProductError
from reason_iad.products import Length, Product, Products, products_folder
from reason_iad.products.names import file_name, folder_name
from reason_iad.products.storing import holding

Draw = Callable[..., Path]


@pytest.mark.parametrize("name", ["bracket", "M8-screw_2.1", "Gehäuse", "3", "ฝาปิด", "गुल"])
def test_good_names(products: Products, draw: Draw, name: str) -> None:
    products.create(name, [draw("a.png", 1)])
    assert products.names() == (name,) and products.open(name).name == name


@pytest.mark.parametrize(
    "name",
    ["", ".hidden", "-x", "a/b", "a\\b", "..", "a b", "a:b", "con", "NUL.txt", "lpt1", "x.", "x" * 81, "recycler",
     "a\n"],
)  # fmt: skip
def test_names_that_do_not_work_everywhere(products: Products, draw: Draw, name: str) -> None:
    with pytest.raises(ProductError, match=r"Choose another name|cannot be the name of a product"):
        products.create(name, [draw("a.png", 1)])
    assert not products.folder.exists()


def test_a_name_is_taken_in_any_case(products: Products, bracket: Product, draw: Draw) -> None:
    with pytest.raises(ProductError, match="a product called 'bracket' already"):
        products.create("Bracket", [draw("a.png", 1)])
    (products.folder / "notes").mkdir()
    with pytest.raises(ProductError, match="something else called 'notes'"):
        products.create("NOTES", [draw("a.png", 1)])
    assert products.names() == ("bracket",)


def test_names_that_differ_by_a_vowel_sign_are_two_products_with_folders_of_their_own(
    products: Products, draw: Draw
) -> None:
    products.create("गल", [draw("a.png", 1)])
    products.create("गुल", [draw("b.png", 2)])
    assert products.names() == ("गल", "गुल")
    assert folder_name("रेखा दोष") == "रेखा_दोष" != folder_name("रखा दोष")


def test_a_name_that_is_nearly_right(products: Products, bracket: Product) -> None:
    with pytest.raises(ProductError, match=r"no product 'brakcet'\. Did you mean 'bracket'"):
        products.open("brakcet")
    with pytest.raises(ProductError, match=r"There are: bracket\."):
        products.open("xyz")
    with pytest.raises(ProductError, match=r"no product '\.\./products/bracket'"):
        products.open("../products/bracket")
    with pytest.raises(ProductError, match="product create"):
        Products(products.folder / "none").open("bracket")


def test_removing(products: Products, bracket: Product) -> None:
    products.remove("bracket")
    assert products.names() == () and not list(products.folder.iterdir())
    with pytest.raises(ProductError):
        products.remove("bracket")


def test_leftovers_of_others_are_removed_unless_they_are_being_made(products: Products, draw: Draw) -> None:
    products.folder.mkdir()
    left = [
        products.folder / f".{name}.{'0' * 16}.{end}"
        for name, end in (("left", "new"), ("made", "new"), ("x", "gone"))
    ]
    for folder in left:
        folder.mkdir()
        (folder / "product.json").touch()
    own = products.folder / ".git.0.new"
    own.mkdir()
    with holding(products.folder / "made"):
        products.create("bracket", [draw("a.png", 1)])
    assert [folder.exists() for folder in left] == [False, True, False] and own.exists()
    assert products.names() == ("bracket",)


def test_two_at_once_make_one(products: Products, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reason_iad.products.storing.PATIENCE", 0.05)
    products.folder.mkdir()
    with holding(products.folder / "Bracket"), pytest.raises(OutputError, match="is writing"):
        products.create("bracket", [draw("a.png", 1)])
    assert products.names() == ()


def test_where_products_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REASON_IAD_PRODUCTS", raising=False)
    assert products_folder().parts[-2:] == ("reason-iad", "products")
    monkeypatch.setenv("REASON_IAD_PRODUCTS", str(tmp_path / "mine"))
    assert Products().folder == tmp_path / "mine" and Products().names() == ()


def test_a_product_may_be_moved_and_copied(bracket: Product, tmp_path: Path) -> None:
    bracket.folder.rename(tmp_path / "clamp")
    moved = Product.read(tmp_path / "clamp")
    assert moved.name == "clamp" and moved.state_sha256 == bracket.state_sha256
    changed = moved.with_settings(false_alarms=0.1)
    assert changed.state.name == "clamp" and changed.undone().good[0].path.is_file()


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [("0.5mm", 0.5, "mm"), ("12px", 12, "px"), (" 300 µm ", 0.3, "mm"), ("1 cm", 10, "mm"), ("20 um", 0.02, "mm")],
)
def test_lengths(text: str, value: float, unit: str) -> None:
    length = Length.parse(text)
    assert (length.value, length.unit) == (value, unit)
    assert Length.parse(str(length)) == length


@pytest.mark.parametrize(
    "text", ["", "5", "mm", "0mm", "-1mm", "1e9mm", "nan mm", "1 m", "1" * 20 + "px", "inf px"]
)
def test_what_is_no_length(text: str) -> None:
    with pytest.raises(ConfigError):
        Length.parse(text)


def test_millimetres_need_a_scale() -> None:
    assert Length.parse("1mm").pixels(0.05) == 20 and Length.parse("7px").pixels(None) == 7
    with pytest.raises(ConfigError, match="--scale"):
        Length.parse("1mm").pixels(None)


def test_names_of_files() -> None:
    sha = "0123456789abcdef" * 4
    assert file_name("good", Path("IMG 0001.JPG"), sha, {}) == "good/IMG_0001-01234567.jpg"
    assert file_name("good", Path("x-01234567.png"), sha, {}) == "good/x-01234567.png", "from another product"
    assert file_name("good", Path("...---.png"), sha, {}) == "good/image-01234567.png"
    assert file_name("good", Path("photo.dat"), sha, {}) == "good/photo-01234567.img"
    assert len(file_name("good", Path("ä" * 200 + ".png"), sha, {}).encode()) < 160
    taken = {"good/x-01234567.png": "f" * 64}
    assert file_name("good", Path("X.png"), sha, taken) == "good/X-0123456789abcdef.png"
    assert folder_name("NUL") == "NUL_" and folder_name("///") == "other" and folder_name("a b") == "a_b"
