"""Answers the questions about one image with a model, in this process. Satisfies `work.Answerer`.

The questions of an image share one scene, so vision and prefix are paid once. Those that ask what the object is get
a scene of their own without the category's name and without knowledge, which would give the answer away. Whatever
goes wrong with an image or a question becomes a failed answer, and the run goes on.
"""

from __future__ import annotations

import copy
import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reason_iad.bench.conditions import Settings
from reason_iad.bench.fingerprints import Fingerprints
from reason_iad.bench.overlap import MaskedGrid
from reason_iad.bench.parsing import parse_reply
from reason_iad.bench.records import RETRIED, AnswerRecord, Failure, TimingRecord
from reason_iad.bench.subtasks import NAMING_SUBTASKS, subtask_of
from reason_iad.bench.tools import Pictures, Tools, known_category, load_tools, peak_mb
from reason_iad.bench.work import Answered, BenchQuestion, Unit
from reason_iad.errors import ImageError, ReasonIADError
from reason_iad.images import LoadedImage
from reason_iad.inspection.examination import Examination
from reason_iad.inspection.questions import LETTERS, Question, best_choice
from reason_iad.inspection.workbench import Workbench
from reason_iad.schema import Answer

if TYPE_CHECKING:
    from reason_iad.backbones.base import Backbone
    from reason_iad.expert import AnomalyMap

log = logging.getLogger(__name__)

THINK = "Think step by step in a few short sentences, then name the letter of one option."
CONCLUDE = "\nAnswer:"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Makes an answerer wherever it is called: in this process, or in a worker on another machine."""

    settings: Settings
    method: str

    def __call__(self) -> QuestionAnswerer:
        """Load the model and the knowledge.

        Raises:
            ModelError, KnowledgeError, ConfigError, MissingExtraError: they cannot be loaded.
        """
        return QuestionAnswerer(load_tools(self.settings, self.method), self.settings, self.method)


class QuestionAnswerer:
    """Answers units with one method. Nothing that it keeps between units changes an answer.

    Args:
        tools: the model and the knowledge.
        settings: of the run.
        method: name of the method.
    """

    def __init__(self, tools: Tools, settings: Settings, method: str) -> None:
        self._settings, self._knowledge = settings, tools.knowledge
        self._told = Workbench(tools.backbone, tools.knowledge, settings.config(method), None)
        self._untold = copy.copy(self._told)  # shares what is computed from images
        self._untold.knowledge = None
        self._known: dict[tuple[str, str], str | None] = {}
        self._pictures = Pictures(settings.images)
        self._files = Fingerprints(settings.images)
        self.version = tools.backbone.version

    def answer(self, unit: Unit) -> list[Answered]:
        """One result per question of the unit, in order; those that a model gave know what files it was given."""
        return [
            each if each.answer.failure in RETRIED else each._replace(answer=self._signed(unit, each.answer))
            for each in self._results(unit)
        ]

    def _signed(self, unit: Unit, answer: AnswerRecord) -> AnswerRecord:
        return answer.model_copy(update={"files_sha256": self._files.of(unit)})

    def _results(self, unit: Unit) -> list[Answered]:
        naming = [question for question in unit.questions if subtask_of(question.kind) in NAMING_SUBTASKS]
        others = [question for question in unit.questions if question not in naming]
        results: dict[int, Answered] = {}
        clock = _Clock(len(unit.questions))
        try:
            shown = _Shown(self._pictures.load(unit.image), [*map(self._pictures.template, unit.templates)])
        except Exception as error:
            return [self._failed(unit, question, error, clock.stop()) for question in unit.questions]
        spent = clock.stop()
        for asked, withheld in ((others, False), (naming, True)):
            if not asked:
                continue
            clock = _Clock(len(asked), spent)
            try:
                look = self._look(unit, shown, withheld)
                grid = self._grid(unit, look)
            except Exception as error:
                results |= {each.index: self._failed(unit, each, error, clock.stop()) for each in asked}
                continue
            each_spent = clock.stop()
            for question in asked:
                results[question.index] = self._answer(unit, question, look, grid, _Clock(1, each_spent))
        return [results[question.index] for question in unit.questions]

    def _look(self, unit: Unit, shown: _Shown, withheld: bool) -> _Look:
        """Set a scene.

        Args:
            withheld: whether the category's name and its knowledge are.
        """
        known = None if withheld else self._category(unit.dataset, unit.category)
        bench = self._told if known is not None else self._untold
        return _Look(bench, shown, None if withheld else known or unit.category)

    def _category(self, dataset: str, category: str) -> str | None:
        names = (dataset, category)
        if names not in self._known:
            self._known[names] = known_category(self._knowledge, dataset, category)
        return self._known[names]

    def _answer(
        self, unit: Unit, question: BenchQuestion, look: _Look, grid: MaskedGrid | None, clock: _Clock
    ) -> Answered:
        try:
            found = self._ask(look, question, _key(unit, question)) | _evidence(look, grid, _key(unit, question))
        except Exception as error:
            return self._failed(unit, question, error, clock.stop())
        return self._result(unit, question, clock.stop(), **found)

    def _ask(self, look: _Look, asked: BenchQuestion, key: str) -> dict[str, Any]:
        """Ask one question; fields of its record. Options are lettered anew, in order: files have gaps."""
        letters = list(asked.options)
        question = Question(key, asked.text, tuple(asked.options.values()))
        if self._settings.answers == "text":
            return self._ask_for_text(look, question, letters)
        answer = look.weighed(question, look.ask(question))
        by_letter = {letter: answer.probabilities[shown] for shown, letter in zip(LETTERS, letters, strict=False)}
        return {
            "choice": None if answer.choice is None else letters[LETTERS.index(answer.choice)],
            "probabilities": {letter: round(value, 6) for letter, value in by_letter.items()},
            **_reasoning(answer, letters),
        }

    def _ask_for_text(self, look: _Look, question: Question, letters: list[str]) -> dict[str, Any]:
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

    def _grid(self, unit: Unit, look: _Look) -> MaskedGrid | None:
        """The mask on the grid of the query's tokens, for methods that inject patches."""
        reasoning = self._told.reasoning
        query = getattr(look.scene, "query", None)  # only a local model has tokens
        if unit.mask is None or reasoning is None or not reasoning.inject or query is None:
            return None
        try:
            return MaskedGrid(self._pictures.load(unit.mask), query.rows, query.columns)
        except ImageError:
            log.debug("the mask of '%s'", unit.image, exc_info=True)  # it judges patches, it answers nothing
            return None

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
        ms = round(seconds * 1000, 2)
        return Answered(answer, TimingRecord(question=answer.question, ms=ms, peak_mb=peak_mb()))


