"""Maps as results keep them."""

from __future__ import annotations

import torch

from reason_iad.schema import Heat


def as_heat(values: torch.Tensor, digits: int) -> Heat:
    """A map of values in [0, 1], (rows, columns), rounded to so many digits."""
    rows, columns = values.shape
    return Heat(
        rows=rows, columns=columns, values=tuple(round(value, digits) for value in values.flatten().tolist())
    )
