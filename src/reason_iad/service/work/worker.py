"""A worker: a process of its own that takes waiting parts, inspects them, and records what it found."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from reason_iad.errors import ReasonIADError
from reason_iad.service.background import end_with_parent
from reason_iad.service.database import Database, queue
from reason_iad.service.faults import Unavailable
from reason_iad.service.logs import write_log
from reason_iad.service.work.supplies import supplies_of

if TYPE_CHECKING:
    from reason_iad.products import Progress
    from reason_iad.schema import Inspection
    from reason_iad.service.settings import Settings
    from reason_iad.service.work.kinds import Kinds
    from reason_iad.service.work.supplies import Catalogue, Files, Supplies

log = logging.getLogger(__name__)
Answer = TypeVar("Answer")

TOGETHER = 8
"""Parts that are taken at once."""
QUICK_S, SLOW_S = 0.01, 0.05
"""Seconds to wait before asking again whether a part waits: at first, and when none has come for long. On a line
that is not busy, half of it is added to the time of each part; asking costs about a millisecond."""
LOST_S = 1.0
"""Seconds to wait after the database could not be reached."""


def work(settings: Settings, name: str, alive: Any, ready: Any, done: Any) -> None:
    """Work until told to stop; run in a process of its own.

    Args:
        settings: of the service.
        name: of the worker.
        alive: shared number: the monotonic time at which the worker last went on. Numbers are shared without a
            lock, because a process that is killed does not release one.
        ready: shared number: 1 once the worker takes parts.
        done: shared number: how many parts the worker has done.
    """
    write_log()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server says when to stop
    threading.Thread(target=end_with_parent, daemon=True).start()

    def goes_on(_step: str = "", _done: int = 0, _total: int = 0, /) -> None:
        alive.value = time.monotonic()

    goes_on()
    database = Database(settings.database_url)
    supplies = supplies_of(settings)
    kinds = _kinds(settings, supplies.products, goes_on)
    if settings.model is not None:
        kinds.open_model()

    def finished() -> None:
        done.value += 1  # nobody else writes it

    def prepare(product: str) -> None:
        with suppress(Exception):  # whoever inspects its parts says why they cannot be
            kinds.of(product)

    means = Means(partial(inspected, kinds, supplies), supplies.takers, prepare=prepare)
    worker = Worker(settings, name, database, means, stop, goes_on, finished)
    ready.value = 1
    worker.run()
    database.close()
    logging.shutdown()
    os._exit(0)  # a product may be learnt beside the parts, and a thread in PyTorch aborts the end of Python


def unprepared(_product: str) -> None:
    """Nothing has to be made ready."""


class Lost(Exception):
    """Whoever inspected a part has ended without an answer. The part is begun again, a few times."""


@dataclass(frozen=True, slots=True)
class Means:
    """What a worker inspects parts with.

    Attributes:
        inspect: gives what is found of a part, or why it cannot be inspected. Raises `Unavailable` if that can be
            tried again, and `Lost` if the part may be to blame.
        takers: says where outcomes go.
        together: parts that are taken at once.
        slow_s: as `SLOW_S`.
        prepare: makes ready for parts of a product, before one is taken. What stops a worker meanwhile is no fault
            of a part.
    """

    inspect: Callable[[queue.Job], queue.Finding | str]
    takers: Callable[[], queue.Takers]
    together: int = TOGETHER
    slow_s: float = SLOW_S
    prepare: Callable[[str], None] = unprepared


class Worker:
    """Takes parts until it is told to stop.

    Args:
        settings: of the service.
        name: of the worker.
        database: where parts wait.
        means: what it inspects parts with.
        stop: set when the worker shall end.
        goes_on: called whenever the worker goes on, so that one that hangs is noticed.
        finished: called after each part.
    """

    def __init__(
        self, settings: Settings, name: str, database: Database, means: Means, stop: threading.Event,
        goes_on: Callable[[], None], finished: Callable[[], None],
    ) -> None:  # fmt: skip
        self._limits, self._name, self._database = settings.limits, name, database
        self._means = means
        self._stop, self._goes_on, self._finished = stop, goes_on, finished
        self._takers: queue.Takers = queue.nobody
        self._held: tuple[int, ...] = ()

    def run(self) -> None:
        """Work until told to stop."""
        keeping = threading.Thread(target=self._keep, name="leases", daemon=True)
        keeping.start()
        pause = QUICK_S
        while not self._stop.is_set():
            self._goes_on()
            jobs = self._surely(self._claimed)
            for number, job in enumerate(jobs or ()):
                if self._stop.is_set():
                    break
                self._goes_on()
                try:
                    found = self._surely(partial(self._means.inspect, job))
                except Lost as error:
                    log.warning("%s", error)
                    self._held = ()
                    self._surely(self._given_back)
                    break
                if found is None:
                    break
                self._surely(self._recorder(job, found))
                if isinstance(found, str):
                    log.warning("Part %s of '%s' could not be inspected. %s", job.id, job.product, found)
                self._finished()
                self._held = tuple(each.id for each in (jobs or ())[number + 1 :])
            if self._stop.is_set() and self._held:
                left = [job for job in jobs or () if job.id in self._held]
                with suppress(Unavailable):  # the next server gives them back
                    queue.unbegun(self._database, self._name, left)
            pause = QUICK_S if jobs else min(2 * pause, self._means.slow_s)
            if not jobs:
                self._stop.wait(pause)

    def _claimed(self) -> list[queue.Job]:
        product = queue.next_product(self._database)
        if product is None:
            return []
        self._means.prepare(product)
        jobs = queue.claim(self._database, self._name, self._means.together, self._limits.lease_s)
        self._held = tuple(job.id for job in jobs)
        if jobs:
            self._takers = self._surely(self._means.takers) or self._takers
        return jobs

    def _given_back(self) -> None:
        limits = self._limits
        queue.give_back(self._database, limits.attempts, limits.lease_s, worker=self._name, takers=self._takers)

    def _recorder(self, job: queue.Job, found: queue.Finding | str) -> Callable[[], list[int]]:
        return lambda: queue.finish(self._database, self._name, [(job, found)], self._takers)

    def _surely(self, ask: Callable[[], Answer]) -> Answer | None:
        """Ask the database until it answers; None if the worker has to stop before."""
        lost = False
        while True:
            try:
                if lost and not self._held:  # it may have taken parts whose answer was lost
                    self._given_back()
                return ask()
            except Unavailable as error:
                lost = True
                log.warning("%s The worker tries again.", error)
                self._goes_on()
                if self._stop.wait(LOST_S):
                    return None

    def _keep(self) -> None:
        """Parts that take long are kept; a worker that hangs is ended by the server."""
        while not self._stop.wait(self._limits.lease_s / 4):
            with suppress(Unavailable):
                if held := self._held:
                    queue.renew(self._database, self._name, held, self._limits.lease_s)


def inspected(kinds: Kinds, supplies: Supplies, job: queue.Job) -> queue.Finding | str:
    """What is found, or why the part cannot be inspected.

    Raises:
        Unavailable: the picture or the product cannot be fetched now.
    """
    files: Files | None = None
    try:
        with supplies.files(job) as files:
            result = kinds.of(job.product).inspect(files.picture, template=files.template)
    except Unavailable:
        raise
    except ReasonIADError as error:
        return _unnamed(str(error), files, job.name)
    except Exception as error:  # whatever it is, the other parts must not suffer
        log.exception("inspection %s failed", job.id)
        return f"The program has a bug ({type(error).__name__}). The log of the server says more."
    return finding(_named(result, job))


def _named(result: Inspection, job: queue.Job) -> Inspection:
    """The result with the names that people know, in place of those of files."""
    image, evidence = result.image.model_copy(update={"name": job.name}), result.evidence
    product, template = evidence.product, None if evidence.product is None else evidence.product.template
    if product is not None and template is not None and template.sha256 == job.template:
        called = f"template of {job.name}"
        product = product.model_copy(update={"template": template.model_copy(update={"name": called})})
        product = product.model_copy(update={"left_out": called}) if product.nothing_compared else product
        evidence = evidence.model_copy(update={"product": product})
    return result.model_copy(update={"image": image, "evidence": evidence})


def _unnamed(said: str, files: Files | None, name: str) -> str:
    """A sentence that names no file of this machine."""
    if files is None:
        return said
    for path, shown in ((files.picture, name), (files.template, f"the template of {name}")):
        if path is not None:
            said = said.replace(str(path), shown).replace(str(path.parent.parent), "").replace(path.name, shown)
    return said


def finding(result: Inspection) -> queue.Finding:
    """What is recorded of a result."""
    product = result.evidence.product
    return queue.Finding(
        outcome=result.verdict,
        probability=result.probability,
        score=None if product is None else product.score,
        defect_type=result.in_words("type") if result.verdict == "defect" else None,
        place=result.in_words("place") if result.verdict == "defect" else None,
        explanation=result.explanation,
        json=result.to_json(),
    )


def _kinds(settings: Settings, products: Catalogue, goes_on: Progress) -> Kinds:
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # read once, when PyTorch is loaded
    import torch

    from reason_iad.service.work.kinds import Kinds

    # One core is left to the server. Threads that wait for a core cost more than they bring (docs/servers.md).
    torch.set_num_threads(max(1, ((os.cpu_count() or 1) - 1) // max(1, settings.workers)))
    return Kinds(products, settings.model, goes_on)
