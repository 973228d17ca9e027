"""A whole run, method after method: everything is checked first, the model is loaded once, answers go to disk.

check questions → hold the folders → compare with what is there → load → for each method: answer, append, finish
On Ray the workers load, and the first answer tells what.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Protocol

from reason_iad.bench.answerer import QuestionAnswerer, Recipe
from reason_iad.bench.conditions import Settings, conditions
from reason_iad.bench.fingerprints import Fingerprints
from reason_iad.bench.ray_worker import limit_threads
from reason_iad.bench.records import AnswerRecord
from reason_iad.bench.storage import Destination, RunFolder
from reason_iad.bench.tools import Tools, known_category, load_tools
from reason_iad.bench.work import Answered, Unit
from reason_iad.config import PRESETS
from reason_iad.inspection.many import run_many

if TYPE_CHECKING:
    from reason_iad.knowledge import KnowledgeStore


@dataclass(frozen=True, slots=True)
class OnRay:
    """Where to compute if not in this process.

    Attributes:
        address: of a cluster; None: this machine.
        workers: how many hold a model; None: as many as there is room for.
        gpus: per worker.
    """

    address: str | None = None
    workers: int | None = None
    gpus: float = 0.0


class Watcher(Protocol):
    """Sees a run as it goes on."""

    def warn(self, message: str) -> None:
        """Something about the run that the user should know."""
        ...

    def begin(self, method: str, questions: int, done: Sequence[AnswerRecord]) -> None:
        """A method begins, or goes on: so many questions, of which these are answered."""
        ...

    def advance(self, results: Sequence[Answered]) -> None:
        """The questions about one image were answered, and are on the disk."""
        ...

    def end(self, method: str, answers: Sequence[AnswerRecord]) -> None:
        """A method is complete."""
        ...


_Results = Generator[list[Answered], None, None]
_Answer = Callable[[Settings, str, RunFolder], _Results]


def run_methods(
    settings: Settings,
    methods: Sequence[str],
    units: Sequence[Unit],
    out: Destination,
    watcher: Watcher,
    *,
    ray: OnRay | None = None,
    threads: int | None = None,
) -> None:
    """Answer all questions with each method, into one folder per method.

    Args:
        settings: what all methods have in common.
        methods: names; one after another, with the model loaded once.
        units: what is asked, checked.
        out: the folder of the folders, and what to do with results that are there.
        watcher: told what happens.
        ray: compute there; None: in this process.
        threads: of torch, in this process or in each worker; None: as many as there are cores for each. Another
            number may move the last bits of a sum.

    Raises:
        DatasetError: results are in the way, or were made under other conditions.
        OutputError: another process writes there, or a result cannot be written; what was written before stays.
        ModelError, KnowledgeError, ConfigError, MissingExtraError: the model or the knowledge cannot be loaded.
    """
    from reason_iad.knowledge import open_knowledge

    knowledge = open_knowledge(settings.knowledge)
    if any(PRESETS[method].knowledge for method in methods):
        _warn_of_unknown(knowledge, units, watcher)
    sha256 = knowledge.sha256()
    with ExitStack() as stack:
        folders: dict[str, RunFolder] = {}
        files = Fingerprints(settings.images)
        for method in methods:
            known = conditions(settings, method, units, sha256, threads)
            folder = RunFolder(out.folder / method, units, known, resume=out.resume, overwrite=out.overwrite)
            folders[method] = stack.enter_context(folder)
            folder.require_files(files)
        if ray is not None and any(folder.pending for folder in folders.values()):
            from reason_iad.ray_session import session

            stack.enter_context(session(ray.address))  # one for all methods
        elif threads is not None:
            limit_threads(threads)
        answer: _Answer = (
            partial(_on_ray, ray, threads) if ray else partial(_here, load_tools(settings, methods[0]))
        )
        for method, folder in folders.items():
            watcher.begin(method, sum(len(unit.questions) for unit in units), folder.answers)
            with closing(answer(settings, method, folder)) as results:
                for batch in results:
                    if folder.append(batch):
                        watcher.advance(batch)
            folder.finish()
            watcher.end(method, folder.answers)


def _warn_of_unknown(knowledge: KnowledgeStore, units: Sequence[Unit], watcher: Watcher) -> None:
    pairs = dict.fromkeys((unit.dataset, unit.category) for unit in units)
    if unknown := ["/".join(pair) for pair in pairs if known_category(knowledge, *pair) is None]:
        watcher.warn(f"The knowledge has nothing on: {', '.join(unknown)}; their prompts go without.")


def _here(tools: Tools, settings: Settings, method: str, folder: RunFolder) -> _Results:
    """The answers to each unit, by the model in this process."""
    folder.begin(tools.backbone.version)
    answerer = QuestionAnswerer(tools, settings, method)
    with closing(run_many(folder.pending, answerer.answer)) as units:
        for unit in units:
            yield unit.result


def _on_ray(ray: OnRay, threads: int | None, settings: Settings, method: str, folder: RunFolder) -> _Results:
    """The answers to each unit, as they come; the run begins when the workers have told what model they hold."""
    from reason_iad.bench.ray_pool import stream

    if not folder.pending and folder.model is not None:  # nothing is left for a worker to do, and to tell
        folder.begin(folder.model)
    yield from stream(
        folder.pending, Recipe(settings.anywhere(), method), address=ray.address, workers=ray.workers,
        gpus=ray.gpus, threads=threads, on_model=folder.begin,
    )  # fmt: skip
