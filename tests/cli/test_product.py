"""`reason-iad product`: every command, what it prints, and what it says when something is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from safetensors.torch import save_file
from tests.parts import plate, save

from reason_iad.cli import main
from reason_iad.cli.product import changing, moving
from reason_iad.expert.normality import selftest
from reason_iad.expert.normality.drawing import FAMILIES
from reason_iad.products import Product, Products

Make = Callable[..., Path]
Call = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("REASON_IAD_PRODUCTS", str(tmp_path / "products"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def call() -> Call:
    """Call `reason-iad product` with these words."""

    def run(*words: object, code: int = 0, **options: object) -> Result:
        result = CliRunner().invoke(main, ["product", *map(str, words)], **options)
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def bracket(folder: Path, make_image: Make, call: Call) -> Path:
    for name, brightness in (("front/a", 50), ("front/b", 60), ("back/a", 70)):
        make_image(f"good/{name}.png", brightness)
    make_image("bad/scratch/a.png", 90)
    call("create", "bracket", "--good", "good", "--defects", "bad")
    return folder / "products" / "bracket"


def mask(path: str, size: int = 32) -> None:
    pixels = np.zeros((size, size), np.uint8)
    pixels[4:9, 4:9] = 255
    Image.fromarray(pixels).save(path)


def test_create_says_what_is_in_it(folder: Path, make_image: Make, call: Call) -> None:
    make_image("a.png", 50), make_image("b.png", 60), make_image("c.png", 50)
    mask("area.png")
    words = (
        "--good",
        "a.png",
        "b.png",
        "c.png",
        "--min-size",
        "0.5mm",
        "--scale",
        "0.05mm",
        "--ignore",
        "area.png",
    )
    result = call("create", "bracket", *words)
    assert result.stdout == ""
    assert "'c.png' (as 'good/a-" in result.stderr and "Added 2 good images" in result.stderr
    made = Products(folder / "products").open("bracket")
    assert str(made.settings.min_size) == "0.5 mm" and made.settings.scale == 0.05 and made.ignore is not None
    other = folder / "other"
    call("create", "bracket", "--good", "a.png", "--products", other)
    assert Products(other).names() == ("bracket",)


def test_add(bracket: Path, make_image: Make, call: Call) -> None:
    for name, brightness in (("late/a", 80), ("late/b", 81), ("p", 82), ("q", 83), ("more/dent/x", 84)):
        make_image(f"{name}.png", brightness)
    mask("p_m.png")
    call("add", "bracket", "--good", "late/a.png", "late/b.png")
    call("add", "bracket", "--defect", "dead pixel", "p.png", "--mask", "p_m.png", "--box", "4,4,9,9")
    call("add", "bracket", "--defect", "scratch", "q.png", "p.png", "--move")
    call("add", "bracket", "--defects", "more")
    assert "nothing was changed" in call("add", "bracket", "--good", "late").stderr
    product = Product.read(bracket)
    assert len(product.good) == 5 and product.types == ("dent", "scratch")
    assert [each.box and each.box.x2 for each in product.defects if each.mask] == [9]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["create", "x"], "--good DIR"),
        (["create", "bracket", "--good", "good"], "already"),
        (["create", "x", "--good", "good", "--min-size", "5"], "'5' is no length"),
        (["create", "x", "--good", "good", "--min-size", "1mm"], "needs the scale"),
        (["create", "x", "--good", "good", "--encoder", "efficientnet"], "Did you mean 'efficientnet_lite0'"),
        (["create", "x", "--good", "god"], "'god' does not exist; check the path. Did you mean 'good'?"),
        (["create", "x", "--good", "good", "--defects", "bda"], "Did you mean 'bad'?"),
        (["add", "bracket"], "Give one of --good, --defect and --defects"),
        (["add", "bracket", "--defect", "bad/scratch/a.png"], "the type and then the images"),
        (["add", "bracket", "--defect", "bad/scratch/a.png", "dent"], "the type and then the images"),
        (["add", "bracket", "--defect", "x", "a.png", "--defect", "y", "b.png"], "Give --defect once"),
        (
            ["add", "bracket", "--defect", "x", "good/front/a.png", "good/front/b.png", "--box", "1,1,2,2"],
            "one image",
        ),
        (["add", "bracket", "--defect", "x", "good/front/a.png"], "--move"),
        (["add", "bracket", "--good", "bad"], "--move"),
        (["add", "brakcet", "--good", "good"], "Did you mean 'bracket'?"),
        (["add", "bracket", "--defect", "x", "good/front/a.png", "--box", "1,1,2"], "'1,1,2' is no box"),
        (["set", "bracket"], "Give a setting"),
        (["set", "bracket", "--false-alarms", "2"], "'2' is not possible. Give a share from 0 to 0.5"),
        (["set", "bracket", "--false-alarms", "none"], "'none' is not possible"),
        (["set", "bracket", "--scale", "5px"], "millimetres per pixel"),
        (["set", "bracket", "--ignore", "good/front/x.png"], "does not exist"),
        (["set", "bracket", "--orientation", "fxed"], "Did you mean 'fixed'?"),
        (["undo", "bracket"], "was only created"),
        (["drop", "bracket", "good"], "is not a picture of this product"),
        (["remove", "bracket"], "--yes"),
        (["import", "good"], "is not a product"),
        (["export", "bracket", "missing/x.zip"], "does not exist"),
    ],
)
def test_what_is_wrong_is_said(bracket: Path, call: Call, words: list[str], said: str) -> None:
    before = Product.read(bracket)
    result = call(*words, code=2)
    assert said in " ".join(result.stderr.split()), result.stderr
    assert Products(bracket.parent).names() == ("bracket",) and Product.read(bracket) == before


def test_set_and_take_away(bracket: Path, call: Call) -> None:
    mask("area.png")
    words = ("--false-alarms", "2%", "--missed", "0.05", "--min-size", "12px", "--inspect", "area.png")
    call("set", "bracket", *words, "--resolution", "96", "--orientation", "any")
    shown = call("show", "bracket").stdout
    for text in (
        "at most 2 % of good parts are called defective, and at most 5 % of defective parts pass", "12 px",
        "areas/inspect-", "96 pixels", "any",
    ):  # fmt: skip
        assert text in shown
    call("set", "bracket", "--missed", "none", "--min-size", "none", "--inspect", "none", "--resolution", "none")
    settings = Product.read(bracket).settings
    assert (settings.missed, settings.min_size, settings.inspect, settings.resolution) == (None,) * 4
    assert settings.false_alarms == 0.02


def test_the_limits_are_shown_and_a_change_says_how_they_moved(bracket: Path, make_image: Make, call: Call) -> None:
    shown = call("show", "bracket").stdout
    assert "Parts with a score from" in shown or "Parts with a score below" in shown
    assert "Changed copies" not in shown and "promise" in shown
    before = json.loads(call("show", "bracket", "--json").stdout)["limits"]
    make_image("late.png", 130)
    said = " ".join(call("add", "bracket", "--good", "late.png").stderr.split())
    after = json.loads(call("show", "bracket", "--json").stdout)["limits"]
    assert before["pass_below"] != after["pass_below"]
    assert (
        f"{after['pass_below']:.2f}" in said
        and f"Before: Parts with a score below {before['pass_below']:.2f}" in said
    )
    (bracket / ".cache" / "limits.json").unlink()
    assert "not set yet" in call("show", "bracket").stdout


def test_show_list_and_history(bracket: Path, call: Call) -> None:
    shown = call("show", "bracket").stdout
    assert "3 (back 1, front 2), 32x32 pixels" in shown and "1 (scratch 1)" in shown
    assert "at most 5 % of good parts are called defective" in shown and "1, 20" in shown
    assert call("list").stdout.split("\t")[:4] == ["bracket", "3", "1", "scratch"]
    call("set", "bracket", "--false-alarms", "0.1")
    lines = call("history", "bracket").stdout.splitlines()
    assert [line.split("\t")[0] for line in lines] == ["1", "2"]
    assert lines[0].endswith("Created. Added 3 good images (back 1, front 2). Added 1 defect (scratch 1).")
    facts = json.loads(call("show", "bracket", "--json").stdout)
    assert facts["good"] == {"images": 3, "for_limits": 3, "views": {"back": 1, "front": 2}}
    assert facts["settings"]["false_alarms"] == 0.1 and facts["state_sha256"] == Product.read(bracket).state_sha256
    assert json.loads(call("list", "--json").stdout)[0]["defects"]["types"] == {"scratch": 1}
    changes = json.loads(call("history", "bracket", "--json").stdout)
    assert changes[1]["removed"]["settings"]["false_alarms"] == 0.05
    call("undo", "bracket")
    assert "Took back change 2" in call("history", "bracket").stdout
    assert "nothing was changed" in call("undo", "bracket", "--to", "1").stderr
    call("undo", "bracket")
    assert "Went back to change 1" in call("undo", "bracket", "--to", "1").stderr


def test_one_damaged_product_does_not_hide_the_others(bracket: Path, call: Call) -> None:
    call("create", "other", "--good", "good")
    (bracket / "product.json").write_text("{}")
    result = call("list")
    assert result.stdout.startswith("other\t") and "is damaged" in result.stderr


def test_an_empty_list_says_how_to_begin(folder: Path, call: Call) -> None:
    result = call("list")
    assert result.stdout == "" and "reason-iad product create" in result.stderr
    assert call("list", "--json").stdout == "[]\n"


def test_drop_export_import_and_remove(bracket: Path, folder: Path, call: Call) -> None:
    call("drop", "bracket", "good/front/a.png")
    call("export", "bracket", "bracket.zip")
    assert "--overwrite" in call("export", "bracket", "bracket.zip", code=2).stderr
    call("export", "bracket", "bracket.zip", "--overwrite")
    assert "imported with 2 good images and 1 defect" in call("import", "bracket.zip", "--as", "two").stderr
    call("remove", "bracket", "--yes")
    assert Products().names() == ("two",)
    call("import", folder / "products" / "two", "--as", "three")
    assert Products().names() == ("three", "two")


def test_an_encoder_may_be_a_folder(
    bracket: Path, folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "vit").mkdir()
    (folder / "vit" / "config.json").write_text('{"model_type": "vit"}')
    refused = call("set", "bracket", "--encoder", "vit", code=2)
    assert "safetensors" in refused.stderr
    assert Product.read(bracket).settings.encoder == "efficientnet_lite0"
    save_file({}, folder / "vit" / "model.safetensors")
    monkeypatch.setattr(changing, "derive", lambda *_: None)  # it would need weights
    call("set", "bracket", "--encoder", "vit")
    assert Product.read(bracket).settings.encoder == str(folder / "vit")
    assert "folder of this machine" in call("export", "bracket", "b.zip").stderr


def test_what_follows_is_brought_up_to_date_after_every_change(
    bracket: Path, make_image: Make, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[str, int]] = []

    def derive(product: Product, progress: Callable[[str, int, int], None]) -> None:
        progress("a step", 1, 2)
        seen.append((product.name, product.state.revision))

    monkeypatch.setattr(changing, "derive", derive)
    make_image("new.png", 99)
    call("add", "bracket", "--good", "new.png")
    call("add", "bracket", "--good", "new.png")
    call("set", "bracket", "--false-alarms", "0.1")
    call("undo", "bracket")
    call("create", "two", "--good", "new.png")
    call("show", "two")
    call("export", "two", "two.zip")
    call("import", "two.zip", "--as", "three")
    assert seen == [("bracket", 2), ("bracket", 3), ("bracket", 4), ("two", 1), ("three", 1)]
    assert moving.finish is changing.finish


@pytest.fixture
def clamp(folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """A product of six good pictures, one of them dark, and a short self-test."""
    monkeypatch.setattr(selftest, "self_test", partial(selftest.self_test, count=8))
    for seed in range(6):
        (folder / "good").mkdir(exist_ok=True)
        save(plate(seed, light=0.4 if seed == 5 else 1.0), folder / "good" / f"{seed}.png")
    call("create", "clamp", "--good", "good", "--resolution", 96)


@pytest.mark.usefixtures("clamp")
def test_check_says_what_is_wrong_what_is_found_and_what_would_help(call: Call, folder: Path) -> None:
    said = call("check", "clamp", "--report", "check.html").output
    for title in ("What it has", "Pictures to look at", "What is found", "The limit", "What would help most"):
        assert title in said
    assert "6 good pictures." in said and "No labelled defects." in said
    assert "much darker than the others" in said and "good/5-" in said
    assert "8 plainly visible defects were drawn" in said or "7 plainly visible defects were drawn" in said
    assert "1. Look at the 1 conspicuous picture first." in said
    assert "Report: check.html" in said
    page = (folder / "check.html").read_text()
    assert "much darker than the others" in page and "<svg" in page and "data:image" in page


@pytest.mark.usefixtures("clamp")
def test_check_prints_json(call: Call) -> None:
    found = json.loads(call("check", "clamp", "--json").stdout)
    assert found["product"] == "clamp" and found["good"] == 6 and len(found["good_scores"]) == 6
    assert {each["kind"] for each in found["detection"]} == set(FAMILIES)
    assert found["remarks"][0]["why"] == "dark" and found["defect_from"] is None


def test_check_refuses_a_report_that_cannot_be_written_before_it_begins(
    call: Call, bracket: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selftest, "self_test", None)
    (folder / "taken").mkdir()
    result = CliRunner().invoke(main, ["product", "check", "bracket", "--report", "taken"])
    assert result.exit_code != 0 and "What it has" not in result.output and "taken" in result.output
