"""Scores of parts that nobody has reviewed, remembered so that a drift is noticed (`expert/drift.py`).

They are in one file of the product's cache, which several processes may write. It begins anew when the good images
change. The first parts and the last ones are kept: those between say nothing to the test.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, ValidationError

from reason_iad.errors import OutputError
from reason_iad.expert.drift import REFERENCE, Drift
from reason_iad.expert.joint import Finite
from reason_iad.files import append_lines, hold, read_lines, write_atomic
from reason_iad.schema.record import Record

if TYPE_CHECKING:
    from reason_iad.products.product import Product

FILE = "seen.jsonl"
LAST = 700
"""Last parts that are kept, beside the first `REFERENCE`."""
MOST = 3000
"""Parts from which on those between are forgotten."""
WAIT = 5.0
"""Seconds to wait for another process that is writing."""
LONGEST = 1000
"""Bytes of a line."""


class Seen(Record):
    """A part that was inspected.

    Attributes:
        product: hash of what was learnt; scores by another one are not comparable.
        image: beginning of the hash of the picture. The same picture counts once.
        score: of the comparison.
    """

    product: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    image: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
    score: Finite


class ScoreWatch:
    """Remembers scores, and says when the last ones differ. Threads and processes may share the file.

    What cannot be written is remembered by this process alone: an inspection never fails because of it.

    Args:
        product: whose parts these are.
        learnt: hash of what was learnt.
        calibration: scores of the good parts that set the limits, each left out.
    """

    def __init__(self, product: Product, learnt: str, calibration: Sequence[float]) -> None:
        self._product, self._learnt = product, learnt
        self._path = product.cache_dir / FILE
        self._drift = Drift(calibration)
        self._known = {each.sha256[:16] for each in (*product.state.good, *product.state.defects)}
        self._lock = threading.Lock()
        self._seen: list[Seen] = []
        self._size = -1

    def __call__(self, sha256: str, score: float, /) -> str | None:
        """Remember a part; returns what there is to say if the last parts differ from those before."""
        part = Seen(product=self._learnt, image=sha256[:16], score=score)
        with self._lock:
            if part.image in self._known:
                return None
            try:
                self._remember(part)
            except OutputError:
                self._add(part)
                self._size = _size(self._path)
            report = self._drift.look([each.score for each in self._seen])
        return report.in_words() if report.drifted else None

    def _remember(self, part: Seen) -> None:
        self._product.make_cache()
        held = hold(self._path, wait=WAIT)
        try:
            if self._size != _size(self._path):  # another process wrote
                self._seen = _read(self._path, self._learnt)
            if not self._add(part):
                self._size = _size(self._path)
                return
            if len(self._seen) == 1 or len(self._seen) > MOST:
                self._seen = self._seen if len(self._seen) == 1 else kept(self._seen)
                write_atomic(self._path, "".join(f"{each.model_dump_json()}\n" for each in self._seen))
            else:
                append_lines(self._path, part.model_dump_json())
            self._size = _size(self._path)
        finally:
            held.release()

    def _add(self, part: Seen) -> bool:
        """Whether the part is new."""
        if any(each.image == part.image for each in self._seen):
            return False
        self._seen.append(part)
        return True


def kept(seen: Sequence[Seen]) -> list[Seen]:
    """The first and the last."""
    return [*seen[:REFERENCE], *seen[-LAST:]]


def _read(path: Path, learnt: str) -> list[Seen]:
    """What is in the file for this state of the product; nothing if it is damaged."""
    try:
        found = [Seen.model_validate_json(line) for line in read_lines(path, longest=LONGEST)]
    except (OutputError, ValidationError):
        return []
    return [each for each in found if each.product == learnt]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
