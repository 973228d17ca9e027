"""Files of tensors that are named by the hash of their content, and are hostile until they were checked."""

from __future__ import annotations

import hashlib
import math
import stat
from collections.abc import Mapping
from pathlib import Path

import torch

from reason_iad.errors import MemoryBankError, OutputError
from reason_iad.files import file_sha256, write_atomic
from reason_iad.files.words import cannot_write

Shape = tuple[torch.dtype, tuple[int, ...]]
"""What a tensor has to be."""

SUFFIX = ".safetensors"
HEADER = 65_536
"""Bytes that the header of such a file may have: it names at most a dozen tensors."""
MOST_BYTES = 64 * 2**30
"""A file that claims to be larger is refused, whatever its manifest says."""
_ANEW = "delete it and build the memory anew."


def packed(tensors: Mapping[str, torch.Tensor]) -> tuple[bytes, str]:
    """The content of a file with these tensors, and its SHA-256."""
    from safetensors.torch import save

    content: bytes = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    return content, hashlib.sha256(content).hexdigest()


def write_object(folder: Path, tensors: Mapping[str, torch.Tensor]) -> str:
    """Write tensors to the file `<hash>.safetensors`; one that is there already is left.

    Returns:
        The hash: SHA-256 of the file, in hexadecimal digits.

    Raises:
        OutputError: it cannot be written; nothing is left behind then.
    """
    content, digest = packed(tensors)
    target = folder / f"{digest}{SUFFIX}"
    if not (target.is_file() and target.stat().st_size == len(content)):
        write_whole(target, content)
    return digest


def read_object(folder: Path, digest: str, shapes: Mapping[str, Shape]) -> dict[str, torch.Tensor]:
    """Read such a file. Its size and what its header says are judged before anything large is read.

    Args:
        folder: where it is.
        digest: its hash, 64 hexadecimal digits.
        shapes: the tensors that have to be in it, and no others.

    Raises:
        MemoryBankError: it is missing or unreadable, its content has another hash, other tensors are in it, or a
            number is not finite.
    """
    from safetensors import SafetensorError, safe_open

    if not is_digest(digest):
        raise MemoryBankError("The name of a file of the memory is not a hash; build the memory anew.")
    path = folder / f"{digest}{SUFFIX}"
    size = sum(math.prod(shape) * dtype.itemsize for dtype, shape in shapes.values())
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode) or not size <= found.st_size <= min(size + HEADER, MOST_BYTES):
            raise MemoryBankError(f"The file '{path.name}' of the memory has the wrong size; {_ANEW}")
        if file_sha256(path) != digest:
            raise MemoryBankError(f"The file '{path.name}' of the memory is damaged; {_ANEW}")
        with safe_open(path, "pt") as file:
            if set(file.keys()) != set(shapes):
                raise MemoryBankError(f"The file '{path.name}' of the memory holds other tensors; {_ANEW}")
            for name, (_, shape) in shapes.items():
                if tuple(file.get_slice(name).get_shape()) != shape:
                    raise MemoryBankError(f"The file '{path.name}' of the memory has wrong shapes; {_ANEW}")
            tensors: dict[str, torch.Tensor] = {name: file.get_tensor(name) for name in shapes}
    except (OSError, SafetensorError) as error:
        raise MemoryBankError(f"The file '{path.name}' of the memory cannot be read ({error}); {_ANEW}") from None
    for name, (dtype, _) in shapes.items():
        if tensors[name].dtype != dtype or not bool(tensors[name].isfinite().all()):
            raise MemoryBankError(f"The file '{path.name}' of the memory holds unusable numbers; {_ANEW}")
    return tensors


def is_digest(text: str) -> bool:
    """Whether it is a SHA-256 in lower-case hexadecimal digits, and so a safe name of a file."""
    return len(text) == 64 and all(letter in "0123456789abcdef" for letter in text)


def write_whole(target: Path, content: bytes) -> None:
    """Write a file whole or not at all; its folder is made.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(cannot_write(target, error)) from None
    write_atomic(target, content)
