"""An explanation names no other verdict, place, type, size or part than the result it explains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reason_iad.backbones.base import Decoded
from reason_iad.backbones.fake import FakeBackbone
from reason_iad.config import InspectorConfig
from reason_iad.inspection.agreement import Decided, contradicts, in_agreement
from reason_iad.inspection.inspector import Inspector
from reason_iad.inspection.prompts import explanation_opening, only_suspected
from reason_iad.knowledge import open_knowledge
from reason_iad.schema import Claim, Entry, Fact


def entry(name: str, text: str, **more: str) -> Entry:
    return Entry(id=f"p/defect/{name}", category="p", kind="defect", name=name, text=text, source="p.md", **more)


def claim(fact: Fact, *names: str) -> Claim:
    return Claim(fact=fact, names=names, probability=0.9)


KNOWN = (
    entry("scratch", "A thin bright line of small depth.", cause="Parts sliding over each other in the tray."),
    entry("dent", "A shallow hollow that bends reflections.", action="Check the gripper of the handling robot."),
    entry("pin-hole", "A round spot that shows the ground."),
)
CATEGORIES = {"ball screw": ("spindle",), "flange": ("pipe flange",)}
FOUND = Decided(
    True,
    (claim("type", "scratch"), claim("place", "top right", "top center"), claim("size", "medium")),
    KNOWN, sized=True, category="ball screw", categories=CATEGORIES,
)  # fmt: skip
UNCLEAR = Decided(True, (), KNOWN, sized=True)
PASS = Decided(False, category="ball screw", categories=CATEGORIES)
UNKNOWN = Decided(True, (claim("place", "center"),))


@pytest.mark.parametrize(
    ("decided", "sentence"),
    [
        (FOUND, "It lies at the bottom left."),
        (FOUND, "It runs along the lower-left corner."),
        (FOUND, "There is a mark in the middle of the part."),
        (FOUND, "The bottom edge is affected."),
        (FOUND, "A line is seen on the left side."),
        (FOUND, "It runs from the top right to the center."),
        (FOUND, "It is a dent."),
        (FOUND, "Two Pinholes are open."),
        (FOUND, "Pin holes expose the ground."),
        (FOUND, "It is a huge mark."),
        (FOUND, "A tiny line is seen."),
        (FOUND, "Check the gripper of the robot."),
        (FOUND, "No defect is visible."),
        (FOUND, "The surface looks normal."),
        (FOUND, "The part is free of visible flaws."),
        (FOUND, "The pipe flange is bent."),
        (UNCLEAR, "A scratch runs across it."),
        (UNCLEAR, "Parts sliding over each other caused it."),
        (UNCLEAR, "It lies at the top left."),
        (UNCLEAR, "It is a small mark."),
        (UNKNOWN, "It lies in the upper right corner."),
        (UNKNOWN, "The part looks perfectly fine."),
        (PASS, "A damaged edge is seen."),
        (PASS, "A scratch lies there."),
        (replace(PASS, known=KNOWN), "A round pin-hole lies there."),
        (PASS, "The round flange looks normal."),
    ],
)
def test_a_sentence_that_contradicts_is_found(decided: Decided, sentence: str) -> None:
    assert contradicts(sentence, decided)


@pytest.mark.parametrize(
    ("decided", "sentence"),
    [
        (FOUND, "It lies at the upper right."),
        (FOUND, "It lies near the top."),
        (FOUND, "The right edge is affected."),
        (FOUND, "The scratch has a small depth."),
        (FOUND, "Scratches are thin bright lines."),
        (FOUND, "Parts slid over each other in the tray."),
        (FOUND, "The reference shows no defect there."),
        (FOUND, "A good part is intact there."),
        (FOUND, "The coating that follows may not hold."),
        (FOUND, "It is the right angle to see it, and little is left to repair."),
        (FOUND, "The spindle is scored."),
        (UNCLEAR, "The surface is broken."),
        (UNKNOWN, "A small scratch crosses the surface in the center."),
        (PASS, "The spindle looks normal."),
        (PASS, "The surface shows no damage."),
        (PASS, "The thread is even."),
    ],
)
def test_a_sentence_that_agrees_stays(decided: Decided, sentence: str) -> None:
    assert not contradicts(sentence, decided)


def test_only_what_contradicts_is_left_out() -> None:
    opening = explanation_opening(True, FOUND.claims)
    text = f"{opening} It is a thin line. It lies at the bottom left. The coating may peel off."
    assert in_agreement(text, opening, FOUND) == f"{opening} It is a thin line. The coating may peel off."
    assert in_agreement(f"{opening}  Odd  spaces.\nStay.", opening, FOUND) == f"{opening}  Odd  spaces.\nStay."
    assert in_agreement(f"{opening} At bottom left.", opening, FOUND) == opening


def test_without_knowledge_the_opening_states_place_and_size() -> None:
    claims = (claim("place", "top left", "center"), claim("size", "small"))
    opening = explanation_opening(True, claims, types_known=False)
    assert opening == "Defect at top left or center, small."
    assert (
        only_suspected(opening)
        == "Not certain: a person has to decide. Suspected: defect at top left or center, small."
    )
    assert explanation_opening(True, types_known=False) == "Defect."


class Contrary(FakeBackbone):
    """A model that goes on to deny what was decided."""

    WRITTEN = (
        "A dent lies at the top left. A dent lies at the bottom right. A burr lies there. The part looks normal. "
        "It is defective. It was seen clearly."
    )

    def decode(self, *_: Any, **__: Any) -> Decoded:
        return Decoded(self.WRITTEN, (), torch.zeros(1))


@pytest.mark.parametrize("category", ["bracket", None])
@pytest.mark.parametrize("threshold", [0.01, 1.0])
def test_a_model_that_contradicts_on_purpose_is_not_heard(
    tmp_path: Path, make_image: Callable[..., Path], category: str | None, threshold: float
) -> None:
    (tmp_path / "bracket.yaml").write_text(
        "category: bracket\nnormal: Even.\ndefects:\n  - {name: dent, description: A hollow.}\n"
        "  - {name: burr, description: A sharp edge.}\n"
    )
    config = InspectorConfig(method="direct", threshold=threshold)
    inspector = Inspector(Contrary(), open_knowledge(tmp_path), config)
    good = [make_image("a.png", 120), make_image("b.png", 130)]
    found = inspector.inspect(make_image("part.png", 90), references=good, category=category)
    (written,) = [answer.text for answer in found.evidence.answers if answer.key == "explanation"]
    assert Contrary.WRITTEN in written, "the whole text stays in the evidence"
    if found.verdict == "pass":
        assert found.explanation == "No defect found. The part looks normal. It was seen clearly."
        return
    assert found.region is not None and found.claims is not None
    places = [name for each in found.claims if each.fact == "place" for name in each.names]
    assert found.explanation.endswith("It was seen clearly.") and "looks normal" not in found.explanation
    for place in ("top left", "bottom right"):
        assert (place in found.explanation) == (place in places)
    if category:
        (other,) = {"dent", "burr"} - {found.defect_type}
        assert other not in found.explanation


@pytest.mark.parametrize("number", range(3))
def test_the_embedded_model_names_no_other_place_without_a_category(number: int) -> None:
    """Drawn discs with a dark mark, each elsewhere; the model knows nothing of them."""
    draw = np.random.default_rng(number)
    good = np.full((224, 224, 3), 60, np.uint8)
    y, x = np.mgrid[:224, :224]
    good[(x - 112) ** 2 + (y - 112) ** 2 < 100**2] = 190
    good = np.clip(good + draw.normal(0, 4, good.shape), 0, 255).astype(np.uint8)
    part = good.copy()
    row, column = divmod((4, 1, 5)[number], 3)
    part[row * 75 + 25 : row * 75 + 55, column * 75 + 25 : column * 75 + 55] = 20
    inspector = Inspector.from_pretrained("nano", config=InspectorConfig(method="knowledge", threshold=0.001))
    found = inspector.inspect(Image.fromarray(part), references=[Image.fromarray(good)])
    assert found.verdict == "defect" and found.claims is not None
    opening = explanation_opening(True, found.claims, types_known=False)
    assert found.explanation.startswith(opening)
    decided = Decided(True, found.claims, sized=True)
    for sentence in found.explanation.removeprefix(opening).strip().split(". "):
        assert not sentence or not contradicts(sentence, decided)
