"""The one accumulator behind every metric: how much of what has which score, exactly, in bounded memory.

ROC, precision-recall and per-region overlap are all curves over the same descending scores; they differ only in
what a pixel weighs. So it is enough to keep, per distinct score, the number of normal pixels, the number of
abnormal ones, and the summed region weight of these. Ties are pooled, and nothing is binned or sampled.

Normal and abnormal pixels are kept in separate sorted runs, because there are a hundred times more of the former
and they need no weights. A run that outgrows the limit goes to a temporary file; at the end all runs are read back
together, block by block, from the highest score down.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from reason_iad.errors import OutputError

LIMIT = 2**21
"""Distinct scores that each of the two kinds of pixel may hold in memory; a score takes about 110 bytes at the peak
(sorting included, a test holds that), so this is a quarter of a gigabyte (`benchmarks/tally_memory.py`)."""

_NORMAL = np.dtype([("score", "<f4"), ("count", "<i8")])
_ABNORMAL = np.dtype([("score", "<f4"), ("count", "<i8"), ("weight", "<f8")])
_BOTH = np.dtype([("score", "<f4"), ("normal", "<i8"), ("abnormal", "<i8"), ("weight", "<f8")])

Table = NDArray[Any]
"""A structured array with a field 'score' and fields that add up."""


class Pooled(NamedTuple):
    """A stretch of the pooled scores, strictly descending. All arrays have one shape, (n,).

    Attributes:
        score: float32.
        normal, abnormal: how many pixels have this score, int64.
        weight: summed region weight of the abnormal ones, float64.
    """

    score: NDArray[np.float32]
    normal: NDArray[np.int64]
    abnormal: NDArray[np.int64]
    weight: NDArray[np.float64]


class Tally:
    """Collects scored pixels (or images); gives them back pooled over ties, highest score first.

    Scores are compared as float32, the precision of the maps. Use as a context manager, or call `close`: what was
    spilled lies in a temporary folder until then.

    Args:
        limit: distinct scores of either kind held in memory; beyond it, runs are spilled.
        folder: where to make the temporary folder; None: the system's place for such.

    Attributes:
        normal, abnormal: pixels added so far.
        weight: summed weight so far: the number of regions, if each region's pixels weigh 1 together.
    """

    def __init__(self, limit: int = LIMIT, folder: Path | None = None) -> None:
        self.normal = self.abnormal = 0
        self.weight = 0.0
        self._limit = limit
        self._spill = _Spill(folder)
        self._runs = {dtype: _Runs(dtype, limit, self._spill) for dtype in (_NORMAL, _ABNORMAL)}

    def add(
        self, scores: NDArray[Any], abnormal: NDArray[np.bool_], weights: NDArray[np.float64] | None = None
    ) -> None:
        """Add pixels; the arrays have one shape.

        Args:
            scores: finite; larger means less normal.
            abnormal: which of them are.
            weights: what each abnormal pixel weighs in the region curve; None: nothing.

        Raises:
            ValueError: a score is NaN or infinite.
            OutputError: a run cannot be spilled.
        """
        with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and is refused
            flat = np.asarray(scores, dtype=np.float32).ravel()
        if not np.isfinite(flat).all():
            raise ValueError("scores must be finite")
        mark = abnormal.ravel()
        values, counts = np.unique(flat[~mark], return_counts=True)
        normals = np.empty(len(values), _NORMAL)
        normals["score"], normals["count"] = values, counts
        self._runs[_NORMAL].add(normals)
        defects = np.zeros(int(mark.sum()), _ABNORMAL)
        defects["score"], defects["count"] = flat[mark], 1
        if weights is not None:
            defects["weight"] = weights.ravel()[mark]
        self._runs[_ABNORMAL].add(_pool(defects))
        self.normal += mark.size - len(defects)
        self.abnormal += len(defects)
        self.weight += float(defects["weight"].sum())

    def descending(self) -> Iterator[Pooled]:
        """Everything added so far, pooled, in stretches of bounded length, highest score first.

        Each step looks at the last block of every run. All entries at or above the largest first score of these
        blocks are then in sight, since runs are sorted; they are merged, and at least one block is used up.
        """
        normal, abnormal = (runs.all() for runs in self._runs.values())
        runs = [*normal, *abnormal]
        ends = [len(run) for run in runs]
        block = max(1, self._limit // (4 * max(1, len(runs))))  # merged rows and curves are wider than runs
        while any(ends):
            starts = [max(0, end - block) for end in ends]
            bound = max(
                (float(run["score"][start]) for run, start in zip(runs, starts, strict=True) if start),
                default=-np.inf,
            )
            parts: list[Table] = []
            for index, (run, start, end) in enumerate(zip(runs, starts, ends, strict=True)):
                window = np.asarray(run[start:end])
                first = int(np.searchsorted(window["score"], np.float32(bound)))
                parts.append(_widened(window[first:], abnormal=index >= len(normal)))
                ends[index] = start + first
            merged = _pool(np.concatenate(parts))[::-1]
            yield Pooled(*(np.ascontiguousarray(merged[name]) for name in Pooled._fields))

    def close(self) -> None:
        """Delete what was spilled."""
        for runs in self._runs.values():
            runs.clear()
        self._spill.close()

    def __enter__(self) -> Tally:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Spill:
    """A temporary folder, made when it is first needed."""

    def __init__(self, parent: Path | None) -> None:
        self._parent = parent
        self._folder: Path | None = None
        self._count = 0

    def store(self, run: Table) -> Table:
        """Write a run to a file; returns it mapped read-only."""
        try:
            if self._folder is None:
                self._folder = Path(tempfile.mkdtemp(prefix="reason-iad-tally-", dir=self._parent))
            path = self._folder / f"{self._count}.npy"
            np.save(path, run, allow_pickle=False)
            self._count += 1
            mapped: Table = np.load(path, mmap_mode="r", allow_pickle=False)
        except OSError as error:
            raise OutputError(
                f"Pixel scores cannot be spilled to '{self._folder or self._parent or tempfile.gettempdir()}' "
                f"({error.strerror}); free space there, or set TMPDIR to another disk."
            ) from error
        return mapped

    def close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


class _Runs:
    """Sorted runs of one kind of pixel: recent ones in memory, older ones spilled."""

    def __init__(self, dtype: np.dtype[Any], limit: int, spill: _Spill) -> None:
        self._limit, self._spill = limit, spill
        self._empty = np.empty(0, dtype)
        self._recent: list[Table] = [self._empty]
        self._spilled: list[Table] = []
        self._held = 0

    def add(self, run: Table) -> None:
        self._recent.append(run)
        self._held += len(run)
        if self._held > self._limit:
            self._merge()
            if self._held > self._limit // 2:  # merging did not help: few ties
                self._spilled.append(self._spill.store(self._recent[0]))
                self._recent, self._held = [self._empty], 0

    def all(self) -> list[Table]:
        self._merge()
        return [run for run in (*self._spilled, *self._recent) if len(run)]

    def clear(self) -> None:
        self._recent, self._spilled, self._held = [self._empty], [], 0

    def _merge(self) -> None:
        self._recent = [_pool(np.concatenate(self._recent))]
        self._held = len(self._recent[0])


def _pool(table: Table) -> Table:
    """Sort by score and add up what has the same one."""
    if not len(table):
        return table
    table = table[np.argsort(table["score"])]
    score = table["score"]
    first = np.flatnonzero(np.concatenate(([True], score[1:] != score[:-1])))
    if len(first) == len(table):
        return table
    pooled = np.empty(len(first), table.dtype)
    pooled["score"] = score[first]
    for name in (table.dtype.names or ())[1:]:
        pooled[name] = np.add.reduceat(table[name], first)
    return pooled


def _widened(run: Table, *, abnormal: bool) -> Table:
    """A run of one kind with the fields of both."""
    wide = np.zeros(len(run), _BOTH)
    wide["score"] = run["score"]
    wide["abnormal" if abnormal else "normal"] = run["count"]
    if abnormal:
        wide["weight"] = run["weight"]
    return wide
