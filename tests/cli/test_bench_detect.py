"""`reason-iad bench detect`: what it prints, writes and refuses, on tiny sets of every layout."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.bench.detect import trees

from reason_iad.backbones import loading
from reason_iad.bench.detect.readers import READERS
from reason_iad.cli import main


def detect(root: Path, out: Path, *words: object) -> Result:
    options = ["--dataset", root, "--out", out, *([] if "--maps" in words else ["--model", "fake"]), *words]
    return CliRunner().invoke(main, ["bench", "detect", *map(str, options)])


@pytest.mark.parametrize("layout", READERS)
def test_every_layout_is_judged(layout: str, tmp_path: Path) -> None:
    result = detect(trees.TREES[layout](tmp_path / "set"), tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("| category | normal | abnormal | image AUROC |")
    assert "nan" not in result.stdout and "–" not in result.stdout
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["mean"]["pixel_auroc"] > 0.8 and metrics["mean_of"]["aupro_30"] == len(metrics["categories"])


def test_the_layouts_are_shown_without_any_other_option() -> None:
    result = CliRunner().invoke(main, ["bench", "detect", "--layout", "help"])
    assert result.exit_code == 0 and not result.stderr
    assert all(f"{layout}: " in result.stdout for layout in READERS) and "manifest.csv" in result.stdout


def test_what_was_decided_about_a_set_is_said(tmp_path: Path) -> None:
    root = trees.ksdd2(tmp_path / "set")
    for words, said in (((), True), (("--quiet", "--overwrite"), False)):
        result = detect(root, tmp_path / "run", *words)
        assert result.exit_code == 0 and ("1 defective training image is not used" in result.stderr) is said


def test_a_set_without_normal_test_images_is_not_measured(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path / "set", ("nut",))
    for path in (root / "nut/test/good").iterdir():
        path.unlink()
    (root / "nut/test/good").rmdir()
    result = detect(root, tmp_path / "run")
    assert result.exit_code == 2 and "no-normal-test" in result.stderr and not result.stdout


def test_formats_hold_the_same_numbers(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path / "set")
    table = detect(root, tmp_path / "run").stdout.splitlines()
    assert [line.split(" | ")[0] for line in table[2:5]] == ["| nut", "| tile", "| **mean**"]
    rows = detect(root, tmp_path / "run", "--resume", "--format", "csv").stdout.splitlines()
    report = json.loads(detect(root, tmp_path / "run", "--resume", "--format", "json").stdout)
    auroc = report["categories"][0]["image_auroc"]
    assert float(rows[1].split(",")[4]) == auroc and table[2].split(" | ")[3] == f"{100 * auroc:.1f}"


def test_one_category_few_images_full_maps(tmp_path: Path) -> None:
    out = tmp_path / "run"
    words = ("--category", "nut", "--limit", 3, "--shots", 1, "--detector", "calibrated", "--save-maps")
    result = detect(trees.mvtec(tmp_path / "set"), out, *words)
    assert result.exit_code == 0, result.stderr
    assert (
        len((out / "scores.jsonl").read_text().splitlines()) == 3 == len(list((out / "maps_full").rglob("*.npy")))
    )
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["detector"], manifest["shots"], manifest["limit"]) == ("calibrated", 1, 3)


def test_the_vision_model_in_a_directory_makes_the_maps(tmp_path: Path) -> None:
    from transformers import ConvNextConfig, ConvNextModel

    model = tmp_path / "convnext"
    ConvNextModel(ConvNextConfig(hidden_sizes=[8, 8, 8, 8], depths=[1, 1, 1, 1])).save_pretrained(model)
    prepared = {"image_mean": [0.5] * 3, "image_std": [0.5] * 3, "size": 64}
    (model / "preprocessor_config.json").write_text(json.dumps(prepared))
    result = detect(trees.mvtec(tmp_path / "set"), tmp_path / "run", "--encoder", model, "--limit", 2)
    assert result.exit_code == 0, result.stderr
    assert json.loads((tmp_path / "run/manifest.json").read_text())["encoder"] == str(model)


def test_the_small_network_makes_the_maps(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    result = detect(root, out, "--encoder", "efficientnet_lite0", "--limit", 2)
    assert result.exit_code == 0, result.stderr


def test_the_expert_loads_no_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "load_backbone", lambda *_, **__: pytest.fail("a model was loaded"))
    out = tmp_path / "run"
    words = ("--category", "nut", "--detector", "expert", "--shots", "all", "--model", "openai:none")
    result = detect(trees.mvtec(tmp_path / "set"), out, *words)
    assert result.exit_code == 0, result.stderr
    manifest = json.loads((out / "manifest.json").read_text())
    assert (manifest["encoder"], manifest["model"], manifest["shots"]) == ("efficientnet_lite0", None, None)
    assert len(manifest["encoder_sha256"]) == 64
    rows = list(csv.DictReader((out / "scores.csv").read_text().splitlines()))
    lines = [json.loads(line) for line in (out / "scores.jsonl").read_text().splitlines()]
    assert [(row["id"], float(row["score"])) for row in rows] == [(line["id"], line["score"]) for line in lines]
    assert {row["cannot_be_judged"] for row in rows} <= {"0.0", "1.0"} and float(rows[0]["likeness"]) > 0


def test_few_and_many_images_in_several_draws(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set", ["nut"]), tmp_path / "run"
    words = ("--shots", "1,all", "--seeds", 2)
    result = detect(root, out, *words)
    assert result.exit_code == 0, result.stderr
    one, every = (line.split(" | ") for line in result.stdout.splitlines()[2:])
    assert one[:3] == ["| nut", "1", "2"] and "±" in one[5], "one row per number, over its draws"
    assert every[:3] == ["| nut", "all", "1"] and "±" not in every[5], "all can be drawn in one way only"
    shots = {path.parent.parent.name: json.loads(path.read_text())["shots"] for path in out.rglob("manifest.json")}
    assert shots == {"1-shot": 1, "all-shot": None} and len(list(out.rglob("scores.csv"))) == 3
    rows = detect(root, out, *words, "--resume", "--format", "csv").stdout
    assert rows == (out / "shots.csv").read_text() and rows.splitlines()[2].startswith("nut,1,1,2,2,0,")


def test_an_encoder_that_is_not_there(tmp_path: Path) -> None:
    result = detect(trees.mvtec(tmp_path / "set"), tmp_path / "run", "--encoder", "efficientnet")
    assert result.exit_code == 2
    for part in ("Did you mean 'efficientnet_lite0'?", "tower, efficientnet_lite0", "directory of a vision model"):
        assert part in result.stderr


def test_problems_stop_a_run_before_it_starts(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    (root / "nut/ground_truth/scratch/000_mask.png").unlink()
    (root / "nut/train/good/001.png").write_text("no image")
    for quiet in ((), ("--quiet",)):
        result = detect(root, out, *quiet)
        assert result.exit_code == 2 and not out.exists()
        for part in ("nut/test/scratch/000.png", "nut/train/good/001.png", "2 errors in", "--skip-problems"):
            assert part in result.stderr
    result = detect(root, out, "--skip-problems")
    assert result.exit_code == 0 and "2 of 14 images are left out" in result.stderr
    assert json.loads((out / "manifest.json").read_text())["left_out"] == [
        "nut/test/scratch/000.png",
        "nut/train/good/001.png",
    ]
    assert "| nut | 2 | 1 |" in result.stdout


def test_warnings_do_not_stop_a_run(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path / "set")
    (root / "nut/test/dent").mkdir()
    result = detect(root, tmp_path / "run", "--shots", 3)
    assert result.exit_code == 0 and "nut/test/dent: holds no image" in result.stderr
    assert detect(root, tmp_path / "other", "--quiet", "--shots", 3).stderr == ""


def test_templates_are_compared_with_on_demand(tmp_path: Path) -> None:
    root = trees.manifest(tmp_path / "set")
    assert detect(root, tmp_path / "run", "--references", "template").exit_code == 0
    refused = detect(trees.mvtec(tmp_path / "bare"), tmp_path / "other", "--references", "template")
    assert refused.exit_code == 2 and "no-template" in refused.stderr


def test_a_flat_folder_is_told_apart_by_a_pattern(tmp_path: Path) -> None:
    result = detect(trees.flat(tmp_path / "set"), tmp_path / "run", "--normal", "ok_*", "--shots", 1)
    assert result.exit_code == 0, result.stderr
    assert "because there are no masks" in result.stdout and "no-masks" in result.stderr


def test_maps_made_elsewhere_need_no_model(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path / "set")
    assert detect(root, tmp_path / "run").exit_code == 0
    maps = tmp_path / "run/maps"
    result = detect(root, tmp_path / "other", "--maps", maps)
    assert result.exit_code == 0, result.stderr
    assert "8 maps were resized" in result.stderr
    (maps / "nut/test/good/000.png.npy").unlink()
    result = detect(root, tmp_path / "third", "--maps", maps)
    assert result.exit_code == 2 and "1 of 8 images have no map" in result.stderr


def test_failed_images_have_an_exit_code_of_their_own(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path / "set")
    broken = root / "nut/test/good/000.png"
    broken.write_bytes(broken.read_bytes()[:-200])
    result = detect(root, tmp_path / "run")
    assert result.exit_code == 3
    assert "failed   nut/test/good/000.png" in result.stderr and "1 images failed" in result.stdout


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--resume", "--overwrite"), "cannot be used together"),
        (("--category", "pill"), "choose from: nut, tile"),
        (("--layout", "visa"), "1cls.csv"),
        (("--maps", "missing"), "folder of maps"),
        (("--maps", ".", "--save-maps"), "has no effect"),
        (("--shots", "1,0"), "Give numbers above 0"),
        (("--shots", "1,2", "--references", "template"), "need training images that are drawn"),
        (("--model", "none"), "Use --detector expert or --detector patchcore"),
        (("--model", "openai:gpt"), "Use a local model"),
        (("--model", "no such model"), "was not found"),
        (("--device", "tpu"), "There is no device 'tpu'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_sentence(
    words: tuple[str, ...], complaint: str, tmp_path: Path
) -> None:
    result = detect(trees.mvtec(tmp_path / "set"), tmp_path / "run", *words)
    assert result.exit_code == 2 and complaint in result.stderr
    assert result.stdout == "" and not (tmp_path / "run").exists()


def test_results_are_not_overwritten_by_accident(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    assert detect(root, out).exit_code == 0
    before = (out / "scores.jsonl").read_bytes()
    result = detect(root, out)
    assert result.exit_code == 2 and "--overwrite" in result.stderr
    assert detect(root, out, "--overwrite").exit_code == 0 == detect(root, out, "--resume").exit_code
    assert (out / "scores.jsonl").read_bytes() == before


@pytest.mark.data
def test_the_development_images_are_in_order(data_dir: Path) -> None:
    from reason_iad.bench.detect.problems import check
    from reason_iad.bench.detect.readers import read_dataset

    for name, count in (("deeppcb", 460), ("magnetic_tile", 245), ("ball_screw", 168), ("commutator", 56)):
        dataset = read_dataset(data_dir / name)
        assert (dataset.layout, len(dataset.samples)) == ("csv", count)
        assert not check(dataset).problems


@pytest.mark.data
def test_nano_runs_on_real_parts(data_dir: Path, tmp_path: Path) -> None:
    words = ("--model", "nano", "--limit", 6, "--shots", 2, "--quiet")
    result = detect(data_dir / "commutator", tmp_path / "run", *words)
    assert result.exit_code == 0, result.stderr
    assert "| surface | 3 | 3 |" in result.stdout
