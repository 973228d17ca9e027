"""Units answered by many workers at once: Ray Data over a pool of actors, one model per actor.

What is notable:
- Each actor is given one small batch at a time, and the next when it is done, so that workers of unequal speed end
  together and none sits on work that another could do.
- Units and answers travel as JSON in Arrow columns; of ours only the function that loads the model is pickled.
- Ray starts a worker that died again and has its batch computed again; a unit that nobody survives ends in an error
  that names it, after all others are answered (`ray_worker.Ledger`). Answers are known by their unit's number: none
  is given out twice, and a run never ends as if it were complete when it is not.
- An answer depends on its unit and on the model alone (`work.Unit`), so neither the number of workers nor the order
  in which they finish can change it. The number of threads can, in the last bits of a sum: give `threads` to have a
  run computed exactly as another.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from reason_iad.bench.ray_worker import ATTEMPTS, Ledger, Worker, raised, results_of, text_of
from reason_iad.bench.work import Answered, MakeAnswerer, Unit
from reason_iad.errors import ConfigError, ModelError
from reason_iad.images import printable
from reason_iad.ray_session import check_address, session
from reason_iad.schema import ModelVersion

if TYPE_CHECKING:
    import pyarrow as pa

DEFAULT_WORKERS = 2
"""Without GPUs and without a wish. Each worker holds a model: more is a question of memory."""

FATAL_LIMIT = 8
"""So many units may kill their workers before the run is given up: the units are not at fault then."""

READER_SECONDS = 10.0
"""How long the threads that read ahead may take to end once nobody reads; each looks ten times a second."""

_READERS = ("iter_threaded", "map_tp_", "StreamingExecutor")
"""How the names of those threads of Ray Data begin, in the versions since 2.52."""


def stream(
    units: Sequence[Unit],
    make_answerer: MakeAnswerer,
    *,
    address: str | None,
    workers: int | None,
    gpus: float = 0.0,
    batch: int = 1,
    threads: int | None = None,
    on_model: Callable[[ModelVersion], None] | None = None,
) -> Iterator[list[Answered]]:
    """Answer units on Ray; yields each unit's results once, as soon as they are there, in any order.

    Close the iterator to stop early: workers are ended, and a Ray of our own is stopped.

    Args:
        units: what to answer; their numbers are unique.
        make_answerer: loads the model, once in every worker.
        address: of a Ray cluster; None: start Ray on this machine for as long as this takes (see `ray_session`).
        workers: how many; None: one for each share of a GPU that there is, two without GPUs.
        gpus: GPUs per worker: 0, a share such as 0.25, or a whole number. With 0 a worker sees none.
        batch: units that a worker is given at once. One balances best; more pays when a unit takes milliseconds.
        threads: of torch in each worker; None: as many as there are cores for each.
        on_model: told once what model the workers hold, before the first results are yielded.

    Raises:
        ConfigError: an option is out of its range, there are not as many GPUs, or the cluster cannot be reached.
        MissingExtraError: Ray is not installed.
        ModelError: units that killed their worker at every attempt; all others have been yielded by then. Or the
            workers do not all hold the same model.
        ReasonIADError: what a worker raised, as its own class.
    """
    for name, value in (("workers", workers), ("batch", batch), ("threads", threads)):
        if value is not None and value < 1:
            raise ConfigError(f"'{name}' must be at least 1, not {value}.")
    if not math.isfinite(gpus) or gpus < 0 or (gpus > 1 and gpus != int(gpus)):
        raise ConfigError(f"GPUs per worker must be 0, a share below 1, or a whole number, not {gpus}.")
    if address is not None:
        check_address(address)
    return _stream(units, make_answerer, address, workers, gpus, batch, threads, _Agreement(on_model))


def _stream(
    units: Sequence[Unit],
    make_answerer: MakeAnswerer,
    address: str | None,
    workers: int | None,
    gpus: float,
    batch: int,
    threads: int | None,
    agreement: _Agreement,
) -> Iterator[list[Answered]]:
    missing = {unit.number: unit for unit in units}
    if not missing:
        return
    fatal: list[Unit] = []
    with session(address), _quiet():
        import ray.exceptions

        tables = _answers(
            list(missing.values()), make_answerer, _plan(workers, gpus, threads, here=address is None), batch
        )
        try:
            for row in (row for table in tables for row in table.to_pylist()):
                if row["failure"] is not None:
                    raise raised(row["failure"])
                unit = missing.pop(row["number"], None)
                if unit is None:
                    continue
                if row["died"]:
                    fatal.append(unit)
                    if len(fatal) > FATAL_LIMIT:
                        break
                else:
                    agreement.require(row["model"])
                    yield results_of(row["answers"])
        except ray.exceptions.RayError as error:
            raise ModelError(f"Ray gave up: {printable(str(error).strip().splitlines()[0])}") from error
        finally:
            tables.close()  # ends the workers
    if fatal:
        rest = f"{len(missing)} images were given up" if missing else "all others are answered"
        raise ModelError(
            f"A worker died {ATTEMPTS} times of each of {_names(fatal)}, probably for lack of memory; {rest}: "
            "resume with fewer workers."
        )
    if missing:
        raise ModelError(f"Ray lost the answers to {_names(list(missing.values()))}; resume.")


class _Agreement:
    """Makes sure that all workers hold the same model, and tells once which."""

    def __init__(self, told: Callable[[ModelVersion], None] | None) -> None:
        self._told = told
        self._model: ModelVersion | None = None

    def require(self, text: str) -> None:
        """Take note of a worker's model, as JSON.

        Raises:
            ModelError: it is not that of the others.
        """
        model = ModelVersion.model_validate_json(text)
        if self._model is None:
            self._model = model
            if self._told is not None:
                self._told(model)
        elif model != self._model:
            raise ModelError(
                f"The workers hold different models, {_model_words(self._model)} and {_model_words(model)}; use "
                "the same files and devices on all machines, then resume."
            )


def _model_words(model: ModelVersion) -> str:
    return f"'{printable(model.name)}' ({model.dtype} on {model.device}, sha256 {model.sha256[:12]})"


def _names(units: Sequence[Unit]) -> str:
    """The first few units, by their images."""
    more = f" and {len(units) - 3} more" if len(units) > 3 else ""
    return ", ".join(f"'{printable(unit.image)}'" for unit in units[:3]) + more


@dataclass(frozen=True, slots=True)
class _Pool:
    """The workers of a run.

    Attributes:
        workers: how many.
        cpus: what each reserves of Ray's CPUs, at most 1.
        gpus: what each reserves of its GPUs.
        threads: torch threads of each.
    """

    workers: int
    cpus: float
    gpus: float
    threads: int


def _plan(workers: int | None, gpus: float, threads: int | None, *, here: bool) -> _Pool:
    """How many workers, and what each is given of the cluster.

    Raises:
        ConfigError: the GPUs do not suffice.
    """
    import ray

    resources: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call, unused-ignore]
    cpus = resources.get("CPU", 1.0)
    if gpus:
        present = int(resources.get("GPU", 0))
        room = present * int(1 / gpus + 1e-9) if gpus <= 1 else present // int(gpus)
        if room < (workers if workers and here else 1):
            wanted = f"{workers} workers with {gpus:g} GPUs each" if workers else f"{gpus:g} GPUs per worker"
            raise ConfigError(f"Ray has {present} GPUs, too few for {wanted}; use fewer.")
        workers = workers or room
    workers = workers or DEFAULT_WORKERS
    share = math.floor(min(1.0, cpus / workers) * 1e4) / 1e4  # Ray counts in ten-thousandths
    return _Pool(workers, share, gpus, threads or max(1, int(cpus // workers)))


def _answers(
    units: list[Unit], make_answerer: MakeAnswerer, pool: _Pool, batch: int
) -> Generator[pa.Table, None, None]:
    """The Ray Data pipeline: one block per batch in, one out, in the order in which they are done."""
    import ray.data

    ledger: Any = ray.remote(Ledger).options(num_cpus=0, max_restarts=-1, max_task_retries=-1).remote()
    blocks = math.ceil(len(units) / batch)
    answers = ray.data.from_items(
        [{"unit": text_of(unit)} for unit in units], override_num_blocks=blocks
    ).map_batches(
        Worker,
        fn_constructor_args=(make_answerer, pool.threads, ledger, pool.gpus),
        batch_size=batch,
        batch_format="pyarrow",
        compute=ray.data.ActorPoolStrategy(size=min(pool.workers, blocks), max_tasks_in_flight_per_actor=1),
        num_cpus=None if pool.gpus else pool.cpus,  # Ray Data advises against both
        num_gpus=pool.gpus or None,
    )
    context = answers.context
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    context.execution_no_progress_timeout_s = -1  # how long one unit takes is not Ray's business
    others = set(threading.enumerate())
    try:
        yield from answers.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
    finally:
        _let_readers_end(others)


def _let_readers_end(others: set[threading.Thread]) -> None:
    """Wait for the threads of Ray Data that read ahead: should one of them let go of a block after Ray was shut
    down, Ray ends the whole process without a word."""
    deadline = time.monotonic() + READER_SECONDS
    for thread in set(threading.enumerate()) - others:
        if thread.name.startswith(_READERS):
            thread.join(max(0.0, deadline - time.monotonic()))


@contextmanager
def _quiet() -> Iterator[None]:
    """Ray Data tells its whole plan at INFO, and a lost worker as an error; `stream` says what matters."""
    import ray.data  # it sets up its loggers when it is imported

    logger = logging.getLogger(ray.data.__name__)
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
