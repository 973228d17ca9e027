"""Names of what can be exported; nothing heavy is loaded for them."""

from __future__ import annotations

from collections.abc import Sequence

from reason_iad.errors import ConfigError, did_you_mean

FORMATS = ("overlay", "mask", "coco", "labelme")
"""What can be exported."""


def formats(names: Sequence[str]) -> tuple[str, ...]:
    """Formats by their names, in the order of `FORMATS`; none given: all.

    Raises:
        ConfigError: there is no such format.
    """
    for name in names:
        if name not in FORMATS:
            raise ConfigError(
                f"There is no export format '{name}'.{did_you_mean(name, FORMATS)} "
                f"Choose from: {', '.join(FORMATS)}."
            )
    return tuple(name for name in FORMATS if not names or name in names)