@dataclass(slots=True)
class _Shown:
    """The images of a unit, and the map that compares them once it is computed."""

    image: LoadedImage
    templates: list[LoadedImage]
    map: AnomalyMap | None = None


class _Look(Examination):
    """An examination whose map is computed only if something uses it, and once for all looks at an image."""

    def __init__(self, bench: Workbench, shown: _Shown, category: str | None) -> None:
        self._pictures = shown
        super().__init__(bench, shown.image.pixels, [each.pixels for each in shown.templates], category)

    def _anomaly_map(self, model: Backbone) -> AnomalyMap | None:
        reasoning = self.bench.reasoning
        injects = reasoning is not None and reasoning.inject and reasoning.map_prior
        if not injects and self.bench.fusion is None:
            return None
        if self._pictures.map is None:
            self._pictures.map = super()._anomaly_map(model)
        return self._pictures.map


class _Clock:
    """Seconds of work shared by so many questions, on top of what each has taken before."""

    def __init__(self, questions: int, before: float = 0.0) -> None:
        self._questions, self._before, self._start = questions, before, time.perf_counter()

    def stop(self) -> float:
        """Seconds per question until now."""
        return self._before + (time.perf_counter() - self._start) / self._questions


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


def _evidence(look: _Look, grid: MaskedGrid | None, key: str) -> dict[str, Any]:
    """Knowledge in the prompt, and where the patches of this question lie."""
    found: dict[str, Any] = {"knowledge": tuple(each.entry.id for each in look.knowledge)}
    patches = [patch for patch in look.patches if patch.question == key]
    if grid is not None and patches:
        found |= {"inside": grid.inside(patches), "chance": grid.chance}
    return found
