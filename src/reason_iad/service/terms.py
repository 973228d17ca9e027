"""The words by which inspections are found."""

from __future__ import annotations

import re
import unicodedata

MOST, LONGEST = 60, 64
_COMMON = """
    a an and are as at be by do for from good has in is it its like looks more most much no not of on one ones or
    part parts than that the there this to was with
"""
COMMON = frozenset(_COMMON.split())
"""Words that are in nearly every explanation; nobody finds anything by them."""
_WORD = re.compile(r"[^\W_]+(?:[-.][^\W_]+)*")


def asked_terms(text: str | None) -> list[str]:
    """The words that have to be there where somebody asks for a text: 'part-07' finds 'Part-07.PNG'."""
    return [word for word in terms(text) if not re.search(r"[-.]", word)]


def terms(*texts: str | None) -> list[str]:
    """The words of texts, each once, in small letters: 'Bolt-07.PNG' gives 'bolt-07.png', 'bolt', '07', 'png'."""
    found: dict[str, None] = {}
    for text in texts:
        for whole in _WORD.findall(unicodedata.normalize("NFC", text or "").casefold()):
            for word in (whole, *re.split(r"[-.]", whole)):
                found.setdefault(word[:LONGEST], None)
    return [word for word in found if word and word not in COMMON][:MOST]


def words_of(
    name: str, product: str, defect_type: str | None, place: str | None, explanation: str | None
) -> list[str]:
    """The words by which an inspection is found. The numbers of its explanation are none of them."""
    named = terms(name, product, defect_type, place)
    return list(dict.fromkeys([*named, *(word for word in terms(explanation) if not word[0].isdecimal())]))[:MOST]
