"""A part of a product: who decides it, when a model is asked, and what the result says of that."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reason_iad.backbones.fake import FakeBackbone
from reason_iad.config import InspectorConfig
from reason_iad.errors import ModelError
from reason_iad.expert.conformal import Limits, Promise
from reason_iad.expert.joint import Cascade, Joint, Weights
from reason_iad.expert.part_kind import PartKind
from reason_iad.inspection.by_product import PartInspector
from reason_iad.inspection.conditions import Conditions
from reason_iad.inspection.inspector import Inspector
from reason_iad.inspection.jointly import prompted_by
from reason_iad.products import Products
from reason_iad.products.judging import part_kind
from reason_iad.report import save_report

CONFIG = InspectorConfig(method="direct")


@pytest.fixture(scope="module")
def kind(tmp_path_factory: pytest.TempPathFactory) -> PartKind:
    folder = tmp_path_factory.mktemp("jointly")
    for number in range(6):
        plate(folder / f"good/{number}.png", number)
    return part_kind(Products(folder / "products").create("plate", [folder / "good"], settings={"resolution": 64}))


def plate(path: Path, seed: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = 110 + 20 * np.random.default_rng(seed).standard_normal((48, 48, 3))
    Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    return path


@pytest.fixture
def part(tmp_path: Path) -> Path:
    return plate(tmp_path / "part.png", 77)


def model(answer: str) -> Inspector:
    answers = {"detection": answer, "explanation": "A plate.", "type": "scratch"}
    return Inspector(FakeBackbone(answers=answers, context_length=1 << 15), config=CONFIG)


def joint(inspector: Inspector, below: float, high: float) -> Joint:
    """The model alone decides between two scores of the comparison."""
    limits = Limits(0.0, 0.0, Promise(0.04, 60), None)
    cascade = Cascade(below, high, limits, 0.05, (1, 60))
    return Joint("fake", prompted_by(inspector.setup), Weights(0, 0, 1, 0), 0.0, 1.0, cascade, 120, "f" * 64)


Make = Callable[..., PartInspector]


@pytest.mark.parametrize(("answer", "verdict"), [("Yes", "defect"), ("No", "pass")])
def test_both_decide_where_the_comparison_is_not_certain(
    kind: PartKind, part: Path, answer: str, verdict: str
) -> None:
    asked = model(answer)
    result = PartInspector(kind, lambda: asked, config=CONFIG, joint=joint(asked, -99, 99)).inspect(part)
    product = result.evidence.product
    assert result.verdict == verdict and product is not None
    assert product.decided_by == "comparison and model" and product.model_asked
    assert product.comparison is not None and product.fit_sha256 == "f" * 64
    assert (product.model_probability or 0) > 0.9 if answer == "Yes" else (product.model_probability or 0) < 0.1
    assert product.closer_probability == pytest.approx(product.model_probability)
    assert (result.probability > 0.5) == (verdict == "defect")
    assert [each.key for each in result.evidence.answers if each.closer] == ["detection"]
    assert bool(result.findings) == (verdict == "defect")  # also where the comparison would have passed it
    assert result.evidence.closer is not None


def test_the_model_is_not_even_opened_where_the_comparison_is_certain_of_a_pass(kind: PartKind, part: Path) -> None:
    def never() -> Inspector:
        raise AssertionError("not needed")

    far = joint(model("Yes"), 98, 99)
    result = PartInspector(kind, never, config=CONFIG, joint=far).inspect(part)
    product = result.evidence.product
    assert result.verdict == "pass" and product is not None
    assert product.decided_by == "comparison" and not product.model_asked
    assert (product.pass_below, product.defect_from) == (98, 99)
    assert "comparison and model together call at most 5 %" in product.promise


def test_of_a_certain_defect_the_model_is_asked_for_an_explanation_only(kind: PartKind, part: Path) -> None:
    strict = replace(kind, limits=Limits(-99, -99, Promise(0.05, 60), None))
    asked = model("No")
    result = PartInspector(strict, lambda: asked, config=CONFIG, joint=joint(asked, -99, -99)).inspect(part)
    assert result.verdict == "defect" and result.evidence.product is not None
    assert result.evidence.product.decided_by == "comparison"
    assert [each.key for each in result.evidence.answers] == ["explanation"]


def test_all_results_of_a_run_were_made_under_the_same_conditions(kind: PartKind, part: Path) -> None:
    asked = model("Yes")
    both = PartInspector(kind, lambda: asked, config=CONFIG, joint=joint(asked, -99, 99)).inspect(part)
    alone = PartInspector(kind, lambda: asked, config=CONFIG, joint=joint(asked, 98, 99)).inspect(part)
    assert Conditions.of(both).product == Conditions.of(alone).product  # the hash stands for all limits
    other = PartInspector(kind, config=CONFIG).inspect(part)
    assert Conditions.of(other).product != Conditions.of(alone).product


def test_a_model_that_is_not_the_fitted_one_is_refused(kind: PartKind, part: Path) -> None:
    asked = model("Yes")
    other = replace(joint(asked, -99, 99), prompted="something else")
    with pytest.raises(ModelError, match="has changed since it was fitted"):
        PartInspector(kind, lambda: asked, config=CONFIG, joint=other).inspect(part)


def test_without_a_fit_the_result_says_why_the_model_has_no_say(kind: PartKind, part: Path) -> None:
    result = PartInspector(kind, lambda: model("Yes"), config=CONFIG, advice="Fit it.").inspect(part)
    assert result.evidence.product is not None and result.evidence.product.advice == "Fit it."
    alone = PartInspector(kind, config=CONFIG, advice="Fit it.").inspect(part)
    assert alone.evidence.product is not None and alone.evidence.product.advice is None


def test_a_part_without_its_own_picture_beside_it(kind: PartKind) -> None:
    """For fitting: the model must not see the picture that it is asked about as a good one."""
    from reason_iad.expert.judging import judge
    from reason_iad.images import load_image

    sha256, path = next(iter(kind.good.items()))
    image = load_image(path)
    inspector = PartInspector(kind, lambda: model("No"), config=CONFIG)
    judgement, asking = judge(kind, image), inspector._asking()
    assert asking._most_alike(judgement, 1) == [path]
    assert path not in asking._most_alike(judgement, 5, [sha256])
    assert len(asking._most_alike(judgement, 1, [sha256])) == 1
    says = inspector.says(image, judgement, [sha256])
    assert says.probability < 0.1 and says.closer is not None and math.isfinite(says.closer)


def test_parts_are_watched_if_they_can_be_judged(kind: PartKind, part: Path, tmp_path: Path) -> None:
    told: list[float] = []

    def watch(sha256: str, score: float) -> str | None:
        told.append(score)
        return "They differ."

    inspector = PartInspector(kind, config=CONFIG, watch=watch)
    result = inspector.inspect(part)
    assert result.evidence.product is not None and result.evidence.product.drift == "They differ."
    Image.new("RGB", (48, 48), "white").save(tmp_path / "white.png")
    white = inspector.inspect(tmp_path / "white.png")
    assert white.verdict == "unjudged" and white.evidence.product is not None
    assert white.evidence.product.drift is None and len(told) == 1


def test_the_report_says_who_decided(kind: PartKind, part: Path, tmp_path: Path) -> None:
    asked = model("Yes")
    both = PartInspector(kind, lambda: asked, config=CONFIG, joint=joint(asked, -99, 99)).inspect(part)
    save_report(both, tmp_path / "both.html", image=part)
    text = (tmp_path / "both.html").read_text()
    assert "comparison and model decided together" in text and "Probability of a defect by the model: 100 %" in text
    watched = PartInspector(kind, config=CONFIG, joint=None, watch=lambda *_: "They differ.").inspect(part)
    save_report(watched, tmp_path / "watched.html", image=part)
    assert "They differ." in (tmp_path / "watched.html").read_text()
