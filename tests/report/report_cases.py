"""Realistic inspections for the report's tests: a scratched metal plate, a good one, and every part left out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from reason_iad.images import LoadedImage, load_image
from reason_iad.schema import (
    PLACES,
    Answer,
    Box,
    CategoryEvidence,
    Entry,
    Evidence,
    FusionEvidence,
    InjectedPatch,
    InputImage,
    Inspection,
    MapEvidence,
    ModelVersion,
    ReferenceEvidence,
    Region,
    RetrievedEntry,
    StepRecord,
    Versions,
)

SIZE = (640, 480)
BOX = Box(x1=428, y1=66, x2=560, y2=158)
GRID = 28  # pixels of one image token


def plate(scratched: bool, seed: int = 0) -> LoadedImage:
    """A brushed metal plate with four holes, and perhaps a scratch."""
    noise = np.random.default_rng(seed).normal(0, 9, (SIZE[1], SIZE[0]))
    brushed = np.asarray(Image.fromarray((150 + noise).astype(np.uint8)).filter(ImageFilter.BoxBlur((9, 0))))
    image = Image.fromarray(brushed).convert("RGB")
    draw = ImageDraw.Draw(image)
    draw.rounded_rectangle((20, 20, 620, 460), 26, outline=(96, 100, 106), width=5)
    for x, y in [(80, 80), (560, 400), (80, 400), (320, 240)]:
        draw.ellipse((x - 26, y - 26, x + 26, y + 26), fill=(48, 50, 54), outline=(190, 192, 196), width=3)
    if scratched:
        draw.line([(440, 150), (470, 118), (515, 96), (552, 74)], fill=(232, 234, 238), width=4, joint="curve")
        draw.line([(443, 153), (472, 122), (517, 100), (553, 78)], fill=(70, 72, 78), width=2)
    return load_image(image)


def steps(count: int = 7, latents: int = 4) -> tuple[StepRecord, ...]:
    records, best = [], -1.0
    rng = np.random.default_rng(3)
    for step in range(count + 1):
        reward = 0.58 + 0.24 * (1 - math.exp(-step / 2.5)) + float(rng.normal(0, 0.018)) * (step > 0)
        best = max(best, reward)
        entropy = tuple(
            round(0.55 - 0.05 * latent - 0.22 * (1 - math.exp(-step / 3)) + float(rng.normal(0, 0.015)), 4)
            for latent in range(latents)
        )
        records.append(
            StepRecord(
                step=step, reward=reward, best_reward=best, mean_reward=reward - 0.04 - 0.02 * (step % 2),
                confidence=reward, stability=0.02, entropy=entropy, answer_entropy=0.72 * math.exp(-step / 5),
                patches=min(2 * step, 9), sigma=0.1 * 0.95**step,
            )
        )  # fmt: skip
    return tuple(records)


def patches(question: str, latents: int = 4) -> tuple[InjectedPatch, ...]:
    cells = [(3, 16), (4, 17), (3, 17), (2, 18), (4, 16), (12, 4), (3, 16), (5, 15), (2, 19)]
    return tuple(
        InjectedPatch(
            question=question, latent=index % latents, step=1 + index // 2, row=row, column=column,
            box=Box(x1=column * GRID, y1=row * GRID, x2=(column + 1) * GRID, y2=(row + 1) * GRID),
            attention=0.091 / (index + 1),
        )
        for index, (row, column) in enumerate(cells)
    )  # fmt: skip


def answers(*, reasoned: bool = True) -> tuple[Answer, ...]:
    def answer(
        key: str, question: str, options: tuple[str, ...], after: list[float], before: list[float]
    ) -> Answer:
        letters = "ABCDEFGHI"[: len(options)]
        extra: dict[str, Any] = (
            {
                "steps": steps(),
                "stopped": "patience",
                "initial_probabilities": dict(zip(letters, before, strict=True)),
            }
            if reasoned
            else {}
        )
        return Answer(
            key=key, question=question, options=dict(zip(letters, options, strict=True)),
            choice=max(zip(after, letters, strict=True))[1], text=options[after.index(max(after))],
            probabilities=dict(zip(letters, after, strict=True)), **extra,
        )  # fmt: skip

    return (
        answer(
            "detection", "Is there a defect in the inspected image?", ("Yes", "No"), [0.937, 0.063], [0.71, 0.29]
        ),
        answer(
            "detection", "Is there a defect in the inspected image?", ("Yes", "No"), [0.984, 0.016], [0.98, 0.02]
        ).model_copy(update={"closer": True, "steps": (), "stopped": None, "initial_probabilities": {}}),
        answer(
            "type", "Which defect does the inspected image show?",
            ("scratch", "dent", "contamination", "missing hole"),
            [0.84, 0.09, 0.05, 0.02], [0.46, 0.31, 0.16, 0.07],
        ),
        answer(
            "place", "Where is the defect?", PLACES,
            [0.01, 0.06, 0.81, 0.01, 0.04, 0.05, 0.005, 0.005, 0.01],
            [0.06, 0.16, 0.38, 0.06, 0.12, 0.13, 0.03, 0.03, 0.03],
        ),
        Answer(key="explanation", question="Explain the verdict.", text=""),
    )  # fmt: skip


def knowledge() -> tuple[RetrievedEntry, ...]:
    def entry(kind: Any, name: str, text: str, score: float, **more: str) -> RetrievedEntry:
        return RetrievedEntry(
            entry=Entry(
                id=f"metal_plate/{kind}/{name.replace(' ', '-')}", category="metal plate", kind=kind, name=name,
                text=text, source="metal_plate.md, " + name.capitalize(), **more,
            ),
            score=score,
            scorer="bm25",
        )  # fmt: skip

    return (
        entry(
            "defect", "scratch",
            "A thin, bright or dark line across the brushing direction, often with a raised edge.", 7.42,
            severity="major", cause="Parts sliding over each other in the tray after deburring.",
            action="Set the part aside, check the tray's inlay, and look at the parts made before and after.",
        ),
        entry("normal", "normal", "An evenly brushed plate; three holes at corners and one in the middle.", 4.87),
        entry("tolerance", "brushing marks", "Fine lines along the brushing direction are normal.", 3.1),
        entry("defect", "dent", "A shallow, smooth hollow; reflections bend around it.", 2.35, severity="minor"),
    )  # fmt: skip


def heat() -> MapEvidence:
    rows, columns = 17, 23
    y, x = np.mgrid[:rows, :columns]
    blob = np.exp(-(((x - 17.6) / 2.2) ** 2) - ((y - 3.6) / 1.5) ** 2) + 0.18 * np.exp(
        -((x - 4) ** 2 + (y - 12) ** 2)
    )
    values = tuple(np.clip(blob, 0, 1).round(4).ravel().tolist())
    return MapEvidence(rows=rows, columns=columns, values=values, gate_passed=True, calibrated_on=3)


def defect(**changes: Any) -> Inspection:
    """A part with a scratch, with all the evidence there can be."""
    image, good = plate(True), plate(False, 1)
    evidence = Evidence(
        category=CategoryEvidence(name="metal plate", origin="gallery", score=0.93, margin=0.21),
        knowledge=knowledge(),
        references=(ReferenceEvidence(name="good_001.png", sha256=good.sha256, width=SIZE[0], height=SIZE[1]),),
        patches=patches("detection") + patches("type")[:4] + patches("place")[:5],
        anomaly_map=heat(),
        fusion=FusionEvidence(
            model_probability=0.937,
            closer_probability=0.984,
            standing_out=math.log(23.8),
            patches=math.log(3.4),
            pixels=math.log(7.0),
            usual="references",
        ),
        closer=Box(x1=213, y1=0, x2=SIZE[0], y2=SIZE[1] * 2 // 3),
        answers=answers(),
    )
    values: dict[str, Any] = {
        "image": InputImage(name="plate 0417.png", sha256=image.sha256, width=SIZE[0], height=SIZE[1]),
        "verdict": "defect",
        "probability": 0.962,
        "threshold": 0.5,
        "method": "full",
        "seed": 0,
        "defect_type": "scratch",
        "severity": "major",
        "region": Region(box=BOX, place="top right", place_probability=0.81),
        "explanation": (
            "A thin bright line runs across the brushing direction near the top right corner. The reference shows "
            "an even surface there. The line has a raised edge, which is typical of a scratch made after brushing; "
            "it can cut through the coating that follows."
        ),
        "evidence": evidence,
        "timings_ms": {
            "retrieve": 6.2, "vision": 212.4, "prefix": 301.0, "detection": 388.1, "type": 236.7, "place": 221.9,
            "explanation": 311.5, "expert": 41.3, "total": 1732.6,
        },
        "versions": Versions(
            package="0.1.0", torch="2.13.0", transformers="5.23.0",
            knowledge_sha256="5e" * 32, config_sha256="c0" * 32,
            model=ModelVersion(name="nano", family="qwen2_5_vl", sha256="ab" * 32, device="cpu", dtype="float32"),
        ),
    }  # fmt: skip
    return Inspection(**(values | changes))


def good(**changes: Any) -> Inspection:
    """A good part, answered without references, map, knowledge or latent reasoning."""
    image = plate(False, 1)
    answer = Answer(
        key="detection", question="Is there a defect in the inspected image?", options={"A": "Yes", "B": "No"},
        choice="B", text="No", probabilities={"A": 0.084, "B": 0.916},
    )  # fmt: skip
    values: dict[str, Any] = {
        "image": InputImage(name="plate 0418.png", sha256=image.sha256, width=SIZE[0], height=SIZE[1]),
        "verdict": "pass", "probability": 0.084, "method": "direct", "defect_type": None, "severity": None,
        "region": None, "explanation": "The surface is evenly brushed and all four holes are there.",
        "evidence": Evidence(category=CategoryEvidence(name=None, origin="unknown"), answers=(answer,)),
        "timings_ms": {"vision": 201.0, "prefix": 280.4, "detection": 31.0, "explanation": 290.2, "total": 809.4},
    }  # fmt: skip
    return defect(**(values | changes))


def bare(**changes: Any) -> Inspection:
    """The least an inspection can hold."""
    return good(
        **(
            {
                "explanation": "",
                "timings_ms": {},
                "evidence": Evidence(category=CategoryEvidence(name=None, origin="unknown")),
            }
            | changes
        )
    )
