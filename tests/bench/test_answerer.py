"""One image and its questions: what the model is shown, what is withheld, and what comes back whatever happens."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.bench.mmad_files import write_set

from reason_iad.backbones.fake import FakeBackbone
from reason_iad.backbones.prompt import Data, Prompt
from reason_iad.bench.answerer import QuestionAnswerer, Recipe
from reason_iad.bench.conditions import Settings
from reason_iad.bench.fingerprints import Fingerprints
from reason_iad.bench.overlap import MaskedGrid, touched
from reason_iad.bench.questions import read_units
from reason_iad.bench.tools import Tools, known_category
from reason_iad.bench.work import Answered, Unit
from reason_iad.errors import ModelError
from reason_iad.images import load_image, load_mask
from reason_iad.inspection.fusion import (
    FILE,
    DetectionWeights,
    Floors,
    LateFusion,
    PlaceWeights,
    SizeWeights,
    TypeWeights,
)
from reason_iad.knowledge import KnowledgeStore, open_knowledge
from reason_iad.schema import InjectedPatch, ModelVersion

METHODS = ("direct", "cot", "knowledge", "full")


class Listening(FakeBackbone):
    """The fake model, which remembers the head of every prompt and how often it was shown an image."""

    def __init__(self) -> None:
        super().__init__(context_length=16384)
        self.heads: list[str] = []
        self.shown = 0

    def head(self, prompt: Prompt, images: Any, **room: Any) -> Any:
        self.heads.append("".join(part.text for part in prompt.head if isinstance(part, Data)))
        return super().head(prompt, images, **room)

    def embed_image(self, image: Any) -> Any:
        self.shown += 1
        return super().embed_image(image)


@pytest.fixture(scope="module")
def knowledge(tmp_path_factory: pytest.TempPathFactory) -> KnowledgeStore:
    folder = tmp_path_factory.mktemp("knowledge")
    (folder / "pcb.md").write_text(
        "---\ncategory: pcb\n---\n\n# Normal\n\nZinc.\n\n# Defects\n\n## hole\n\nGold.\n"
    )
    return open_knowledge(folder)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(images=tmp_path, model="fake")


@pytest.fixture
def units(tmp_path: Path) -> tuple[Unit, ...]:
    return read_units([write_set(tmp_path)], tmp_path)


def ask(
    settings: Settings,
    knowledge: KnowledgeStore,
    units: Sequence[Unit],
    method: str,
    model: Any = None,
) -> list[Answered]:
    answerer = QuestionAnswerer(Tools(model or FakeBackbone(context_length=16384), knowledge), settings, method)
    return [result for unit in units for result in answerer.answer(unit)]


@pytest.mark.parametrize("method", METHODS)
def test_every_question_is_answered_once_in_order(
    method: str, settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    answers = [result.answer for result in ask(settings, knowledge, units, method)]
    assert [each.question for each in answers] == [
        f"{unit.image}#{question.index}" for unit in units for question in unit.questions
    ]
    for each in answers:
        assert each.failure is None and each.choice in each.options
        assert list(each.probabilities) == list(each.options)
        assert sum(each.probabilities.values()) == pytest.approx(1, abs=1e-5)
        assert each.probabilities[each.choice] == max(each.probabilities.values())
        assert (each.reward is not None) == (each.initial is not None) == (each.steps > 0) == (method == "full")


def late_fusion(detection: DetectionWeights, closer: float) -> LateFusion:
    """Weights that leave places and sizes to the model, and believe the closer look about types by so much."""
    return LateFusion(
        one_reference=detection, more_references=detection, place=PlaceWeights(model=1.0, map=0.0),
        type=TypeWeights(model=1 - closer, closer=closer), size=SizeWeights(model=1.0, map=0.0),
        floors=Floors(), fitted_on="nothing",
    )  # fmt: skip


def test_the_map_is_weighed_into_whether_and_where_only_if_asked_to(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...], tmp_path: Path
) -> None:
    # So sure of a defect that it cannot be missed.
    fusion = late_fusion(DetectionWeights(bias=30.0, model=0.0, closer=0.0, map=0.0), closer=0.0)
    model = FakeBackbone(context_length=16384)
    alone = ask(settings, knowledge, units, "direct", model)
    model.directory = tmp_path
    (tmp_path / FILE).write_text(fusion.model_dump_json())
    off = ask(settings, knowledge, units, "direct", model)
    on = ask(replace(settings, fuse=True), knowledge, units, "direct", model)
    assert [each.answer for each in off] == [each.answer for each in alone]
    changed = 0
    for before, after in zip(alone, on, strict=True):
        says = {text.lower().rstrip("."): letter for letter, text in after.answer.options.items()}
        if after.answer.kind == "Anomaly Detection" and set(says) == {"yes", "no"}:
            assert after.answer.choice == says["yes"] and after.answer.probabilities[says["yes"]] > 0.99
            changed += 1
        else:
            assert after.answer.choice == before.answer.choice
    assert changed


def test_a_run_knows_by_which_numbers_it_was_weighed(
    settings: Settings, knowledge: KnowledgeStore, tmp_path: Path
) -> None:
    model = FakeBackbone(context_length=16384)
    model.directory = tmp_path
    hashes = []
    for bias in (0.0, 1.0):
        fusion = late_fusion(DetectionWeights(bias=bias, model=0.0, closer=0.0, map=0.0), closer=0.0)
        (tmp_path / FILE).write_text(fusion.model_dump_json())
        for fuse in (False, True):
            made = QuestionAnswerer(Tools(model, knowledge), replace(settings, fuse=fuse), "direct")
            hashes.append(made.version.fusion_sha256)
    assert hashes[0] is None and hashes[2] is None and hashes[1] and hashes[3] and hashes[1] != hashes[3]


def test_a_closer_look_is_asked_about_defects_and_never_told_what_is_withheld(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...], tmp_path: Path
) -> None:
    fusion = late_fusion(DetectionWeights(bias=0.0, model=0.0, closer=1.0, map=0.0), closer=1.0)
    (tmp_path / FILE).write_text(fusion.model_dump_json())
    model = Listening()
    model.directory = tmp_path
    plain = ask(settings, knowledge, units[1:2], "knowledge", model)
    heads, model.heads = len(model.heads), []
    weighed = ask(replace(settings, fuse=True), knowledge, units[1:2], "knowledge", model)
    assert len(model.heads) == heads + 1, "one closer look serves all questions; the object is not looked at again"
    told = [head for head in model.heads if "pcb" in head]
    assert len(told) == 2 and all("Zinc" in head for head in told)
    for head in model.heads:
        assert head in told or not any(word in head for word in ("Part:", "Zinc", "Gold", "[knowledge]", "toys"))
    changed = {
        after.answer.kind
        for before, after in zip(plain, weighed, strict=True)
        if after.answer.probabilities != before.answer.probabilities
    }
    assert "Anomaly Detection" in changed and "Object Classification" not in changed


def test_what_names_the_object_never_reaches_a_question_about_it(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    model = Listening()
    results = ask(settings, knowledge, units[1:2], "knowledge", model)
    told, untold = model.heads
    assert "pcb" in told and "Zinc" in told and "Gold" in told
    for word in ("pcb", "Part:", "Zinc", "Gold", "[knowledge]", "toys"):
        assert word not in untold
    by_kind = {result.answer.kind: result.answer.knowledge for result in results}
    assert by_kind["Object Classification"] == ()
    assert (
        by_kind["Anomaly Detection"] == by_kind["Defect Localization"] == ("pcb/normal/normal", "pcb/defect/hole")
    )


def test_a_category_without_knowledge_is_named_and_goes_without(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    model = Listening()
    results = ask(settings, knowledge, units[4:5], "knowledge", model)
    assert "Part: widget" in model.heads[0] and "[knowledge]" not in model.heads[0]
    assert all(result.answer.knowledge == () and result.answer.failure is None for result in results)


def test_the_image_is_seen_once_for_all_its_questions(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    model = Listening()
    ask(settings, knowledge, units[:3], "direct", model)
    assert model.shown == 3 + 1  # three images and their common template


def test_a_template_is_shown_if_one_is_asked_for(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    model = Listening()
    ask(settings, knowledge, units[:1], "direct", model)
    ask(replace(settings, shots=0), knowledge, [replace(units[0], templates=())], "direct", model)
    two = [replace(units[0], templates=(*units[0].templates, units[1].image))]
    ask(replace(settings, shots=2, shown=1), knowledge, two, "direct", model)
    ask(replace(settings, shots=2), knowledge, two, "direct", model)
    assert [head.count("Good:") for head in model.heads] == [1, 1, 0, 0, 1, 1, 2, 2]
    many = replace(settings, shots=12, shown=1).config("direct")
    assert (many.max_references, many.map_references) == (1, 12), "the map compares with all that were asked for"


@pytest.mark.parametrize("method", ["direct", "full"])
def test_answers_depend_neither_on_order_nor_on_what_came_before(
    method: str, settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    forward = [result.answer for result in ask(settings, knowledge, units, method)]
    shuffled = list(units)
    random.Random(0).shuffle(shuffled)
    other = {result.answer.question: result.answer for result in ask(settings, knowledge, shuffled, method)}
    assert [other[answer.question] for answer in forward] == forward
    alone = ask(settings, knowledge, units[-1:], method)
    assert [result.answer for result in alone] == forward[-len(alone) :]


def test_the_seed_reaches_the_noise(settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]) -> None:
    one, two = (ask(replace(settings, seed=seed), knowledge, units[:1], "full")[0].answer.reward for seed in (0, 1))
    assert one != two


def test_options_keep_the_letters_of_their_file(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    odd = units[1].questions[2]  # lettered B, A, D
    plain = replace(odd, options=dict(zip("ABC", odd.options.values(), strict=True)), truth="B")
    asked = [replace(units[1], questions=(question,)) for question in (odd, plain)]
    one, two = (result.answer for result in ask(settings, knowledge, asked, "direct"))
    assert list(one.probabilities) == ["B", "A", "D"]
    assert list(one.probabilities.values()) == list(two.probabilities.values())
    assert one.choice is not None and two.choice is not None
    assert one.options[one.choice] == two.options[two.choice]


@pytest.mark.parametrize("spoilt", ["image", "template"])
def test_a_damaged_image_fails_its_questions_and_no_others(
    spoilt: str, settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    key = units[0].image if spoilt == "image" else units[0].templates[0]
    path = settings.images / key
    path.write_bytes(path.read_bytes()[:200])
    by_category = {"pcb": units[0], "widget": units[3]}
    results = ask(settings, knowledge, list(by_category.values()), "direct")
    for result in results:
        failed = result.answer.category == "pcb"
        assert (result.answer.failure == "image") == failed == (result.answer.choice is None)
    assert results[0].answer.error == f"The image '{key}' is damaged or cut off; copy or export it again."


def test_a_bug_costs_one_question(settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]) -> None:
    class Broken(FakeBackbone):
        def option_tokens(self, letters: Sequence[str]) -> list[int]:
            if len(letters) == 2:
                raise RuntimeError("no such tensor")
            return super().option_tokens(letters)

    first, *rest = ask(settings, knowledge, units[1:2], "direct", Broken(context_length=16384))
    assert (first.answer.failure, first.answer.error) == ("error", "RuntimeError: no such tensor")
    assert all(result.answer.failure is None for result in rest) and len(rest) == 2


def test_a_scene_that_fails_costs_its_questions(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    results = ask(settings, knowledge, units[1:2], "direct", FakeBackbone(context_length=100))
    assert {result.answer.failure for result in results} == {"error"}
    assert "reads at most" in str(results[0].answer.error)


def test_times_and_memory_are_kept_apart_from_answers(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    for answer, timing in ask(settings, knowledge, units[:1], "direct"):
        assert timing.question == answer.question and timing.ms > 0
        assert timing.peak_mb > 10 or os.name == "nt"


def test_the_time_of_a_question_holds_its_share_of_the_image(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(path: Path) -> Any:
        time.sleep(0.3)
        return load_image(path)

    monkeypatch.setattr("reason_iad.bench.tools.load_image", slowly)
    results = ask(settings, knowledge, units[:1], "direct")
    assert len(results) == 2 and all(timing.ms >= 300 for _, timing in results)  # of an image and a template


def test_an_answer_knows_the_files_that_it_is_about(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    (settings.images / units[2].image).write_bytes(b"no image")
    results = ask(settings, knowledge, units[1:3], "direct")
    expected = {units[1].image: Fingerprints(settings.images).of(units[1]), units[2].image: None}
    assert all(answer.files_sha256 == expected[answer.image] for answer, _ in results)
    assert expected[units[1].image] is not None


def test_a_recipe_answers_from_any_folder(
    units: tuple[Unit, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "pcb.md").write_text("---\ncategory: pcb\n---\n\n# Normal\n\nGreen.\n")
    monkeypatch.chdir(tmp_path)
    recipe = Recipe(Settings(images=Path(), knowledge=Path("own"), model="fake").anywhere(), "knowledge")
    monkeypatch.chdir(own)
    assert all(answer.failure is None and answer.knowledge for answer, _ in recipe().answer(units[0])[:1])


def test_only_a_folder_becomes_an_absolute_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("own", "nano"):
        (tmp_path / name).mkdir()
    named = [Settings(images=Path(), model=name).anywhere().model for name in ("own", "nano", "org/model")]
    assert named == [str(tmp_path / "own"), "nano", "org/model"]


class Writing(FakeBackbone):
    """Writes what it is told to."""

    def __init__(self, reply: str) -> None:
        super().__init__(context_length=16384)
        self.reply = reply
        self.asked: list[str] = []

    def question(self, head: Any, prompt: Prompt, **room: Any) -> Any:
        self.asked.append("".join(part.text for part in prompt.tail if isinstance(part, Data)))
        return super().question(head, prompt, **room)

    def decode(self, prefix: Any, suffix: Any, max_new_tokens: int) -> Any:
        return replace(super().decode(prefix, suffix, 1), text=self.reply)


@pytest.mark.parametrize(
    ("reply", "choice"), [("B", "B"), (" (a) ", None), ("Yes.", "A"), ("No", "B"), ("A or B", None), ("", None)]
)
@pytest.mark.parametrize("method", ["direct", "full"])
def test_generated_text_is_parsed_strictly_and_kept(
    method: str,
    reply: str,
    choice: str | None,
    settings: Settings,
    knowledge: KnowledgeStore,
    units: tuple[Unit, ...],
) -> None:
    model = Writing(reply)
    answer = ask(replace(settings, answers="text"), knowledge, units[1:2], method, model)[0].answer
    assert answer.choice == choice and answer.reply == reply.strip() and answer.probabilities == {}
    assert answer.failure == (None if choice else "unparsable")
    assert "Is there any defect in the object?\nA) Yes.\nB) No.\n" in model.asked
    assert (answer.reward is not None) == (method == "full")


def test_a_written_chain_of_thought_is_judged_by_its_end(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    answer = ask(replace(settings, answers="text"), knowledge, units[1:2], "cot", Writing("B"))[0].answer
    assert answer.reply == "B\nAnswer: B" and answer.choice == "B"


class Chat:
    """A model that only talks."""

    context_length = 4096

    def __init__(self) -> None:
        self.version = ModelVersion(name="chat", family="chat", sha256="unknown", device="server", dtype="unknown")
        self.prompts: list[str] = []

    def count_tokens(self, text: str) -> int:
        return len(text)

    def encode_image(self, image: Image.Image) -> str:
        return f"{image.size}"

    def choose(
        self, prompt: Prompt, images: Sequence[str], letters: Sequence[str], thoughts: str | None = None
    ) -> list[float]:
        self._hear(prompt)
        if len(letters) == 3:
            raise ModelError("The server is tired; ask again later.")
        return [0.25, 0.75]

    def write(self, prompt: Prompt, images: Sequence[str], max_tokens: int) -> str:
        self._hear(prompt)
        return "The answer is B."

    def _hear(self, prompt: Prompt) -> None:
        self.prompts.append("".join(part.text for part in (*prompt.head, *prompt.tail) if isinstance(part, Data)))


@pytest.mark.parametrize("method", ["direct", "cot", "knowledge"])
def test_a_model_behind_an_api_answers_the_same_questions(
    method: str, settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    remote = replace(settings, model="openai:m", base_url="http://localhost:1/v1")
    first, naming, _ = (result.answer for result in ask(remote, knowledge, units[1:2], method, Chat()))
    assert first.choice == "B" and first.probabilities == {"A": 0.25, "B": 0.75}
    assert (naming.failure, naming.error) == ("error", "The server is tired; ask again later.")
    text = ask(replace(remote, answers="text"), knowledge, units[1:2], method, Chat())
    assert [result.answer.choice for result in text] == ["B", "B", "A"]  # the third is lettered B, A, D
    assert not any(
        "pcb" in prompt or "Zinc" in prompt
        for prompt in _prompts_about_the_object(remote, knowledge, units, method)
    )


def _prompts_about_the_object(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...], method: str
) -> list[str]:
    model = Chat()
    ask(settings, knowledge, units[:1], method, model)
    return [prompt for prompt in model.prompts if "Which of these" in prompt]


def test_patches_are_compared_with_the_mask(
    settings: Settings, knowledge: KnowledgeStore, units: tuple[Unit, ...]
) -> None:
    good, bad = (ask(settings, knowledge, [unit], "full")[0].answer for unit in units[:2])
    assert good.inside is None and good.chance is None
    assert bad.chance == round(4 / 36, 6)  # pixels 24 to 39 of 64 touch two of six cells each way
    assert bad.inside is not None and 0 <= bad.inside <= 1
    (settings.images / str(units[1].mask)).write_bytes(b"no image")
    assert ask(settings, knowledge, [units[1]], "full")[0].answer.failure is None


def test_a_patch_touches_the_mask_with_a_single_pixel(tmp_path: Path) -> None:
    pixels = np.zeros((30, 20, 3), np.uint8)
    pixels[9, 4, 2] = 1  # dark blue, as some sets draw their masks
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    grid = MaskedGrid(load_mask(tmp_path / "mask.png").mask.marked, 3, 4)
    assert grid.chance == round(1 / 12, 6)
    patches = [_patch(0, 0), _patch(0, 1), _patch(1, 0), _patch(0, 2)]
    assert grid.inside(patches[:1]) == 1
    assert grid.inside(patches) == 0.25


def test_cells_smaller_than_a_pixel_share_one() -> None:
    assert touched(np.array([[True, False]]), 3, 4).tolist() == [[True, True, False, False]] * 3


def _patch(row: int, column: int) -> InjectedPatch:
    box = {"x1": 0, "y1": 0, "x2": 1, "y2": 1}
    return InjectedPatch.model_validate(
        {"question": "q", "latent": 0, "step": 1, "row": row, "column": column, "box": box, "attention": 0.1}
    )


def test_folders_name_the_category_most_tellingly_first() -> None:
    builtin = open_knowledge(None)
    named = {
        ("magnetic_tile", "tile"): "magnetic tile",
        ("DS-MVTec", "tile"): "ceramic tile",
        ("ball_screw", "spindle"): "ball screw spindle",
        ("commutator", "surface"): "molded commutator surface",
        ("deeppcb", "pcb"): "pcb",
        ("deeppcb", "pcb_crop"): "pcb",
    }
    assert {pair: known_category(builtin, *pair) for pair in named} == named
