"""Labelled defects on disk: `known.json` and one file of tensors beside it. Both can be deleted at any time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reason_iad.errors import MemoryBankError
from reason_iad.expert.memory.objects import Shape, is_digest, read_object, write_object, write_whole
from reason_iad.expert.normality.examples import Example, KnownDefects, Patches
from reason_iad.expert.normality.space import Space
from reason_iad.expert.normality.standing import Standing

MANIFEST = "known.json"
MOST_MANIFEST = 16 * 2**20
"""Bytes that a manifest may have."""
_ANEW = "What was learnt of the labelled defects is missing or damaged; learn it anew."

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Standing = Annotated[tuple[_Finite, _Positive], Field(strict=False)]
_Side = Annotated[int, Field(ge=0, le=10**6)]
_Box = Annotated[tuple[_Side, _Side, _Side, _Side], Field(strict=False)]
_Count = Annotated[int, Field(ge=1, le=10**7)]


@dataclass(frozen=True, slots=True)
class Label:
    """What a product says of a labelled defect: hash and name of its file, its type, and when it was added."""

    sha256: str
    name: str
    type: str
    added: datetime


class Manifest(BaseModel):
    """What `known.json` says.

    Attributes:
        format: of the folder.
        learnt_from: what it was learnt from, as the caller names it.
        boxes: the place of each labelled defect.
        usual, joined, left_out, apart, unlike: as in `KnownDefects`.
        file: hash of the file of tensors.
        patches: how many there are, by resolution.
        channels: of them, by resolution.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    format: Literal[1]
    learnt_from: Annotated[str, Field(max_length=200)]
    boxes: Annotated[tuple[_Box, ...], Field(strict=False, min_length=1)]
    usual: Annotated[tuple[_Standing, ...], Field(strict=False)]
    joined: _Standing
    left_out: Annotated[tuple[_Finite, ...], Field(strict=False)]
    apart: _Finite
    unlike: _Finite
    file: Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
    patches: Annotated[tuple[_Count, ...], Field(strict=False, min_length=1, max_length=8)]
    channels: Annotated[tuple[_Count, ...], Field(strict=False, min_length=1, max_length=8)]


def save_defects(known: KnownDefects, folder: Path, learnt_from: str) -> None:
    """Write what is known of labelled defects, and delete what was there before.

    Raises:
        OutputError: it cannot be written.
    """
    tensors = {"vectors": known.vectors}
    for level, patches in enumerate(known.patches):
        tensors |= {f"features{level}": patches.features, f"owners{level}": patches.owners}
    manifest = Manifest(
        format=1,
        learnt_from=learnt_from,
        boxes=tuple(each.box for each in known.examples),
        usual=tuple((each.middle, each.spread) for each in known.usual),
        joined=(known.joined.middle, known.joined.spread),
        left_out=known.left_out,
        apart=known.apart,
        unlike=known.unlike,
        file=write_object(folder, tensors),
        patches=tuple(len(each.features) for each in known.patches),
        channels=tuple(each.features.shape[1] for each in known.patches),
    )
    write_whole(folder / MANIFEST, manifest.model_dump_json(indent=1).encode())
    for path in folder.iterdir():
        if is_digest(path.stem) and path.stem != manifest.file:
            path.unlink(missing_ok=True)


def load_defects(
    folder: Path, spaces: tuple[Space, ...], learnt_from: str, labels: Sequence[Label]
) -> KnownDefects:
    """Read what is known of labelled defects.

    Args:
        folder: where `save_defects` wrote it.
        spaces: the coordinates at each resolution of the expert.
        learnt_from: what it has to be learnt from.
        labels: the labelled defects, in the order in which they were learnt.

    Raises:
        MemoryBankError: there is nothing, it was learnt from something else, or it is damaged.
    """
    manifest = _read(folder / MANIFEST)
    count = len(labels)
    channels = tuple(len(space.variances) for space in spaces)
    if manifest.learnt_from != learnt_from or {len(manifest.boxes), len(manifest.usual)} != {count}:
        raise MemoryBankError("What was learnt of the labelled defects does not fit them any more; learn it anew.")
    if manifest.channels != channels or len(manifest.patches) != len(channels):
        raise MemoryBankError(_ANEW)
    found = read_object(folder, manifest.file, _shapes(manifest, count))
    patches = tuple(Patches(found[f"features{at}"], found[f"owners{at}"]) for at in range(len(spaces)))
    for each in patches:
        if set(each.owners.tolist()) != set(range(count)):
            raise MemoryBankError(_ANEW)
    return KnownDefects(
        examples=tuple(
            Example(each.sha256, each.name, each.type, each.added, box)
            for each, box in zip(labels, manifest.boxes, strict=True)
        ),
        spaces=spaces,
        patches=patches,
        vectors=found["vectors"],
        usual=tuple(Standing(*pair) for pair in manifest.usual),
        joined=Standing(*manifest.joined),
        left_out=manifest.left_out,
        apart=manifest.apart,
        unlike=manifest.unlike,
    )


def _shapes(manifest: Manifest, count: int) -> dict[str, Shape]:
    shapes: dict[str, Shape] = {"vectors": (torch.float32, (count, sum(manifest.channels)))}
    for level, (patches, channels) in enumerate(zip(manifest.patches, manifest.channels, strict=True)):
        shapes[f"features{level}"] = (torch.float32, (patches, channels))
        shapes[f"owners{level}"] = (torch.int64, (patches,))
    return shapes


def _read(path: Path) -> Manifest:
    try:
        if path.stat().st_size > MOST_MANIFEST:
            raise MemoryBankError(_ANEW)
        return Manifest.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        raise MemoryBankError(_ANEW) from None
