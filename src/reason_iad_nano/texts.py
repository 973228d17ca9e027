"""Text for pairs: scenes, questions and packed sequences, in worker processes. Imports no torch."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from reason_iad.schema import Entry
from reason_iad_nano.encoding import Encoder
from reason_iad_nano.facts import Facts
from reason_iad_nano.packing import Indexes, LatentOdds, PackedBatch, collate, pack
from reason_iad_nano.pairs import Extra, PairBatch, Purpose, family_index, grid_of, kind_index, pair_batch
from reason_iad_nano.questions import make_items, make_lookups
from reason_iad_nano.scene import SceneOdds, Vocabulary, make_scene
from reason_iad_nano.tokenizer import load_tokenizer
from reason_iad_nano.wording import kind_texts
from reason_iad_nano.world.types import Size


@dataclass(frozen=True, slots=True)
class TextSetup:
    """What text is made with; passed to workers with every job.

    Attributes:
        tokenizer: folder of the tokenizer.
        branches: questions per sequence.
        grid: rows and columns of the image tokens.
        odds, latents: how scenes and latent blocks are drawn.
        chain: share of questions that follow another one in its conversation.
    """

    tokenizer: str
    branches: int
    grid: tuple[int, int]
    odds: SceneOdds = field(default_factory=SceneOdds)
    latents: LatentOdds = field(default_factory=LatentOdds)
    chain: float = 0.12


READING = SceneOdds(knowledge=1.0, renamed=0.85, reference=0.0, shipped=0.0)
"""Scenes for reading alone."""


@cache
def _encoder(folder: str) -> Encoder:
    return Encoder(load_tokenizer(Path(folder)))


@cache
def world_vocabulary() -> Vocabulary:
    """Every kind and object name of the world that training may mention."""
    from reason_iad_nano.world import FAMILIES, KINDS

    families = {name: family for name, family in FAMILIES.items() if not family.held_out}
    kinds = {name: kind for name, kind in KINDS.items() if not kind.held_out}
    names = sorted({str(family.object_name) for family in families.values()})
    siblings = {name: frozenset(family.defects) for name, family in families.items()}
    categories: dict[str, tuple[str, ...]] = {
        name: (family.object_name, family.category) for name, family in families.items()
    }
    by_category = _shipped_knowledge()
    shipped = {name: by_category.get(family.category, ()) for name, family in families.items()}
    return Vocabulary(kind_texts(kinds), tuple(names), siblings, categories, shipped)


def _shipped_knowledge() -> dict[str, tuple[Entry, ...]]:
    """The package's own knowledge by category; none where its readers' libraries are not installed."""
    try:
        from reason_iad.knowledge import read_documents
        from reason_iad.knowledge.opening import BUILTIN
    except ImportError:
        return {}
    return {document.category: document.entries for document in read_documents([BUILTIN])}


def text_batches(
    facts: Sequence[Facts],
    pairs: Sequence[int],
    seed: int,
    setup: TextSetup,
    size: int,
    extra: Extra | None = None,
) -> list[PackedBatch]:
    """Scenes and questions for some batches of pairs, sequences of like length together.

    Args:
        facts: of the pairs.
        pairs: their rows in the pool.
        seed: of this text; the same seed makes the same text.
        setup: how.
        size: sequences per batch.
        extra: what third image the samples have.
    """
    vocabulary, indexes = world_vocabulary(), Indexes(kind_index(), family_index())
    encoder = _encoder(setup.tokenizer)
    rows = []
    for number, (fact, pair) in enumerate(zip(facts, pairs, strict=True)):
        rng = random.Random(f"text/{seed}/{number}")
        scene = make_scene(fact, vocabulary, rng, setup.odds, extra)
        items = make_items(scene, vocabulary, rng, setup.branches)
        packed = pack(scene, items, encoder, indexes, setup.grid, rng, setup.latents, setup.chain)
        rows.append((packed, scene, pair))
    if len(rows) > size:
        rows.sort(key=lambda row: len(row[0].ids))  # padding is work, too
    batches = [
        collate([r[0] for r in run], [r[1] for r in run], [r[2] for r in run], indexes, setup.grid)
        for run in (rows[first : first + size] for first in range(0, len(rows), size))
    ]
    random.Random(f"order/{seed}").shuffle(batches)
    return batches


def reading_batch(facts: Sequence[Facts], seed: int, setup: TextSetup) -> PackedBatch:
    """Knowledge without images, most of it under invented names, and questions that it alone answers.

    Sequences with images hold one or two such questions each, too few to learn from that a name is found again by
    its letters; and text without images is cheap.
    """
    vocabulary, indexes = world_vocabulary(), Indexes(kind_index(), family_index())
    encoder = _encoder(setup.tokenizer)
    scenes, sequences = [], []
    for number, fact in enumerate(facts):
        rng = random.Random(f"read/{seed}/{number}")
        scene = replace(make_scene(fact, vocabulary, rng, READING), reference=False)
        items = make_lookups(scene, rng, setup.branches)
        sequences.append(pack(scene, items, encoder, indexes, (0, 0), rng, LatentOdds(share=0.0), setup.chain))
        scenes.append(scene)
    return collate(sequences, scenes, list(range(len(facts))), indexes, (0, 0))


def text_batch(
    facts: Sequence[Facts], pairs: Sequence[int], seed: int, setup: TextSetup, extra: Extra | None = None
) -> PackedBatch:
    """Scenes and questions for one batch of pairs, in their order."""
    return text_batches(facts, pairs, seed, setup, len(facts), extra)[0]


def joint_batch(
    first: int, count: int, purpose: Purpose, size: Size, seed: int, setup: TextSetup, extra: Extra | None = None
) -> tuple[PairBatch, PackedBatch]:
    """Fresh pairs of any size, with or without a third image, with their text."""
    pairs = pair_batch(first, count, purpose, size, extra)
    setup = replace(setup, grid=grid_of(size))
    return pairs, text_batch(pairs.facts, range(count), seed, setup, extra)
