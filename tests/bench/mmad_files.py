"""A tiny set in the layout of MMAD: two categories, drawn images, masks and a questions file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

YES_NO = {"A": "Yes.", "B": "No."}
OBJECTS = {"A": "A leather hide.", "B": "A printed circuit board.", "C": "A ceramic cup."}


def write_set(folder: Path, *, images: int = 3, categories: tuple[str, ...] = ("toys/pcb", "toys/widget")) -> Path:
    """Write images, masks, two templates per category and `questions.json`; returns the questions file.

    Every third image of a category, from the first on, is good; the others have a dark spot with a mask.
    """
    entries: dict[str, Any] = {}
    for category in categories:
        templates = [f"{category}/train/good/{i}.png" for i in range(2)]
        for i, template in enumerate(templates):
            _plate(folder / template, seed=100 + i)
        for i in range(images):
            good = i % 3 == 0
            key = f"{category}/test/{'good' if good else 'spot'}/{i}.png"
            _plate(folder / key, seed=i, spot=not good)
            mask = None
            if not good:
                mask = f"ground_truth/spot/{i}_mask.png"
                _mask(folder / category / mask)
            entries[key] = {
                "image_path": key.removeprefix(f"{category}/"),
                "mask_path": mask,
                "conversation": conversation(good),
                "similar_templates": templates[::-1],
                "random_templates": templates,
            }
    path = folder / "questions.json"
    path.write_text(json.dumps(entries))
    return path


def conversation(good: bool) -> list[dict[str, Any]]:
    """What is asked about an image."""
    asked = [
        question("Is there any defect in the object?", YES_NO, "B" if good else "A", "Anomaly Detection"),
        question("Which of these does the inspected image show?", OBJECTS, "B", "Object Classification"),
    ]
    if not good:  # letters with a gap and out of order, as they come in MMAD
        options = {"B": "Top left.", "A": "Center.", "D": "Bottom right."}
        asked.append(question("Where is the defect?", options, "A", "Defect Localization"))
    return asked


def question(text: str, options: dict[str, str], answer: str, kind: str) -> dict[str, Any]:
    """One question as `mmad.json` has it."""
    return {"Question": text, "Answer": answer, "Options": options, "type": kind, "annotation": True}


def _plate(path: Path, seed: int, *, spot: bool = False, size: int = 64) -> None:
    pixels = np.random.default_rng(seed).integers(110, 140, (size, size, 3))
    if spot:
        pixels[24:40, 24:40] = 20
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels.astype(np.uint8)).save(path)


def _mask(path: Path, size: int = 64) -> None:
    pixels = np.zeros((size, size), np.uint8)
    pixels[24:40, 24:40] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
