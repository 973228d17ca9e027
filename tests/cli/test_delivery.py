"""`--export` and `--report` of many parts: files that go with the results, also after an interruption."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Run
from tests.cli.stub import StubInspector

from reason_iad.schema import Inspection

Make = Callable[..., Path]


@pytest.fixture
def parts(make_image: Make) -> Path:
    make_image("parts/b/x.png", 200)
    make_image("parts/a/x.png", 220)
    return make_image("parts/a/good.png", 50).parents[1]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_exports_of_one_part(run: Run, make_image: Make, tmp_path: Path) -> None:
    result = run("inspect", make_image("bad.png", 200), "--export", tmp_path / "out")
    assert result.exit_code == 1 and f"exports    {tmp_path / 'out'}" in result.stdout
    assert files(tmp_path / "out") == {
        "bad.png.overlay.png", "bad.png.mask.png", "bad.png.labelme.json", "coco.json",
    }  # fmt: skip


def test_exports_of_several_parts_and_only_some_formats(run: Run, parts: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run("inspect", parts, "--export", out, "--formats", "coco, mask")
    assert result.exit_code == 1 and f"Exports: {out}" in result.stderr
    assert files(out) == {"a/x.png.mask.png", "a/good.png.mask.png", "b/x.png.mask.png", "coco.json"}
    document = json.loads((out / "coco.json").read_text())
    assert [each["file_name"] for each in document["images"]] == ["a/good.png", "a/x.png", "b/x.png"]
    assert len(document["annotations"]) == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--export", "parts/out"], "lies in the folder of parts"),
        (["--export", "out", "--formats", "cocoa"], "Did you mean 'coco'?"),
        (["--formats", "coco"], "Name it with --export."),
        (["--export", "parts/b/x.png/out"], "--export"),
    ],
)
def test_what_is_wrong_is_said_before_the_model_is_loaded(
    words: list[str], said: str, run: Run, parts: Path, stubs: list[StubInspector], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(parts.parent)
    result = run("inspect", "parts", *words)
    assert result.exit_code == 2 and said in result.stderr and not stubs


def test_the_overview_links_every_report(run: Run, parts: Path, tmp_path: Path) -> None:
    broken = parts / "broken.png"
    broken.write_text("no image")
    out = tmp_path / "reports"
    result = run("inspect", parts, "--report", out)
    assert f"Overview: {out / 'index.html'}" in result.stderr
    page = (out / "index.html").read_text(encoding="utf-8")
    assert (
        page.index("a/x.png.html") < page.index("b/x.png.html") < page.index("broken.png") < page.index("good.png")
    )
    with (out / "results.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = {row["image"]: row for row in csv.DictReader(file)}
    assert rows[str(parts / "a" / "x.png")]["report"] == "a/x.png.html"
    assert "can be read" in rows[str(broken)]["error"] and rows[str(broken)]["verdict"] == "failed"
    assert all((out / row["report"]).is_file() for row in rows.values() if row["report"])


def test_a_run_that_goes_on_has_the_earlier_parts_too(
    run: Run, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, words = tmp_path / "out.jsonl", ["--report", tmp_path / "reports", "--export", tmp_path / "exports"]
    whole = tmp_path / "whole"
    run("inspect", parts, "--report", whole / "reports", "--export", whole / "exports")
    plain, seen = StubInspector.inspect, []

    def interrupted(self: StubInspector, image: Path, **options: Any) -> Inspection:
        seen.append(image)
        if len(seen) == 3:
            raise KeyboardInterrupt
        return plain(self, image, **options)

    monkeypatch.setattr(StubInspector, "inspect", interrupted)
    assert run("inspect", parts, *words, "--json", log).exit_code == 130
    assert len(json.loads((tmp_path / "exports" / "coco.json").read_text())["images"]) == 2, (
        "what was done is there"
    )
    (tmp_path / "reports" / "a" / "x.png.html").unlink()
    assert run("inspect", parts, *words, "--json", log, "--resume").exit_code == 1
    assert files(tmp_path / "reports") == files(whole / "reports")
    assert files(tmp_path / "exports") == files(whole / "exports")
    for name in ("exports/coco.json", "reports/index.html", "reports/results.csv"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes()


def test_a_part_called_index_does_not_take_the_place_of_the_overview(
    run: Run, make_image: Make, tmp_path: Path
) -> None:
    make_image("in/index.png").rename(tmp_path / "in" / "index")
    run("inspect", tmp_path / "in" / "index", make_image("in/b.png"), "--report", tmp_path / "out")
    assert files(tmp_path / "out") == {"index.html", "index.report.html", "b.png.html", "results.csv"}
    assert "index.report.html" in (tmp_path / "out" / "index.html").read_text()


def test_an_interrupt_before_the_first_result_leaves_an_earlier_overview(
    run: Run, parts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("inspect", parts, "--report", tmp_path / "out")
    before = (tmp_path / "out" / "index.html").read_bytes()

    def interrupted(*_: object, **__: object) -> Inspection:
        raise KeyboardInterrupt

    monkeypatch.setattr(StubInspector, "inspect", interrupted)
    assert run("inspect", parts, "--report", tmp_path / "out").exit_code == 130
    assert (tmp_path / "out" / "index.html").read_bytes() == before


def test_the_report_of_one_part_may_go_into_a_folder(run: Run, make_image: Make, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    part = make_image("one.png")
    assert f"report     {folder / 'one.png.html'}" in run("inspect", part, "--report", folder).stdout
    assert [path.name for path in folder.iterdir()] == ["one.png.html"]


def test_reports_of_earlier_runs_are_told(run: Run, parts: Path, tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    assert "earlier run" not in run("inspect", parts, "--report", folder).stderr
    (folder / "sub").mkdir()
    (folder / "sub" / "old.png.html").write_text("<html></html>")
    again = run("inspect", parts, "--report", folder).stderr
    assert "1 report of an earlier run is in that folder, too. The overview does not list them." in again
