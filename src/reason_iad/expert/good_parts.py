"""Which good parts are used for one inspection, out of any number that are given.

A model sees at most `most` references. Where more are given, those are used that look most like the inspected part,
so a folder may hold every size and place of a product, and hundreds of pictures. The others are not kept in memory,
and no file is decoded again to choose among them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reason_iad.errors import ImageError
from reason_iad.expert.cache import Recent
from reason_iad.expert.copies import Same, same_picture
from reason_iad.images import LoadedImage, load_image
from reason_iad.schema import InputImage

if TYPE_CHECKING:
    from reason_iad.expert.nearest import Layout

ATTEMPTS = 3
"""How often is chosen anew if files are replaced meanwhile."""


@dataclass(frozen=True, slots=True)
class GoodParts:
    """The references of one inspection.

    Attributes:
        pictures: those that are used, best first.
        numbers: which of the given ones they are.
        images: all that were given, in order.
        alike: for each one that was chosen from many, the numbers of the others that look most like it.
        sources: what was given; empty if nothing had to be chosen.
        same: numbers of those that are the inspected picture itself, and in what. One that is the same file is
            never used; another file with the same pixels is used only if there is nothing else.
    """

    pictures: tuple[LoadedImage, ...]
    numbers: tuple[int, ...]
    images: tuple[InputImage, ...]
    alike: tuple[tuple[int, ...], ...] = ()
    sources: tuple[Any, ...] = field(default=(), repr=False)
    same: Mapping[int, Same] = field(default_factory=dict)

    @property
    def only_itself(self) -> bool:
        """Whether every good part that was given is the file of the inspected picture."""
        return bool(self.images) and not self.pictures

    def peers(self, sha256: str) -> tuple[str, Callable[[], list[LoadedImage]]]:
        """A key for the good parts that look most like one that is used, and how to load them."""
        at = next(at for at, picture in enumerate(self.pictures) if picture.sha256 == sha256)
        key = ":".join(self.images[number].sha256 for number in self.alike[at])
        return key, lambda: [_loaded(self.sources[number]) for number in self.alike[at]]

    def in_order(self, most: int) -> list[LoadedImage]:
        """The best of those that are used, in the order given: the same ones are then the same set."""
        pairs = sorted(zip(self.numbers[:most], self.pictures, strict=False), key=lambda pair: pair[0])
        return [picture for _, picture in pairs]


@dataclass(frozen=True, slots=True)
class Chooser:
    """Chooses references.

    Attributes:
        most: so many are used.
        layout: makes the layout of a picture; None: the first ones are used.
        kept: remembers what files look like.
    """

    most: int
    layout: Callable[[LoadedImage], Layout] | None
    kept: Recent[tuple[InputImage, Layout]]

    def choose(self, image: LoadedImage, references: Iterable[Any]) -> GoodParts:
        """The references to use for an image: no copies, and not the image itself.

        Raises:
            ImageError: one cannot be used.
        """
        sources = list(references)
        if self.layout is None or len(sources) <= self.most:
            loaded = [_loaded(source) for source in sources]
            images = [described(each) for each in loaded]
            kinds = ((at, same_picture(each, image)) for at, each in enumerate(loaded))
            same = {at: kind for at, kind in kinds if kind is not None}
            numbers = _usable(_distinct(images), same)[: self.most]
            return GoodParts(tuple(loaded[at] for at in numbers), tuple(numbers), tuple(images), same=same)
        for _ in range(ATTEMPTS):
            found = self._chosen(image, sources, self.layout)
            if found is not None:
                return found
        raise ImageError("References change while they are read; inspect again when nothing writes to them.")

    def _chosen(
        self, image: LoadedImage, sources: Sequence[Any], layout: Callable[[LoadedImage], Layout]
    ) -> GoodParts | None:
        """Those that look most like the image; None if a file was replaced meanwhile."""
        from reason_iad.expert.nearest import nearest

        seen = [self._seen(source, layout, len(sources)) for source in sources]
        images = tuple(known for known, _ in seen)
        same: dict[int, Same] = {at: "file" for at, each in enumerate(images) if each.sha256 == image.sha256}
        given = _distinct(images)
        while True:  # what has the same pixels looks most alike, so it is found among those that are chosen
            apart = _usable(given, same)
            order = nearest(layout(image), [seen[at][1] for at in apart], self.most) if apart else []
            numbers = tuple(apart[at] for at in order)
            pictures = tuple(_loaded(sources[at]) for at in numbers)
            if any(picture.sha256 != images[at].sha256 for at, picture in zip(numbers, pictures, strict=True)):
                self.kept.clear()
                return None
            kinds = ((at, same_picture(picture, image)) for at, picture in zip(numbers, pictures, strict=True))
            found = {at: kind for at, kind in kinds if kind is not None and at not in same}
            same |= found
            if not found:
                break
        alike = tuple(self._alike(at, apart, seen) for at in numbers)
        return GoodParts(pictures, numbers, images, alike, tuple(sources), same)

    def _alike(self, one: int, apart: Sequence[int], seen: Sequence[tuple[InputImage, Layout]]) -> tuple[int, ...]:
        """The others that look most like one of them: what it would be compared with, were it inspected."""
        from reason_iad.expert.nearest import nearest

        others = [at for at in apart if at != one]
        if not others:
            return ()
        return tuple(others[at] for at in nearest(seen[one][1], [seen[at][1] for at in others], self.most))

    def _seen(self, source: Any, layout: Callable[[LoadedImage], Layout], given: int) -> tuple[InputImage, Layout]:
        """Which image it is, and its layout; kept as long as the file stays the same."""

        def look() -> tuple[InputImage, Layout]:
            loaded = _loaded(source)
            return described(loaded), layout(loaded)

        if not isinstance(source, (str, os.PathLike)):
            return look()
        try:
            state = Path(source).stat()
        except (OSError, ValueError):
            return look()  # which says what is wrong
        stamp = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        return self.kept.get(f"{os.fspath(source)}|{stamp}", look, room=given)


def described(image: LoadedImage) -> InputImage:
    """Name and hash of an image."""
    return InputImage(name=image.name, sha256=image.sha256, width=image.width, height=image.height)


def _loaded(source: Any) -> LoadedImage:
    """A picture, loaded if it is not yet."""
    return source if isinstance(source, LoadedImage) else load_image(source)


def _distinct(images: Sequence[InputImage]) -> list[int]:
    """Numbers of the first of each, in order."""
    return sorted({each.sha256: at for at, each in reversed([*enumerate(images)])}.values())


def _usable(numbers: Sequence[int], same: Mapping[int, Same]) -> list[int]:
    """Those to compare with: none that is the inspected picture, or, if all are, other files of it."""
    others = [at for at in numbers if at not in same]
    return others or [at for at in numbers if same[at] == "pixels"]
