"""The words by which inspections are found."""

from __future__ import annotations

import re
import unicodedata

MOST, LONGEST = 60, 64
_WORD = re.compile(r"[^\W_]+(?:[-.][^\W_]+)*")


def asked_terms(text: str | None) -> list[str]:
    """The words that have to be there where somebody asks for a text: 'part-07' finds 'Part-07.PNG'."""
    return [word for word in terms(text) if not re.search(r"[-.]", word)]


def terms(*texts: str | None) -> list[str]:
    """The words of texts, each once, in small letters: 'Part-07.PNG' gives 'part-07.png', 'part', '07', 'png'."""
    found: dict[str, None] = {}
    for text in texts:
        for whole in _WORD.findall(unicodedata.normalize("NFC", text or "").casefold()):
            for word in (whole, *re.split(r"[-.]", whole)):
                found.setdefault(word[:LONGEST], None)
    return [word for word in found if word][:MOST]
