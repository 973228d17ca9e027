"""What is told about a sample before any question: knowledge entries, names, category, reference.

In about half of the scenes the defect types carry names nobody knows, so that only the retrieved text says what
they mean. A scene never tells anything false, and shows the reference where nothing else can tell.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from reason_iad.schema import Entry, EntryKind
from reason_iad_nano.facts import Facts
from reason_iad_nano.names import distinct_names
from reason_iad_nano.pairs import Extra
from reason_iad_nano.wording import GENERIC_NORMAL, KindText, describe


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What may be mentioned.

    Attributes:
        kinds: defect kinds with their texts.
        objects: names of all objects.
        siblings: per family, the kinds it can have.
        categories: per family, what its parts may be called.
        shipped: per family, the knowledge about it that comes with the package.
    """

    kinds: dict[str, KindText]
    objects: tuple[str, ...]
    siblings: dict[str, frozenset[str]]
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    shipped: dict[str, tuple[Entry, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """What the model is told.

    Attributes:
        facts: of the sample.
        entries: knowledge, in the order shown; empty without knowledge.
        entry_kinds: world kind of each entry; None for the normal one.
        names: what each kind in question is called here.
        reference: whether good references are shown.
        extra: the third image, if there is one and it is shown.
        category: the name of the part, if told.
        renamed: whether the names are invented.
    """

    facts: Facts
    entries: tuple[Entry, ...]
    entry_kinds: tuple[str | None, ...]
    names: dict[str, str]
    reference: bool
    category: str | None
    renamed: bool
    extra: Extra | None = None

    @property
    def references(self) -> int:
        """How many good references are shown."""
        return int(self.reference) + int(self.extra == "reference")

    def name(self, kind: str) -> str:
        """What a kind is called here."""
        return self.names[kind]


@dataclass(frozen=True, slots=True)
class SceneOdds:
    """How often what happens. Evaluation sets them to 0 or 1."""

    knowledge: float = 0.7
    renamed: float = 0.5
    reference: float = 0.85
    category: float = 0.5
    siblings: float = 0.6
    shipped: float = 0.2


def make_scene(
    facts: Facts,
    vocabulary: Vocabulary,
    rng: random.Random,
    odds: SceneOdds | None = None,
    extra: Extra | None = None,
) -> Scene:
    """Draw a scene for a sample.

    Args:
        facts: the sample.
        vocabulary: what may be mentioned.
        rng: the source of all choices.
        odds: how often what happens.
        extra: what third image there is; a second reference is only shown beside the first.
    """
    odds, kinds = odds or SceneOdds(), vocabulary.kinds
    present = list(dict.fromkeys(defect.kind for defect in facts.defects))
    others = [kind for kind in kinds if kind not in present]
    rng.shuffle(others)
    if rng.random() < odds.siblings:  # as a real category lists them: those that this part can have
        own = vocabulary.siblings.get(facts.family, frozenset())
        others.sort(key=lambda kind: kind not in own)
    shown = present[:2] + others[: rng.choice((2, 3, 3, 4, 4, 5, 6)) + 1 - min(len(present), 2)]
    knowledge = rng.random() < odds.knowledge
    renamed = knowledge and rng.random() < odds.renamed
    rng.shuffle(shown)
    names = {kind: text.name for kind, text in kinds.items()}
    if renamed:
        fresh = distinct_names(rng, len(shown), frozenset(names.values()))
        names = dict(zip(shown, fresh, strict=True))
    called = vocabulary.categories.get(facts.family, (facts.object_name,))
    category = rng.choice(called) if rng.random() < odds.category else None
    entries: list[tuple[Entry, str | None]] = []
    if knowledge:
        entries = [(_entry(facts, names[kind], describe(kinds[kind], rng)), kind) for kind in shown]
        if rng.random() < 0.7:
            entries.insert(0, (_entry(facts, "normal", rng.choice(GENERIC_NORMAL)), None))
    if not renamed:
        names = {kind: names[kind] for kind in shown}
    reference = rng.random() < odds.reference or facts.featured
    scene = Scene(
        facts=facts,
        entries=tuple(entry for entry, _ in entries),
        entry_kinds=tuple(kind for _, kind in entries),
        names=names,
        reference=reference,
        category=category,
        renamed=renamed,
        extra=extra if reference or extra == "overlay" else None,
    )
    if knowledge and rng.random() < odds.shipped and vocabulary.shipped.get(facts.family):
        return _with_shipped(scene, vocabulary, rng)
    return scene


def _with_shipped(scene: Scene, vocabulary: Vocabulary, rng: random.Random) -> Scene:
    """The same scene with the package's own knowledge, as the product would show it."""
    shipped = list(vocabulary.shipped[scene.facts.family])
    if rng.random() < 0.3:
        rng.shuffle(shipped)
    known = {entry.name: entry.name for entry in shipped if entry.name in vocabulary.kinds}
    present = {defect.kind: vocabulary.kinds[defect.kind].name for defect in scene.facts.defects}
    return replace(
        scene,
        entries=tuple(shipped[:8]),
        entry_kinds=tuple(known.get(entry.name) if entry.kind == "defect" else None for entry in shipped[:8]),
        names=present | known,
        category=scene.category and shipped[0].category,
        renamed=False,
    )


def _entry(facts: Facts, name: str, text: str) -> Entry:
    """A knowledge entry about the part of the sample."""
    kind: EntryKind = "normal" if name == "normal" else "defect"
    slug = "-".join(name.lower().split())
    return Entry(
        id=f"{facts.family}/{kind}/{slug}", category=facts.family, kind=kind, name=name, text=text, source="world"
    )
