"""Which good parts are used for one inspection, out of any number that are given.

A model sees at most `most` references. Where more are given, those are used that look most like the inspected part,
so a folder may hold every size and place of a product, and hundreds of pictures. The others are not kept in memory,
and no file is decoded again to choose among them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reason_iad.errors import ImageError
from reason_iad.expert.cache import Recent
from reason_iad.expert.copies import Same, same_picture
from reason_iad.images import Depth, LoadedImage, at_white, load_image, white_of
from reason_iad.schema import InputImage

if TYPE_CHECKING:
    from reason_iad.expert.nearest import Layout

ATTEMPTS = 3
"""How often is chosen anew if files are replaced meanwhile."""


class Seen(NamedTuple):
    """What is remembered of a file.

    Attributes:
        image: which one it is.
        layout: what it looks like.
        depth: what became of more than 8 bits; None where there were 8.
    """

    image: InputImage
    layout: Layout
    depth: Depth | None


@dataclass(frozen=True, slots=True)
class GoodParts:
    """The references of one inspection.

    Attributes:
        pictures: those that are used, best first.
        numbers: which of the given ones they are.
        images: all that were given, in order.
        alike: for each one that was chosen from many, the numbers of the others that look most like it.
        load: gives any of them by its number; None if nothing had to be chosen.
        white: what is white in all pictures with more than 8 bits, the inspected one included; None: there is none,
            or each says its own.
        same: numbers of those that are the inspected picture itself, and in what. One that is the same file is
            never used; another file with the same pixels is used only if there is nothing else.
    """

    pictures: tuple[LoadedImage, ...]
    numbers: tuple[int, ...]
    images: tuple[InputImage, ...]
    alike: tuple[tuple[int, ...], ...] = ()
    load: Callable[[int], LoadedImage] | None = field(default=None, repr=False)
    white: float | None = None
    same: Mapping[int, Same] = field(default_factory=dict)

    @property
    def only_itself(self) -> bool:
        """Whether every good part that was given is the file of the inspected picture."""
        return bool(self.images) and not self.pictures

    def peers(self, sha256: str) -> tuple[str, Callable[[], list[LoadedImage]]]:
        """A key for the good parts that look most like one that is used, and how to load them."""
        at = next(at for at, picture in enumerate(self.pictures) if picture.sha256 == sha256)
        load = self.load
        assert load is not None, "one that was chosen"
        key = ":".join(f"{self.images[number].sha256}/{self.images[number].white}" for number in self.alike[at])
        return key, lambda: [load(number) for number in self.alike[at]]

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
        white: what is white in pictures with more than 8 bits; None: they have to agree on it.
    """

    most: int
    layout: Callable[[LoadedImage], Layout] | None
    kept: Recent[Seen]
    white: float | None = None

    def choose(self, image: LoadedImage, references: Iterable[Any]) -> GoodParts:
        """The references to use for an image: no copies, and not the image itself.

        Raises:
            ImageError: one cannot be used.
        """
        sources = list(references)
        if self.layout is None or len(sources) <= self.most:
            pictures = [load_image(source, white=self.white).lighter() for source in sources]
            white = white_of([image.depth, *(each.depth for each in pictures)])
            loaded = [at_white(each, white).lighter() for each in pictures]
            images = [described(each) for each in loaded]
            part = at_white(image, white).lighter()
            kinds = ((at, same_picture(each, part)) for at, each in enumerate(loaded))
            same = {at: kind for at, kind in kinds if kind is not None}
            numbers = _usable(_distinct(images), same)[: self.most]
            chosen = tuple(loaded[at] for at in numbers)
            return GoodParts(chosen, tuple(numbers), tuple(images), white=white, same=same)
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

        seen = [self._seen(source, layout, len(sources), self.white) for source in sources]
        white = white_of([image.depth, *(each.depth for each in seen)])
        seen = [
            self._seen(source, layout, len(sources), white) if _changes(each.depth, white) else each
            for source, each in zip(sources, seen, strict=True)
        ]
        images = tuple(each.image for each in seen)
        part = at_white(image, white).lighter()
        same: dict[int, Same] = {at: "file" for at, each in enumerate(images) if each.sha256 == image.sha256}
        given = _distinct(images)
        while True:  # what has the same pixels looks most alike, so it is found among those that are chosen
            apart = _usable(given, same)
            order = nearest(layout(part), [seen[at].layout for at in apart], self.most) if apart else []
            numbers = tuple(apart[at] for at in order)
            pictures = tuple(self._loaded(sources[at], white) for at in numbers)
            if any(picture.sha256 != images[at].sha256 for at, picture in zip(numbers, pictures, strict=True)):
                self.kept.clear()
                return None
            kinds = ((at, same_picture(picture, part)) for at, picture in zip(numbers, pictures, strict=True))
            found = {at: kind for at, kind in kinds if kind is not None and at not in same}
            same |= found
            if not found:
                break
        alike = tuple(self._alike(at, apart, seen) for at in numbers)
        return GoodParts(
            pictures, numbers, images, alike, lambda number: self._loaded(sources[number], white), white, same
        )

    def _alike(self, one: int, apart: Sequence[int], seen: Sequence[Seen]) -> tuple[int, ...]:
        """The others that look most like one of them: what it would be compared with, were it inspected."""
        from reason_iad.expert.nearest import nearest

        others = [at for at in apart if at != one]
        if not others:
            return ()
        return tuple(others[at] for at in nearest(seen[one].layout, [seen[at].layout for at in others], self.most))

    def _loaded(self, source: Any, white: float | None) -> LoadedImage:
        """A picture with the white that all agreed on."""
        return at_white(load_image(source, white=self.white), white).lighter()

    def _seen(self, source: Any, layout: Callable[[LoadedImage], Layout], given: int, white: float | None) -> Seen:
        """Which image it is, and its layout; kept as long as the file stays the same."""

        def look() -> Seen:
            loaded = self._loaded(source, white)
            depth = None if loaded.depth is None else replace(loaded.depth, values=None)
            return Seen(described(loaded), layout(loaded), depth)

        if not isinstance(source, (str, os.PathLike)):
            return look()
        try:
            state = Path(source).stat()
        except (OSError, ValueError):
            return look()  # which says what is wrong
        stamp = (state.st_dev, state.st_ino, state.st_size, state.st_mtime_ns, state.st_ctime_ns)
        return self.kept.get(f"{os.fspath(source)}|{stamp}|{white}", look, room=given)


def described(image: LoadedImage) -> InputImage:
    """Name and hash of an image, and what was done when it was loaded."""
    return InputImage(
        name=image.name, sha256=image.sha256, width=image.width, height=image.height, white=image.white,
        notes=image.notes,
    )  # fmt: skip


def _changes(depth: Depth | None, white: float | None) -> bool:
    """Whether a picture has to be looked at again, because all agreed on another white than was found in it."""
    return depth is not None and depth.origin == "values" and depth.white != white


def _distinct(images: Sequence[InputImage]) -> list[int]:
    """Numbers of the first of each, in order."""
    return sorted({each.sha256: at for at, each in reversed([*enumerate(images)])}.values())


def _usable(numbers: Sequence[int], same: Mapping[int, Same]) -> list[int]:
    """Those to compare with: none that is the inspected picture, or, if all are, other files of it."""
    others = [at for at in numbers if at not in same]
    return others or [at for at in numbers if same[at] == "pixels"]
