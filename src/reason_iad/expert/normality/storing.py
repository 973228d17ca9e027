"""An expert on disk: a memory per resolution, the good images as wholes, and a manifest.

    expert.json              numbers, and hashes of the files; written last, in one step
    wholes/<hash>.safetensors
    levels/<number>/         a memory each (`memory/storage.py`)

A folder holds one expert. It is derived from images: whatever is wrong with it, it can be deleted and learnt anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reason_iad.errors import MemoryBankError
from reason_iad.expert.memory.objects import Shape, is_digest, read_object, write_object, write_whole
from reason_iad.expert.memory.shelf import Shelf
from reason_iad.expert.memory.storage import load_memory, memory_shelf, save_memory
from reason_iad.expert.normality.area import EVERYWHERE, Area
from reason_iad.expert.normality.expert import ProductExpert, Threshold, Usual
from reason_iad.expert.normality.level import Level
from reason_iad.expert.normality.likeness import LikenessModel
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.normality.standing import Standing
from reason_iad.expert.normality.turning import Turning

MANIFEST = "expert.json"
WHOLES = "wholes"
LEVELS = "levels"
MOST_MANIFEST = 16 * 2**20
"""Bytes that a manifest may have."""

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Pair = Annotated[tuple[_Finite, _Finite], Field(strict=False)]
_Count = Annotated[int, Field(ge=0, le=10**7)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Wholes(_Strict):
    file: Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
    images: Annotated[int, Field(ge=1, le=10**7)]
    angles: Annotated[int, Field(ge=1, le=360)]
    channels: Annotated[int, Field(ge=1, le=10**6)]
    layout: Annotated[int, Field(ge=1, le=10**6)]
    ways: _Count
    turned: _Count
    largest: _Positive
    light: _Pair
    sharpness: _Pair
    shape: _Pair
    grain: Annotated[tuple[_Pair, _Pair], Field(strict=False)]


class Manifest(_Strict):
    """What `expert.json` says.

    Attributes:
        format: of the folder.
        learnt_from: what the expert was learnt from, as the caller names it.
        sizes: of the levels.
        usual: per level and way, median and 0.99 quantile.
        threshold: low, high, area, peak.
        standings: per number, middle and spread.
        of_views: the same of each view; empty where there is one.
        weights: per number.
        joined: middle and spread of the weighted mean.
        left_out: scores of left-out good images.
        left_out_numbers: what they were made from.
        stood_in: whether changed copies stood in for them.
        turning: at how many angles good images are remembered, and how much turned copies are worth.
        wholes: the good images as wholes.
        exceptions: hashes of those that say nothing about what is usual.
        explained: per level and way, up to which distance their patches are nothing unusual; empty without them.
    """

    format: Literal[4]
    learnt_from: Annotated[str, Field(max_length=200)]
    sizes: Annotated[tuple[int | None, ...], Field(strict=False, min_length=1, max_length=8)]
    usual: Annotated[tuple[dict[str, _Pair], ...], Field(strict=False)]
    threshold: Annotated[tuple[_Finite, _Finite, _Finite, _Finite], Field(strict=False)]
    standings: dict[str, _Pair]
    of_views: Annotated[tuple[dict[str, _Pair], ...], Field(strict=False, max_length=100)]
    weights: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]]
    joined: _Pair
    left_out: Annotated[tuple[_Finite, ...], Field(strict=False)]
    left_out_numbers: Annotated[tuple[dict[str, _Finite], ...], Field(strict=False)]
    stood_in: bool
    turning: Annotated[tuple[Annotated[int, Field(ge=1, le=360)], _Finite | None], Field(strict=False)]
    wholes: _Wholes
    exceptions: Annotated[tuple[str, ...], Field(strict=False, max_length=10**6)]
    explained: Annotated[tuple[dict[str, _Finite], ...], Field(strict=False)]


def shelves(folder: Path, count: int) -> tuple[Shelf, ...]:
    """Where an expert in this folder keeps patches: an expert of many images is learnt on them."""
    return tuple(memory_shelf(folder / LEVELS / str(at)) for at in range(count))


def save_expert(expert: ProductExpert, folder: Path, learnt_from: str) -> None:
    """Write an expert. While it is written, an older one in the folder cannot be read.

    Raises:
        OutputError: it cannot be written.
    """
    (folder / MANIFEST).unlink(missing_ok=True)
    for number, level in enumerate(expert.levels):
        save_memory(level.bank, folder / LEVELS / str(number))
    likeness, ends = expert.likeness, expert.threshold
    manifest = Manifest(
        format=4,
        learnt_from=learnt_from,
        sizes=tuple(level.size for level in expert.levels),
        usual=tuple({way: (each.median, each.low) for way, each in ways.items()} for ways in expert.usual),
        threshold=(ends.low, ends.high, ends.area, ends.peak),
        standings=_pairs(expert.standings),
        of_views=tuple(map(_pairs, expert.of_views)),
        weights=dict(expert.weights),
        joined=(expert.joined.middle, expert.joined.spread),
        left_out=expert.left_out,
        left_out_numbers=tuple(map(dict, expert.left_out_numbers)),
        stood_in=expert.stood_in,
        turning=(expert.turning.steps, expert.turning.worth),
        wholes=_Wholes(
            file=write_object(folder / WHOLES, _tensors(likeness)),
            images=likeness.images,
            angles=len(likeness.embeddings) // likeness.images,
            channels=likeness.embeddings.shape[1],
            layout=likeness.layouts.shape[1],
            ways=likeness.turned.shape[0],
            turned=likeness.turned.shape[1],
            largest=likeness.largest,
            light=likeness.light,
            sharpness=likeness.sharpness,
            shape=likeness.shape,
            grain=likeness.grain,
        ),
        exceptions=tuple(sorted(expert.exceptions)),
        explained=tuple(dict(level.explained) for level in expert.levels),
    )
    write_whole(folder / MANIFEST, manifest.model_dump_json(indent=1).encode())
    for path in (folder / WHOLES).iterdir():
        if is_digest(path.stem) and path.stem != manifest.wholes.file:
            path.unlink(missing_ok=True)


def load_expert(folder: Path, eyes: Eyes, learnt_from: str, area: Area = EVERYWHERE) -> ProductExpert:
    """Read an expert.

    Args:
        folder: where `save_expert` wrote it.
        eyes: as it was learnt with.
        learnt_from: what it has to be learnt from.
        area: what counts of a picture, as when it was learnt.

    Raises:
        MemoryBankError: there is none, it was learnt from something else or with other eyes, or it is damaged.
    """
    manifest = _read(folder / MANIFEST)
    if manifest.learnt_from != learnt_from or manifest.sizes != eyes.sizes:
        raise MemoryBankError("What was learnt of the good images does not fit them any more; learn it anew.")
    exceptions = frozenset(manifest.exceptions)
    levels = tuple(
        Level(
            size,
            load_memory(folder / LEVELS / str(number), encoder.sha256),
            eyes.is_detailed(number),
            exceptions,
            manifest.explained[number],
        )
        for number, (size, encoder) in enumerate(zip(eyes.sizes, eyes.encoders, strict=True))
    )
    return ProductExpert(
        eyes=replace(eyes, area=area),
        levels=levels,
        usual=tuple({way: Usual(*pair) for way, pair in ways.items()} for ways in manifest.usual),
        threshold=Threshold(*manifest.threshold),
        standings=_restored(manifest.standings),
        of_views=tuple(map(_restored, manifest.of_views)),
        weights=manifest.weights,
        joined=Standing(*manifest.joined),
        likeness=_likeness(folder, manifest.wholes, len(manifest.of_views)),
        left_out=manifest.left_out,
        left_out_numbers=manifest.left_out_numbers,
        stood_in=manifest.stood_in,
        turning=Turning(*manifest.turning),
        area=area,
    )


def _pairs(standings: Mapping[str, Standing]) -> dict[str, tuple[float, float]]:
    return {name: (each.middle, each.spread) for name, each in standings.items()}


def _restored(pairs: Mapping[str, tuple[float, float]]) -> dict[str, Standing]:
    return {name: Standing(*pair) for name, pair in pairs.items()}


def _likeness(folder: Path, wholes: _Wholes, views: int) -> LikenessModel:
    found = read_object(folder / WHOLES, wholes.file, _shapes(wholes))
    return LikenessModel(
        found["embeddings"], found["middle"], found["spread"].clamp_min(1e-12), wholes.largest,
        wholes.light, wholes.sharpness, wholes.shape, found["layouts"], found["turned"], wholes.grain,
        found["views"].clamp(0, max(0, views - 1)), found["exceptional"],
    )  # fmt: skip


def _tensors(likeness: LikenessModel) -> dict[str, torch.Tensor]:
    names = ("embeddings", "middle", "spread", "layouts", "turned", "views", "exceptional")
    return {name: getattr(likeness, name) for name in names}


def _shapes(wholes: _Wholes) -> dict[str, Shape]:
    shapes = {
        "embeddings": (wholes.images * wholes.angles, wholes.channels),
        "middle": (wholes.channels,),
        "spread": (wholes.channels,),
        "layouts": (wholes.images, wholes.layout),
        "turned": (wholes.ways, wholes.turned, wholes.layout),
    }
    floats = {name: (torch.float32, shape) for name, shape in shapes.items()}
    return {**floats, **dict.fromkeys(("views", "exceptional"), (torch.int64, (wholes.images,)))}


def _read(path: Path) -> Manifest:
    try:
        if path.stat().st_size > MOST_MANIFEST:
            raise MemoryBankError("What was learnt of the good images is damaged; learn it anew.")
        manifest = Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise MemoryBankError("What was learnt of the good images is missing or damaged; learn it anew.") from None
    fits = (
        len(manifest.usual) == len(manifest.explained) == len(manifest.sizes) and sum(manifest.weights.values()) > 0
    )
    known = set(manifest.standings)
    fits = fits and all(set(each) == known for each in manifest.of_views)
    fits = fits and all(set(each) == known for each in manifest.left_out_numbers)
    if not fits or not set(manifest.weights) <= known:
        raise MemoryBankError("What was learnt of the good images is damaged; learn it anew.")
    return manifest
