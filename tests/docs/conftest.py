"""A folder with everything that the examples name, and one loaded model for all of them."""

from __future__ import annotations

import csv
import functools
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.docs.substitutions import EMBEDDED

from reason_iad.config import METHODS, PRESETS
from reason_iad.expert.normality import learning, selftest, turning

KNOWN_PARTS = 9
SETS = {
    "deeppcb": "pcb_crop",
    "magnetic_tile": "tile",
    "ball_screw": "spindle",
    "commutator": "surface",
}


@pytest.fixture
def one_model(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Load a model once per process: the embedded one on the pages of `EMBEDDED`, else a fake one in few steps."""
    embedded = request.node.callspec.params["page"] in EMBEDDED
    for name, method in () if embedded else tuple(METHODS.items()):
        if method.reasoning is not None:
            short = replace(method, reasoning=replace(method.reasoning, steps=1))
            monkeypatch.setitem(METHODS, name, short)
            monkeypatch.setitem(PRESETS, name, short)
    monkeypatch.setattr("reason_iad.backbones.load_backbone", functools.partial(_load, embedded))


@functools.cache
def _load(embedded: bool, model: str = "nano", **_: Any) -> Any:
    from reason_iad.backbones.loading import load_backbone

    assert model == "nano", f"no stand-in for the model {model!r}: see substitutions.py"
    backbone: Any = load_backbone("nano" if embedded else "fake", device="cpu")
    backbone.version = backbone.version.model_copy(update={"name": "nano"})  # --resume compares it with the option
    return backbone


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, sets and questions, once per process."""
    folder = tmp_path_factory.mktemp("prepared")
    plate(folder / "good.png", seed=0)
    plate(folder / "part.png", seed=1, spot=True)
    for i in range(KNOWN_PARTS):
        plate(folder / "known-good" / f"{i}.png", seed=10 + i)
        plate(folder / "known-bad" / f"{i}.png", seed=20 + i, spot=True)
    for i in range(2):
        plate(folder / "good" / f"{i}.png", seed=30 + i)
        plate(folder / "photos" / f"{i}.png", seed=40 + i, spot=i == 1)
    for name, category in SETS.items():
        write_questions(folder / "data", [f"{name}/{category}"], folder / "data" / name / "questions.json")
        write_manifest(folder / "data" / name, category)
    for i in range(3):
        plate(folder / "boards" / "good" / f"{i}.png", seed=50 + i)
        plate(folder / "boards" / "templates" / f"{i}.png", seed=60 + i)
        plate(folder / "labels" / f"{i}.png", seed=70 + i)
    for i, name in enumerate(("boards/new/0.png", "boards/drawings/0.png", "golden.png")):
        plate(folder / name, seed=80 + i)
    mask(folder / "area.png", seed=0)
    mask(folder / "scratch_mask.png", seed=0)
    write_questions(folder / "MMAD", ["toys/cup", "toys/pcb"], folder / "mmad.json")
    write_questions(folder / "my_images", ["toys/cup"], folder / "my_questions.json")
    knowledge = {"toys": {"cup": {"good": "A whole cup.", "spot": "A dark spot."}, "pcb": {"good": "A board."}}}
    (folder / "domain_knowledge.json").write_text(json.dumps(knowledge))
    write_detection_set(folder / "mvtec" / "nut", folder / "my_maps" / "nut")
    return folder


@pytest.fixture
def workplace(prepared: Path, one_model: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh copy of the prepared folder, which the examples of one page run in."""
    folder = tmp_path / "workplace"
    shutil.copytree(prepared, folder)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    monkeypatch.setenv("REASON_IAD_PRODUCTS", str(folder / "products"))
    monkeypatch.setattr(learning, "TURNED", 1)
    monkeypatch.setattr(turning, "FEWEST", 1000)
    monkeypatch.setattr(selftest, "self_test", functools.partial(selftest.self_test, count=8))
    return folder


def plate(path: Path, *, seed: int, spot: bool = False, size: int = 64) -> None:
    """A grey plate with a bright bar; with a red spot, which the fake model tells from grey, if it is defective."""
    pixels = np.random.default_rng(seed).integers(120, 136, (size, size, 3))
    pixels[8:14, 6:-6] = 200
    if spot:
        at = 24 + seed % 8
        pixels[at : at + 14, at : at + 14] = (255, 0, 0)
    save(path, pixels)


def mask(path: Path, *, seed: int, size: int = 64) -> None:
    """Where `plate` of the same seed has its spot."""
    pixels = np.zeros((size, size))
    at = 24 + seed % 8
    pixels[at : at + 14, at : at + 14] = 255
    save(path, pixels)


def save(path: Path, pixels: np.ndarray[Any, Any]) -> None:
    """Write a PNG, and the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def write_questions(images: Path, categories: list[str], path: Path) -> None:
    """One good and one defective image per category, with a questions file about them."""
    entries: dict[str, Any] = {}
    for category in categories:
        templates = [f"{category}/train/good/{i}.png" for i in range(8)]
        for i, template in enumerate(templates):
            plate(images / template, seed=50 + i)
        for kind in ("good", "spot"):
            key = f"{category}/test/{kind}/0.png"
            plate(images / key, seed=60, spot=kind == "spot")
            mask(images / category / "ground_truth/spot/0_mask.png", seed=60)
            entries[key] = {
                "mask_path": None if kind == "good" else "ground_truth/spot/0_mask.png",
                "similar_templates": templates,
                "random_templates": templates,
                "conversation": _conversation(kind == "good"),
            }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entries))


def _conversation(good: bool) -> list[dict[str, Any]]:
    yes_no = {"A": "Yes.", "B": "No."}
    asked = [("Anomaly Detection", "Is there any defect in the object?", yes_no, "B" if good else "A")]
    if not good:
        places = {"A": "Top left.", "B": "Center.", "C": "Bottom right."}
        asked.append(("Defect Localization", "Where is the defect?", places, "B"))
    return [
        {"type": kind, "Question": question, "Options": options, "Answer": answer}
        for kind, question, options, answer in asked
    ]


def write_manifest(folder: Path, category: str) -> None:
    """A detection set that lists its images, over those of `write_questions`."""
    with (folder / "manifest.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("split", "image", "label", "template", "mask", "category"))
        template = f"{category}/train/good/0.png"
        rows.writerow(("train", template, 0, "", "", category))
        rows.writerow(("train", f"{category}/train/good/1.png", 0, "", "", category))
        rows.writerow(("test", f"{category}/test/good/0.png", 0, template, "", category))
        found = f"{category}/ground_truth/spot/0_mask.png"
        rows.writerow(("test", f"{category}/test/spot/0.png", 1, template, found, category))


def write_detection_set(folder: Path, maps: Path) -> None:
    """A category in MVTec's layout, and maps of its test images that were made elsewhere."""
    for i in range(2):
        plate(folder / f"train/good/{i:03}.png", seed=70 + i)
        plate(folder / f"test/good/{i:03}.png", seed=80 + i)
        plate(folder / f"test/bad/{i:03}.png", seed=90 + i, spot=True)
        mask(folder / f"ground_truth/bad/{i:03}_mask.png", seed=90 + i)
        for kind in ("good", "bad"):
            path = maps / f"test/{kind}/{i:03}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.random.default_rng(i).random((16, 16)))
