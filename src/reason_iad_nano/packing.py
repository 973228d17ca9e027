"""One sequence for many questions: a shared prefix, and branches that see the prefix and themselves only.

Rotary positions of every branch restart where the prefix ends, so a branch computes exactly what it would alone
(a test holds the logits equal). Some branches are a conversation: a question, its answer, the next question. With
six branches an image pair gives six times the answers for twice the cost.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from reason_iad.backbones.prompt import ImageSlot
from reason_iad.schema import PLACES, SIZES
from reason_iad_nano.encoding import IMAGE, STOP, THINK, Encoder
from reason_iad_nano.facts import Facts
from reason_iad_nano.items import Item
from reason_iad_nano.scene import Scene

TASKS = (
    "detection", "type", "place", "object", "size", "count", "why", "cause", "explanation", "describe", "lookup",
    "normal",
)  # fmt: skip
TEXT = -1  # source of a position that is not an image token
OPEN_WEIGHT = 4.0  # an open answer counts as much as so many letters
PLACE_WEIGHT = 2.0  # places are learnt last
PLACE_SLOT = 55  # the last nine of the 64 slots for what an option means; kinds fill them from the front


@dataclass(frozen=True, slots=True)
class Indexes:
    """Numbers of the world's kinds and families, for targets."""

    kinds: dict[str, int]
    families: dict[str, int]


@dataclass(slots=True)
class Packed:
    """One packed sequence; S positions. Lists grow while packing, `collate` makes arrays of them.

    Attributes:
        ids: token ids; image tokens carry the image placeholder, latents the think token.
        sources: row of the sample's image tokens (reference, query, third image) at each position, or `TEXT`.
        segments: 0 for the prefix, 1.. for the branches.
        positions: rotary positions (time, height, width).
        noise: relative noise of a latent, 0 elsewhere.
        targets: (position, token, weight) of each supervised next token.
        letters: (position, right token, options, task) of each lettered answer.
        options: (position, right or not, meaning or -1) of each option's end.
        lines: (position, kind) of each knowledge line's end.
        names: (position, kind) of the colon behind the name in each of them.
        reference, query: first position of the image tokens; reference is -1 if it is not shown.
        report: position of the markup that closes the query image.
    """

    ids: list[int] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    segments: list[int] = field(default_factory=list)
    positions: list[tuple[int, int, int]] = field(default_factory=list)
    noise: list[float] = field(default_factory=list)
    targets: list[tuple[int, int, float]] = field(default_factory=list)
    letters: list[tuple[int, int, int, int]] = field(default_factory=list)
    options: list[tuple[int, int, int]] = field(default_factory=list)
    lines: list[tuple[int, int]] = field(default_factory=list)
    names: list[tuple[int, int]] = field(default_factory=list)
    reference: int = -1
    query: int = -1
    report: int = -1

    def text(self, ids: tuple[int, ...], segment: int, position: int) -> int:
        """Append text; returns the next rotary position."""
        for token in ids:
            self._append(token, TEXT, segment, (position, position, position))
            position += 1
        return position

    def image(self, first: int, rows: int, columns: int, position: int) -> int:
        """Append an image's tokens, its rows of the pair starting at `first`; returns the next rotary position."""
        for row in range(rows):
            for column in range(columns):
                place = (position, position + row, position + column)
                self._append(IMAGE, first + row * columns + column, 0, place)
        return position + max(rows, columns)

    def _append(
        self, token: int, source: int, segment: int, place: tuple[int, int, int], noise: float = 0.0
    ) -> None:
        self.ids.append(token)
        self.sources.append(source)
        self.segments.append(segment)
        self.positions.append(place)
        self.noise.append(noise)

    def latent(self, segment: int, position: int, noise: float) -> int:
        """Append a latent; returns the next rotary position."""
        self._append(THINK, TEXT, segment, (position, position, position), noise)
        return position + 1

    def patch(self, source: int, segment: int, position: int) -> int:
        """Append an injected patch, at an ordinary text position; returns the next rotary position."""
        self._append(IMAGE, source, segment, (position, position, position))
        return position + 1


@dataclass(frozen=True, slots=True)
class LatentOdds:
    """How the latent block is drawn.

    Attributes:
        share: of branches that have one.
        count: latents in it.
        noise: largest noise, relative to the RMS of the token embeddings.
        patches: most patches behind one latent.
    """

    share: float = 0.6
    count: int = 4
    noise: float = 0.2
    patches: int = 3


