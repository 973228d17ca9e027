"""Names of products, and names of the files in them. They are good on every system, and people recognise them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from pathlib import PurePath

from reason_iad.errors import ProductError
from reason_iad.images import IMAGE_SUFFIXES, is_litter
from reason_iad.schema.names import is_word

LONGEST = 80
"""Characters that the name of a product, a view or a type may have."""

_RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(10))})
_BYTES = 120


def check_name(name: str) -> str:
    """The name of a product as it is kept.

    Raises:
        ProductError: it cannot be the name of a folder on every system.
    """
    name = unicodedata.normalize("NFC", name)
    if not _is_spelled_well(name) or name.endswith(".") or len(name) > LONGEST or len(name.encode()) > _BYTES:
        raise ProductError(
            f"'{printable(name)}' cannot be the name of a product. Use letters, digits, '-', '_' and '.', begin "
            f"with a letter or a digit, and stay below {LONGEST} characters."
        )
    if is_reserved(name) or is_litter(name):
        raise ProductError(f"'{name}' has a meaning of its own on some systems. Choose another name.")
    return name


def _is_spelled_well(name: str) -> bool:
    """Whether a name has letters, digits, marks on them, '-', '_' and '.' only, and begins as a word does."""
    return name[:1].isalnum() and all(is_word(character) or character in "_.-" for character in name)


def is_name(name: str) -> bool:
    """Whether a folder of this name can be a product."""
    try:
        check_name(name)
    except ProductError:
        return False
    return True


def is_reserved(name: str) -> bool:
    """Whether Windows keeps this name for a device, whatever its suffix is."""
    return name.casefold().partition(".")[0] in _RESERVED


def printable(text: str) -> str:
    """A text that can be shown in a message, whatever it holds."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return clean if len(clean) <= LONGEST else f"{clean[:LONGEST]}…"


def folder_name(text: str) -> str:
    """The name of a folder for a view or a type that people named as they like."""
    name = _clean(text) or "other"
    return f"{name}_" if is_reserved(name) or is_litter(name) else name


def file_name(folder: str, path: PurePath, sha256: str, taken: Mapping[str, str]) -> str:
    """The name of a file in a product: that of the original, and the beginning of the hash of its content.

    Args:
        folder: in the product: 'good/front'.
        path: the original.
        sha256: of its content.
        taken: names in lower case, with the hash of the file that has it.
    """
    suffix = path.suffix.lower() if path.suffix.lower() in IMAGE_SUFFIXES else ".img"
    stem = _clean(path.stem) or "image"
    stem = stem.removesuffix(f"-{sha256[:8]}") or stem  # of a file that comes from a product
    for digits in (8, 16, 32, 64):
        name = f"{folder}/{stem}-{sha256[:digits]}{suffix}"
        if taken.get(name.casefold(), sha256) == sha256:
            break
    return name


def _clean(text: str) -> str:
    """Letters, digits, marks on them, '.', '-' and '_' of a text, at the length that file systems take."""
    clean = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode())
    kept = "".join(character if is_word(character) or character in "_.-" else " " for character in clean)
    name = re.sub(" +", "_", kept)
    return name.strip("._- ").encode()[:_BYTES].decode("utf-8", "ignore").rstrip(".")
