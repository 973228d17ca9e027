"""The good parts that come with an inspection: which they are, and which of them it uses.

A few are used as they are given, best first. Of more, those are used that look most like the inspected part, so a
folder may hold every size and place of a product, and hundreds of pictures: the others are not kept in memory, and
no file is decoded again to choose among them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reason_iad.errors import ImageError
from reason_iad.images import LoadedImage, load_image
from reason_iad.inspection.recent import Recent
from reason_iad.schema import InputImage

if TYPE_CHECKING:
    from reason_iad.expert.nearest import Layout

ATTEMPTS = 3
"""How often is chosen anew if files are replaced meanwhile."""
KEPT = 512
"""Files whose layout is kept, at least: as many more as are given at a time."""


@dataclass(frozen=True, slots=True)
class Given:
    """The references of one inspection.

    Attributes:
        pictures: those that are used, best first.
        numbers: which of the given ones they are.
        images: all that were given, in order.
        alike: for each one that was chosen from many, the numbers of the others that look most like it.
        sources: what was given; empty if nothing had to be chosen.
    """

    pictures: tuple[LoadedImage, ...]
    numbers: tuple[int, ...]
    images: tuple[InputImage, ...]
    alike: tuple[tuple[int, ...], ...] = ()
    sources: tuple[Any, ...] = ()

    def peers(self, sha256: str) -> tuple[str, Callable[[], list[LoadedImage]]]:
        """A key for the good parts that look most like one that is used, and how to load them."""
        at = next(at for at, picture in enumerate(self.pictures) if picture.sha256 == sha256)
        key = ":".join(self.images[number].sha256 for number in self.alike[at])
        return key, lambda: [load_image(self.sources[number]) for number in self.alike[at]]

    def in_order(self, most: int) -> list[LoadedImage]:
        """The best of those that are used, in the order given: the same ones are then the same set."""
        pairs = sorted(zip(self.numbers[:most], self.pictures, strict=False), key=lambda pair: pair[0])
        return [picture for _, picture in pairs]


class GoodParts:
    """Chooses references, and remembers what they look like.

    Args:
        most: so many are used.
        layout: makes the layout of a picture; None: the first ones are used.
    """

    def __init__(self, most: int, layout: Callable[[LoadedImage], Layout] | None) -> None:
        self._most, self._layout = most, layout
        self._files: Recent[tuple[InputImage, Layout]] = Recent(KEPT)

    def choose(self, image: LoadedImage, references: Iterable[Any]) -> Given:
        """The references to use for an image: no copies, and not the image itself if there are others.

        Raises:
            ImageError: one cannot be used.
        """
        sources = list(references)
        if self._layout is None or len(sources) <= self._most:
            loaded = [load_image(source) for source in sources]
            images = [described(each) for each in loaded]
            numbers = _distinct(images, image)[: self._most]
            return Given(tuple(loaded[at] for at in numbers), tuple(numbers), tuple(images))
        self._files.size = max(KEPT, len(sources))
        for _ in range(ATTEMPTS):
            found = self._chosen(image, sources, self._layout)
            if found is not None:
                return found
        raise ImageError("References change while they are read; inspect again when nothing writes to them.")

    def _chosen(
        self, image: LoadedImage, sources: Sequence[Any], layout: Callable[[LoadedImage], Layout]
    ) -> Given | None:
        """Those that look most like the image; None if a file was replaced meanwhile."""
        from reason_iad.expert.nearest import nearest

        seen = [self._seen(source, layout) for source in sources]
        images = tuple(known for known, _ in seen)
        apart = _distinct(images, image)
        order = nearest(layout(image), [seen[at][1] for at in apart], self._most)
        numbers = tuple(apart[at] for at in order)
        pictures = tuple(load_image(sources[at]) for at in numbers)
        if any(picture.sha256 != images[at].sha256 for at, picture in zip(numbers, pictures, strict=True)):
            self._files.clear()
            return None
        alike = tuple(self._alike(at, apart, seen) for at in numbers)
        return Given(pictures, numbers, images, alike, tuple(sources))

    def _alike(self, one: int, apart: Sequence[int], seen: Sequence[tuple[InputImage, Layout]]) -> tuple[int, ...]:
        """The others that look most like one of them: what it would be compared with, were it inspected."""
        from reason_iad.expert.nearest import nearest

        others = [at for at in apart if at != one]
        if not others:
            return ()
        return tuple(others[at] for at in nearest(seen[one][1], [seen[at][1] for at in others], self._most))

    def _seen(self, source: Any, layout: Callable[[LoadedImage], Layout]) -> tuple[InputImage, Layout]:
        """Which image it is, and its layout; kept as long as the file stays the same."""

        def look() -> tuple[InputImage, Layout]:
            loaded = load_image(source)
            return described(loaded), layout(loaded)

        if not isinstance(source, (str, os.PathLike)):
            return look()
        try:
            state = Path(source).stat()
        except (OSError, ValueError):
            return look()  # which says what is wrong
        stamp = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        return self._files.get(f"{os.fspath(source)}|{stamp}", look)


def described(image: LoadedImage) -> InputImage:
    """Name and hash of an image."""
    return InputImage(name=image.name, sha256=image.sha256, width=image.width, height=image.height)


def _distinct(images: Sequence[InputImage], image: LoadedImage) -> list[int]:
    """Numbers of the first of each, without the inspected image unless there is nothing else."""
    first = {each.sha256: at for at, each in reversed([*enumerate(images)])}
    others = sorted(at for sha256, at in first.items() if sha256 != image.sha256)
    return others or sorted(first.values())
