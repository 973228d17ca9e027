"""A worker: a process of its own that takes waiting parts, inspects them, and records what it found."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from multiprocessing import parent_process
from multiprocessing.connection import wait as wait_for
from typing import TYPE_CHECKING, Any

from reason_iad.errors import ReasonIADError
from reason_iad.service import queue
from reason_iad.service.database import Database
from reason_iad.service.faults import Unavailable
from reason_iad.service.pictures import PictureStore

if TYPE_CHECKING:
    from reason_iad.schema import Inspection
    from reason_iad.service.kinds import Kinds
    from reason_iad.service.settings import Settings

log = logging.getLogger(__name__)

TOGETHER = 8
"""Parts that are taken at once."""
QUICK_S, SLOW_S = 0.01, 0.25
"""Seconds to wait before asking again whether a part waits: at first, and when none has come for long."""
LOST_S = 2.0
"""Seconds to wait after the database could not be reached."""


def work(settings: Settings, name: str, begun: Any, ready: Any) -> None:
    """Work until told to stop; run in a process of its own.

    Args:
        settings: of the service.
        name: of the worker.
        begun: shared number: the monotonic time at which the current part began; 0 while none is worked on.
        ready: shared event, set when the worker takes parts.
    """
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server says when to stop
    threading.Thread(target=_end_with_parent, daemon=True).start()
    database = Database(settings.database_url)
    kinds = _kinds(settings)
    pictures, takers = PictureStore(settings.pictures), settings.configuration.sinks_for
    ready.set()
    pause = QUICK_S
    while not stop.is_set():
        try:
            jobs = queue.claim(database, name, TOGETHER, settings.limits.lease_s)
            for number, job in enumerate(jobs):
                if stop.is_set():
                    queue.give_back(database, settings.limits.attempts + 1, worker=name, takers=takers)
                    break
                begun.value = time.monotonic()
                if number:
                    queue.renew(database, name, [each.id for each in jobs[number:]], settings.limits.lease_s)
                queue.finish(database, name, [(job, inspected(kinds, pictures, job))], takers)
            pause = QUICK_S if jobs else min(2 * pause, SLOW_S)
        except Unavailable as error:
            log.warning("%s The worker tries again.", error)
            pause = LOST_S
        finally:
            begun.value = 0.0
        if pause != QUICK_S or not jobs:
            stop.wait(pause)
    database.close()


def inspected(kinds: Kinds, pictures: PictureStore, job: queue.Job) -> queue.Finding | str:
    """What is found, or why the part cannot be inspected."""
    try:
        result = kinds.of(job.product).inspect(pictures.path(job.picture))
    except ReasonIADError as error:
        return str(error)
    except Exception as error:  # whatever it is, the other parts must not suffer
        log.exception("inspection %s failed", job.id)
        return f"The program has a bug: {type(error).__name__}: {error}"
    return finding(result.model_copy(update={"image": result.image.model_copy(update={"name": job.name})}))


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


def _kinds(settings: Settings) -> Kinds:
    import torch

    from reason_iad.products import Products
    from reason_iad.service.kinds import Kinds

    # Several workers share the machine; with one thread each they do not wait for one another (docs/threads).
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // max(1, settings.workers)) if settings.workers == 1 else 1)
    return Kinds(Products(settings.products), settings.model)


def _end_with_parent() -> None:
    """A worker whose server was killed ends at once; what it held goes back when the next server starts."""
    parent = parent_process()
    if parent is not None:
        wait_for([parent.sentinel])
        os._exit(1)
