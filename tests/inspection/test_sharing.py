"""One inspector, many threads: the same results as one after another."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from reason_iad import Inspector, InspectorConfig
from reason_iad.backbones import load_backbone
from reason_iad.config import ReasoningConfig
from reason_iad.knowledge import open_knowledge

THREADS = 4


def part(number: int, defect: bool = False) -> Image.Image:
    """A plate; its light differs from part to part."""
    grain = np.random.default_rng(number % 3).normal(120 + number, 12, (96, 112, 3)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(grain)
    if defect:
        ImageDraw.Draw(picture).line((20 + 5 * number, 20, 60, 70), fill="black", width=3)
    return picture


def jobs(count: int) -> list[tuple[Image.Image, list[Image.Image]]]:
    """Pictures with one reference, with several, and with more than are used."""
    return [
        (part(number, defect=bool(number % 2)), [part(50 + each) for each in range((1, 3, 9)[number % 3])])
        for number in range(count)
    ]


def outcome(result: Any) -> dict[str, Any]:
    return result.model_dump(exclude={"timings_ms"})


@pytest.mark.parametrize(
    ("model", "method", "count"),
    [("fake", "full", 12), pytest.param("nano", "full", 3, marks=pytest.mark.slow), ("nano", "direct", 3)],
)
def test_results_are_the_same_as_one_after_another(model: str, method: str, count: int) -> None:
    def fresh() -> Inspector:
        config = InspectorConfig(method=method, reasoning=ReasoningConfig(steps=2))
        return Inspector(load_backbone(model), open_knowledge(None), config)

    todo = jobs(count)

    def inspected(inspector: Inspector) -> Callable[[tuple[Image.Image, list[Image.Image]]], dict[str, Any]]:
        return lambda job: outcome(inspector.inspect(job[0], references=job[1], category="ceramic tile"))

    alone = [inspected(fresh())(job) for job in todo]
    with ThreadPoolExecutor(THREADS) as pool:
        together = list(pool.map(inspected(fresh()), todo))
    assert together == alone


def test_questions_are_answered_alike_too() -> None:
    inspector = Inspector(load_backbone("nano"), config=InspectorConfig(method="latent"))
    asked = ["Is there any defect?", "Which colour is it?", "Is it round?"] * 2

    def answer(question: str) -> dict[str, Any]:
        return outcome(inspector.ask(part(1), question, options=("yes", "no"), references=[part(2)]))

    alone = [answer(question) for question in asked]
    with ThreadPoolExecutor(THREADS) as pool:
        assert list(pool.map(answer, asked)) == alone


def test_an_inspector_does_not_change() -> None:
    inspector = Inspector(load_backbone("fake"))
    for name in ("threshold", "operating_point", "config", "backbone"):
        with pytest.raises(AttributeError):
            setattr(inspector, name, 2)
