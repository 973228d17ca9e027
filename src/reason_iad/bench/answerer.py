"""Answers the questions about one image with a model, in this process. Satisfies `work.Answerer`.

The questions of an image share one scene, so vision and prefix are paid once. Those that ask what the object is get
a scene of their own without the category's name and without knowledge, which would give the answer away. Whatever
goes wrong with an image or a question becomes a failed answer, and the run goes on.
"""

from __future__ import annotations

import copy
import logging
import os
import sys
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reason_iad.bench.conditions import Settings
from reason_iad.bench.overlap import MaskedGrid
from reason_iad.bench.parsing import parse_reply
from reason_iad.bench.records import AnswerRecord, Failure, TimingRecord
from reason_iad.bench.subtasks import NAMING_SUBTASKS, subtask_of
from reason_iad.bench.work import Answered, BenchQuestion, Unit
from reason_iad.errors import ImageError, KnowledgeError, ReasonIADError
from reason_iad.examination import Examination
from reason_iad.images import LoadedImage, load_image
from reason_iad.prompt import LETTERS, Question, best_choice
from reason_iad.schema import Answer
from reason_iad.workbench import Workbench

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone, ChatModel
    from reason_iad.knowledge import KnowledgeStore

log = logging.getLogger(__name__)

CACHED_TEMPLATES = 64
"""Templates that are kept decoded: sets show the same few normal images again and again."""
CACHED_PIXELS = 64 * 2**20
"""And at most so many pixels of them in all."""
THINK = "Think step by step in a few short sentences, then name the letter of one option."
CONCLUDE = "\nAnswer:"


@dataclass(frozen=True, slots=True)
class Tools:
    """What is loaded once and used by every method."""

    backbone: Backbone | ChatModel
    knowledge: KnowledgeStore


@dataclass(frozen=True, slots=True)
class Recipe:
    """Makes an answerer wherever it is called: in this process or in a worker on another machine."""

    settings: Settings
    method: str

    def __call__(self) -> QuestionAnswerer:
        """Load the model and the knowledge.

        Raises:
            ModelError, KnowledgeError: they cannot be loaded.
        """
        return QuestionAnswerer(load_tools(self.settings, self.method), self.settings, self.method)


def load_tools(settings: Settings, method: str) -> Tools:
    """Load the model and open the knowledge.

    Args:
        settings: which.
        method: any of those that will be run; it decides what the model has to be able to do.

    Raises:
        ModelError, KnowledgeError, ConfigError, MissingExtraError: as `Inspector.from_pretrained`.
    """
    from reason_iad.inspector import Inspector

    inspector = Inspector.from_pretrained(
        settings.model,
        knowledge=settings.knowledge,
        config=settings.config(method),
        device=settings.device,
        dtype=settings.dtype,
        base_url=settings.base_url,
        timeout=settings.timeout,
    )
    if inspector.knowledge is None:
        raise KnowledgeError("There is no knowledge; give --knowledge.")
    return Tools(inspector.backbone, inspector.knowledge)


def known_category(knowledge: KnowledgeStore, dataset: str, category: str) -> str | None:
    """The category of the knowledge that an image's folders name; None if there is none.

    Both names together tell most ('commutator/surface'), then that of the data set, if it is a product
    ('magnetic_tile/tile' is no ceramic tile), then that of the category.
    """
    from reason_iad.knowledge import resolve_category

    for name in (f"{dataset} {category}", dataset, category):
        try:
            return resolve_category(knowledge, name)
        except KnowledgeError:
            continue
    return None


