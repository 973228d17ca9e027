"""The first step of learning: every good image is seen, and remembered."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch

from reason_iad.expert.memory.bank import MemoryBank
from reason_iad.expert.memory.search import Points
from reason_iad.expert.normality.level import Level, memory_settings
from reason_iad.expert.normality.looks import BATCH, HELD, Eyes, Look, Whole
from reason_iad.expert.normality.sightings import NOTHING, Sightings
from reason_iad.expert.normality.spread import left_out_images, names_of
from reason_iad.expert.normality.turning import angles, joined_points, reduced, turned, turned_back
from reason_iad.features import FeatureMap

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.expert.memory.shelf import Shelf
    from reason_iad.images import LoadedImage

TOGETHER = 256
"""Good images that are held at a time while they are remembered; with details or turned copies only `BATCH`."""

Progress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, and how much there is."""


def silent(what: str, done: int, of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, eq=False)
class Seen:
    """The good images, seen.

    Attributes:
        eyes: what saw them.
        levels: the memories.
        names: hash of each image.
        wholes: each as a whole.
        copies: the same of their turned copies, for one angle after another.
        measured: what was seen of those that will be left out and measured, by number. Where there are details, it
            is None: only a few can be held, so they are looked at again.
        given: by number, where each stands among the images that were given.
    """

    eyes: Eyes
    levels: tuple[Level, ...]
    names: list[str]
    wholes: list[Whole]
    copies: tuple[Whole, ...]
    measured: dict[int, Look | None]
    given: list[int]

    def look(self, number: int, good: Sequence[LoadedImage]) -> Look:
        """What was seen of an image that will be measured, by its number."""
        return self.measured[number] or next(self.eyes.look([good[self.given[number]].pixels]))


def see(
    good: Sequence[LoadedImage],
    eyes: Eyes,
    progress: Progress,
    shelves: Sequence[Shelf],
    steps: int = 1,
    sightings: Sightings = NOTHING,
    exceptions: Collection[str] = (),
) -> Seen:
    """See each good image once, and remember it. Never more than `TOGETHER` are held, and those to be measured.

    Args:
        good: the images; a sequence may load them when it is asked for them.
        eyes: how they are looked at.
        progress: told how far it is.
        shelves: where patches of each image are kept, for each resolution; none: in memory.
        steps: at how many angles images are remembered.
        sightings: what was seen of images before. Details are too many to be kept there.
        exceptions: hashes of images that say nothing about what is usual.
    """
    names, before = names_of(good), NOTHING if eyes.detailed else sightings
    odd, banks = sum(name in exceptions for name in names), []
    for at, encoder in enumerate(eyes.encoders):
        settings = memory_settings(len(good) - odd, detailed=eyes.is_detailed(at), exceptions=odd)
        shelf = shelves[at] if shelves else None
        banks.append(MemoryBank.empty(encoder.name, encoder.sha256, settings, shelf))
    chosen = set(left_out_images(list(dict.fromkeys(names)), exceptions))
    seen = Seen(eyes, (), [], [], (), {}, [])
    copies: list[tuple[Whole, ...]] = []
    tell = _announced(progress, len(chosen)) if eyes.detailed else progress
    together = BATCH if eyes.detailed or steps > 1 else TOGETHER
    for start in range(0, len(good), together):
        found: dict[str, _Found] = {}
        for at in range(start, min(start + together, len(good)), BATCH):
            numbers = range(at, min(at + BATCH, start + together, len(good)))
            fresh: dict[str, int] = {}
            for number in numbers:
                if names[number] not in {*seen.names, *found, *fresh}:
                    fresh[names[number]] = number
                    seen.given.append(number)
            found |= _found(fresh, good, eyes, steps, before)
            tell("good images seen", numbers[-1] + 1, len(good))
        for number, each in enumerate(found.values(), len(seen.names)):
            if number in chosen:
                seen.measured[number] = None if eyes.detailed else each.look
        seen.names.extend(found)
        seen.wholes.extend(each.look.whole for each in found.values())
        copies += (each.copies for each in found.values())
        for level, bank in enumerate(banks):
            banks[level] = bank.with_images([(name, each.patches[level]) for name, each in found.items()])
    levels = tuple(
        Level(size, banks[at], eyes.is_detailed(at), frozenset(exceptions)) for at, size in enumerate(eyes.sizes)
    )
    before.keep(_kind(steps), seen.names)
    by_angle = tuple(whole for same in zip(*copies, strict=True) for whole in same)
    return replace(seen, levels=levels, copies=by_angle)


