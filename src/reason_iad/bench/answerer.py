"""Answers the questions about one image with a model, in this process. Satisfies `work.Answerer`.

The questions of an image share one scene, so vision and prefix are paid once. Those that ask what the object is get
a scene of their own without the category's name and without knowledge, which would give the answer away. Whatever
goes wrong with an image or a question becomes a failed answer, and the run goes on.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from reason_iad.images import load_mask
from reason_iad.inspection.answering import RemoteScene, Scene
from reason_iad.inspection.clock import Clock
from reason_iad.inspection.deciding import Case, Decision, ask, decide
from reason_iad.inspection.intents import of_benchmark
from reason_iad.inspection.lookup import Known, look_up
from reason_iad.inspection.questions import LETTERS, Question, best_choice
from reason_iad.inspection.scenes import closer_looks, set_scene
from reason_iad.inspection.setup import make_setup
from reason_iad.inspection.subject import Subject, compare, load_subject
from reason_iad.schema import Answer

if TYPE_CHECKING:
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
        self._told = make_setup(tools.backbone, tools.knowledge, settings.config(method))
        self._untold = replace(self._told, knowledge=None)  # shares what is computed from images
        reasoning = self._told.reasoning
        injects = reasoning is not None and reasoning.inject and reasoning.map_prior
        self._compares = injects or self._told.fusion is not None
        self._known: dict[tuple[str, str], str | None] = {}
        self._pictures = Pictures(settings.images)
        self._files = Fingerprints(settings.images)
        self.version = self._told.version

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
            subject = self._subject(unit)
            difference = compare(self._told, subject, Clock()) if self._compares else None
        except Exception as error:
            return [self._failed(unit, question, error, clock.stop()) for question in unit.questions]
        spent = clock.stop()
        for asked, withheld in ((others, False), (naming, True)):
            if not asked:
                continue
            clock = _Clock(len(asked), spent)
            try:
                case = self._case(unit, subject, difference, withheld)
                grid = self._grid(unit, case.scene)
            except Exception as error:
                results |= {each.index: self._failed(unit, each, error, clock.stop()) for each in asked}
                continue
            each_spent = clock.stop()
            for question in asked:
                results[question.index] = self._answer(unit, question, case, grid, _Clock(1, each_spent))
        return [results[question.index] for question in unit.questions]

    def _subject(self, unit: Unit) -> Subject:
        image, templates = self._pictures.load(unit.image), map(self._pictures.template, unit.templates)
        return load_subject(self._told, image, templates, Clock())

    def _case(self, unit: Unit, subject: Subject, difference: AnomalyMap | None, withheld: bool) -> Case:
        """Look up what is known and set the scene.

        Args:
            withheld: whether the category's name and its knowledge are.
        """
        known = None if withheld else self._category(unit.dataset, unit.category)
        setup, clock = self._told if known is not None else self._untold, Clock()
        told = look_up(setup, subject.image, None if withheld else known or unit.category, "", clock)
        scene = set_scene(setup, subject, told, difference, clock)
        return Case(setup, subject, told, difference, scene, closer_looks(subject, scene, difference), clock)

    def _category(self, dataset: str, category: str) -> str | None:
        names = (dataset, category)
        if names not in self._known:
            self._known[names] = known_category(self._knowledge, dataset, category)
        return self._known[names]

    def _answer(
        self, unit: Unit, question: BenchQuestion, case: Case, grid: MaskedGrid | None, clock: _Clock
    ) -> Answered:
        try:
            found = self._ask(case, question, _key(unit, question), grid)
        except Exception as error:
            return self._failed(unit, question, error, clock.stop())
        return self._result(unit, question, clock.stop(), **found)

    def _ask(self, case: Case, asked: BenchQuestion, key: str, grid: MaskedGrid | None) -> dict[str, Any]:
        """Ask one question; fields of its record. Options are lettered anew, in order: files have gaps."""
        letters = list(asked.options)
        question = of_benchmark(Question(key, asked.text, tuple(asked.options.values())))
        if self._settings.answers == "text":
            return self._ask_for_text(case, question, letters, grid)
        decision = decide(case, question)
        answer = decision.answer
        by_letter = {letter: answer.probabilities[shown] for shown, letter in zip(LETTERS, letters, strict=False)}
        return {
            "choice": None if answer.choice is None else letters[LETTERS.index(answer.choice)],
            "probabilities": {letter: round(value, 6) for letter, value in by_letter.items()},
            **_reasoning(answer, letters),
            **_evidence(case.known, decision, grid),
        }

    def _ask_for_text(
        self, case: Case, question: Question, letters: list[str], grid: MaskedGrid | None
    ) -> dict[str, Any]:
        """Have the model write its answer after the same prompt, and read the letter from it."""
        lines = [question.text.strip(), *(f"{letter}) {text}" for letter, text in question.lettered.items())]
        thoughts = ""
        if self._told.method.chain_of_thought:
            lines.append(THINK)
            thoughts = ask(case, Question(question.key, "\n".join(lines))).answer.text + CONCLUDE
        decision = ask(case, Question(question.key, "\n".join(lines), opening=thoughts))
        answer = decision.answer
        reply = answer.text.removeprefix(thoughts).strip()
        shown = parse_reply(reply, question.options)
        unclear = {} if shown else {"failure": "unparsable", "error": "The reply names no option, or several."}
        return {
            "choice": letters[LETTERS.index(shown)] if shown else None,
            "reply": f"{thoughts} {reply}" if thoughts else reply,
            **unclear,
            **_reasoning(answer, letters),
            **_evidence(case.known, decision, grid),
        }

    def _grid(self, unit: Unit, scene: Scene | RemoteScene) -> MaskedGrid | None:
        """The mask on the grid of the query's tokens, for methods that inject patches."""
        reasoning = self._told.reasoning
        query = scene.query if isinstance(scene, Scene) else None  # only a local model has tokens
        if unit.mask is None or reasoning is None or not reasoning.inject or query is None:
            return None
        try:
            mask = load_mask(self._settings.images / unit.mask).mask
            return MaskedGrid(mask.marked, query.rows, query.columns)
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


def _evidence(known: Known, decision: Decision, grid: MaskedGrid | None) -> dict[str, Any]:
    """Knowledge in the prompt, and where the patches of this question lie."""
    found: dict[str, Any] = {"knowledge": tuple(each.entry.id for each in known.shown)}
    if grid is not None and decision.patches:
        found |= {"inside": grid.inside(decision.patches), "chance": grid.chance}
    return found
