"""Many images: one outcome per image, in order, and a failed image never stops the others.

`run_many` is the loop, whatever is done with an image; `inspect_many` inspects.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from reason_iad.errors import ReasonIADError
from reason_iad.images import LoadedImage, printable
from reason_iad.schema import SCHEMA_VERSION, Inspection, Record

log = logging.getLogger(__name__)

Job = TypeVar("Job")
Result = TypeVar("Result")

LOOK_AHEAD = 2
"""So many jobs per worker thread are begun, or done, before the first of them has been taken."""


@dataclass(frozen=True, slots=True)
class Done(Generic[Job, Result]):
    """A job that was run.

    Attributes:
        job: as it was given.
        outcome: its result, or what went wrong.
    """

    job: Job
    outcome: Result | Exception

    @property
    def result(self) -> Result:
        """The result.

        Raises:
            Exception: what went wrong.
        """
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def run_many(
    jobs: Iterable[Job],
    run: Callable[[Job], Result],
    *,
    workers: int = 1,
    stop: threading.Event | None = None,
) -> Generator[Done[Job, Result], None, None]:
    """Run jobs lazily; yields each with its result or its exception, in the order of the jobs.

    With one worker, a job is taken and run when its outcome is asked for, in the thread that asks. With more, each
    thread is at most `LOOK_AHEAD` jobs ahead of what was taken, so memory does not grow with the number of jobs.

    Closing the iterator stops the work: no job is begun any more, and those that are running are waited for. An
    interrupt (Ctrl-C) does the same.

    Args:
        jobs: what to do; read in the thread that asks for outcomes.
        run: does one job; called by several threads if there are several workers.
        workers: how many threads.
        stop: once it is set, by any thread, no job is begun any more; outcomes of those that have begun still come.

    Raises:
        ValueError: there is not at least one worker.
    """
    if workers < 1:
        raise ValueError(f"'workers' must be at least 1, not {workers}")
    stop = stop or threading.Event()
    return _one_by_one(jobs, run, stop) if workers == 1 else _threaded(jobs, run, workers, stop)


def _one_by_one(
    jobs: Iterable[Job], run: Callable[[Job], Result], stop: threading.Event
) -> Generator[Done[Job, Result], None, None]:
    for job in jobs:
        if stop.is_set():
            return
        yield _done(job, run)


def _threaded(
    jobs: Iterable[Job], run: Callable[[Job], Result], workers: int, stop: threading.Event
) -> Generator[Done[Job, Result], None, None]:
    """The same with several threads: a pool begins jobs in order, and a queue keeps their outcomes in order."""

    def run_unless_stopped(job: Job) -> Done[Job, Result] | None:
        return None if stop.is_set() else _done(job, run)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="reason-iad")
    begun: deque[Future[Done[Job, Result] | None]] = deque()
    left = iter(jobs)
    try:
        for job in islice(left, LOOK_AHEAD * workers):
            begun.append(pool.submit(run_unless_stopped, job))
        while begun:
            done = begun.popleft().result()
            if done is None:
                continue
            if not stop.is_set():
                begun.extend(pool.submit(run_unless_stopped, job) for job in islice(left, 1))
            yield done
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _done(job: Job, run: Callable[[Job], Result]) -> Done[Job, Result]:
    try:
        return Done(job, run(job))
    except Exception as error:  # whatever it is, it must not cost the results of the other jobs
        log.debug("failed: %r", job, exc_info=True)
        return Done(job, error)


class Failure(Record):
    """An image that could not be inspected. Its line in a log is replaced when the run is resumed."""

    schema_version: str = SCHEMA_VERSION
    image: str
    error: str


Outcome = Inspection | Failure


class Inspecting(Protocol):
    """The part of `Inspector` that is needed to inspect many images."""

    def inspect(
        self,
        image: Path | LoadedImage,
        *,
        references: Sequence[Path | LoadedImage] = (),
        category: str | None = None,
        question: str | None = None,
    ) -> Inspection:
        """Inspect one image."""
        ...


def inspect_many(
    inspector: Inspecting,
    paths: Iterable[Path],
    *,
    references: Iterable[Path] = (),
    category: str | None = None,
    question: str | None = None,
    workers: int = 1,
    stop: threading.Event | None = None,
) -> Generator[Outcome, None, None]:
    """Inspect images lazily; yields one outcome per path, in order.

    The image of an outcome is named by its path as given, so that images of the same file name stay apart.

    Args:
        inspector: inspects one image; must bear several threads if there are several workers.
        paths: the images.
        references, category, question: as in `Inspector.inspect`, the same for all images.
        workers, stop: as in `run_many`.
    """

    good = tuple(references)  # a generator would be empty after the first image

    def inspect(path: Path) -> Inspection:
        return inspector.inspect(path, references=good, category=category, question=question)

    with closing(run_many(paths, inspect, workers=workers, stop=stop)) as images:
        for done in images:
            yield _outcome(done)


def named(result: Inspection, path: Path) -> Inspection:
    """The same result, its image named by the path as given instead of by the file's name."""
    image = result.image.model_copy(update={"name": printable(path)})
    return result.model_copy(update={"image": image})


def _outcome(done: Done[Path, Inspection]) -> Outcome:
    if isinstance(done.outcome, Inspection):
        return named(done.outcome, done.job)
    error = done.outcome
    said = str(error) if isinstance(error, ReasonIADError) else f"Internal error: {type(error).__name__}: {error}"
    return Failure(image=printable(done.job), error=said)