def pack(
    scene: Scene,
    items: list[Item],
    encoder: Encoder,
    indexes: Indexes,
    grid: tuple[int, int],
    rng: random.Random,
    latents: LatentOdds | None = None,
    chain: float = 0.0,
) -> Packed:
    """Pack a scene and its questions into one sequence.

    Args:
        scene: what the prefix tells.
        items: the branches.
        encoder: of the tokenizer in use.
        indexes: numbers of kinds.
        grid: rows and columns of the image tokens.
        rng: draws the latent blocks.
        latents: how.
        chain: share of questions that are asked behind the one before, in the same conversation.
    """
    latents = latents or LatentOdds()
    packed = Packed()
    start = _prefix(packed, scene, encoder, indexes, grid)
    segment, behind = 0, start
    for number, item in enumerate(items):
        question = encoder.question(item.question)
        if chain and number and rng.random() < chain:
            behind = packed.text(encoder.again, segment, behind)
            before, skipped = question.before[len(encoder.line) :], len(encoder.line)
        else:
            segment, behind, before, skipped = segment + 1, start, question.before, 0
        first = len(packed.ids) - skipped
        position = packed.text(before, segment, behind)
        for index, end in enumerate(question.option_ends):
            packed.options.append((first + end, int(index == item.correct), _meaning(item, index, indexes)))
        if rng.random() < latents.share:
            position = _latent_block(packed, scene, segment, position, grid, rng, latents)
        position = packed.text(question.cue, segment, position)
        behind = _answer(packed, item, encoder, segment, position)
    return packed


def _prefix(packed: Packed, scene: Scene, encoder: Encoder, indexes: Indexes, grid: tuple[int, int]) -> int:
    """Append the prefix; returns the rotary position behind it."""
    rows, columns = grid
    count = rows * columns
    firsts = ([0] if scene.reference else []) + ([2 * count] if scene.extra else []) + [count]
    position = 0
    head = encoder.head(scene.entries, scene.references, scene.category, overlay=scene.extra == "overlay")
    for piece in head:
        if isinstance(piece, ImageSlot):
            if firsts[piece.index] == count:
                packed.query = len(packed.ids)
            elif firsts[piece.index] == 0:
                packed.reference = len(packed.ids)
            position = packed.image(firsts[piece.index], rows, columns, position)
        else:
            position = packed.text(piece, 0, position)
    packed.report = len(packed.ids) - 1
    if scene.entries:
        breaks = [index for index, token in enumerate(packed.ids) if token == encoder.line_break]
        opening = sum(token == encoder.line_break for token in encoder.opening) + 1  # and the line '[knowledge]'
        for kind, before, end in zip(scene.entry_kinds, breaks[opening - 1 :], breaks[opening:], strict=False):
            if kind is not None:
                packed.lines.append((end, indexes.kinds[kind]))
                packed.names.append((packed.ids.index(encoder.colon, before, end), indexes.kinds[kind]))
    return position


def _meaning(item: Item, index: int, indexes: Indexes) -> int:
    """What an option stands for: the number of a kind, `PLACE_SLOT` and on for the nine places, or -1."""
    if item.task == "place":
        return PLACE_SLOT + PLACES.index(item.question.options[index].lower().rstrip("."))
    kind = item.option_kinds[index] if item.option_kinds else None
    return -1 if kind is None else indexes.kinds[kind]


def _latent_block(
    packed: Packed,
    scene: Scene,
    segment: int,
    position: int,
    grid: tuple[int, int],
    rng: random.Random,
    odds: LatentOdds,
) -> int:
    """Append T_1 V_1 T_2 V_2 ..., as reasoning builds it; half of the patches lie on the defect."""
    count = grid[0] * grid[1]
    cells = np.flatnonzero(scene.facts.coverage > 0).tolist()
    noise = rng.random() * odds.noise
    for _ in range(odds.count):
        position = packed.latent(segment, position, noise)
        for _ in range(rng.randint(0, odds.patches)):
            cell = rng.choice(cells) if cells and rng.random() < 0.5 else rng.randrange(count)
            position = packed.patch(count + cell, segment, position)
    return position


def _answer(packed: Packed, item: Item, encoder: Encoder, segment: int, position: int) -> int:
    """Append the answer and supervise it; returns the next rotary position."""
    last = len(packed.ids) - 1
    if item.correct is not None:
        token = encoder.letter(item.answer)
        packed.letters.append((last, token, len(item.question.options), TASKS.index(item.task)))
        weight = PLACE_WEIGHT if item.task == "place" else 1.0
        packed.targets += [(last, token, weight), (last + 1, STOP, 0.1)]
        return packed.text((token,), segment, position)
    answer = (*encoder.content(item.answer), STOP)
    weight = OPEN_WEIGHT / len(answer)
    packed.targets += [(last + index, token, weight) for index, token in enumerate(answer)]
    return packed.text(answer[:-1], segment, position)


