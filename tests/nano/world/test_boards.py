"""Boards: edges wander and mean nothing; what is called open, short, spur or island is one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import ndimage

from reason_iad.expert.brushes.types import Canvas, Design, Mask
from reason_iad_nano.world import boards

SIZE = 168


def pieces(copper: Mask) -> int:
    return int(ndimage.label(copper)[1])


def with_defect(apply: Callable[..., Mask | None], wanted: int = 12) -> list[tuple[Mask, Mask]]:
    """(copper before, copper after) of boards that had room for the defect."""
    found = []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        board = boards.design(rng, SIZE)
        canvas = boards.render(rng, board, SIZE)
        before = canvas.layers["copper"].copy()
        if apply(rng, canvas, board) is not None:
            found.append((before, canvas.layers["copper"]))
        if len(found) == wanted:
            return found
    pytest.fail("too few boards had room for the defect")


def two_boards(seed: int) -> tuple[Design, Canvas, Canvas]:
    rng = np.random.default_rng(seed)
    board = boards.design(rng, SIZE)
    return board, boards.render(rng, board, SIZE), boards.render(rng, board, SIZE)


def test_good_boards_differ_at_their_edges_and_nowhere_else() -> None:
    differ = 0
    for seed in range(20):
        board, one, other = two_boards(seed)
        changed = one.layers["copper"] ^ other.layers["copper"]
        edges = ndimage.binary_dilation(board["copper"], iterations=3) & ~ndimage.binary_erosion(
            board["copper"], iterations=3, border_value=1
        )
        assert not (changed & ~edges).any(), "flat copper and bare board stay flat"
        differ += bool(changed.any())
    assert differ > 10


def test_an_open_circuit_parts_a_conductor() -> None:
    for before, after in with_defect(boards.open_circuit):
        assert not (after & ~before).any(), "copper is only taken away"
        gone = before & ~after
        rows, columns = np.nonzero(gone)
        window = tuple(slice(max(int(v.min()) - 30, 0), int(v.max()) + 31) for v in (rows, columns))
        assert pieces(after[window]) > pieces(before[window])


def test_a_short_circuit_joins_two_pieces() -> None:
    for before, after in with_defect(boards.short_circuit):
        assert pieces(after) == pieces(before) - 1 and not (before & ~after).any()


@pytest.mark.parametrize(("apply", "more"), [(boards.spur, 0), (boards.spurious_copper, 1)])
def test_a_spur_hangs_on_one_piece_and_an_island_on_none(apply: Callable[..., Mask | None], more: int) -> None:
    for before, after in with_defect(apply):
        labels, count = ndimage.label(before)
        touched = set(np.unique(labels[ndimage.binary_dilation(after & ~before)]).tolist()) - {0}
        assert not (before & ~after).any()
        assert (len(touched) == 0) == bool(more)
        assert pieces(after) <= count + more


def test_a_pin_hole_has_copper_all_around() -> None:
    for before, after in with_defect(boards.pin_hole):
        ring = ndimage.binary_dilation(before & ~after) & ~(before & ~after)
        assert after[ring].all()


def test_a_mousebite_takes_from_the_edge() -> None:
    for before, after in with_defect(boards.mousebite):
        assert not (after & ~before).any()
        assert (ndimage.binary_dilation(before & ~after) & ~before).any(), "it is open to the bare board"
