"""When two names are one, for categories, types of defects and products in every script.

Case does not count, nor do spaces, hyphens and punctuation. Everything else does: a vowel sign or an accent makes
another name. The rules are Unicode's: canonical caseless matching (chapter 3.13, D145), and words of letters,
digits and the marks on them.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_INVISIBLE = dict.fromkeys((0x00AD, 0x034F, 0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, *range(0xFE00, 0xFE10)))
"""Hyphenation, joiners and variation selectors: how a word is drawn, not which word it is."""

_LETTER = re.compile(r"[^\W_]")
"""A letter or a digit; marks alone are no word."""


def folded(text: str) -> str:
    """A text in one case and one composition: two that differ in these only become equal.

    >>> folded("Straße") == folded("STRASSE")
    True
    """
    plain = unicodedata.normalize("NFD", text)
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", plain.casefold()))


def words_of(text: str) -> list[str]:
    """The words of a text: runs of letters and digits with the marks on them, in one case.

    >>> words_of("Mouse bite (edge)")
    ['mouse', 'bite', 'edge']
    """
    spelled = folded(text.translate(_INVISIBLE))
    runs = "".join(character if is_word(character) else " " for character in spelled).split()
    return [run for run in runs if _LETTER.search(run)]


def name_key(name: str) -> str:
    """The key under which names are compared.

    >>> name_key("Ball-screw spindle") == name_key("ball_screw_spindle")
    True
    """
    return "".join(words_of(name))


@lru_cache(maxsize=4096)
def is_word(character: str) -> bool:
    """Whether a character belongs to a word: a letter, a digit, or a mark such as a vowel sign or an accent."""
    return unicodedata.category(character)[0] in "LNM"