class QuestionAnswerer:
    """Answers units with one method. Nothing that it keeps between units changes an answer.

    Args:
        tools: the model and the knowledge.
        settings: of the run.
        method: name of the method.
    """

    def __init__(self, tools: Tools, settings: Settings, method: str) -> None:
        self._settings = settings
        self._told = Workbench(tools.backbone, tools.knowledge, settings.config(method), None)
        self._untold = copy.copy(self._told)  # shares what is computed from references
        self._untold.knowledge = None
        self._store = tools.knowledge
        self._templates: OrderedDict[str, LoadedImage] = OrderedDict()

    def answer(self, unit: Unit) -> list[Answered]:
        """One result per question of the unit, in order."""
        naming = [question for question in unit.questions if subtask_of(question.kind) in NAMING_SUBTASKS]
        others = [question for question in unit.questions if question not in naming]
        start = time.perf_counter()
        try:
            image = self._load(unit.image)
            templates = [self._template(key) for key in unit.templates]
        except Exception as error:
            spent = (time.perf_counter() - start) / len(unit.questions)
            return [self._failed(unit, question, error, spent) for question in unit.questions]
        spent = (time.perf_counter() - start) / len(unit.questions)
        results: dict[int, Answered] = {}
        for asked, withheld in ((others, False), (naming, True)):
            if asked:
                results |= self._scene(unit, asked, image, templates, withheld, spent)
        return [results[question.index] for question in unit.questions]

    def _scene(
        self,
        unit: Unit,
        asked: Sequence[BenchQuestion],
        image: LoadedImage,
        templates: Sequence[LoadedImage],
        withheld: bool,
        spent: float,
    ) -> dict[int, Answered]:
        """Set a scene and ask these questions about it.

        Args:
            withheld: whether category and knowledge are.
            spent: seconds per question so far.
        """
        start = time.perf_counter()
        try:
            look = self._look(unit, image, templates, withheld)
            grid = self._grid(unit, look)
        except Exception as error:
            spent += (time.perf_counter() - start) / len(asked)
            return {question.index: self._failed(unit, question, error, spent) for question in asked}
        spent += (time.perf_counter() - start) / len(asked)
        results: dict[int, Answered] = {}
        for question in asked:
            start = time.perf_counter()
            try:
                found = self._ask(look, unit, question)
                found |= _evidence(look, grid, _key(unit, question))
            except Exception as error:
                results[question.index] = self._failed(unit, question, error, spent + time.perf_counter() - start)
                continue
            results[question.index] = self._result(unit, question, spent + time.perf_counter() - start, **found)
        return results

    def _look(
        self, unit: Unit, image: LoadedImage, templates: Sequence[LoadedImage], withheld: bool
    ) -> Examination:
        known = None if withheld else known_category(self._store, unit.dataset, unit.category)
        bench = self._told if known is not None else self._untold
        category = None if withheld else known or unit.category
        return _Look(bench, image.pixels, [template.pixels for template in templates], category)

    def _ask(self, look: Examination, unit: Unit, asked: BenchQuestion) -> dict[str, Any]:
        """Ask one question; fields of its record. Options are lettered anew, in order: files have gaps."""
        letters = list(asked.options)
        question = Question(_key(unit, asked), asked.text, tuple(asked.options.values()))
        if self._settings.answers == "text":
            return self._ask_for_text(look, question, letters)
        answer = look.ask(question)
        by_letter = {letter: answer.probabilities[shown] for shown, letter in zip(LETTERS, letters, strict=False)}
        return {
            "choice": None if answer.choice is None else letters[LETTERS.index(answer.choice)],
            "probabilities": {letter: round(value, 6) for letter, value in by_letter.items()},
            **_reasoning(answer, letters),
        }

    def _ask_for_text(self, look: Examination, question: Question, letters: list[str]) -> dict[str, Any]:
        """Have the model write its answer after the same prompt, and read the letter from it."""
        lines = [question.text.strip(), *(f"{letter}) {text}" for letter, text in question.lettered.items())]
        thoughts = ""
        if self._told.method.chain_of_thought:
            lines.append(THINK)
            thoughts = look.ask(Question(question.key, "\n".join(lines))).text + CONCLUDE
        answer = look.ask(Question(question.key, "\n".join(lines), opening=thoughts))
        reply = answer.text.removeprefix(thoughts).strip()
        shown = parse_reply(reply, question.options)
        unclear = {} if shown else {"failure": "unparsable", "error": "The reply names no option, or several."}
        return {
            "choice": letters[LETTERS.index(shown)] if shown else None,
            "reply": f"{thoughts} {reply}" if thoughts else reply,
            **unclear,
            **_reasoning(answer, letters),
        }

    def _grid(self, unit: Unit, look: Examination) -> MaskedGrid | None:
        """The mask on the grid of the query's tokens, for methods that inject patches."""
        reasoning = self._told.reasoning
        query = getattr(look.scene, "query", None)  # only a local model has tokens
        if unit.mask is None or reasoning is None or not reasoning.inject or query is None:
            return None
        try:
            return MaskedGrid(load_image(self._settings.images / unit.mask), query.rows, query.columns)
        except ImageError:
            log.debug("the mask of '%s'", unit.image, exc_info=True)  # it judges patches, it answers nothing
            return None

    def _load(self, key: str) -> LoadedImage:
        return load_image(self._settings.images / key)

    def _template(self, key: str) -> LoadedImage:
        if key not in self._templates:
            self._templates[key] = self._load(key)
        self._templates.move_to_end(key)
        while len(self._templates) > CACHED_TEMPLATES or (
            len(self._templates) > 1
            and sum(each.width * each.height for each in self._templates.values()) > CACHED_PIXELS
        ):
            self._templates.popitem(last=False)
        return self._templates[key]

    def _failed(self, unit: Unit, question: BenchQuestion, error: Exception, seconds: float) -> Answered:
        log.debug("answering '%s'", _key(unit, question), exc_info=error)
        words = str(error) if isinstance(error, ReasonIADError) else f"{type(error).__name__}: {error}"
        words = words.replace(f"{self._settings.images}{os.sep}", "")  # the same on every machine
        failure: Failure = "image" if isinstance(error, ImageError) else "error"
        return self._result(unit, question, seconds, choice=None, failure=failure, error=words)

    def _result(self, unit: Unit, question: BenchQuestion, seconds: float, **found: Any) -> Answered:
        answer = AnswerRecord(
            question=_key(unit, question),
            image=unit.image,
            index=question.index,
            dataset=unit.dataset,
            category=unit.category,
            kind=question.kind,
            abnormal=unit.abnormal,
            options=question.options,
            truth=question.truth,
            **found,
        )
        return Answered(
            answer, TimingRecord(question=answer.question, ms=round(seconds * 1000, 2), peak_mb=peak_mb())
        )


