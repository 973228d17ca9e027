"""Many images: lazy, one outcome per image, in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.cli.stub import StubInspector

from reason_iad.inspection.many import LOOK_AHEAD, Failure, inspect_many, run_many
from reason_iad.schema import Inspection

Make = Callable[..., Path]


def test_one_outcome_per_path_in_order(make_image: Make, tmp_path: Path) -> None:
    paths = [make_image("a.png"), tmp_path / "missing.png", make_image("b.png")]
    outcomes = list(inspect_many(StubInspector(), paths))
    assert [type(outcome) for outcome in outcomes] == [Inspection, Failure, Inspection]


def test_an_image_is_read_when_its_turn_comes(make_image: Make) -> None:
    seen: list[Path] = []

    def paths() -> Iterator[Path]:
        for name in ("a.png", "b.png"):
            seen.append(make_image(name))
            yield seen[-1]

    outcomes = inspect_many(StubInspector(), paths())
    next(outcomes)
    assert len(seen) == 1


def test_images_of_the_same_file_name_stay_apart(make_image: Make) -> None:
    paths = [make_image("left/part.png"), make_image("right/part.png")]
    outcomes = [o for o in inspect_many(StubInspector(), paths) if isinstance(o, Inspection)]
    assert [outcome.image.name for outcome in outcomes] == [str(path) for path in paths]


def test_several_workers_inspect_the_same_in_the_same_order(make_image: Make, tmp_path: Path) -> None:
    paths = [make_image(f"{n}.png", 20 * n) for n in range(12)]
    paths.insert(3, tmp_path / "missing.png")
    alone = list(inspect_many(StubInspector(), paths))
    assert list(inspect_many(StubInspector(), paths, workers=3)) == alone
    assert [type(outcome) for outcome in alone].count(Failure) == 1


def test_references_may_come_from_a_generator(make_image: Make) -> None:
    good = make_image("good.png")
    outcomes = inspect_many(StubInspector(), [make_image("a.png"), make_image("b.png")], references=iter([good]))
    assert [len(o.evidence.references) for o in outcomes if isinstance(o, Inspection)] == [1, 1]


@pytest.mark.parametrize("workers", [1, 3])
def test_every_job_has_one_outcome_in_order_whatever_it_raises(workers: int) -> None:
    def run(n: int) -> int:
        if n % 3 == 0:
            raise MemoryError(n)
        time.sleep(0.001 * (n % 4))  # later ones end earlier
        return n * n

    every = list(run_many(range(30), run, workers=workers))
    assert [done.job for done in every] == list(range(30))
    assert [done.outcome for done in every if done.job % 3] == [n * n for n in range(30) if n % 3]
    assert all(isinstance(done.outcome, MemoryError) for done in every if done.job % 3 == 0)
    assert every[1].result == 1
    with pytest.raises(MemoryError):
        _ = every[0].result


def test_workers_run_at_the_same_time() -> None:
    meeting = threading.Barrier(3)
    assert sum(done.result >= 0 for done in run_many(range(6), lambda n: meeting.wait(60), workers=3)) == 6


@pytest.mark.parametrize("workers", [1, 4])
def test_no_more_is_begun_than_a_few_for_each_worker(workers: int) -> None:
    begun: list[int] = []
    outcomes = run_many(range(10**9), begun.append, workers=workers)
    for taken in range(1, 20):
        next(outcomes)
        assert len(begun) <= taken + (workers > 1) * LOOK_AHEAD * workers
    outcomes.close()
    assert len(begun) <= 19 + (workers > 1) * LOOK_AHEAD * workers


@pytest.mark.parametrize("workers", [1, 2])
def test_closing_waits_for_what_is_running_and_begins_nothing_more(workers: int) -> None:
    begun, ended = [], []

    def run(n: int) -> None:
        begun.append(n)
        time.sleep(0.01)
        ended.append(n)

    outcomes = run_many(range(10**9), run, workers=workers)
    next(outcomes)
    outcomes.close()
    assert sorted(begun) == sorted(ended) and len(begun) <= 1 + LOOK_AHEAD * workers


@pytest.mark.parametrize("workers", [1, 3])
def test_a_stop_lets_what_has_begun_end_and_come_out(workers: int) -> None:
    stop, begun = threading.Event(), []

    def run(n: int) -> int:
        begun.append(n)
        if n == 4:
            stop.set()
        return n

    every = [done.job for done in run_many(range(10**9), run, workers=workers, stop=stop)]
    assert every == sorted(begun)
    assert 5 <= len(every) < 5 + LOOK_AHEAD * workers


@pytest.mark.parametrize("workers", [1, 3])
def test_an_interrupt_is_no_outcome(workers: int) -> None:
    def run(n: int) -> int:
        if n == 2:
            raise KeyboardInterrupt
        return n

    outcomes = run_many(range(100), run, workers=workers)
    assert [next(outcomes).job, next(outcomes).job] == [0, 1]
    with pytest.raises(KeyboardInterrupt):
        next(outcomes)


def test_at_least_one_worker_is_needed() -> None:
    with pytest.raises(ValueError, match="'workers' must be at least 1, not 0"):
        run_many([], print, workers=0)
