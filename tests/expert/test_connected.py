"""Connected parts of a mask are those that SciPy finds."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from reason_iad.expert.connected import connected


@pytest.mark.parametrize("share", [0.0, 0.2, 0.45, 1.0])
def test_the_parts_are_those_of_scipy(share: float) -> None:
    mask = np.random.default_rng(0).random((40, 57)) < share
    labels, count = connected(mask)
    expected, expected_count = ndimage.label(mask, structure=np.ones((3, 3)))
    assert count == expected_count and ((labels > 0) == mask).all()
    pairs = {*zip(labels[mask].tolist(), expected[mask].tolist(), strict=True)}
    assert len(pairs) == count, "each part is one part there"