@dataclass(frozen=True, slots=True)
class PackedBatch:
    """B packed sequences, padded to one length S. Row lists carry the sequence's number first.

    Attributes:
        ids, sources, segments, noise: (B, S); padding has segment -1.
        positions: (3, B, S).
        targets: (N, 3) sequence, position, token; weights: (N,).
        letters: (Q, 5) sequence, position, token, options, task.
        options: (M, 4) sequence, position, right, meaning.
        lines, names: (E, 3) sequence, position, kind.
        reference, query, report: (B,).
        pairs: (B,) which row of the tokens' pool each sequence looks at.
        coverage, extent, kinds: (B, n) of the query's image tokens.
        grid: rows and columns of the image tokens, the same for all.
        labels: (B, 5) defective or not, kind, place (-1 on a good part), family, and size (-1 on a good part).
    """

    ids: npt.NDArray[np.int64]
    sources: npt.NDArray[np.int64]
    segments: npt.NDArray[np.int64]
    noise: npt.NDArray[np.float32]
    positions: npt.NDArray[np.int64]
    targets: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float32]
    letters: npt.NDArray[np.int64]
    options: npt.NDArray[np.int64]
    lines: npt.NDArray[np.int64]
    names: npt.NDArray[np.int64]
    reference: npt.NDArray[np.int64]
    query: npt.NDArray[np.int64]
    report: npt.NDArray[np.int64]
    pairs: npt.NDArray[np.int64]
    coverage: npt.NDArray[np.float32]
    extent: npt.NDArray[np.float32]
    kinds: npt.NDArray[np.int64]
    labels: npt.NDArray[np.int64]
    grid: tuple[int, int]


def _labels(facts: Facts, indexes: Indexes) -> tuple[int, int, int, int, int]:
    """Defective or not, the main defect's kind and place, the family, the main defect's size; -1 for none."""
    family = indexes.families[facts.family]
    if not facts.defective:
        return 0, -1, -1, family, -1
    main = facts.main
    return 1, indexes.kinds[main.kind], PLACES.index(main.place), family, SIZES.index(main.size)


def collate(
    sequences: list[Packed],
    scenes: list[Scene],
    pairs: list[int],
    indexes: Indexes,
    grid: tuple[int, int],
    multiple: int = 32,
) -> PackedBatch:
    """Pad to a common length, a multiple of `multiple`."""
    length = -(-max(len(packed.ids) for packed in sequences) // multiple) * multiple
    count = len(sequences)
    ids, sources = np.zeros((count, length), np.int64), np.full((count, length), TEXT, np.int64)
    segments, noise = np.full((count, length), -1, np.int64), np.zeros((count, length), np.float32)
    positions = np.zeros((3, count, length), np.int64)
    for row, packed in enumerate(sequences):
        used = len(packed.ids)
        ids[row, :used], sources[row, :used] = packed.ids, packed.sources
        segments[row, :used], noise[row, :used] = packed.segments, packed.noise
        positions[:, row, :used] = np.asarray(packed.positions).T

    def rows(name: str, width: int) -> npt.NDArray[np.int64]:
        table = [(row, *entry[:width]) for row, packed in enumerate(sequences) for entry in getattr(packed, name)]
        return np.asarray(table, np.int64).reshape(len(table), 1 + width)

    return PackedBatch(
        ids=ids, sources=sources, segments=segments, noise=noise, positions=positions,
        targets=rows("targets", 2),
        weights=np.asarray([target[2] for packed in sequences for target in packed.targets], np.float32),
        letters=rows("letters", 4), options=rows("options", 3), lines=rows("lines", 2), names=rows("names", 2),
        reference=np.asarray([packed.reference for packed in sequences], np.int64),
        query=np.asarray([packed.query for packed in sequences], np.int64),
        report=np.asarray([packed.report for packed in sequences], np.int64),
        pairs=np.asarray(pairs, np.int64),
        coverage=np.stack([scene.facts.coverage for scene in scenes]),
        extent=np.stack([scene.facts.extent for scene in scenes]),
        kinds=np.stack([scene.facts.kinds for scene in scenes]),
        labels=np.asarray([_labels(scene.facts, indexes) for scene in scenes], np.int64),
        grid=grid,
    )  # fmt: skip
