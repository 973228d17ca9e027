"""One inspection end to end, on the fake backbone (and the embedded model where it says so)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from reason_iad import Inspection, Inspector, InspectorConfig
from reason_iad.backbones import load_backbone
from reason_iad.backbones.fake import FakeBackbone
from reason_iad.config import METHODS
from reason_iad.errors import ImageError, KnowledgeError, PromptError
from reason_iad.expert.embedding import image_embedding
from reason_iad.inspection.clock import Clock
from reason_iad.inspection.deciding import Case, ask_by_change, ask_closer, decide
from reason_iad.inspection.fusion import (
    FILE,
    DetectionWeights,
    Floors,
    LateFusion,
    PlaceWeights,
    SizeWeights,
    TypeWeights,
)
from reason_iad.inspection.intents import of_benchmark
from reason_iad.inspection.lookup import look_up
from reason_iad.inspection.questions import Question, type_question
from reason_iad.inspection.scenes import closer_looks, set_scene
from reason_iad.inspection.subject import compare, load_subject
from reason_iad.knowledge import Gallery, open_knowledge
from reason_iad.schema import size_of
from reason_iad.schema.verdict import ALONE, OperatingPoint

YAML = """
category: bracket
aliases: [steel bracket]
normal: A flat grey bracket with two round holes.
defects:
  - {name: dent, description: A hollow in the surface., severity: major, cause: Handling., action: Reject.}
  - {name: burr, description: A sharp raised edge at a hole., severity: minor, cause: Dull tool., action: Rework.}
