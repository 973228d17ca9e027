"""The pictures of one inspection, decoded beside everything else: large ones take as long as opening the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reason_iad.images import LoadedImage

AHEAD = 4
"""Good parts that are decoded ahead, at most; of more, most are not used."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """Pictures that are being decoded.

    Attributes:
        coming: the part, and the good parts that are decoded ahead.
        others: good parts that are read when they are needed.
    """

    coming: tuple[Future[LoadedImage], ...]
    others: tuple[Path, ...]

    def part(self) -> LoadedImage:
        """The part.

        Raises:
            ImageError: it cannot be used.
        """
        return self.coming[0].result()

    def references(self) -> tuple[Path | LoadedImage, ...]:
        """The good parts.

        Raises:
            ImageError: one cannot be used.
        """
        return (*(each.result() for each in self.coming[1:]), *self.others)


@contextmanager
def decoding(part: Path, references: Sequence[Path], white: float | None) -> Iterator[Decoding]:
    """Decode a part and its good parts in another thread, in this order.

    Args:
        part: the part.
        references: good parts that it is compared with.
        white: as `load_image` takes it.
    """
    from reason_iad.images import load_image

    def light(path: Path) -> LoadedImage:
        return load_image(path, white=white).lighter()

    ahead = references if len(references) <= AHEAD else ()
    with ThreadPoolExecutor(1, thread_name_prefix="decoding") as pool:
        coming = (pool.submit(load_image, part, white=white), *(pool.submit(light, path) for path in ahead))
        yield Decoding(coming, () if ahead else tuple(references))
