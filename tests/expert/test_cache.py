"""What is kept of good parts: the most recent, made once however many threads want it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from reason_iad.expert.cache import Recent


def test_the_least_recently_used_is_forgotten() -> None:
    made: list[str] = []
    kept: Recent[str] = Recent(2)
    for key in ("a", "b", "a", "c", "a", "b"):
        assert kept.get(key, lambda key=key: made.append(key) or key.upper()) == key.upper()  # type: ignore[misc]
    assert made == ["a", "b", "c", "b"] and len(kept) == 2
    kept.clear()
    assert len(kept) == 0


def test_there_is_room_for_as_many_as_are_given() -> None:
    kept: Recent[int] = Recent(2)
    for number in range(5):
        kept.get(str(number), lambda number=number: number, room=5)  # type: ignore[misc]
    assert len(kept) == 5


def test_many_threads_make_a_value_once_and_different_values_at_the_same_time() -> None:
    kept: Recent[str] = Recent(8)
    made: list[str] = []
    together = threading.Barrier(2, timeout=10)

    def make(key: str) -> str:
        made.append(key)
        together.wait()  # passes only if both values are being made at once
        return key

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda key: kept.get(key, lambda: make(key)), ["a", "b"] * 4))
    assert found == ["a", "b"] * 4 and sorted(made) == ["a", "b"]


def test_an_error_reaches_everyone_who_waits_and_nothing_is_kept() -> None:
    kept: Recent[str] = Recent(2)

    def fail() -> str:
        time.sleep(0.05)
        raise ValueError("no such part")

    def wanted(_: int) -> str:
        try:
            return kept.get("a", fail)
        except ValueError as error:
            return str(error)

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(wanted, range(4))) == {"no such part"}
    assert len(kept) == 0 and kept.get("a", lambda: "found") == "found"
    with pytest.raises(KeyboardInterrupt):
        kept.get("b", lambda: (_ for _ in ()).throw(KeyboardInterrupt))
    assert kept.get("b", lambda: "again") == "again"
