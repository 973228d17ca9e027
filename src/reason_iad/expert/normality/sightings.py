"""What was seen of single images, kept on disk: when one good image joins sixty, only that one has to be looked at.

    seen/<kind>-<how>/<image>.safetensors

It is a cache. A file that is missing or damaged is made again, and what fits nothing any more goes.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path

import torch

from reason_iad.expert.memory.objects import write_whole

SUFFIX = ".safetensors"
DIGEST = "sha256"
MOST_BYTES = 2**30
"""Bytes of one kind that are kept, at most. What does not fit is looked at anew each time."""


class Sightings:
    """Tensors that follow from single images.

    Args:
        folder: where they are kept; None: nowhere.
        how: whatever decides them, beside the image.
    """

    def __init__(self, folder: Path | None = None, how: str = "") -> None:
        self._folder, self._how = folder, how

    def get(self, kind: str, image: str) -> dict[str, torch.Tensor] | None:
        """What was kept, or None.

        Args:
            kind: of what was seen.
            image: hash of its content, in hexadecimal digits.
        """
        from safetensors import SafetensorError, safe_open

        if self._folder is None:
            return None
        try:
            with safe_open(self._room(kind) / (image + SUFFIX), "pt") as file:
                found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                digest = (file.metadata() or {}).get(DIGEST)
        except (OSError, SafetensorError):
            return None
        return found if digest == _digest(found) else None

    def put(self, kind: str, image: str, tensors: Mapping[str, torch.Tensor]) -> None:
        """Keep it, if there is room.

        Raises:
            OutputError: it cannot be written.
        """
        from safetensors.torch import save

        if self._folder is None:
            return
        room = self._room(kind)
        held = sum(path.stat().st_size for path in room.glob("*" + SUFFIX)) if room.is_dir() else 0
        if held + sum(tensor.nbytes for tensor in tensors.values()) > MOST_BYTES:
            return
        whole = {name: tensor.contiguous() for name, tensor in tensors.items()}
        write_whole(room / (image + SUFFIX), save(whole, {DIGEST: _digest(whole)}))

    def keep(self, kind: str, images: Collection[str]) -> None:
        """Forget what was seen of other images, and in another way."""
        if self._folder is None:
            return
        room, wanted = self._room(kind), {image + SUFFIX for image in images}
        for other in self._folder.glob(kind + "-*"):
            if other != room:
                shutil.rmtree(other, ignore_errors=True)
        for path in room.glob("*"):
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    def _room(self, kind: str) -> Path:
        assert self._folder is not None, "checked by the caller"
        return self._folder / f"{kind}-{hashlib.sha256(self._how.encode()).hexdigest()[:16]}"


NOTHING = Sightings()
"""Nothing was seen before, and nothing is kept."""


def _digest(tensors: Mapping[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().tobytes())
    return digest.hexdigest()
