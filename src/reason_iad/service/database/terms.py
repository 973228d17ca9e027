"""The words by which inspections are found."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

MOST, LONGEST = 60, 64
_COMMON = """
    a an and are as at be by do for from good has in is it its like looks more most much no not of on one ones or
    part parts than that the there this to was with
"""
COMMON = frozenset(_COMMON.split())
"""Words that are in nearly every explanation; nobody finds anything by them."""
_JOINT = re.compile(r"[-.]")
_WORD = re.compile(r"[^\W_]+(?:[-.][^\W_]+)*")


@dataclass(frozen=True, slots=True)
class AskedTerms:
    """The words that have to be there where somebody asks for a text.

    Attributes:
        whole: as they are.
        beginning: of a word that may not be finished; None if there is none.
    """

    whole: tuple[str, ...]
    beginning: str | None


def asked_terms(text: str | None) -> AskedTerms:
    """What somebody asks for: 'part-07' finds 'Part-07.PNG'.

    The last word may not be finished, unless a space follows it: 'scra' finds 'scratch'.
    """
    text = text or ""
    words = [word for word in _split(text) if not _JOINT.search(word)]
    beginning = words.pop()[:LONGEST] if words and not text[-1].isspace() else None
    return AskedTerms(tuple(dict.fromkeys(word for word in words if word not in COMMON))[:MOST], beginning)


def terms(*texts: str | None) -> list[str]:
    """The words of texts, each once, in small letters: 'Bolt-07.PNG' gives 'bolt-07.png', 'bolt', '07', 'png'."""
    found = dict.fromkeys(word[:LONGEST] for text in texts for word in _split(text or ""))
    return [word for word in found if word and word not in COMMON][:MOST]


def _split(text: str) -> Iterator[str]:
    """Every word, and the parts of those that are joined, in small letters."""
    for whole in _WORD.findall(unicodedata.normalize("NFC", text).casefold()):
        yield whole
        if _JOINT.search(whole):
            yield from _JOINT.split(whole)


def words_of(
    name: str, product: str, defect_type: str | None, place: str | None, explanation: str | None
) -> list[str]:
    """The words by which an inspection is found. The numbers of its explanation are none of them."""
    named = terms(name, product, defect_type, place)
    return list(dict.fromkeys([*named, *(word for word in terms(explanation) if not word[0].isdecimal())]))[:MOST]