"""


@pytest.fixture
def knowledge(tmp_path: Path) -> Path:
    folder = tmp_path / "knowledge"
    folder.mkdir()
    (folder / "bracket.yaml").write_text(YAML)
    return folder


@pytest.fixture
def part(make_image: Callable[..., Path]) -> Path:
    return make_image("part.png", 90)


@pytest.fixture
def good(make_image: Callable[..., Path]) -> list[Path]:
    return [make_image("good 1.png", 120), make_image("good 2.png", 130)]


def inspector(method: str = "full", **options: object) -> Inspector:
    threshold, align = options.pop("threshold", 0.001), options.pop("align", True)
    config = InspectorConfig(method=method, threshold=threshold, align=align)  # type: ignore[arg-type]
    return Inspector.from_pretrained("fake", config=config, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_inspects(method: str, part: Path, good: list[Path], knowledge: Path) -> None:
    result = inspector(method, knowledge=knowledge).inspect(part, references=good, category="steel bracket")
    assert result.verdict == "defect"
    assert result.method == method
    assert result.defect_type in ("dent", "burr")
    assert result.severity == {"dent": "major", "burr": "minor"}[result.defect_type or ""]
    assert result.region is not None
    assert bool(result.evidence.knowledge) == METHODS[method].knowledge
    by_key = {answer.key: answer for answer in result.evidence.answers}
    assert set(by_key) == {"detection", "type", "place", "explanation"}
    for answer in by_key.values():
        assert not answer.probabilities or sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert bool(answer.steps) == (METHODS[method].reasoning is not None)
    assert (by_key["detection"].reasoning_text is not None) == METHODS[method].chain_of_thought
    assert Inspection.model_validate_json(result.to_json()) == result


def test_a_pass_has_no_type_and_no_region(part: Path) -> None:
    result = inspector(threshold=1.0).inspect(part)
    assert (result.verdict, result.defect_type, result.region) == ("pass", None, None)
    assert result.findings == ()
    assert {answer.key for answer in result.evidence.answers} == {"detection", "explanation"}


def test_types_are_read_in_all_orders_and_places_in_their_own(part: Path, knowledge: Path) -> None:
    def probabilities(orders: str) -> dict[str, dict[str, float]]:
        config = InspectorConfig(method="direct", threshold=0.001, option_orders=orders)  # type: ignore[arg-type]
        made = Inspector.from_pretrained("fake", config=config, knowledge=knowledge)
        return {each.key: each.probabilities for each in made.inspect(part, category="bracket").evidence.answers}

    given, types, cyclic = map(probabilities, ("given", "types", "cyclic"))
    assert types["type"] == cyclic["type"] != given["type"]
    assert types["place"] == given["place"] != cyclic["place"]
    assert types["detection"] == given["detection"]


def test_a_chain_of_thought_is_written_once(part: Path, knowledge: Path) -> None:
    def types(orders: str) -> object:
        config = InspectorConfig("cot", threshold=0.001, option_orders=orders)  # type: ignore[arg-type]
        found = Inspector.from_pretrained("fake", config=config, knowledge=knowledge).inspect(
            part, category="bracket"
        )
        return next(answer for answer in found.evidence.answers if answer.key == "type")

    assert types("types") == types("given") != types("cyclic")


def test_what_is_read_in_all_orders_by_default() -> None:
    assert InspectorConfig().option_orders == "types"


def test_the_explanation_does_not_contradict_the_verdict(part: Path, knowledge: Path) -> None:
    defect = inspector("full", knowledge=knowledge).inspect(part, category="bracket")
    place = defect.region.place if defect.region else ""
    assert defect.explanation.startswith(f"Defect: {defect.defect_type} at {place}.")
    assert inspector("full", threshold=1.0).inspect(part).explanation.startswith("No defect found.")
    unknown = inspector("direct").inspect(part)
    assert unknown.region is not None
    assert unknown.explanation.startswith(f"Defect at {unknown.region.place}.")


def test_path_pil_and_array_give_the_same_answer(part: Path) -> None:
    look = inspector()
    from_path, from_pil, from_array = (
        look.inspect(image) for image in (part, Image.open(part), np.asarray(Image.open(part)))
    )
    assert from_path.probability == from_pil.probability == from_array.probability


def test_the_same_seed_gives_the_same_output(part: Path, good: list[Path]) -> None:
    def run() -> Inspection:
        result = inspector().inspect(part, references=good, category="pcb")
        return result.model_copy(update={"timings_ms": {}})

    assert run().to_json() == run().to_json()


def test_what_is_injected_is_in_the_evidence(part: Path, good: list[Path]) -> None:
    evidence = inspector().inspect(part, references=good, category="pcb").evidence
    detection = next(answer for answer in evidence.answers if answer.key == "detection")
    kept = [patch for patch in evidence.patches if patch.question == "detection"]
    assert len(kept) == detection.steps[-1].patches
    for patch in evidence.patches:
        assert 0 <= patch.box.x1 < patch.box.x2 <= 32
        assert 0 <= patch.box.y1 < patch.box.y2 <= 32


def test_references_are_cited_and_calibrate_the_map(part: Path, good: list[Path]) -> None:
    evidence = inspector().inspect(part, references=good).evidence
    assert [reference.name for reference in evidence.references] == ["good 1.png", "good 2.png"]
    assert evidence.anomaly_map is not None
    assert evidence.anomaly_map.calibrated_on == 2
    assert len(evidence.anomaly_map.values) == evidence.anomaly_map.rows * evidence.anomaly_map.columns
    assert inspector().inspect(part).evidence.anomaly_map is None


def test_knowledge_changes_the_prompt_of_methods_that_read_it(part: Path, knowledge: Path) -> None:
    def probability(method: str, store: Path | None) -> float:
        category = "bracket" if store is not None else None
        return inspector(method, knowledge=store).inspect(part, category=category).probability

    assert probability("knowledge", knowledge) != probability("direct", knowledge)


def test_an_unknown_category_is_refused_where_it_matters(part: Path, knowledge: Path) -> None:
    with pytest.raises(KnowledgeError, match=r"brackett.*bracket"):
        inspector(knowledge=knowledge).inspect(part, category="brackett")
    result = inspector("direct", knowledge=knowledge).inspect(part, category="brackett")
    assert result.evidence.category.name == "brackett"
    assert result.defect_type is None


def test_knowledge_stays_within_its_share_of_the_window(part: Path, tmp_path: Path) -> None:
    folder = tmp_path / "long"
    folder.mkdir()
    defects = "\n".join(
        f"  - {{name: kind {i}, description: {'long words ' * 30}, severity: major, cause: c, action: a}}"
        for i in range(20)
    )
    (folder / "x.yaml").write_text(f"category: x\nnormal: Plain.\ndefects:\n{defects}\n")
    backbone = load_backbone("fake")
    backbone.context_length = 1200
    result = Inspector(backbone, open_knowledge(folder)).inspect(part, category="x")
    shown = result.evidence.knowledge
    assert 0 < len(shown) < 8
    assert sum(len(found.entry.text) for found in shown) < 600


def test_a_prompt_longer_than_the_window_is_refused(part: Path) -> None:
    backbone = load_backbone("fake")
    backbone.context_length = 200
    with pytest.raises(PromptError, match="at most 200"):
        Inspector(backbone).inspect(part)
    with pytest.raises(PromptError, match="at most 4096"):
        inspector().ask(part, "why? " * 2000)


def test_ask_with_and_without_options(part: Path) -> None:
    look = inspector()
    reply = look.ask(part, "Which colour?", options=["A) red", "B) blue", "C) green"])
    assert reply.answer.text in ("red", "blue", "green")
    assert list(reply.answer.probabilities) == ["A", "B", "C"]
    assert look.ask(part, "What is it?").answer.options == {}


def test_a_further_question_is_answered_beside_the_others(part: Path) -> None:
    with_question = inspector().inspect(part, question="What is it?")
    without = inspector().inspect(part)
    assert with_question.evidence.answers[-1].key == "question"
    assert with_question.probability == without.probability, "a further question changes no other answer"


def test_bad_references_name_themselves(part: Path, tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png"):
        inspector().inspect(part, references=[tmp_path / "gone.png"])


def test_the_category_comes_from_the_gallery(make_image: Callable[..., Path], tmp_path: Path) -> None:
    backbone = load_backbone("fake")

    def vector(path: Path) -> object:
        return image_embedding(backbone.patch_features(Image.open(path).convert("RGB")))

    dark, light = make_image("dark.png", 40), make_image("light.png", 215)
    sha = backbone.version.sha256
    first = vector(dark)
    gallery = Gallery.create(tmp_path / "gallery", model=sha, dimension=len(first))  # type: ignore[arg-type]
    gallery.add("pcb", first, "dark.png", "1" * 64)  # type: ignore[arg-type]
    gallery.add("gear", vector(light), "light.png", "2" * 64)  # type: ignore[arg-type]
    look = Inspector(backbone, open_knowledge(None), gallery=gallery)
    found = look.inspect(make_image("query.png", 44)).evidence.category
    assert (found.name, found.origin) == ("pcb", "gallery")
    assert (found.margin or 0) > 0.02
    strict = InspectorConfig(category_margin=1.9)
    unknown = Inspector(backbone, open_knowledge(None), strict, gallery).inspect(make_image("query.png", 44))
    assert (unknown.evidence.category.name, unknown.evidence.category.origin) == (None, "unknown")


def test_timings_name_every_phase(part: Path, good: list[Path]) -> None:
    timings = inspector().inspect(part, references=good).timings_ms
    assert {"load", "retrieve", "map", "vision", "prefix", "detection", "explanation", "total"} <= set(timings)
    assert sum(value for name, value in timings.items() if name != "total") <= timings["total"] * 1.01


def _shapes(shift: int = 0) -> Image.Image:
    """A picture with landmarks, shifted to the right."""
    rng = np.random.default_rng(3)
    picture = Image.new("RGB", (240, 200), "grey")
    draw = ImageDraw.Draw(picture)
    for _ in range(12):
        x, y = (int(v) for v in rng.integers(10, 150, 2))
        draw.rectangle((x + shift, y, x + shift + 35, y + 20), fill=tuple(rng.integers(0, 255, 3).tolist()))
    return picture.filter(ImageFilter.GaussianBlur(1))


def test_a_reference_that_lies_off_is_laid_as_the_part_and_the_evidence_says_so():
    good, part = _shapes(8), _shapes()
    found = inspector().inspect(part, references=[good]).evidence
    (reference,) = found.references
    assert reference.motion is not None and reference.motion.dx == pytest.approx(-8 / 240, abs=0.004)
    assert reference.motion.after > reference.motion.before and (reference.width, reference.height) == (240, 200)
    as_given = inspector(align=False).inspect(part, references=[good]).evidence
    assert as_given.references[0].motion is None
    maps = []
    for align in (True, False):
        setup = Inspector(load_backbone("fake"), config=InspectorConfig(align=align))._setup
        maps.append(compare(setup, load_subject(setup, part, [good], Clock()), Clock()))
    assert maps[0] is not None and maps[1] is not None
    assert maps[0].distances.mean() < 0.5 * maps[1].distances.mean()
    lies_right = inspector().inspect(good, references=[good]).evidence
    assert lies_right.references[0].motion is None


def _other(picture, at=(0, 0)):
    """Another photo of the same: one pixel differs."""
    changed = picture.copy()
    changed.putpixel(at, tuple(255 - each for each in changed.getpixel(at)))
    return changed


def test_a_moved_reference_costs_one_look_more_and_no_new_calibration(monkeypatch):
    asked = inspector()
    seen: list[str] = []
    for name in ("embed_image", "patch_features"):
        how = getattr(asked.backbone, name)
        monkeypatch.setattr(
            asked.backbone, name, lambda picture, how=how, name=name: seen.append(name) or how(picture)
        )
    good = _shapes(8)
    asked.inspect(_shapes(), references=[good])
    seen.clear()
    asked.inspect(_shapes(2), references=[good])
    assert sorted(seen) == ["embed_image"] * 2 + ["patch_features"] * 2
    asked.inspect(_other(good), references=[good])
    seen.clear()
    asked.inspect(_other(_other(good), at=(1, 0)), references=[good])
    assert sorted(seen) == ["embed_image", "patch_features"], "one that lies right is kept"


@pytest.fixture
def weighing(tmp_path: Path, knowledge: Path) -> Callable[..., Inspector]:
    """An inspector whose model has weights for the map: they hardly ask the model, and call everything a defect."""
    sure = DetectionWeights(bias=0.5, model=0.01, closer=0.01, map=0.5)
    fusion = LateFusion(
        one_reference=sure, more_references=sure, place=PlaceWeights(model=0.0, map=1.0),
        type=TypeWeights(model=0.0, closer=1.0, described=0.1), size=SizeWeights(model=0.0, map=1.0),
        floors=Floors(), fitted_on="nothing",
    )  # fmt: skip
    (tmp_path / FILE).write_text(fusion.model_dump_json())
    backbone = FakeBackbone()
    backbone.directory = tmp_path

    def make(**options: object) -> Inspector:
        return Inspector(backbone, open_knowledge(knowledge), InspectorConfig(**options))  # type: ignore[arg-type]

    return make


def _opened(inspector: Inspector, image: Any, references: Sequence[Any], category: str | None) -> Case:
    """What an inspector has before the first question."""
    setup, clock = inspector._setup, Clock()
    subject = load_subject(setup, image, references, clock)
    known = look_up(setup, subject.image, category, "", clock)
    difference = compare(setup, subject, clock)
    scene = set_scene(setup, subject, known, difference, clock)
    return Case(setup, subject, known, difference, scene, closer_looks(subject, scene, difference), clock)


def _plate() -> Image.Image:
    """A plate of 240 x 200 pixels with texture everywhere."""
    grain = np.random.default_rng(5).normal(128, 30, (25, 30, 3)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(grain).resize((240, 200), Image.Resampling.BICUBIC)


def _blotched() -> Image.Image:
    """The same with a blotch at its bottom right: 18 x 12 of 240 x 200 pixels."""
    picture = _plate()
    ImageDraw.Draw(picture).ellipse((200, 160, 217, 171), fill="white")
    return picture


def test_it_looks_again_where_most_differs_and_says_where_and_how_large(weighing: Callable[..., Inspector]) -> None:
    result = weighing(method="full").inspect(_blotched(), references=[_plate()], category="bracket")
    closer, region = result.evidence.closer, result.region
    assert result.verdict == "defect" and closer is not None and region is not None and region.box is not None
    assert (closer.x2 - closer.x1, closer.y2 - closer.y1) == (120, 100)
    for box in (closer, region.box):
        assert box.x1 <= 208 < box.x2 and box.y1 <= 165 < box.y2
    assert region.place == "bottom right" and region.box.x2 - region.box.x1 < 60
    assert region.share == pytest.approx(170 / (240 * 200), rel=0.8)
    first = result.findings[0]
    assert (first.place, first.type) == (region.place, result.defect_type)
    assert first.box.x1 < region.box.x2 and region.box.x1 < first.box.x2, "it lies where the region lies"
    assert 0.2 < first.share / region.share < 5
    assert result.explanation.startswith(f"Defect: {result.defect_type} at bottom right, {size_of(region.share)}.")
    looks = [(answer.key, answer.closer) for answer in result.evidence.answers]
    assert looks[:5] == [
        ("detection", False), ("detection", True), ("type", False), ("type", True), ("place", False)
    ]  # fmt: skip
    glances = [answer for answer in result.evidence.answers if answer.closer]
    assert not any(answer.steps for answer in glances), "a closer look is a glance, not another chain of thought"
    assert result.defect_type == glances[1].text, "these weights believe the closer look alone"
    fusion = result.evidence.fusion
    assert fusion is not None and fusion.closer_probability == glances[0].probabilities["A"]
    assert fusion.heat is not None and len(fusion.heat.values) == fusion.heat.rows * fusion.heat.columns
    row, column = divmod(int(np.argmax(fusion.heat.values)), fusion.heat.columns)
    x, y = (column + 0.5) * 240 / fusion.heat.columns, (row + 0.5) * 200 / fusion.heat.rows
    assert region.box.x1 - 5 <= x <= region.box.x2 + 5 and region.box.y1 - 5 <= y <= region.box.y2 + 5
    assert all(patch.question in ("detection", "type", "place", "explanation") for patch in result.evidence.patches)


def test_a_free_question_for_a_defect_is_weighed_as_an_inspection_is(weighing: Callable[..., Inspector]) -> None:
    look, good = weighing(), [_plate()]
    reply = look.ask(_blotched(), "Is there any defect?", options=["no", "yes"], references=good)
    own, closer = reply.evidence.answers
    assert reply.weighed and not own.closer and closer.closer and reply.answer.text == "yes"
    assert reply.answer.probabilities["B"] > max(own.probabilities["B"], closer.probabilities["B"])
    again = look.ask(_other(_plate()), "Is there any defect?", options=["no", "yes"], references=good)
    assert again.weighed and again.answer.probabilities["B"] < reply.answer.probabilities["B"]
    fusion = reply.evidence.fusion
    assert fusion is not None and fusion.model_probability == own.probabilities["B"]
    assert fusion.closer_probability == closer.probabilities["B"]
    where = look.ask(_blotched(), "Where is the defect?", options=["top left", "bottom right"], references=good)
    assert where.weighed and where.answer.text == "bottom right"
    about_else = ("Which colour?", "Is there any defect on the connector?", "Is it false that there is a defect?")
    for question, references in (*((each, good) for each in about_else), ("Is there any defect?", [])):
        plain = look.ask(_blotched(), question, options=["no", "yes"], references=references)
        assert not plain.weighed and plain.evidence.answers == (plain.answer,)
    assert (
        not weighing(fuse=False)
        .ask(_blotched(), "Is there a defect?", options=["no", "yes"], references=good)
        .weighed
    )


def _traces(*more: tuple[int, int, int, int]) -> Image.Image:
    """Two dark traces of 240 x 200 pixels, and further dark rectangles."""
    picture = Image.new("RGB", (240, 200), (235, 235, 235))
    for box in ((60, 0, 79, 199), (120, 0, 139, 199), *more):
        ImageDraw.Draw(picture).rectangle(box, fill=(20, 20, 20))
    return picture


def test_a_model_that_writes_explains_by_what_changed(monkeypatch: pytest.MonkeyPatch, knowledge: Path) -> None:
    """The measured change stands in the question for the explanation and in the evidence, for a defect only."""

    def asked(image: Image.Image, *, threshold: float, writes: bool = True) -> tuple[str, str | None]:
        backbone = FakeBackbone()
        monkeypatch.setattr(backbone, "writes", writes, raising=False)
        inspector = Inspector(backbone, open_knowledge(knowledge), InspectorConfig(threshold=threshold))
        result = inspector.inspect(image, references=[_traces()], category="bracket")
        (said,) = [answer for answer in result.evidence.answers if answer.key == "explanation"]
        return said.question, result.evidence.change

    bridged, plain = _traces((79, 150, 120, 158)), "Explain the verdict: what, where, and why it matters."
    measured = "Two dark areas are joined there."
    assert asked(bridged, threshold=0.01) == (
        f"{plain} Measured where the part differs most from the good parts: {measured}", measured
    )  # fmt: skip
    assert asked(bridged, threshold=0.99) == (plain, None), "a pass has no such spot"
    assert asked(_other(_traces()), threshold=0.01) == (plain, None), "nothing clear changed"
    assert asked(bridged, threshold=0.01, writes=False) == (plain, None), "such a model has its own sentences"


def test_it_reads_which_type_fits_what_the_pixels_say_changed(weighing: Callable[..., Inspector]) -> None:
    bridged = _traces((79, 150, 120, 158))
    result = weighing(method="full").inspect(bridged, references=[_traces()], category="bracket")
    assert result.evidence.change == "A dark bridge joins two areas that should be apart."
    (read,) = [answer for answer in result.evidence.answers if answer.described]
    (asked, _) = [answer for answer in result.evidence.answers if answer.key == "type" and not answer.described]
    assert read.question == f"Which defect looks like this? {result.evidence.change}"
    assert (read.key, read.options, read.steps) == ("type", asked.options, ())
    case = _opened(weighing(), bridged, [_traces()], "bracket")
    known = [found.entry.name for found in case.known.shown if found.entry.kind == "defect"]
    options = tuple(f"A {name.upper()}: however I call it." for name in known)
    worded = of_benchmark(Question("q", "Which defect is it?", options))
    decision = decide(case, worded)
    weighed, (whole, *glances) = decision.answer, decision.looks
    assert whole.options == weighed.options == worded.lettered and weighed.text in worded.options
    assert len(known) > 1 and len(glances) == 2
    assert all(tuple(each.options.values()) == tuple(known) for each in glances), "by the names that are described"
    blotch = weighing().inspect(_blotched(), references=[_plate()], category="bracket")
    assert blotch.evidence.change is None and not any(answer.described for answer in blotch.evidence.answers)
    same = weighing().inspect(_other(_traces()), references=[_traces()], category="bracket")
    assert same.verdict == "defect" and same.evidence.change is None, "these weights call everything a defect"
    unknown = _opened(weighing(), bridged, [_traces()], None)
    assert not unknown.known.shown and ask_by_change(unknown, type_question(("dent", "burr"))) is None


@pytest.mark.parametrize("shift", [5, 11])
def test_the_border_of_a_moved_reference_is_no_defect(weighing: Callable[..., Inspector], shift: int) -> None:
    wide = np.random.default_rng(5).normal(128, 30, (25, 40, 3)).clip(0, 255).astype(np.uint8)
    plate = Image.fromarray(wide).resize((320, 200), Image.Resampling.BICUBIC)
    part, good = plate.crop((0, 0, 240, 200)), plate.crop((shift, 0, 240 + shift, 200))
    case = _opened(weighing(), part, [good], None)
    assert len(case.subject.moved) == 1 and case.difference is not None and case.difference.pixels is not None
    assert case.difference.pixels.max() < 5
    like = Image.fromarray(np.asarray(part) // 2 * 2)
    several = _opened(weighing(), part, [like, good], None).difference
    assert several is not None and several.normal_pixels is not None and several.normal_pixels < 5


def test_a_very_narrow_image_has_a_closer_look(weighing: Callable[..., Inspector]) -> None:
    narrow = Image.fromarray(np.random.default_rng(1).integers(0, 255, (8, 1600, 3), dtype=np.uint8))
    assert (
        weighing().inspect(narrow, references=[narrow.rotate(180)], category="bracket").evidence.closer is not None
    )


def test_without_references_or_weights_nobody_looks_again(weighing: Callable[..., Inspector]) -> None:
    for result in (
        weighing().inspect(_blotched(), category="bracket"),
        weighing(fuse=False, threshold=1e-6).inspect(_blotched(), references=[_plate()], category="bracket"),
    ):
        assert result.evidence.closer is None and not any(answer.closer for answer in result.evidence.answers)


def test_a_question_about_a_place_is_looked_at_there(weighing: Callable[..., Inspector]) -> None:
    setup = weighing(method="direct")._setup
    case = _opened(weighing(method="direct"), _blotched(), [_plate()], "bracket")
    seen: list[tuple[int, int]] = []
    embed = setup.local.embed_image

    def noted(picture: Image.Image) -> object:
        seen.append(picture.getpixel((0, 0)))  # type: ignore[arg-type]
        return embed(picture)

    setup.local.embed_image = noted  # type: ignore[assignment,method-assign]
    for text in ("Which defect is it?", "Which defect is in the top left part?", "Which defect is it?"):
        ask_closer(case, of_benchmark(Question("question", text, ("dent", "burr"))))
    assert len(seen) == 4, "the same part is looked at once"
    part, corner = _blotched(), case.closer(None).box
    assert seen[1] == part.getpixel((corner.x1, corner.y1)) and seen[3] == part.getpixel((0, 0))


def test_good_parts_take_the_place_of_the_threshold(part: Path, good: list[Path], knowledge: Path) -> None:
    inspector = Inspector(FakeBackbone(), open_knowledge(knowledge), InspectorConfig(method="direct"))
    before = inspector.inspect(part, references=good, category="bracket")
    assert before.operating_point is None and before.threshold == 0.5
    verdicts = []
    for threshold in (before.probability, before.probability + 1e-6):
        point = OperatingPoint(false_alarms=0.1, good_parts=9, pass_below=threshold, threshold=threshold)
        found = inspector.at(point).inspect(part, references=good, category="bracket")
        assert (found.probability, found.threshold, found.operating_point) == (before.probability, threshold, point)
        verdicts.append(found.verdict)
    assert verdicts == ["defect", "pass"]


def test_where_a_person_has_to_decide_what_is_suspected_is_said(
    part: Path, good: list[Path], knowledge: Path
) -> None:
    inspector = Inspector(FakeBackbone(), open_knowledge(knowledge), InspectorConfig(method="direct"))
    before = inspector.inspect(part, references=good, category="bracket").probability
    point = OperatingPoint(
        false_alarms=0.1, good_parts=9, missed=0.1, defective_parts=9, pass_below=before, threshold=before + 1e-6
    )
    found = inspector.at(point).inspect(part, references=good, category="bracket")
    assert found.verdict == "review"
    assert found.defect_type in ("dent", "burr") and found.region is not None and found.claims is not None
    assert found.explanation.startswith("Not certain: a person has to decide. Suspected: ")
    assert "Defect:" not in found.explanation


def test_the_result_says_that_there_was_no_good_part(part: Path, good: list[Path]) -> None:
    assert inspector("direct").inspect(part).caution == ALONE
    assert inspector("direct").inspect(part, references=good).caution is None


def test_a_setting_that_would_change_nothing_is_refused() -> None:
    inspector = Inspector.from_pretrained("fake")
    with pytest.raises(AttributeError, match=r"'threshold' cannot be set.*InspectorConfig\(threshold=\.\.\.\)"):
        inspector.threshold = 2  # type: ignore[attr-defined]
