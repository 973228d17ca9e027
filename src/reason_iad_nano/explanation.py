"""The explanation: one short sentence of checkable facts, and the reader that checks it."""

from __future__ import annotations

import re
from typing import NamedTuple

from reason_iad.inspection.prompts import TYPE_NOT_CLEAR
from reason_iad.schema import PLACES, SIZES

_OR = r"(?:, | or )"
_PLACE, _SIZE = ("|".join(sorted(names, key=len, reverse=True)) for names in (PLACES, SIZES))
_STATED = re.compile(
    rf"Defect: (?P<names>.+?)(?: at (?P<places>(?:{_PLACE})(?:{_OR}(?:{_PLACE}))*))?"
    rf"(?:, (?P<sizes>(?:{_SIZE})(?:{_OR}(?:{_SIZE}))*))?\.(?:\s+(?P<why>.*))?$",
    re.DOTALL,
)


class Stated(NamedTuple):
    """What an explanation claims: whether there is a defect, and one of some names for each fact of it.

    A fact without names is not stated.
    """

    defect: bool
    names: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    sizes: tuple[str, ...] = ()
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
        return Stated(False)
    match = _STATED.match(text.strip())
    if match is None:
        return None
    unclear = match["names"] == TYPE_NOT_CLEAR
    names, places, sizes = (
        tuple(re.split(_OR, stated)) if stated else ()
        for stated in ("" if unclear else match["names"], match["places"], match["sizes"])
    )
    return Stated(True, names, places, sizes, (match["why"] or "").strip())
