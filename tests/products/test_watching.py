"""Scores of parts are remembered across processes, and a drift is told."""

from __future__ import annotations

import hashlib
import threading

import numpy as np
import pytest

from reason_iad.products import Product, watching
from reason_iad.products.watching import FILE, ScoreWatch, Seen, kept

LEARNT = "a" * 64
USUAL = [float(score) for score in np.random.default_rng(0).normal(size=60)]


def name(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def watch(product: Product, learnt: str = LEARNT) -> ScoreWatch:
    return ScoreWatch(product, learnt, USUAL)


def lines(product: Product) -> list[str]:
    return (product.cache_dir / FILE).read_text().splitlines()


def test_a_drift_is_told_also_where_a_process_per_part_is_started(bracket: Product) -> None:
    rng = np.random.default_rng(1)
    said = [watch(bracket)(name(number), float(rng.normal(3.0))) for number in range(60)]
    assert said[:49] == [None] * 49
    assert said[-1] is not None and "have higher scores than the 70 before" in said[-1]


def test_parts_that_come_as_before_are_no_drift(bracket: Product) -> None:
    rng, ours = np.random.default_rng(2), watch(bracket)
    assert {ours(name(number), float(rng.normal())) for number in range(120)} == {None}


def test_the_same_picture_counts_once(bracket: Product) -> None:
    for _ in range(3):
        watch(bracket)(name(0), 1.0)
    assert len(lines(bracket)) == 1


def test_pictures_of_the_product_do_not_count(bracket: Product) -> None:
    ours = watch(bracket)
    ours(bracket.good[0].sha256, 9.0)
    ours(bracket.defects[0].sha256, 9.0)
    assert not (bracket.cache_dir / FILE).exists()


def test_it_begins_anew_when_the_good_images_change(bracket: Product) -> None:
    watch(bracket)(name(0), 1.0)
    watch(bracket, "b" * 64)(name(1), 1.0)
    assert [Seen.model_validate_json(line).product for line in lines(bracket)] == ["b" * 64]


def test_several_writers_lose_nothing(bracket: Product) -> None:
    writers = [watch(bracket) for _ in range(3)]

    def write(at: int) -> None:
        for number in range(at, 30, 3):
            writers[at](name(number), float(number))

    threads = [threading.Thread(target=write, args=(at,)) for at in range(3)]
    [thread.start() for thread in threads], [thread.join() for thread in threads]
    assert sorted(Seen.model_validate_json(line).score for line in lines(bracket)) == list(range(30))


def test_the_first_and_the_last_are_kept(bracket: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "MOST", 12)
    monkeypatch.setattr(watching, "REFERENCE", 3)
    monkeypatch.setattr(watching, "LAST", 5)
    ours = watch(bracket)
    for number in range(13):
        ours(name(number), float(number))
    assert [Seen.model_validate_json(line).score for line in lines(bracket)] == [0, 1, 2, 8, 9, 10, 11, 12]


def test_what_is_left_out_changes_no_look() -> None:
    from reason_iad.expert.drift import Drift

    scores = [float(score) for score in np.random.default_rng(4).normal(0.3, size=2500)]
    seen = [Seen(product=LEARNT, image="0" * 16, score=score) for score in scores]
    few = [each.score for each in kept(seen)]
    assert len(few) == 1000 and Drift(USUAL).look(few) == Drift(USUAL).look(scores)


@pytest.mark.parametrize("content", ["no JSON\n", "[" * 5000 + "\n", '{"product": 1}\n', "x" * 5000])
def test_a_damaged_file_is_begun_anew(bracket: Product, content: str) -> None:
    (bracket.make_cache() / FILE).write_text(content)
    assert watch(bracket)(name(0), 1.0) is None
    assert len(lines(bracket)) == 1


def test_an_inspection_never_fails_because_of_it(bracket: Product, monkeypatch: pytest.MonkeyPatch) -> None:
    (bracket.make_cache() / FILE).mkdir()
    ours, rng = watch(bracket), np.random.default_rng(1)
    said = [ours(name(number), float(rng.normal(3.0))) for number in range(60)]
    assert said[-1] is not None  # this process remembers
