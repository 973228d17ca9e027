"""Facts agree with the pixels they were read from."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from reason_iad.schema import PLACES, SIZES
from reason_iad_nano.facts import facts_of
from reason_iad_nano.pairs import FAVOURED, FAVOURED_EVERY, draw, kind_index


@pytest.fixture(scope="module")
def samples():
    return [draw(number, "validate", 112) for number in range(24)]


def test_coverage_is_where_the_mask_is(samples):
    for sample in samples:
        facts = facts_of(sample, kind_index())
        cells = sample.mask.reshape(4, 28, 4, 28).any((1, 3)).reshape(-1)
        assert ((facts.coverage > 0) == cells).all()
        assert facts.defective == bool(sample.mask.any())


def test_the_extent_counts_every_defective_pixel(samples):
    for sample in samples:
        facts = facts_of(sample, kind_index())
        assert facts.extent.sum() * 28 * 28 == pytest.approx(sample.mask.sum())
        assert ((facts.extent > 0) == (facts.coverage > 0)).all() and facts.extent.max() <= 1


def test_kinds_are_those_of_the_sample(samples):
    names = {number: name for name, number in kind_index().items()}
    for sample in samples:
        facts = facts_of(sample, kind_index())
        marked = {names[kind] for kind in np.unique(facts.kinds) if kind >= 0}
        assert marked <= {defect.kind for defect in sample.defects}
        assert ((facts.kinds >= 0) <= (facts.coverage > 0)).all()


def test_the_main_defect_is_the_largest(samples):
    for sample in samples:
        facts = facts_of(sample, kind_index())
        if facts.defective:
            assert facts.main.share == max(defect.share for defect in facts.defects)
            assert facts.main.place in PLACES and facts.main.size in SIZES
            assert 0 < facts.main.share < 1


def test_families_that_are_hard_to_learn_come_more_often_in_training_and_nowhere_else():
    counts = {
        purpose: Counter(draw(number, purpose, 56, 0, 1.0).family for number in range(280))
        for purpose in ("train", "new")
    }
    for family, share in Counter(FAVOURED).items():
        assert counts["train"][family] > 0.8 * share / len(FAVOURED) * 280 / FAVOURED_EVERY
    assert counts["new"]["pcb"] < counts["train"]["pcb"] / 2


def test_cells_of_a_picture_that_is_not_square():
    for number in range(12):
        sample = draw(number, "validate", (84, 252))
        facts = facts_of(sample, kind_index())
        cells = sample.mask.reshape(3, 28, 9, 28).any((1, 3)).flatten()
        assert facts.coverage.shape == (27,)
        assert ((facts.coverage > 0) == cells).all()
        assert (facts.kinds[cells] >= 0).all() and (facts.kinds[~cells] == -1).all()
