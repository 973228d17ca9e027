"""The explanation: one short sentence of checkable facts, and the reader that checks it."""

from __future__ import annotations

import re
from typing import NamedTuple

from reason_iad.schema import PLACES, SIZES

_STATED = re.compile(
    rf"Defect: (?P<name>.+?) at (?P<place>{'|'.join(sorted(PLACES, key=len, reverse=True))}), "
    rf"(?P<size>{'|'.join(SIZES)})\.\s*(?P<why>.*)",
    re.DOTALL,
)


class Stated(NamedTuple):
    """What an explanation claims; `name` is None if it claims that there is no defect."""

    name: str | None
    place: str | None = None
    size: str | None = None
    why: str = ""


def explain_defect(name: str, place: str, size: str, why: str) -> str:
    """The sentence about a defect."""
    return f"Defect: {name} at {place}, {size}. {why}"


def explain_good(object_name: str) -> str:
    """The sentence about a good part."""
    return f"No defect found. The {object_name} looks normal."


def read_explanation(text: str) -> Stated | None:
    """What an explanation claims, or None if it claims nothing that can be checked."""
    if text.startswith("No defect found"):
        return Stated(None)
    match = _STATED.match(text.strip())
    return Stated(match["name"], match["place"], match["size"], match["why"].strip()) if match else None
