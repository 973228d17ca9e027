"""Which images of many are looked at, where a part of them is enough."""

from __future__ import annotations


def spread_out(count: int, most: int) -> list[int]:
    """Numbers below `count`, at most so many, evenly spread."""
    return sorted({round(at * (count - 1) / max(1, min(count, most) - 1)) for at in range(min(count, most))})
