"""Products: what goes in comes out, nothing is in twice, and every change gives a new value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reason_iad.errors import ConfigError, ImageError, KnowledgeError, ProductError
from reason_iad.files import file_sha256
from reason_iad.knowledge import read_documents
from reason_iad.products import GivenDefect, Length, Product, Products, derive, find_defects
from reason_iad.products.gathering import find_good, marked_pixels
from reason_iad.schema import Box

Draw = Callable[..., Path]


def test_pictures_are_kept_byte_for_byte_under_names_that_people_know(bracket: Product, tmp_path: Path) -> None:
    assert [(each.view, each.path.relative_to(bracket.folder).as_posix()[:-12]) for each in bracket.good] == [
        ("back", "good/back/a-"), ("front", "good/front/a-"), ("front", "good/front/b-"),
    ]  # fmt: skip
    for each in (*bracket.good, *bracket.defects):
        assert file_sha256(each.path) == each.sha256 and each.sha256[:8] in each.path.name
        assert (each.width, each.height) == (24, 16)
    assert file_sha256(tmp_path / "good/front/a.png") == bracket.good[1].sha256
    assert bracket.views == ("back", "front") and bracket.types == ("scratch",)


def test_the_state_names_no_place_of_this_machine(bracket: Product, tmp_path: Path) -> None:
    for file in ("product.json", "history.jsonl"):
        assert str(tmp_path) not in (bracket.folder / file).read_text()
    text = (bracket.folder / "product.json").read_text()
    assert json.loads(text)["name"] == "bracket" and bracket.state.text() == text


def test_the_same_picture_is_kept_once(bracket: Product, draw: Draw) -> None:
    told: list[str] = []
    again = bracket.with_good(
        draw("new/same.png", 1), draw("new/other.png", 5), draw("new/twin.png", 5), tell=told.append
    )
    assert len(again.good) == 4 and again.state.revision == 2
    assert len(told) == 1 and "same.png" in told[0] and "twin.png" in told[0] and "good/front/a-" in told[0]
    assert again.with_good(draw("x.png", 5)).state.revision == 2, "nothing new is no change"


def test_two_pictures_of_one_name_do_not_collide(bracket: Product, draw: Draw) -> None:
    both = bracket.with_good(draw("1/p.png", 5), draw("2/p.png", 6))
    assert len({each.path for each in both.good}) == 5


def test_a_value_does_not_change_when_others_add(bracket: Product, products: Products, draw: Draw) -> None:
    more = products.open("bracket").with_good(draw("c.png", 5))
    assert (len(bracket.good), len(more.good)) == (3, 4)
    last = bracket.with_good(draw("d.png", 6))  # begins from what is on disk
    assert len(last.good) == 5 and last == products.open("bracket")


def test_a_picture_is_good_or_defective(bracket: Product, products: Products, draw: Draw, tmp_path: Path) -> None:
    good, bad = draw("g.png", 1), draw("d.png", 11)
    with pytest.raises(
        ProductError, match=r"'.*d.png' is given as 'good'.*as 'scratch': 'defects/scratch/a.*--move"
    ):
        bracket.with_good(bad)
    with pytest.raises(ProductError, match=r"'.*g.png' is given as 'dent'.*as 'good': 'good/front/a.*--move"):
        bracket.with_defects([GivenDefect(good, "dent")])
    with pytest.raises(ProductError, match=r"as 'scratch'.*--move"):
        bracket.with_defects([GivenDefect(bad, "dent")])
    with pytest.raises(ProductError, match=r"given as good, '.*g.png', and as 'dent', '.*twin.png'"):
        products.create("other", [good], defects=[GivenDefect(draw("twin.png", 1), "dent")])
    assert products.names() == ("bracket",) and products.open("bracket") == bracket
    assert bracket.with_defects([GivenDefect(bad, "dent")], move=True).types == ("dent",)
    assert len(bracket.with_good(bad, move=True).good) == 4
    moved = bracket.with_defects([GivenDefect(good, "dent")], move=True)
    assert (len(moved.good), moved.types) == (3, ("dent",))
    assert all(each.path.is_file() for each in (*bracket.good, *bracket.defects)), "earlier values stay whole"


def test_a_known_defect_gets_the_mask_it_did_not_have(bracket: Product, draw: Draw, mark: Draw) -> None:
    picture = draw("p.png", 11)
    marked = bracket.with_defects([GivenDefect(picture, "scratch", mark("m.png"))])
    assert marked.defects[0].mask is not None and marked.defects[0].mask.parent.name == "masks"
    assert marked.defects[0].path == bracket.defects[0].path and marked.defects[0].added == bracket.defects[0].added
    assert marked.history()[-1].words == "Changed 1 defect (scratch 1)."
    boxed = marked.with_defects([GivenDefect(picture, "scratch", box=Box(x1=1, y1=2, x2=3, y2=4))])
    assert boxed.defects[0].mask == marked.defects[0].mask and boxed.defects[0].box == Box(x1=1, y1=2, x2=3, y2=4)
    assert boxed.with_defects([GivenDefect(picture, "scratch")]).state.revision == 3


@pytest.mark.parametrize("box", [(0, 0, 25, 4), (3, 3, 3, 5), (-1, 0, 4, 4)])
def test_a_box_lies_inside_its_picture(bracket: Product, draw: Draw, box: tuple[int, ...]) -> None:
    given = GivenDefect(draw("p.png", 20), "dent", box=Box(**dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))))
    with pytest.raises(ConfigError, match="24x16"):
        bracket.with_defects([given])


def test_settings(bracket: Product, mark: Draw, products: Products) -> None:
    assert bracket.settings.false_alarms == 0.05 and bracket.settings.encoder == "efficientnet_lite0"
    new = bracket.with_settings(
        false_alarms=0.02, missed=0.1, min_size=Length.parse("0.5mm"), scale=0.05, ignore=mark("area.png")
    )
    assert new.settings.min_size == Length(0.5, "mm") and new.settings.min_size.pixels(0.05) == 10
    assert new.ignore is not None and new.ignore.parent.name == "areas" and new.inspect is None
    assert products.open("bracket") == new
    assert new.with_settings(ignore=None, missed=None).ignore is None
    assert new.ignore.is_file(), "undo goes back to it"
    assert "false alarms: 2 %" in new.history()[-1].words


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"false_alarms": 0.0}, "'false alarms' is not possible"),
        ({"false_alarms": float("nan")}, "'false alarms' is not possible"),
        ({"min_size": Length(1, "mm")}, "needs the scale"),
        ({"fals_alarms": 0.1}, "no setting 'fals_alarms'. Did you mean 'false_alarms'"),
        ({"orientation": "left"}, "'orientation' is not possible"),
        ({"encoder": "efficientnet"}, "Did you mean 'efficientnet_lite0'"),
    ],
)
def test_an_impossible_setting_is_refused(bracket: Product, values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        bracket.with_settings(**values)
    assert Product.read(bracket.folder) == bracket


def test_areas_are_as_large_as_a_good_picture_and_mark_something(bracket: Product, mark: Draw) -> None:
    with pytest.raises(ConfigError, match="10x10 pixels, a good image is 24x16"):
        bracket.with_settings(ignore=mark("small.png", size=(10, 10)))
    with pytest.raises(ImageError, match="cannot be read"):
        bracket.with_settings(ignore="missing.png")
    with pytest.raises(ImageError, match="no ordinary file"):
        bracket.with_settings(ignore=bracket.folder)
    with pytest.raises(ImageError, match="black everywhere"):
        bracket.with_settings(inspect=mark("black.png", (0, 0, 0, 0)))


def test_knowledge_can_be_a_file_or_a_folder(bracket: Product, tmp_path: Path) -> None:
    texts = {"bracket.md": "# Normal\n\nA bent sheet.\n", "screw.md": "# Normal\n\nA screw.\n"}
    for name, text in texts.items():
        (tmp_path / "texts").mkdir(exist_ok=True)
        (tmp_path / "texts" / name).write_text(f"---\ncategory: {name[:-3]}\n---\n\n{text}")
    one = bracket.with_settings(knowledge=tmp_path / "texts" / "bracket.md")
    both = one.with_settings(knowledge=tmp_path / "texts")
    assert one.knowledge is not None and one.knowledge.name == "bracket.md"
    assert [len(read_documents([each.knowledge])) for each in (one, both)] == [1, 2]
    assert both.with_settings(knowledge=tmp_path / "texts").state.revision == both.state.revision
    assert both.with_settings(knowledge=None).knowledge is None and bracket.knowledge is None
    (tmp_path / "broken.md").write_text("nothing")
    with pytest.raises(KnowledgeError):
        bracket.with_settings(knowledge=tmp_path / "broken.md")


def test_pictures_can_be_taken_out(bracket: Product, draw: Draw) -> None:
    less = bracket.without(bracket.good[0].path.name, draw("copy.png", 11))
    assert (len(less.good), len(less.defects)) == (2, 0)
    with pytest.raises(ProductError, match="is not a picture of this product"):
        less.without(draw("other.png", 99))
    with pytest.raises(ProductError, match="at least one picture of a good part"):
        less.without(*(each.path for each in less.good))


def test_the_hash_of_the_state_is_that_of_what_results_follow_from(
    bracket: Product, products: Products, draw: Draw, tmp_path: Path
) -> None:
    hashes = [bracket.state_sha256]
    steps = [
        bracket.with_good(draw("c.png", 5)),
        bracket.with_defects([GivenDefect(draw("d.png", 6), "dent")]),
        bracket.with_settings(false_alarms=0.1),
        bracket.with_settings(min_size=Length(3, "px")),
    ]
    hashes += [step.state_sha256 for step in steps]
    assert len(set(hashes)) == 5
    assert steps[-1].undone(to=1).state_sha256 == hashes[0], "not of the number of changes"
    (tmp_path / "good" / "front" / "a.png").rename(tmp_path / "good" / "front" / "z.png")
    other = products.create("other", [tmp_path / "good"], defects=tmp_path / "bad")
    assert other.state_sha256 == hashes[0], "not of names"


def test_the_cache_stays_out_of_version_control(bracket: Product) -> None:
    assert (bracket.cache_dir / ".gitignore").read_text() == "*\n"
    (bracket.cache_dir / ".gitignore").unlink()
    bracket.cache_dir.rmdir()
    assert (bracket.make_cache() / ".gitignore").exists()
    derive(bracket)


def test_an_unusable_picture_leaves_everything_as_it_was(products: Products, draw: Draw, tmp_path: Path) -> None:
    draw("good/a.png", 1)
    (tmp_path / "good" / "b.png").write_bytes(b"no picture")
    (tmp_path / "good" / "c.png").write_bytes((tmp_path / "good" / "a.png").read_bytes()[:200])
    with pytest.raises(ImageError, match=r"b\.png.* 1 more cannot be used"):
        products.create("bracket", [tmp_path / "good"])
    assert products.names() == () and not list(tmp_path.glob("products/*"))


@pytest.mark.parametrize(
    "text",
    [
        "", "{}", "[1]", "{" * 100_000, '{"format": 2}', "\0",
        '{"format": 1, "name": "x", "revision": 1, "good": [3]}',
    ],
)  # fmt: skip
def test_a_damaged_product_is_refused(bracket: Product, text: str) -> None:
    (bracket.folder / "product.json").write_text(text)
    with pytest.raises(ProductError, match=r"product\.json' is damaged"):
        Product.read(bracket.folder)


@pytest.mark.parametrize(
    "file",
    ["good/../../x.png", "/etc/passwd", "good\\x.png", "good/.hidden", "x.png", "other/x.png", "good/con.png",
     "good//x", "good/x:y.png", "good/a\n.png", "good/x."],
)  # fmt: skip
def test_paths_in_a_state_stay_inside_the_folder(bracket: Product, file: str) -> None:
    state = json.loads(bracket.state.text())
    state["good"][0]["file"] = file
    (bracket.folder / "product.json").write_text(json.dumps(state))
    with pytest.raises(ProductError, match="is damaged"):
        Product.read(bracket.folder)


def test_find_defects_by_folder_and_mask(draw: Draw, mark: Draw, tmp_path: Path) -> None:
    draw("bad/plain.png", 1)
    for name, seed in (("scratch/a", 2), ("scratch/b", 3), ("dent/a", 4), ("dent/b", 5), ("good/a", 6)):
        draw(f"bad/{name}.png", seed)
    mark("bad/scratch/a_mask.png")
    mark("bad/scratch/masks/b.png")
    mark("bad/ground_truth/dent/a_mask.png")
    mark("ground_truth/dent/b.png")
    mark("bad/scratch/lonely_mask.png")
    told: list[str] = []
    found = find_defects(tmp_path / "bad", told.append)
    assert [
        (each.type, each.path.name, each.mask and each.mask.relative_to(tmp_path).as_posix()) for each in found
    ] == [
        ("defect", "plain.png", None),
        ("dent", "a.png", "bad/ground_truth/dent/a_mask.png"),
        ("dent", "b.png", "ground_truth/dent/b.png"),
        ("scratch", "a.png", "bad/scratch/a_mask.png"),
        ("scratch", "b.png", "bad/scratch/masks/b.png"),
    ]
    assert len(told) == 2 and "holds good parts" in told[0] and "lonely_mask.png" in told[1]


def test_folders_of_masks_are_known_in_any_case_and_litter_is_none(draw: Draw, mark: Draw, tmp_path: Path) -> None:
    draw("bad/dent/a.png", 4)
    masks = [mark("bad/dent/Masks/a.bmp"), mark("bad/dent/@eaDir/a_mask.png"), mark("bad/@eaDir/dent/a.png")]
    mark("bad/#recycle/b.png")
    (given,) = find_defects(tmp_path / "bad")
    assert (given.type, given.mask) == ("dent", masks[0])
    draw("fine/top/a.png", 1)
    draw("fine/@eaDir/a.png", 2)
    (tmp_path / "fine/top/Thumbs.db").touch()
    assert [each.view for each in find_good([tmp_path / "fine"])] == ["top"]


def test_what_is_remarkable_about_masks_is_told_once_per_kind(bracket: Product, draw: Draw, mark: Draw) -> None:
    whole = [mark(f"{name}.png", (0, 0, 24, 16)) for name in ("m1", "m2")]
    lossy = mark("m3.jpg")
    told: list[str] = []
    given = [GivenDefect(draw(f"p{i}.png", 20 + i), "dent", mask) for i, mask in enumerate((*whole, lossy))]
    new = bracket.with_defects(given, tell=told.append)
    assert len(new.defects) == len(bracket.defects) + 3
    first, second = told
    assert f"'{whole[0]}' marks the whole picture" in first and first.endswith("The same holds for 1 more.")
    assert f"'{lossy}' was compressed with loss" in second
    assert marked_pixels(lossy).sum() == 20, "the noise beside the edges is left out"


def test_a_mask_fits_its_picture(bracket: Product, draw: Draw, mark: Draw) -> None:
    for mask, said in (
        (mark("m.png", size=(9, 9)), "9x9 pixels, its image 24x16"),
        (mark("e.png", (0, 0, 0, 0)), "black"),
    ):
        with pytest.raises(ImageError, match=said):
            bracket.with_defects([GivenDefect(draw("p.png", 20), "dent", mask)])
    assert Product.read(bracket.folder) == bracket


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 81])
def test_a_type_has_a_name_that_can_be_read(bracket: Product, draw: Draw, name: str) -> None:
    with pytest.raises(ProductError, match="cannot be the name of a type"):
        bracket.with_defects([GivenDefect(draw("p.png", 20), name)])


def test_types_and_views_have_the_names_that_people_gave(bracket: Product, draw: Draw, tmp_path: Path) -> None:
    new = bracket.with_defects([GivenDefect(draw("p.png", 20), "dead pixel / Kratzer ä")])
    assert "dead pixel / Kratzer ä" in new.types
    assert {each.path.parent.name for each in new.defects} == {"scratch", "dead_pixel_Kratzer_ä"}
    draw("more/con/x.png", 21)
    views = new.with_good(tmp_path / "more")
    assert "con" in views.views and (views.folder / "good" / "con_").is_dir()
