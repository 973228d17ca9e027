"""Where a part differs: a memory of finer patches than those that decide whether it does [ours].

What decides is seen best by deep features at low resolution, and these blur: on ball screws, whose pits are small,
a box drawn from them lay at the pit in 0.3 of the defects. The depth before the deepest, at a higher resolution and
compared near the same place, puts it there in 0.7 (docs/results.md). It is asked only about parts that do not pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from reason_iad.errors import ConfigError, MemoryBankError
from reason_iad.expert.memory.bank import MemoryBank
from reason_iad.expert.memory.features import averaged, joined, points
from reason_iad.expert.memory.search import Points
from reason_iad.expert.memory.shelf import Shelf
from reason_iad.expert.memory.storage import load_memory, memory_shelf, save_memory
from reason_iad.expert.normality.area import EVERYWHERE, Area
from reason_iad.expert.normality.expert import on_grid
from reason_iad.expert.normality.level import Level, memory_settings
from reason_iad.expert.normality.seeing import Progress, silent
from reason_iad.expert.normality.sightings import NOTHING, Sightings
from reason_iad.expert.normality.spread import names_of
from reason_iad.expert.normality.turning import angles, joined_points, reduced, turned, turned_back

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from reason_iad.expert.encoders.base import Encoder, FeatureMap
    from reason_iad.expert.normality.expert import Assessment, ProductExpert
    from reason_iad.expert.normality.looks import Eyes
    from reason_iad.images import LoadedImage

SIZE = 448
"""Root of the number of pixels that pictures are scaled to."""
NEAR = 0.1
"""Parts that lie one way are compared within this share of the picture's side around the same place."""
HIGH = 0.9
"""Quantile of a picture's own distances that counts as 1."""
MOST_QUANTILE = 10**7
"""Values of which `torch.quantile` takes so many."""


@dataclass(frozen=True, eq=False)
class Where:
    """Finds where a picture differs. Threads may share it.

    Attributes:
        encoder: at the finer resolution.
        level: its memory.
        area: what counts of a picture.
    """

    encoder: Encoder
    level: Level
    area: Area = EVERYWHERE

    def values(self, picture: Image.Image) -> torch.Tensor:
        """(rows, columns) at least 0: how far each place stands out of the picture; 1 is its 0.9 quantile."""
        patches = _patches(self.encoder, self.area.painted(picture))
        cells = self.area.cells(patches.rows, patches.columns)
        planes = []
        for distances in self.level.distances(patches).values():
            planes.append(_standing_out(distances.view(patches.rows, patches.columns), cells))
        return torch.stack(planes).mean(0).clamp_min(0).masked_fill(~cells, 0.0)

    def without(self, sha256: str) -> Where:
        """The memory as if one image, by hash, had never been there."""
        return replace(self, level=self.level.without({sha256}))


def with_details(values: torch.Tensor, expert: ProductExpert, seen: Assessment) -> torch.Tensor:
    """(rows, columns) at least 0: where a picture differs, by `Where.values` or its details, whichever say more.

    On the grid of the details; as it was where the expert does not look at these.
    """
    if not expert.eyes.detailed:
        return values
    details = seen.distances[-1]["residual"]
    shape = (details.shape[0], details.shape[1])
    cells = expert.area.cells(*shape)
    found = torch.maximum(on_grid(values, shape), _standing_out(details, cells).clamp_min(0))
    return found.masked_fill(~cells, 0.0)


def fine_encoder(eyes: Eyes) -> Encoder:
    """The encoder of these eyes at the finer resolution, or as it is where it takes one size only.

    It is never the one that looks at details: those are compared by themselves (`with_details`).
    """
    encoder = eyes.encoders[-2 if eyes.detailed else -1]
    scale: Any = getattr(encoder, "with_size", None)
    try:
        fine: Encoder = encoder if scale is None else scale(SIZE)
    except ConfigError:
        return encoder
    return fine


def learn_where(
    good: Sequence[LoadedImage],
    encoder: Encoder,
    *,
    one_way: bool,
    area: Area = EVERYWHERE,
    shelf: Shelf | None = None,
    progress: Progress = silent,
    steps: int = 1,
    sightings: Sightings = NOTHING,
) -> Where:
    """Remember the fine patches of good images.

    Args:
        good: good images, at least one; each is asked for once and let go.
        encoder: at the finer resolution (`fine_encoder`).
        one_way: whether good parts always lie the same way, so that places can be compared.
        area: what counts of a picture.
        shelf: where patches are kept; None: in memory.
        progress: told how far it is.
        steps: at how many angles images are remembered.
        sightings: what was seen of these images before.
    """
    kind, names = f"places{steps}", names_of(good)
    settings = memory_settings(len(good), NEAR if one_way else None)
    bank = MemoryBank.empty(encoder.name, encoder.sha256, settings, shelf)

    def patches() -> Iterator[tuple[str, Points]]:
        for number, name in enumerate(names):
            progress("good images remembered in detail", number + 1, len(good))
            known = sightings.get(kind, name)
            if known is not None:
                yield name, Points(known["features"], known["places"])
                continue
            picture = area.painted(good[number].whole)
            found = points(_patches(encoder, picture)) if steps == 1 else _turned(encoder, picture, steps)
            sightings.put(kind, name, found._asdict())
            yield name, found
        sightings.keep(kind, names)

    return Where(encoder, Level(SIZE, bank.with_images(patches())), area)


def save_where(where: Where, folder: Path) -> None:
    """Write the memory into a folder.

    Raises:
        OutputError: it cannot be written.
    """
    save_memory(where.level.bank, folder)


def load_where(folder: Path, encoder: Encoder, images: Sequence[str], area: Area = EVERYWHERE) -> Where:
    """Read the memory of these images, by hash.

    Raises:
        MemoryBankError: there is none, it is of other images or of another encoder, or it is damaged.
    """
    bank = load_memory(folder, encoder.sha256)
    if {member.sha256 for member in bank.members} != set(images):
        raise MemoryBankError("What was learnt of the places does not fit the good images any more; learn it anew.")
    return Where(encoder, Level(SIZE, bank), area)


def where_shelf(folder: Path) -> Shelf:
    """Where the memory in a folder keeps its patches."""
    return memory_shelf(folder)


def _turned(encoder: Encoder, picture: Image.Image, steps: int) -> Points:
    """The patches of a picture turned to each angle."""
    small = reduced(picture, SIZE)
    found = (turned_back(_patches(encoder, turned(small, by)), by, picture.size) for by in angles(steps))
    return joined_points(list(found))


def _standing_out(values: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """How far values (rows, columns) stand out of the picture: 1 is the 0.9 quantile of those that count."""
    inside = values[cells]
    middle, high = inside.median(), _high(inside)
    return (values - middle) / (high - middle).clamp_min(1e-6)


def _high(values: torch.Tensor) -> torch.Tensor:
    """The 0.9 quantile; of very many values, which `torch.quantile` refuses, the next one."""
    if len(values) < MOST_QUANTILE:
        return values.quantile(HIGH)
    return values.kthvalue(round(HIGH * len(values))).values


def _patches(encoder: Encoder, picture: Image.Image) -> FeatureMap:
    maps = encoder.encode([picture])[0]
    return averaged(maps[-2]) if len(maps) > 1 else joined(maps)
