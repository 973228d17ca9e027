"""What is kept of labelled defects, and what good images reach in resembling them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
import torch

from reason_iad.expert.normality.example_places import (
    Mask,
    box_of_mask,
    box_of_place,
    patches_of_defect,
    place_of_defect,
    summary,
)
from reason_iad.expert.normality.examples import (
    Example,
    KnownDefects,
    Patches,
    directions,
    highest,
    margins,
)
from reason_iad.expert.normality.learning import left_out_again
from reason_iad.expert.normality.seeing import Progress, silent
from reason_iad.expert.normality.standing import Numbers, Standing, middles_and_spreads

if TYPE_CHECKING:
    from reason_iad.expert.normality.expert import ProductExpert
    from reason_iad.images import LoadedImage

BUDGET = 4000
"""Patches of labelled defects that are compared with, at most, as long as each has one."""
KEPT = 16
"""Patches that are kept of each at one resolution, at most."""
RIGHT = 0.8
"""Share of labelled defects, each left out, whose true type is among those that are named."""
FEW_APART = 0.1
"""A type whose cosine is lower by no more than this is named, too, where too few labelled defects can say more."""
NORMAL = 0.95
"""Share of left-out good images whose place that differs most is unlike any known type."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """A picture of a defect.

    Attributes:
        image: the picture.
        type: what the defect is called.
        added: when it came into the product.
        marked: (h, w) True at the defect; None if that was not said.
    """

    image: LoadedImage
    type: str
    added: datetime
    marked: Mask | None


def learn_defects(
    expert: ProductExpert,
    labelled: Sequence[Labelled],
    good: Sequence[LoadedImage],
    progress: Progress = silent,
) -> KnownDefects:
    """Keep what labelled defects look like.

    Args:
        expert: of the product.
        labelled: at least one. Each is asked for once, so a sequence may load it then.
        good: the images that the expert was learnt from, in the same order.
        progress: told how far it is.
    """
    drafts = [_draft(expert, labelled[at], progress, (at + 1, len(labelled))) for at in range(len(labelled))]
    spaces = tuple(level.space for level in expert.levels)
    most = max(1, min(KEPT, BUDGET // len(drafts)))
    patches = tuple(_together([each.patches[at][:most] for each in drafts]) for at in range(len(spaces)))
    vectors = torch.stack([each.vector for each in drafts])
    entries = directions(spaces, patches)
    table = torch.zeros(len(expert.left_out), len(drafts))
    regions = []
    for at, look, distances in left_out_again(expert, good, progress):
        table[at] = highest(margins(spaces, entries, patches, look, distances), expert.area)
        excess = expert.map_of(distances, expert.area)
        regions.append(float((vectors @ summary(spaces, look, place_of_defect(excess, None))).max()))
    usual, joined, raised = resemblances(table.numpy().astype(np.float64))
    left_out = tuple(score + more for score, more in zip(expert.left_out, raised, strict=True))
    known = KnownDefects(
        tuple(each.example for each in drafts), spaces, patches, vectors, usual, joined, left_out,
        FEW_APART, float(np.quantile(regions, NORMAL)),
    )  # fmt: skip
    return replace(known, apart=_apart(known, drafts))


def resemblances(table: Numbers) -> tuple[tuple[Standing, ...], Standing, list[float]]:
    """What is usual of the margins of good images, and by how much each of these raises its own score.

    What is usual follows from the good images themselves. So each is measured by the others, as a new part is
    measured by all. Otherwise new good parts would stand out more than these do, and the limits would be too low:
    with ten good images and a dozen labelled defects, twice as many good parts were stopped as were allowed.

    Args:
        table: (good images, labelled defects) the margins, each image left out of the memory.

    Returns:
        What is usual of each labelled defect, of the largest of them, and the raise of each good image.
    """
    usual = tuple(Standing.of(column.tolist()) for column in table.T)
    joined = Standing.of(_largest(table, table).tolist())
    raised = []
    for at in range(len(table)):
        others = np.delete(table, at, axis=0) if len(table) > 1 else table
        own = float(_largest(table[at : at + 1], others)[0])
        raised.append(max(0.0, Standing.of(_largest(others, others).tolist()).of_number(own)))
    return usual, joined, raised


def _largest(margins: Numbers, usual: Numbers) -> Numbers:
    """(n,) the largest of the margins (n, labelled defects) of each image, in deviations of usual ones."""
    middle, spread = middles_and_spreads(usual)
    largest: Numbers = ((margins - middle) / spread).max(axis=1)
    return largest


@dataclass(frozen=True, eq=False)
class _Draft:
    """A labelled defect: what is kept of it, and the vector that would be found without its mask."""

    example: Example
    patches: list[torch.Tensor]
    vector: torch.Tensor
    as_found: torch.Tensor


def _draft(expert: ProductExpert, labelled: Labelled, progress: Progress, at: tuple[int, int]) -> _Draft:
    image, marked = labelled.image, labelled.marked
    look = next(expert.eyes.look([image.pixels]))
    excess = expert.assess_look(look).excess
    spaces = [level.space for level in expert.levels]
    place, found = place_of_defect(excess, marked), place_of_defect(excess, None)
    box = box_of_place(place, image.width, image.height) if marked is None else box_of_mask(marked)
    patches = []
    for seen in look.patches:
        weights = torch.from_numpy(patches_of_defect(excess, marked, (seen.rows, seen.columns))).flatten()
        chosen = weights.topk(min(KEPT, int((weights > 0).sum()))).indices
        patches.append(seen.features.float()[chosen])
    progress("known defects learnt", *at)
    example = Example(image.sha256, image.name, labelled.type, labelled.added, box)
    return _Draft(example, patches, summary(spaces, look, place), summary(spaces, look, found))


def _together(of_each: Sequence[torch.Tensor]) -> Patches:
    owners = [torch.full((len(each),), number) for number, each in enumerate(of_each)]
    return Patches(torch.cat(list(of_each)), torch.cat(owners))


def _apart(known: KnownDefects, drafts: Sequence[_Draft]) -> float:
    """How much less similar a type may be than the nearest, for the true one to be named often enough.

    It is the conformal quantile of what the true type lacks, each picture left out.
    """
    lacking = sorted(_lacking(known, drafts))
    rank = math.ceil(round(RIGHT * (len(lacking) + 1), 9))
    return lacking[rank - 1] if 0 < rank <= len(lacking) else FEW_APART


def _lacking(known: KnownDefects, drafts: Sequence[_Draft]) -> Iterator[float]:
    for draft in drafts:
        cosines = (known.vectors @ draft.as_found).tolist()
        others = [(c, e.type) for c, e in zip(cosines, known.examples, strict=True) if e != draft.example]
        true = [cosine for cosine, name in others if name == draft.example.type]
        if true and len(true) < len(others):
            yield max(cosine for cosine, _ in others) - max(true)
