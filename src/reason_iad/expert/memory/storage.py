"""A memory on disk: files named by the hash of their content, and a manifest that names them.

    manifest.json            what the memory is; written last, in one step
    files/<hash>.safetensors the entries, and the kept patches of each image

A change writes new files and then the manifest; files that it no longer names are removed afterwards. Whenever this
is interrupted, the manifest names files that are there: those of the old memory or those of the new one. Several
processes may read; who writes has to see to it that nobody else does.
"""

from __future__ import annotations

import contextlib
import stat
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reason_iad.errors import MemoryBankError
from reason_iad.expert.memory.bank import Entries, Member, MemoryBank, MemorySettings, require_encoder
from reason_iad.expert.memory.objects import SUFFIX, Shape, is_digest, read_object, write_object, write_whole
from reason_iad.expert.memory.scale import Scale
from reason_iad.expert.memory.shelf import DiskShelf

MANIFEST = "manifest.json"
FILES = "files"
MOST_MANIFEST = 64 * 2**20
"""Bytes that a manifest may have: enough for 250,000 images."""

_Digest = Annotated[str, Field(pattern=r"\A[0-9a-f]{64}\z")]
_Count = Annotated[int, Field(ge=1, le=10**8)]
_Channels = Annotated[int, Field(ge=1, le=65_536)]
_Share = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class _Image(_Strict):
    sha256: _Digest
    key: _Digest
    kept: _Count
    patches: _Count


class _Settings(_Strict):
    budget: _Count
    kept: _Count
    near: _Share | None
    dimensions: _Channels | None
    seed: Annotated[int, Field(ge=0)]


class Manifest(_Strict):
    """What `manifest.json` says.

    Attributes:
        format: of the folder; raised by every change that an older version could trip over.
        encoder, encoder_sha256: whose features these are.
        settings: budget, seed and others.
        images: SHA-256 of each, in order, with the file of what is kept of it.
        channels: of the features.
        mean, deviation: of each channel on all images, by which searching standardises.
        entries: hash of the file with the entries; None without images.
        entry_count: how many those are.
        radius, near, chosen_of: as in the memory.
    """

    format: Literal[1]
    encoder: Annotated[str, Field(max_length=1000)]
    encoder_sha256: Annotated[str, Field(max_length=1000)]
    settings: _Settings
    images: Annotated[tuple[_Image, ...], Field(strict=False)]
    channels: Annotated[int, Field(ge=0, le=65_536)]
    mean: Annotated[tuple[float, ...], Field(strict=False)]
    deviation: Annotated[tuple[float, ...], Field(strict=False)]
    entries: _Digest | None
    entry_count: Annotated[int, Field(ge=0, le=10**8)]
    radius: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    near: _Share | None
    chosen_of: Annotated[int, Field(ge=0, le=10**8)]


def save_memory(bank: MemoryBank, folder: Path) -> MemoryBank:
    """Write a memory; one that is there is replaced in one step.

    Returns:
        The same memory, with the patches that are kept of images in this folder.

    Raises:
        OutputError: it cannot be written; the folder then holds what it held, and perhaps files that nothing names.
    """
    shelf = memory_shelf(folder)
    if not (isinstance(bank.shelf, DiskShelf) and bank.shelf.folder == shelf.folder):
        for member in bank.members:
            shelf.put(bank.shelf.get(member.key, member.kept, bank.moments.shape[2]))
    entries = write_object(shelf.folder, _tensors(bank)) if bank.entries is not None else None
    content = _manifest(bank, entries).model_dump_json(indent=1).encode()
    write_whole(folder / MANIFEST, content)
    _sweep(shelf.folder, {entries, *(member.key for member in bank.members)})
    return replace(bank, shelf=shelf)


def load_memory(folder: Path, encoder_sha256: str) -> MemoryBank:
    """Read a memory. What is kept of images is read, and checked, when it is needed.

    Args:
        folder: where `save_memory` wrote it.
        encoder_sha256: of the encoder whose features will be compared with it.

    Raises:
        MemoryBankError: there is none, it is damaged or of another version, or it was built with another encoder.
    """
    manifest = _read_manifest(folder / MANIFEST)
    settings = MemorySettings(**manifest.settings.model_dump())
    shelf = memory_shelf(folder)
    bank = MemoryBank.empty(manifest.encoder, manifest.encoder_sha256, settings, shelf)
    require_encoder(bank, encoder_sha256)
    if manifest.entries is None:
        return bank
    channels = manifest.channels
    found = read_object(
        shelf.folder, manifest.entries, _shapes(manifest.entry_count, len(manifest.images), channels)
    )
    _check_values(found, len(manifest.images))
    bank = replace(
        bank,
        members=tuple(Member(**image.model_dump()) for image in manifest.images),
        moments=found["moments"],
        entries=Entries(found["features"], found["places"], found["owners"]),
        scale=Scale(*found["scale"]),
        radius=manifest.radius,
        near=manifest.near,
        chosen_of=manifest.chosen_of,
    )
    told = torch.tensor([manifest.mean, manifest.deviation], dtype=torch.float32)
    if not torch.equal(told, torch.stack([bank.statistics.mean, bank.statistics.deviation])):
        raise _damaged("its channel statistics are not those of its images")
    return bank


