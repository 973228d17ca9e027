"""`reason-iad compare`: exit codes, and what is printed and written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image, ImageDraw

from reason_iad.cli import main


def run(*words: object) -> Result:
    return CliRunner().invoke(main, ["compare", *map(str, words)])


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A board with a spot, and one without."""
    paths = (tmp_path / "new.png", tmp_path / "old.png")
    for path in paths:
        picture = Image.new("RGB", (240, 180), (225, 225, 225))
        draw = ImageDraw.Draw(picture)
        for x in (30, 90, 200):
            draw.line((x, 0, x, 180), fill=(30, 30, 30), width=12)
        if path.name == "new.png":
            draw.ellipse((135, 70, 155, 90), fill=(30, 30, 30))
        picture.save(path)
    return paths


def test_the_exit_code_tells_the_outcome(pair: tuple[Path, Path], tmp_path: Path) -> None:
    new, old = pair
    assert run(old, old).exit_code == 0
    differs = run(new, old)
    assert differs.exit_code == 1
    assert differs.stdout.splitlines()[0] == "DIFFERENT  A: new.png  B: old.png"
    assert "A has an isolated dark spot that B does not have." in differs.stdout
    white = tmp_path / "white.png"
    Image.new("RGB", (240, 180), "white").save(white)
    refused = run(white, old)
    assert refused.exit_code == 5 and refused.stdout.startswith("CANNOT BE COMPARED")
    assert run(new, tmp_path / "gone.png").exit_code == 2


def test_what_is_written(pair: tuple[Path, Path], tmp_path: Path) -> None:
    report, out, folder = tmp_path / "r.html", tmp_path / "r.json", tmp_path / "exports"
    result = run(*pair, "--report", report, "--json", out, "--export", folder, "--scale", "0.1mm")
    assert result.exit_code == 1, result.output
    (place,) = json.loads(out.read_text())["differences"]
    assert place["length_mm"] == pytest.approx(place["length_px"] / 10, abs=0.01)
    page = report.read_text()
    assert page.count("data:image/jpeg;base64,") == 3 and "http" not in page.replace("http-equiv", "")
    assert page.count('class="region"') == 2, "the same mark on both pictures"
    assert "<script" not in page and "The parts differ" in page
    assert sorted(path.name for path in folder.iterdir()) == [
        "coco.json", "new.png.labelme.json", "new.png.mask.png", "new.png.overlay.png",
    ]  # fmt: skip


def test_the_level_is_an_option(pair: tuple[Path, Path]) -> None:
    assert run(*pair, "--level", 1000).exit_code == 0
    assert run(*pair, "--level", 0).exit_code == 2


def test_json_is_printed_alone(pair: tuple[Path, Path]) -> None:
    result = run(*pair, "--json", "-")
    assert json.loads(result.stdout)["outcome"] == "different" and result.stderr.startswith("DIFFERENT")
    assert run(*pair, "--quiet").output == ""


def test_an_input_is_never_overwritten(pair: tuple[Path, Path]) -> None:
    before = pair[0].read_bytes()
    assert run(*pair, "--report", pair[0]).exit_code == 2
    assert pair[0].read_bytes() == before


def test_a_model_says_what_it_thinks(pair: tuple[Path, Path]) -> None:
    result = run(*pair, "--model", "fake")
    assert result.exit_code == 1 and "says of A, with B as the good part:" in result.stdout, result.output


def test_it_says_where_the_report_is_and_takes_a_folder(tmp_path: Path) -> None:
    Image.new("RGB", (64, 48), "grey").save(tmp_path / "a.png")
    words = ["compare", str(tmp_path / "a.png"), str(tmp_path / "a.png"), "--report", str(tmp_path)]
    shown = CliRunner().invoke(main, words)
    assert shown.exit_code == 0 and f"report     {tmp_path / 'a.png.html'}" in shown.stdout
    assert (tmp_path / "a.png.html").is_file()
