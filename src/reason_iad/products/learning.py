"""What is learnt of good images, once: kept in a folder, and learnt anew when it does not fit."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar, overload

from reason_iad.errors import MemoryBankError
from reason_iad.files import hold

if TYPE_CHECKING:
    from reason_iad.expert.normality.area import Area
    from reason_iad.expert.normality.expert import ProductExpert
    from reason_iad.expert.normality.looks import Eyes
    from reason_iad.expert.normality.sightings import Sightings
    from reason_iad.expert.normality.turning import Orientation
    from reason_iad.expert.normality.where import Where
    from reason_iad.images import LoadedImage

Learnt = TypeVar("Learnt")

EXPERT, WHERE, SEEN = "expert", "where", "seen"
"""Folders of what is learnt."""
LOCK = "learning.lock"
WAIT = 600.0
"""Seconds to wait for another process that is learning the same."""


class Progress(Protocol):
    """Is told how far a step is: what is done, and how much of it."""

    def __call__(self, step: str, done: int, total: int, /) -> None:
        """`done` of `total` things of a step are done."""


def no_progress(step: str, done: int, total: int, /) -> None:
    """Shows nothing."""


@dataclass(frozen=True, eq=False)
class Learning:
    """What is learnt from, and where it is kept.

    Attributes:
        files: of good images, by the hash of their content.
        eyes: how they are looked at.
        area: what counts of a picture.
        orientation: whether parts lie one way or at any angle.
        learnt_from: hash of all this.
        folder: where it is kept.
        prepare: makes the folder.
        white: what is white in images with more than 8 bits; None: what their files say.
        exceptions: hashes of good images that say nothing about what is usual.
        how: hash of what decides what is seen of one image. With it, that is kept, and when images join or leave
            the others need not be looked at again. None: it is not kept.
    """

    files: Mapping[str, Path]
    eyes: Eyes
    area: Area
    learnt_from: str
    folder: Path
    prepare: Callable[[], object]
    white: float | None = None
    orientation: Orientation = "auto"
    how: str | None = None
    exceptions: frozenset[str] = frozenset()

    def images(self) -> Lazily:
        """The good images, each read when it is asked for."""
        return Lazily(self.files, self.white)

    def sightings(self) -> Sightings:
        """What was seen of single images."""
        from reason_iad.expert.normality.sightings import Sightings

        return Sightings() if self.how is None else Sightings(self.folder / SEEN, self.how)


def kept_expert(learning: Learning, progress: Progress) -> ProductExpert:
    """The expert in the folder, or learnt and kept there.

    Raises:
        ImageError: an image cannot be read any more.
        OutputError: the folder cannot be written.
    """
    from reason_iad.expert.normality.learning import learn
    from reason_iad.expert.normality.storing import load_expert, save_expert, shelves

    folder, eyes, area = learning.folder / EXPERT, learning.eyes, learning.area

    def anew() -> ProductExpert:
        made = shelves(folder, len(eyes.sizes))
        expert = learn(
            learning.images(), eyes, progress, made, area, learning.orientation, learning.sightings(),
            learning.exceptions,
        )  # fmt: skip
        save_expert(expert, folder, learning.learnt_from)
        return expert

    return _once(learning, lambda: load_expert(folder, eyes, learning.learnt_from, area), anew)


def kept_where(learning: Learning, expert: ProductExpert, progress: Progress) -> Where:
    """The memory that finds places, in the folder or learnt and kept there. Those of older states go.

    Raises:
        ImageError, OutputError: as `kept_expert`.
    """
    from reason_iad.expert.normality.where import fine_encoder, learn_where, load_where, save_where, where_shelf

    folder, images = learning.folder / WHERE / learning.learnt_from[:16], list(learning.files)
    encoder = fine_encoder(expert.eyes)

    def anew() -> Where:
        shutil.rmtree(folder.parent, ignore_errors=True)
        where = learn_where(
            learning.images(), encoder, one_way=len(expert.likeness.turned) > 0,
            area=expert.area, shelf=where_shelf(folder), progress=progress, steps=expert.turning.steps,
            sightings=learning.sightings(),
        )  # fmt: skip
        save_where(where, folder)
        return where

    return _once(learning, lambda: load_where(folder, encoder, images, expert.area), anew)


def _once(learning: Learning, load: Callable[[], Learnt], anew: Callable[[], Learnt]) -> Learnt:
    """What is there and fits, or made anew. One process makes it, and others wait for it."""
    try:
        return load()
    except MemoryBankError:
        learning.prepare()
    with ExitStack() as held:
        held.callback(hold(learning.folder / LOCK, wait=WAIT).release)
        try:  # somebody else may have made it while this process waited
            return load()
        except MemoryBankError:
            return anew()


class Lazily(Sequence["LoadedImage"]):
    """Images that are read when they are asked for, so that thousands need no memory.

    Args:
        files: of the images, by the hash of their content.
        white: what is white in images with more than 8 bits; None: what their files say.
    """

    def __init__(self, files: Mapping[str, Path], white: float | None = None) -> None:
        self._names, self._files, self._white = list(files), list(files.values()), white

    def name(self, number: int) -> str:
        """The hash of the content of an image."""
        return self._names[number]

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, number: int) -> LoadedImage: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[LoadedImage]: ...
    def __getitem__(self, number: int | slice) -> LoadedImage | Sequence[LoadedImage]:
        from reason_iad.images import load_image

        if isinstance(number, slice):
            return Lazily(dict(zip(self._names[number], self._files[number], strict=True)), self._white)
        return load_image(self._files[number], white=self._white)
