"""An inspector that needs no model: a part is defective as far as it is bright. Deterministic, typed, instant."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from reason_iad.config import InspectorConfig
from reason_iad.images import load_image
from reason_iad.knowledge import open_knowledge
from reason_iad.schema import (
    Answer,
    Box,
    CategoryEvidence,
    Entry,
    Evidence,
    InputImage,
    Inspection,
    ModelVersion,
    ReferenceEvidence,
    Region,
    Reply,
    RetrievedEntry,
    Versions,
)
from reason_iad.schema.verdict import OperatingPoint, Verdict

ENTRY = Entry(
    id="plate/defect/glare", category="plate", kind="defect", name="glare", text="Too bright.", source="plate.md"
)


class StubInspector:
    """Takes the place of `Inspector`; remembers how it was made and what it was asked."""

    weights = "0123"

    def __init__(self, model: str = "nano", config: InspectorConfig | None = None, **how: Any) -> None:
        self.model, self.config, self.how = model, config or InspectorConfig(), how
        self.calls: list[Path] = []
        self.operating_point: OperatingPoint | None = None

    def inspect(
        self,
        image: Path,
        *,
        references: Sequence[Path] = (),
        category: str | None = None,
        question: str | None = None,
    ) -> Inspection:
        self.calls.append(image)
        loaded = load_image(image)
        probability = round(float(np.asarray(loaded.pixels).mean()) / 255, 3)
        point = self.operating_point
        threshold = self.config.threshold if point is None else point.threshold
        verdict: Verdict = "defect" if probability >= threshold else "pass"
        if point is not None:
            verdict = point.verdict(probability)
        defect = verdict != "pass"
        answers = [Answer(key="detection", question="?", options={"A": "Yes", "B": "No"})]
        if question:
            answers.append(Answer(key="question", question=question, text="It is bright."))
        return Inspection(
            image=InputImage(name=loaded.name, sha256=loaded.sha256, width=loaded.width, height=loaded.height),
            verdict=verdict,
            probability=probability,
            threshold=threshold,
            operating_point=point,
            method=self.config.method,
            seed=self.config.seed,
            defect_type="glare" if defect else None,
            severity="minor" if defect else None,
            region=Region(box=Box(x1=0, y1=1, x2=9, y2=9), place="top left", place_probability=0.7)
            if defect
            else None,
            explanation="The plate is too bright." if defect else "",
            evidence=self._evidence(references, category, tuple(answers)),
            timings_ms={"total": 12.5},
            versions=self._versions(),
        )

    def ask(
        self,
        image: Path,
        question: str,
        *,
        options: Sequence[str] = (),
        references: Sequence[Path] = (),
        category: str | None = None,
    ) -> Reply:
        self.calls.append(image)
        loaded = load_image(image)
        letters = dict(zip("ABCDEFGH", options, strict=False))
        answer = Answer(
            key="question",
            question=question,
            options=letters,
            choice="B" if options else None,
            probabilities={letter: 0.9 if letter == "B" else 0.1 for letter in letters},
            text=options[1] if options else "A plate.",
        )
        return Reply(
            image=InputImage(name=loaded.name, sha256=loaded.sha256, width=loaded.width, height=loaded.height),
            method=self.config.method,
            seed=self.config.seed,
            answer=answer,
            evidence=self._evidence(references, category, (answer,)),
            timings_ms={"total": 12.5},
            versions=self._versions(),
        )

    def _evidence(self, references: Sequence[Path], category: str | None, answers: tuple[Answer, ...]) -> Evidence:
        good = [load_image(reference) for reference in references]
        return Evidence(
            category=CategoryEvidence(
                name=category, origin="given" if category else "unknown", score=None, margin=None
            ),
            knowledge=(RetrievedEntry(entry=ENTRY, score=1.0, scorer="bm25"),),
            references=tuple(
                ReferenceEvidence(name=i.name, sha256=i.sha256, width=i.width, height=i.height) for i in good
            ),
            answers=answers,
        )

    def _versions(self) -> Versions:
        return Versions(
            package="0",
            torch="0",
            transformers="0",
            model=ModelVersion(name=self.model, family="stub", sha256=self.weights, device="cpu", dtype="float32"),
            knowledge_sha256=open_knowledge(self.how.get("knowledge")).sha256(),
            config_sha256=self.config.sha256(),
        )
