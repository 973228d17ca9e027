"""METHOD section 1, step 1: the entries most useful for (category, question), under a budget of tokens.

Notable: an entry that does not fit is left out whole, never cut. When the category is known its entries are all
candidates, matched by the question or not, so a verdict about a category sees the defect types it can have. Words
that say nothing about one entry match nothing: those of the standard questions ("Is there a defect in the inspected
image?") and the name of the category, which all of its entries share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from reason_iad.errors import ConfigError, KnowledgeError, did_you_mean
from reason_iad.knowledge.store import KnowledgeStore
from reason_iad.knowledge.text import knowledge_line, sanitize
from reason_iad.schema import Entry, RetrievedEntry
from reason_iad.schema.names import folded, is_word, name_key, words_of

# fmt: off
IDLE = frozenset((
    "a", "and", "any", "category", "defect", "does", "explain", "image", "in", "inspected", "is", "it", "kind",
    "matters", "object", "picture", "show", "the", "there", "type", "verdict", "what", "where", "which", "why",
))
# fmt: on
"""Words of the standard questions, and of questions about any image of any part [ours]."""


def retrieve(
    store: KnowledgeStore,
    *,
    category: str | None,
    question: str,
    count_tokens: Callable[[str], int],
    budget: int,
    limit: int,
) -> tuple[RetrievedEntry, ...]:
    """Choose the knowledge for one prompt.

    With a category: its normal appearance first, then tolerances and defects by BM25 against the question, then
    those that no word matched (defects before tolerances, in the author's order, score 0). Without: BM25 over all.

    Args:
        store: the knowledge.
        category: name or alias; None if unknown.
        question: what is asked about the image.
        count_tokens: tokens that a text takes in the prompt.
        budget: at most so many tokens for all lines (`reason_iad.knowledge.text.knowledge_line`, one per entry).
        limit: at most so many entries.

    Raises:
        KnowledgeError: the store does not know the category.
        ConfigError: the budget or the limit is negative.
    """
    if budget < 0 or limit < 0:
        raise ConfigError(f"Knowledge budget {budget} and limit {limit} must not be negative.")
    if category is None:
        ranked: Iterable[RetrievedEntry] = store.search(telling_words(question), limit=max(limit * 4, 1))
    else:
        ranked = _of_category(store, resolve_category(store, category), question)
    chosen: list[RetrievedEntry] = []
    lines: list[str] = []
    for candidate in ranked:
        if len(chosen) >= limit:
            break
        line = knowledge_line(candidate.entry)
        # Counted together: tokens may join across a line's end.
        if count_tokens("\n".join([*lines, line])) <= budget:
            chosen.append(candidate)
            lines.append(line)
    return tuple(chosen)


def resolve_category(store: KnowledgeStore, name: str) -> str:
    """The category that `name` means; case, spaces and punctuation do not count.

    Raises:
        KnowledgeError: none does; the message lists the nearest names.
    """
    known = {name_key(n): category for category, others in store.categories().items() for n in (category, *others)}
    key = name_key(name)
    if key in known:
        return known[key]
    shown = sanitize(name)[:80]
    if not known:
        raise KnowledgeError(
            f"The category '{shown}' is not known, because the knowledge in '{store.location}' is empty. "
            "Add knowledge to it with 'reason-iad knowledge add'."
        )
    if near := did_you_mean(key, known, shown=known):
        raise KnowledgeError(f"The category '{shown}' is not known.{near}")
    categories = sorted(set(known.values()))
    more = f" and {len(categories) - 12} more" if len(categories) > 12 else ""
    raise KnowledgeError(
        f"The category '{shown}' is not known. Choose one of these, or add knowledge about it: "
        f"{', '.join(categories[:12])}{more}."
    )


def telling_words(question: str, names: Iterable[str] = ()) -> str:
    """The question without its idle words and without words of `names`."""
    idle = IDLE | {word for name in names for word in words_of(name)}
    spaced = "".join(character if is_word(character) or character in "-_" else " " for character in question)
    words = (word.lstrip("-") for word in spaced.split())
    return " ".join(word for word in words if word and folded(word) not in idle)


def _of_category(store: KnowledgeStore, category: str, question: str) -> list[RetrievedEntry]:
    entries = store.entries(category)
    words = telling_words(question, (category, *store.categories()[category]))
    matched = {found.entry.id: found for found in store.search(words, category=category, limit=len(entries))}

    def rank(entry: Entry) -> tuple[int, float, int]:
        found = matched.get(entry.id)
        return (
            0 if entry.kind == "normal" else 1 if found else 2,
            -found.score if found else 0.0,
            0 if entry.kind == "defect" else 1,
        )

    return [
        matched.get(entry.id) or RetrievedEntry(entry=entry, score=0.0, scorer="category")
        for entry in sorted(entries, key=rank)  # stable: the author's order settles the rest
    ]
