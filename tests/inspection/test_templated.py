"""Parts that have a template, inspected from Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.boards import board, save, spurred, template

from reason_iad import Inspector
from reason_iad.backbones.fake import FakeBackbone
from reason_iad.config import InspectorConfig
from reason_iad.errors import ProductError
from reason_iad.expert.by_template import TemplateRule, score_of
from reason_iad.expert.conformal import limits
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.area import EVERYWHERE
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.part_kind import PartKind
from reason_iad.images import load_image
from reason_iad.inspection.by_product import PartInspector
from reason_iad.inspection.templated import TemplatedInspector
from reason_iad.schema.verdict import SAME

CONFIG = InspectorConfig(method="direct")


@pytest.fixture(scope="module")
def kind() -> PartKind:
    """Six good boards, each with a pattern of its own."""
    images = [load_image(board(pattern)) for pattern in range(6)]
    expert = learn(images, Eyes.of(make_encoder("efficientnet_lite0", None), (64, 96)))
    drawings = [load_image(template(pattern)) for pattern in range(6)]
    pairs = zip(images, drawings, strict=True)
    scores = [score_of(part, drawing, EVERYWHERE, align=True) for part, drawing in pairs]
    rule = TemplateRule(tuple(float(score) for score in scores))
    return PartKind("board", "0" * 64, expert, limits(rule.scores, 0.2), {}, templates=rule)


def test_the_template_decides(kind: PartKind) -> None:
    inspector = PartInspector(kind)
    fine = inspector.inspect(board(50), template=template(50))
    bad = inspector.inspect(spurred(50), template=template(50))
    assert (fine.verdict, bad.verdict) == ("pass", "defect")
    assert fine.probability < 0.5 < bad.probability
    product = bad.evidence.product
    assert product is not None and product.template is not None and product.template.name == "array"
    assert product.template.x == pytest.approx(92 / 160, abs=0.03) and product.good_place is None
    assert bad.evidence.anomaly_map is not None and max(bad.evidence.anomaly_map.values) == 1.0
    assert fine.evidence.product is not None and fine.evidence.product.template is not None
    assert fine.evidence.product.template.x is None


def test_a_board_is_not_compared_with_a_copy_of_itself(kind: PartKind) -> None:
    result = PartInspector(kind).inspect(template(50), template=template(50))
    assert result.verdict == "review" and result.caution == SAME and "own template" in result.explanation


def test_a_board_that_is_no_good_image_and_looks_like_none_of_them_is_judged_by_its_template(
    kind: PartKind,
) -> None:
    assert all(PartInspector(kind).inspect(board(p), template=template(p)).verdict == "pass" for p in (60, 61, 62))


@pytest.mark.parametrize("light", [0.2, 0.05])
def test_a_dark_picture_is_never_a_pass(kind: PartKind, light: float) -> None:
    dark = (board(50) * light).astype("uint8")
    assert PartInspector(kind).inspect(dark, template=template(50)).verdict != "pass"


def test_a_model_is_shown_the_template_and_does_not_decide(kind: PartKind) -> None:
    model = PartInspector(kind, lambda: Inspector(FakeBackbone(), config=CONFIG), config=CONFIG)
    result = model.inspect(spurred(50), template=template(50))
    assert result.verdict == "defect" and result.evidence.product is not None
    assert result.evidence.product.model_asked and result.evidence.product.template is not None
    assert [each.sha256 for each in result.evidence.references] == [result.evidence.product.template.sha256]


def test_without_a_template_it_says_what_to_give(kind: PartKind) -> None:
    with pytest.raises(ProductError, match="own template"):
        PartInspector(kind).inspect(board(50))


def test_the_template_is_found_by_name(kind: PartKind, tmp_path: Path) -> None:
    part = save(spurred(50), tmp_path / "part.png")
    drawing = save(template(50), tmp_path / "part.bmp")
    asked: list[str] = []

    def find(name: str) -> Path:
        asked.append(name)
        return drawing

    inspector = TemplatedInspector(PartInspector(kind), find)
    assert inspector.inspect(part).verdict == inspector.inspect(load_image(part)).verdict == "defect"
    assert asked == ["part.png", "part.png"]
    with pytest.raises(AttributeError):
        inspector.other = 1  # type: ignore[attr-defined]
