"""Is the right knowledge found without being told the category: hit@k and mean reciprocal rank.

Two things are looked for per question: its category among all categories of the store, and, where the image shows a
known defect type, that type's entry among all entries. The query is the question alone for the category, and the
question with its options for the entry (the options are what names a defect). A question that does not name its
object cannot tell the category by its text; such questions are counted apart, not mixed in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reason_iad.bench.subtasks import NAMING_SUBTASKS, subtask_of
from reason_iad.bench.tools import known_category
from reason_iad.knowledge import names_category, rank_categories, resolve_category
from reason_iad.schema.names import name_key

if TYPE_CHECKING:
    from reason_iad.bench.work import Unit
    from reason_iad.knowledge import KnowledgeStore

GENERATED = (
    "Is there any defect in the {name}?",
    "What is the type of the defect on the {name}?",
    "Where is the defect on the {name}?",
    "What does the defect on the {name} look like?",
    "What could the defect on the {name} lead to?",
    "What colour is the {name}?",
    "Does the {name} differ from a normal one?",
)
"""Questions made from a store itself, for where no questions file is at hand; in no data set's words."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One question and what should be found for it.

    Attributes:
        id: of the question.
        text: what the category is looked for with.
        more: what the entry is looked for with.
        category: the right one, as the store names it.
        entry: id of the right defect entry, or None.
        named: whether the text names the category.
    """

    id: str
    text: str
    more: str
    category: str
    entry: str | None
    named: bool


@dataclass(frozen=True, slots=True)
class Found:
    """Ranks of what was looked for, from 1; None: not found at all, or (entry) not looked for.

    Attributes:
        probe: what was asked.
        category: rank of the right category.
        entry: rank of the right entry.
        first: the categories ranked first, at most three.
    """

    probe: Probe
    category: int | None
    entry: int | None
    first: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hits:
    """Share of ranks at most k, for each k, and the mean reciprocal rank.

    Attributes:
        count: how many were looked for.
        at: k to share in [0, 1].
        mrr: in [0, 1].
    """

    count: int
    at: dict[int, float]
    mrr: float


def hits(ranks: Sequence[int | None], ks: Iterable[int]) -> Hits | None:
    """Hit@k and MRR of some ranks; None of none at all.

    Args:
        ranks: from 1; None: not found.
        ks: the cut-offs.
    """
    if not ranks:
        return None
    found = [rank for rank in ranks if rank is not None]
    at = {k: sum(rank <= k for rank in found) / len(ranks) for k in ks}
    return Hits(len(ranks), at, sum(1 / rank for rank in found) / len(ranks))


def generated_probes(store: KnowledgeStore) -> list[Probe]:
    """`GENERATED` for every category, and one question per defect entry that names both."""
    probes = []
    for category in store.categories():
        name = category.rstrip("0123456789 ") or category
        for number, template in enumerate(GENERATED):
            text = template.format(name=name)
            probes.append(Probe(f"{category}#{number}", text, text, category, None, True))
        for entry in store.entries(category):
            if entry.kind == "defect":
                text = f"Does the {name} show this defect: {entry.name}?"
                probes.append(Probe(f"{category}#{entry.name}", text, text, category, entry.id, True))
    return probes


def probes_of(
    units: Iterable[Unit], store: KnowledgeStore, names: Mapping[str, str] | None = None
) -> tuple[list[Probe], list[str]]:
    """Probes of benchmark questions, and the categories of the questions that the store does not know.

    Questions that ask for the category itself are left out. The right entry is the one named like the folder of
    the image, which in MMAD and its source sets is the defect type.

    Args:
        units: images with questions.
        store: the knowledge.
        names: category of the questions to category of the store, where they differ.

    Raises:
        KnowledgeError: one of these is unknown to the store.
    """
    probes: list[Probe] = []
    unknown: dict[str, None] = {}
    known = store.categories()
    for unit in units:
        renamed = (names or {}).get(unit.category)
        category = (
            resolve_category(store, renamed) if renamed else known_category(store, unit.dataset, unit.category)
        )
        if category is None:
            unknown[unit.category] = None
            continue
        entry = _entry_of(store, category, unit.image) if unit.abnormal else None
        for question in unit.questions:
            if subtask_of(question.kind) in NAMING_SUBTASKS:
                continue
            more = " ".join((question.text, *question.options.values()))
            named = names_category(question.text, (category, *known[category])) > 0
            wanted = entry if question.kind == "Defect Classification" else None
            probes.append(Probe(f"{unit.image}#{question.index}", question.text, more, category, wanted, named))
    return probes, list(unknown)


def look(store: KnowledgeStore, probes: Sequence[Probe]) -> list[Found]:
    """Look for everything; equal texts are looked for once.

    Args:
        store: the knowledge.
        probes: what to look for.
    """
    ranked: dict[str, list[str]] = {}
    entries: dict[str, list[str]] = {}
    results = []
    for probe in probes:
        if probe.text not in ranked:
            ranked[probe.text] = rank_categories(store, probe.text)
        if probe.entry is not None and probe.more not in entries:
            entries[probe.more] = [f.entry.id for f in store.search(probe.more, kinds=["defect"], limit=len(store))]
        categories = ranked[probe.text]
        results.append(
            Found(
                probe,
                _rank(categories, probe.category),
                None if probe.entry is None else _rank(entries[probe.more], probe.entry),
                tuple(categories[:3]),
            )
        )
    return results


def _rank(ranked: Sequence[str], wanted: str) -> int | None:
    return ranked.index(wanted) + 1 if wanted in ranked else None


def _entry_of(store: KnowledgeStore, category: str, image: str) -> str | None:
    """The defect entry named like one of the image's folders."""
    folders = [name_key(folder) for folder in image.split("/")[:-1]]
    for entry in store.entries(category):
        if entry.kind == "defect" and name_key(entry.name) in folders:
            return entry.id
    return None