def few(good: Sequence[LoadedImage], numbers: Iterable[int]) -> Iterator[dict[int, LoadedImage]]:
    """Images by number, as many as may be held at a time. They are let go when the next are asked for."""
    some: dict[int, LoadedImage] = {}
    for number in numbers:
        some[number] = good[number]
        if len(some) == BATCH or sum(each.width * each.height for each in some.values()) >= HELD:
            yield some
            some.clear()
    if some:
        yield some


@dataclass(frozen=True, eq=False)
class _Found:
    """What is remembered of an image.

    Attributes:
        look: what was seen of it as it is.
        patches: to be remembered, at each resolution.
        copies: its turned copies as wholes.
    """

    look: Look
    patches: Sequence[FeatureMap | Points]
    copies: tuple[Whole, ...] = ()


def _found(
    wanted: Mapping[str, int], good: Sequence[LoadedImage], eyes: Eyes, steps: int, before: Sightings
) -> dict[str, _Found]:
    """What is seen of images, by name, in the order of `wanted`; those that were seen before are not loaded."""
    found: dict[str, _Found] = {}
    for name in wanted:
        tensors = before.get(_kind(steps), name)
        if tensors is not None:
            found[name] = _unpacked(tensors)
    missing = {number: name for name, number in wanted.items() if name not in found}
    for some in few(good, missing):
        for number, each in zip(some, _find([image.pixels for image in some.values()], eyes, steps), strict=True):
            before.put(_kind(steps), missing[number], _packed(each))
            found[missing[number]] = each
    return {name: found[name] for name in wanted}


def _kind(steps: int) -> str:
    return f"looks{steps}"


def _packed(found: _Found) -> dict[str, torch.Tensor]:
    """As tensors. Patches of the upright picture are the first of all."""
    wholes = (found.look.whole, *found.copies)
    tensors = {
        "grids": torch.tensor([(each.rows, each.columns) for each in found.look.patches]),
        "embeddings": torch.stack([each.embedding for each in wholes]),
        "layouts": torch.stack([each.layout for each in wholes]),
        "numbers": torch.tensor([
            (each.light, each.sharpness, each.shape, *each.grain) for each in wholes
        ], dtype=torch.float64),
    }  # fmt: skip
    for level, patches in enumerate(found.patches):
        tensors[f"features{level}"] = patches.features
        if isinstance(patches, Points):
            tensors[f"places{level}"] = patches.places
    return tensors


def _unpacked(tensors: Mapping[str, torch.Tensor]) -> _Found:
    wholes = [
        Whole(embedding, layout, light, sharpness, shape, (fine, coarse))
        for embedding, layout, (light, sharpness, shape, fine, coarse) in zip(
            tensors["embeddings"], tensors["layouts"], tensors["numbers"].tolist(), strict=True
        )
    ]
    grids = [(int(rows), int(columns)) for rows, columns in tensors["grids"].tolist()]
    upright = tuple(
        FeatureMap(tensors[f"features{level}"][: rows * columns], rows, columns)
        for level, (rows, columns) in enumerate(grids)
    )
    patches = [
        Points(tensors[f"features{level}"], tensors[f"places{level}"]) if f"places{level}" in tensors else each
        for level, each in enumerate(upright)
    ]
    return _Found(Look(upright, wholes[0]), patches, tuple(wholes[1:]))


def _find(pictures: Sequence[Image.Image], eyes: Eyes, steps: int) -> Iterator[_Found]:
    """What is seen of each picture, as it is and turned."""
    for picture, look in zip(pictures, eyes.look(pictures), strict=True):
        if steps == 1:
            yield _Found(look, look.patches)
            continue
        degrees = angles(steps)
        small = reduced(picture, eyes.sizes[-1])
        looks = [look, *(next(eyes.look([turned(small, each)])) for each in degrees[1:])]
        patches = [
            joined_points([
                turned_back(each.patches[level], by, picture.size) for each, by in zip(looks, degrees, strict=True)
            ])
            for level in range(len(look.patches))
        ]  # fmt: skip
        yield _Found(look, patches, tuple(each.whole for each in looks[1:]))


def _announced(progress: Progress, again: int) -> Progress:
    """The same progress, which says how long large pictures take, once that can be told.

    Args:
        progress: told how far it is.
        again: how many pictures are looked at a second time.
    """
    began, words = time.monotonic(), ""

    def tell(what: str, done: int, of: int) -> None:
        nonlocal words
        if not words:
            minutes = max(1, round((time.monotonic() - began) / done * (of + again) / 60))
            words = f" in detail, about {minutes} minute{'' if minutes == 1 else 's'} in all"
        progress(what + words, done, of)

    return tell