class _Look(Examination):
    """An examination whose map is computed only if the reasoning looks at it."""

    def _anomaly_map(self, model: Backbone) -> Any:
        reasoning = self.bench.reasoning
        if reasoning is None or not (reasoning.inject and reasoning.map_prior):
            return None
        return super()._anomaly_map(model)


def _key(unit: Unit, question: BenchQuestion) -> str:
    return f"{unit.image}#{question.index}"


def _reasoning(answer: Answer, letters: Sequence[str]) -> dict[str, Any]:
    """Reward and steps of latent reasoning, and what the initial state would have answered."""
    if not answer.steps:
        return {}
    initial = best_choice(answer.initial_probabilities) if answer.initial_probabilities else None
    return {
        "reward": round(answer.steps[-1].best_reward, 6),
        "steps": answer.steps[-1].step,
        "initial": None if initial is None else letters[LETTERS.index(initial)],
    }


def _evidence(look: Examination, grid: MaskedGrid | None, key: str) -> dict[str, Any]:
    """Knowledge in the prompt, and where the patches of this question lie."""
    found: dict[str, Any] = {"knowledge": tuple(each.entry.id for each in look.knowledge)}
    patches = [patch for patch in look.patches if patch.question == key]
    if grid is not None and patches:
        found |= {"inside": grid.inside(patches), "chance": grid.chance}
    return found


def peak_mb() -> float:
    """Peak memory so far in MB: of the GPU if it is used, else of this process; 0 where the system cannot tell."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and (used := torch.cuda.max_memory_allocated()):
        return round(float(used) / 2**20, 1)
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (2**20 if sys.platform == "darwin" else 2**10), 1)
