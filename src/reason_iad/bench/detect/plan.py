"""Which images are judged and which they are compared with: drawn from a seed, the same on every machine."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import zip_longest

from reason_iad.bench.detect.samples import Dataset, Sample
from reason_iad.errors import DatasetError


def only(dataset: Dataset, categories: Sequence[str]) -> Dataset:
    """Some categories of a set; all if none is named.

    Raises:
        DatasetError: one is not in the set.
    """
    unknown = [name for name in categories if name not in dataset.categories]
    if unknown:
        raise DatasetError(f"There is no category '{unknown[0]}'; choose from: {', '.join(dataset.categories)}.")
    if not categories:
        return dataset
    # an empty folder is reported for the categories it lies in; for a set of one category it is below none
    empty = tuple(path for path in dataset.empty if set(path.relative_to(dataset.root).parts) & set(categories))
    samples = tuple(sample for sample in dataset.samples if sample.category in categories)
    return replace(dataset, samples=samples, empty=empty)


def judged(samples: Iterable[Sample], limit: int | None, seed: int) -> list[Sample]:
    """The test images of each category, at most so many: half of them normal, the others evenly over the kinds.

    Args:
        samples: of any categories.
        limit: images per category; None: all.
        seed: of the draw. A larger limit only adds images.

    Returns:
        The images in the order of `samples`.
    """
    test = [sample for sample in samples if sample.split == "test"]
    if limit is None:
        return test
    kept: set[str] = set()
    for category in sorted({sample.category for sample in test}):
        kinds: dict[tuple[int, str], list[str]] = {}
        for sample in sorted(test, key=lambda one: one.id):
            if sample.category == category:
                kinds.setdefault((sample.label, sample.kind), []).append(sample.id)
        for (_, kind), ids in kinds.items():
            random.Random(f"{seed}:{category}:{kind}").shuffle(ids)
        halves = (_in_turn([kinds[key] for key in sorted(kinds) if key[0] == label]) for label in (0, 1))
        kept.update(_in_turn(list(halves))[:limit])
    return [sample for sample in test if sample.id in kept]


def _in_turn(lists: Sequence[list[str]]) -> list[str]:
    """The first of each list, the second of each, and so on."""
    return [name for names in zip_longest(*lists) for name in names if name is not None]


def references(samples: Iterable[Sample], category: str, shots: int | None, seed: int) -> list[Sample]:
    """So many normal training images of a category, or all there are (None: all). More shots only add images."""
    normals = sorted(
        (one for one in samples if one.category == category and one.split == "train" and not one.label),
        key=lambda one: one.id,
    )
    random.Random(f"{seed}:{category}").shuffle(normals)
    return normals[:shots]
