"""The examples of docs/extending.md, installed as a package of somebody else and used through the public API."""

from __future__ import annotations

import csv
import json
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from tests.bench.detect import trees
from tests.outside import install

from reason_iad import Inspector, InspectorConfig
from reason_iad.backbones import load_backbone
from reason_iad.backbones.fake import FakeBackbone
from reason_iad.bench.detect.readers import read_dataset
from reason_iad.cli import main
from reason_iad.errors import ConfigError
from reason_iad.expert.detectors import make_detector
from reason_iad.expert.encoders import make_encoder
from reason_iad.images import load_image
from reason_iad.sinks import open_sink

PAGE = (Path(__file__).parents[1] / "docs" / "extending.md").read_text(encoding="utf-8")
MODULES = dict(re.findall(r"`(acme_\w+)\.py`:\n\n```python\n(.*?)```", PAGE, re.DOTALL))
POINTS = {
    group: lines.replace('"', "")
    for group, lines in re.findall(r'```toml\n\[project\.entry-points\."([\w.]+)"\]\n(.*?)```', PAGE, re.DOTALL)
}
COMMANDS = re.findall(r"^reason-iad .*", PAGE, re.MULTILINE)


@pytest.fixture(autouse=True)
def acme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package of the page is installed."""
    install(monkeypatch, tmp_path / "site", "acme-inspection", MODULES, POINTS)


def run(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_the_page_has_an_example_of_each_kind() -> None:
    assert sorted(POINTS) == [
        f"reason_iad.{kind}s" for kind in ("backbone", "detector", "encoder", "layout", "sink")
    ]
    assert len(MODULES) == 5 and len(COMMANDS) == 3
    assert all(f"`{group}`" in PAGE for group in POINTS)


def test_a_backbone(tmp_path: Path, make_image: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parent / "backbones")
    from tests.backbones import tiny

    directory = tiny.qwen2_5_vl(tmp_path / "model")
    config = json.loads((directory / "config.json").read_text())
    (directory / "config.json").write_text(json.dumps(config | {"model_type": "acme_vl"}))
    backbone = load_backbone(str(directory), device="cpu")
    assert (type(backbone).__name__, backbone.version.family) == ("AcmeVL", "acme_vl")
    config = InspectorConfig("direct", explanation_tokens=4)
    assert Inspector(backbone, config=config).inspect(make_image()).versions.model.family == "acme_vl"


def test_an_encoder() -> None:
    encoder = make_encoder("acme_edges", FakeBackbone())
    picture = np.full((40, 60), 100, np.uint8)
    picture[:20] = 200
    ((found,),) = encoder.encode([Image.fromarray(picture)])
    assert (found.rows, found.columns, found.features.shape) == (16, 16, (256, 3))
    brightness, down, right = found.features.reshape(16, 16, 3).unbind(-1)
    assert brightness[0, 0] > brightness[-1, 0] and down[7:9].sum() > 0 == right.sum()


def test_a_detector(tmp_path: Path) -> None:
    root, out = trees.mvtec(tmp_path / "set"), tmp_path / "run"
    (command,) = (line for line in COMMANDS if line.startswith("reason-iad bench detect"))
    words = command.replace("set/", str(root)).replace("runs/nearest", str(out))
    result = run(*shlex.split(words)[1:], "--model", "fake", "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["mean"]["image_auroc"] == 1
    assert json.loads((out / "manifest.json").read_text())["detector"] == "acme_nearest"

    assert json.loads((out / "manifest.json").read_text())["encoder"] == "acme_edges"

    detector = make_detector("acme_nearest", make_encoder("acme_edges", FakeBackbone()))
    good, bad = (root / f"nut/test/{kind}/000.png" for kind in ("good", "scratch"))
    fitted = detector.fit([load_image(good)])
    assert fitted.score(load_image(good)).score < 0.001 < 0.1 < fitted.score(load_image(bad)).score

    (command,) = (line for line in COMMANDS if line.startswith("reason-iad inspect") and "--detector" in line)
    words = command.replace("part.png", str(bad)).replace("good/", str(root / "nut/train/good"))
    shown = run(*shlex.split(words)[1:], "--model", "fake", "--method", "direct", "--no-check-picture",
                "--json", tmp_path / "one.json")  # fmt: skip
    assert shown.exit_code in (0, 1), shown.output
    found = json.loads((tmp_path / "one.json").read_text())["evidence"]["anomaly_map"]
    assert (found["rows"], found["columns"]) == (16, 16) and max(found["values"]) > 0, "the encoder's own grid"


def test_a_detector_stands_in_the_help_and_a_misspelled_one_is_suggested(tmp_path: Path) -> None:
    assert "acme_nearest" in run("bench", "detect", "--help").output.replace("\n", "")
    result = run("bench", "detect", "--dataset", tmp_path, "--detector", "acme_neerest", "--out", tmp_path / "run")
    assert result.exit_code == 2 and "Did you mean 'acme_nearest'?" in result.stderr


def test_a_layout(tmp_path: Path) -> None:
    root, lines = tmp_path / "set", []
    for number in range(3):
        trees.picture(root / f"shots/{number}.png")
        lines.append(f"train nut good shots/{number}.png\n")
    for kind in ("good", "scratch"):
        trees.picture(root / f"shots/{kind}.png", spot=kind == "scratch")
        lines.append(f"test nut {kind} shots/{kind}.png\n")
    (root / "parts.txt").write_text("".join(lines))
    guessed = read_dataset(root)
    assert guessed == read_dataset(root, "acme_parts") and guessed.layout == "acme_parts"
    assert [(s.split, s.kind, s.label) for s in guessed.samples][2:] == [
        ("train", "good", 0), ("test", "good", 0), ("test", "scratch", 1),
    ]  # fmt: skip
    assert run("bench", "detect", "--dataset", root, "--model", "fake", "--out", tmp_path / "run").exit_code == 0


def test_a_sink(tmp_path: Path, make_image: Callable[..., Path]) -> None:
    photos = make_image("photos/part.png", 90).parent
    (photos / "torn.png").write_text("no image")
    table = tmp_path / "results.csv"
    (command,) = (line for line in COMMANDS if "--sink" in line)
    words = command.replace("photos/", str(photos)).replace("results.csv", str(table))
    result = run(
        *shlex.split(words)[1:], "--model", "fake", "--method", "direct", "--sink", f"jsonl:{tmp_path}/all.jsonl"
    )
    assert result.exit_code == 3, result.output
    good, failed = csv.reader(table.read_text().splitlines())
    assert good[0] == str(photos / "part.png") and good[1] in ("pass", "defect") and 0 <= float(good[2]) <= 1
    assert failed[:2] == [str(photos / "torn.png"), "failed"] and "not an image" in failed[4]
    names = [json.loads(line)["image"] for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    assert names[0]["name"] == str(photos / "part.png") and names[1] == str(photos / "torn.png")

    inspector = Inspector(FakeBackbone(), config=InspectorConfig("direct", explanation_tokens=4))
    sink = open_sink(f"acme_table:{tmp_path}/other.csv")
    sink.send(inspector.inspect(photos / "part.png"))
    sink.close()
    assert (tmp_path / "other.csv").read_text().startswith("part.png,")


def test_what_is_built_in_works_beside_a_package_that_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = dict.fromkeys(POINTS, "worst = worst_module:make")
    install(monkeypatch, tmp_path / "other site", "worst-inspection", {"worst_module": "1 / 0"}, broken)
    root = trees.mvtec(tmp_path / "set")
    result = run("bench", "detect", "--dataset", root, "--model", "fake", "--out", tmp_path / "run")
    assert result.exit_code == 0, result.output
    result = run(
        "bench", "detect", "--dataset", root, "--model", "fake", "--detector", "worst", "--out", tmp_path / "other"
    )
    assert result.exit_code == 2 and "the package 'worst-inspection' cannot be loaded" in result.stderr
    with pytest.raises(ConfigError, match="sink 'worst' of the package 'worst-inspection' cannot be loaded"):
        open_sink("worst:x")
