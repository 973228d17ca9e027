"""What is known of the files of a set without decoding them: content hash, and size from the header."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from reason_iad.bench.detect.samples import Sample
from reason_iad.errors import DatasetError, ImageError
from reason_iad.images import MAX_ASPECT, MAX_FILE_BYTES, MAX_PIXELS, MIN_SIDE, size_by_header


class Facts(NamedTuple):
    """An image file.

    Attributes:
        sha256: of its bytes.
        width, height: upright, as `load_image` gives them.
    """

    sha256: str
    width: int
    height: int

    @property
    def fits(self) -> bool:
        """Whether `load_image` takes an image of this size."""
        small, large = sorted((self.width, self.height))
        return small >= MIN_SIDE and large <= MAX_ASPECT * small and small * large <= MAX_PIXELS


def facts_of(path: Path) -> Facts:
    """Hash an image file and read its header.

    Raises:
        DatasetError: it is missing, no ordinary file, too large, or no image; the message is the reason alone.
    """
    content = content_of(path)
    try:
        width, height = size_by_header(content, "it")
    except ImageError:
        raise DatasetError("is not an image that can be read") from None
    return Facts(hashlib.sha256(content).hexdigest(), width, height)


def sha256_of(path: Path) -> str:
    """Hash of a file's content.

    Raises:
        DatasetError: as `facts_of`.
    """
    return hashlib.sha256(content_of(path)).hexdigest()


def leads_outside(path: Path, root: Path) -> bool:
    """Whether a path, all links followed, ends outside a folder."""
    try:
        return not path.resolve().is_relative_to(root.resolve())
    except (OSError, RuntimeError, ValueError):  # a link that leads to itself, a name that cannot be
        return True


def unusable_name(name: str) -> str | None:
    """Why an image's id cannot name files of a run, or None: it must be a plain relative path in UTF-8."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        return "is no plain path below the folder; write it without '..' and not from the root"
    try:
        name.encode()
    except UnicodeEncodeError:
        return "has a name that is not UTF-8; rename it"
    return None


def dataset_sha256(samples: Iterable[Sample], facts: Mapping[str, Facts], others: Mapping[Path, str]) -> str:
    """Hash of everything that can change a result: which images, what they show, and the content of all files.

    Args:
        samples: in any order.
        facts: of the images, by id.
        others: hashes of masks and templates, by path.
    """
    digest = hashlib.sha256()
    for sample in sorted(samples, key=lambda one: one.id):
        extra = [others.get(path, "") for path in (*sample.masks, *([sample.template] if sample.template else []))]
        saturation = sorted(sample.saturation.items()) if sample.saturation else None
        line = [sample.id, sample.category, sample.split, sample.label, sample.kind, facts[sample.id].sha256]
        digest.update(json.dumps([*line, extra, saturation]).encode() + b"\n")
    return digest.hexdigest()


def content_of(path: Path, most: int | None = None) -> bytes:
    """A file's bytes.

    Args:
        path: the file.
        most: a larger file is refused; None: `MAX_FILE_BYTES`.

    Raises:
        DatasetError: as `facts_of`, but for its not being an image.
    """
    most = MAX_FILE_BYTES if most is None else most
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise DatasetError("is not an ordinary file")  # opening a pipe would wait for ever
        if status.st_size > most:
            raise DatasetError(f"is larger than {most // 2**20} MiB")
        return path.read_bytes()
    except FileNotFoundError:
        raise DatasetError("does not exist") from None
    except (OSError, ValueError) as error:
        raise DatasetError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from None
