"""An enlarged sample is the same one with more pixels."""

from __future__ import annotations

import numpy as np
import pytest

from reason_iad_nano.world import make_sample
from reason_iad_nano.world.enlarging import enlarged


@pytest.mark.parametrize("size", [(112, 112), (168, 112), (84, 252)])
def test_everything_grows_together(size: tuple[int, int]) -> None:
    small = (size[0] * 2 // 3, size[1] * 2 // 3)
    for seed in range(6):
        sample = make_sample(seed, size=small, references=2, defect_probability=1.0)
        large = enlarged(sample, size)
        assert {picture.shape for picture in (large.query, *large.references)} == {(*size, 3)}
        assert large.mask.shape == size and large.mask.dtype == bool
        assert large.mask.mean() == pytest.approx(sample.mask.mean(), rel=0.35, abs=1e-3)
        assert abs(float(large.query.mean()) - float(sample.query.mean())) < 1.5
        for before, after in zip(sample.defects, large.defects, strict=True):
            assert (after.kind, after.place, after.mask_area) == (before.kind, before.place, before.mask_area)
            x1, y1, x2, y2 = after.box
            assert 0 <= x1 < x2 <= size[1] and 0 <= y1 < y2 <= size[0]
        if len(large.defects) == 1 and large.mask.any():
            x1, y1, x2, y2 = large.defects[0].box
            rows, columns = np.nonzero(large.mask)
            assert y1 - 1 <= rows.min() and rows.max() <= y2 and x1 - 1 <= columns.min() and columns.max() <= x2
