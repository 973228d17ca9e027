"""Which categories a text is about: those it names first, then by the words of their entries.

BM25 alone prefers an entry that repeats one word of a name ("can") to the category that is called so ("drink can");
a name that stands in the text, whole, settles it.
"""

from __future__ import annotations

import re

from reason_iad.knowledge.retrieval import telling_words
from reason_iad.knowledge.store import KnowledgeStore
from reason_iad.schema.names import words_of

_PART = re.compile(r"\d+|\D+")


def names_category(text: str, names: tuple[str, ...]) -> int:
    """Length in words of the longest of these names that stands in the text; 0 if none does.

    Case, plurals in -s and a number at the end of a name do not count: a question about "the pcb" names 'pcb1' and
    'pcb2' alike.
    """
    words = _parts(text)
    best = 0
    for name in names:
        wanted = _parts(name)
        if len(wanted) > 1 and wanted[-1].isdigit():
            wanted = wanted[:-1]
        size = len(wanted)
        if size > best and any(words[at : at + size] == wanted for at in range(len(words) - size + 1)):
            best = size
    return best


def rank_categories(store: KnowledgeStore, text: str) -> list[str]:
    """Categories of a store, the likeliest subject of the text first; those that nothing speaks for are left out.

    Args:
        store: the knowledge.
        text: a question, say.
    """
    found = store.search(telling_words(text), limit=len(store))
    scores: dict[str, float] = {}
    for each in found:  # best first
        scores.setdefault(each.entry.category, each.score)
    named = {name: names_category(text, (name, *others)) for name, others in store.categories().items()}
    known = [name for name in named if named[name] or name in scores]
    return sorted(known, key=lambda name: (-named[name], -scores.get(name, 0.0), name))


def _parts(text: str) -> list[str]:
    """The words of a text, digits apart from letters, without plurals."""
    return [_singular(part) for word in words_of(text) for part in _PART.findall(word)]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
