"""What runs in a Ray worker: one model, answering blocks of units; and the ledger that knows who died of what.

Ray Data starts a worker that died again, and gives it the block that was lost, as often as it takes. So a unit
that kills its worker (say, an image that needs more memory than there is) would be tried for ever. The ledger is an
actor of its own that is told what a worker begins and what it has done: a unit begun `ATTEMPTS` times and never
done is not begun again, and neither is a model that kills while it loads. Units that merely shared a block with
such a unit are answered.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from reason_iad import errors
from reason_iad.bench.records import AnswerRecord, TimingRecord
from reason_iad.bench.work import Answered, Answerer, BenchQuestion, MakeAnswerer, Unit
from reason_iad.errors import ModelError, ReasonIADError

if TYPE_CHECKING:
    import pyarrow as pa

log = logging.getLogger(__name__)

ATTEMPTS = 3
"""How often a unit is tried whose worker dies of it."""

COLUMNS = ("number", "model", "answers", "died", "failure")
"""Of a block of results: the unit's number, and either the model and its answers, that it kills its worker, or an
exception."""


class Ledger:
    """Counts what was begun and not done. Lives in an actor; if that dies, counting starts afresh."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    def begin(self, what: str) -> bool:
        """Note a beginning; False, and nothing noted, if it was begun `ATTEMPTS` times and never done."""
        if self._open[what] >= ATTEMPTS:
            return False
        self._open[what] += 1
        return True

    def done(self, what: str) -> None:
        """Note an end."""
        self._open.pop(what, None)


class Worker:
    """Holds a model; a callable for `Dataset.map_batches`.

    Exceptions do not leave it, as Ray would take them for its own troubles: they travel as text (`raised`).

    Args:
        make_answerer: loads the model.
        threads: of torch.
        ledger: handle of the `Ledger`.
        gpus: of those that Ray counts, how many are reserved for it; with 0 it sees none.
    """

    def __init__(self, make_answerer: MakeAnswerer, threads: int, ledger: Any, gpus: float) -> None:
        import ray

        if not gpus:
            hide_gpus()
        self._ledger = ledger
        self._answerer: Answerer | None = None
        self._failure: str | None = None
        loading = f"load {ray.get_runtime_context().get_actor_id()}"
        if not ray.get(ledger.begin.remote(loading)):
            reason = f"A worker died {ATTEMPTS} times while it loaded the model, probably for lack of memory"
            self._failure = described(ModelError(f"{reason}; use fewer workers."))
            return
        try:
            limit_threads(threads)
            self._answerer = make_answerer()
            limit_threads(threads)  # the model may have been the first to load torch
        except Exception as error:
            self._failure = described(error)
        ledger.done.remote(loading)

    def __call__(self, units: pa.Table) -> pa.Table:
        """Answer the units of a block (column `unit`); columns as `COLUMNS`."""
        import pyarrow as pa

        rows = [self._row(unit_of(text)) for text in units["unit"].to_pylist()]
        types = (pa.int64(), pa.string(), pa.string(), pa.bool_(), pa.string())
        return pa.Table.from_pylist(rows, schema=pa.schema(list(zip(COLUMNS, types, strict=True))))

    def _row(self, unit: Unit) -> dict[str, Any]:
        import ray

        row = {"number": unit.number, "model": None, "answers": None, "died": False, "failure": self._failure}
        if self._answerer is None:
            return row
        what = f"unit {unit.number}"
        if not ray.get(self._ledger.begin.remote(what)):
            return {**row, "died": True}
        try:
            row["answers"] = text_of_results(self._answerer.answer(unit))
            row["model"] = self._answerer.version.model_dump_json()
        except Exception as error:
            row["failure"] = described(error)
        self._ledger.done.remote(what)
        return row


def limit_threads(threads: int) -> None:
    """Have torch compute with so many threads in this process, whether it is loaded yet or not."""
    threads = min(threads, os.cpu_count() or 1)
    os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(threads)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)


def hide_gpus() -> None:
    """Have torch find no GPU in this process; it looks when it first computes on one."""
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        os.environ[name] = ""


def text_of(unit: Unit) -> str:
    """A unit as JSON."""
    return json.dumps(asdict(unit))


def unit_of(text: str) -> Unit:
    """The inverse of `text_of`."""
    data = json.loads(text)
    questions = tuple(BenchQuestion(**question) for question in data["questions"])
    return Unit(**{**data, "templates": tuple(data["templates"]), "questions": questions})


def text_of_results(results: list[Answered]) -> str:
    """Results of a unit as JSON."""
    return json.dumps([[result.answer.model_dump_json(), result.timing.model_dump_json()] for result in results])


def results_of(text: str) -> list[Answered]:
    """The inverse of `text_of_results`.

    Raises:
        ModelError: a worker wrote other records than this process reads.
    """
    try:
        return [
            Answered(AnswerRecord.model_validate_json(answer), TimingRecord.model_validate_json(timing))
            for answer, timing in json.loads(text)
        ]
    except ValidationError as error:
        raise ModelError(
            "A worker runs another version of this program; install the same on all machines, then resume."
        ) from error


def described(error: Exception) -> str:
    """An exception as JSON."""
    log.warning("a worker failed", exc_info=error)  # in the worker's own log
    return json.dumps([type(error).__name__, str(error)])


def raised(failure: str) -> Exception:
    """The inverse of `described`: one of our errors as its own class, any other as a RuntimeError."""
    name, message = json.loads(failure)
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, ReasonIADError)):
        return RuntimeError(f"a worker failed with {name}: {message}")
    ours: ReasonIADError = kind.__new__(kind)  # not by its constructor: MissingExtraError words its message itself
    ours.args = (message,)
    return ours