def memory_shelf(folder: Path) -> DiskShelf:
    """Where a memory in this folder keeps patches of its images. A large memory is built on it from the
    beginning."""
    return DiskShelf(folder / FILES)


def _manifest(bank: MemoryBank, entries: str | None) -> Manifest:
    statistics = bank.statistics if bank.members else None
    return Manifest(
        format=1,
        encoder=bank.encoder,
        encoder_sha256=bank.encoder_sha256,
        settings=_Settings(**asdict(bank.settings)),
        images=tuple(_Image(**asdict(member)) for member in bank.members),
        channels=bank.moments.shape[2] if bank.members else 0,
        mean=tuple(statistics.mean.tolist()) if statistics else (),
        deviation=tuple(statistics.deviation.tolist()) if statistics else (),
        entries=entries,
        entry_count=0 if bank.entries is None else len(bank.entries.owners),
        radius=bank.radius,
        near=bank.near,
        chosen_of=bank.chosen_of,
    )


def _tensors(bank: MemoryBank) -> dict[str, torch.Tensor]:
    assert bank.entries is not None and bank.scale is not None, "checked by the caller"
    scale = torch.stack([bank.scale.mean, bank.scale.deviation])
    return {**bank.entries._asdict(), "moments": bank.moments, "scale": scale}


def _shapes(entries: int, images: int, channels: int) -> dict[str, Shape]:
    return {
        "features": (torch.float32, (entries, channels)),
        "places": (torch.float32, (entries, 2)),
        "owners": (torch.int64, (entries,)),
        "moments": (torch.float32, (images, 2, channels)),
        "scale": (torch.float32, (2, channels)),
    }


def _read_manifest(path: Path) -> Manifest:
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > MOST_MANIFEST:
            raise _damaged(f"its {MANIFEST} is no file of a plausible size")
        manifest = Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        raise MemoryBankError(f"There is no memory in '{path.parent}'; build it first.") from None
    except OSError as error:
        raise MemoryBankError(f"The memory cannot be read ({error.strerror}); build it anew.") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise _damaged(f"{MANIFEST} {place}: {first['msg']}") from None
    images, most = manifest.images, manifest.settings
    if len({image.sha256 for image in images}) != len(images):
        raise _damaged("an image is listed twice")
    if any(image.kept > min(most.kept, image.patches) for image in images):
        raise _damaged("more patches of an image are kept than there can be")
    if manifest.entry_count > most.budget or bool(images) != (manifest.entries is not None):
        raise _damaged("its entries do not fit its images and budget")
    if bool(images) != (manifest.entry_count > 0) or bool(images) != (manifest.channels > 0):
        raise _damaged("it has images without entries")
    if {len(manifest.mean), len(manifest.deviation)} != {manifest.channels}:
        raise _damaged("its channel statistics have another number of channels")
    return manifest


def _check_values(found: dict[str, torch.Tensor], images: int) -> None:
    """Numbers that are finite can still mean nothing."""
    owners, places = found["owners"], found["places"]
    if int(owners.min()) < 0 or int(owners.max()) >= images:
        raise _damaged("an entry comes from an image that it does not have")
    if float(places.min()) < 0 or float(places.max()) > 1:
        raise _damaged("an entry lies outside its image")
    if float(found["moments"][:, 1].min()) < 0 or float(found["scale"][1].min()) <= 0:
        raise _damaged("a deviation is negative")


def _damaged(why: str) -> MemoryBankError:
    return MemoryBankError(f"The saved memory is damaged: {why}. Delete it and build it anew.")


def _sweep(folder: Path, named: set[str | None]) -> None:
    """Remove what the manifest does not name, and what interrupted writing left."""
    for path in folder.iterdir() if folder.is_dir() else ():
        ours = path.suffix == SUFFIX and is_digest(path.stem) and path.stem not in named
        if ours or (path.name.startswith(".") and path.suffix == ".tmp"):
            with contextlib.suppress(OSError):  # somebody else's, or open on a system that minds; harmless
                path.unlink()
