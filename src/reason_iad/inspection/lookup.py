"""What is known of the part: its category, and the knowledge for the prompt (METHOD section 1, step 1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reason_iad.errors import KnowledgeError, given_type
from reason_iad.inspection.questions import LETTERS
from reason_iad.schema import CategoryEvidence, Entry, RetrievedEntry

if TYPE_CHECKING:
    from reason_iad.images import LoadedImage
    from reason_iad.inspection.clock import Clock
    from reason_iad.inspection.setup import Setup


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of the part.

    Attributes:
        category: how the category was decided.
        shown: the knowledge in the prompt, best first.
        defects: every defect type that the knowledge lists for the category, those in the prompt first.
        aliases: other names of the types in the prompt, by id of the entry; None where nobody needs them.
    """

    category: CategoryEvidence
    shown: tuple[RetrievedEntry, ...] = ()
    defects: tuple[Entry, ...] = ()
    aliases: Mapping[str, tuple[str, ...]] | None = None

    @property
    def asked(self) -> tuple[Entry, ...]:
        """The defect types that the model can choose from: as many as there are letters."""
        return self.defects[: len(LETTERS)]

    @property
    def left_out(self) -> tuple[str, ...]:
        """Names of the types that found no letter, so that the model could not choose them."""
        return tuple(entry.name for entry in self.defects[len(LETTERS) :])


def look_up(setup: Setup, image: LoadedImage, category: str | None, about: str, clock: Clock) -> Known:
    """Find the category and retrieve knowledge.

    Args:
        setup: what inspections share.
        image: the inspected picture, by which the gallery finds the category if it is not given.
        category: name or alias of the product; None: find it.
        about: a question whose words the retrieval follows, too; '' without one.
        clock: counts the phase 'retrieve'.

    Raises:
        KnowledgeError: the category is given and unknown, or is no text.
    """
    with clock.phase("retrieve"):
        found = _category(setup, category, image)
        words = " ".join(filter(None, (found.name, about))) or "defect"
        shown = _retrieved(setup, found.name, words)
        return Known(found, shown, _defects(setup, found.name, shown), _aliases(setup, shown))


def _category(setup: Setup, given: str | None, image: LoadedImage) -> CategoryEvidence:
    """The category: as given, else the nearest in the gallery, else unknown."""
    if given is not None:
        if not isinstance(given, str):
            raise KnowledgeError(f"The category is given as {given_type(given)}; give its name as text.")
        return CategoryEvidence(name=_resolved(setup, given), origin="given", score=None, margin=None)
    if setup.gallery is None or setup.comparison is None:
        return CategoryEvidence(name=None, origin="unknown", score=None, margin=None)
    from reason_iad.expert.embedding import image_embedding

    config = setup.config
    found = setup.gallery.classify(
        image_embedding(setup.comparison.features(image)),
        min_score=config.category_score,
        min_margin=config.category_margin,
    )
    if found.name is None or setup.knowledge is None:
        return found
    from reason_iad.knowledge import resolve_category

    try:  # a gallery's names are folder names: 'magnetic_tile' for 'magnetic tile'
        return found.model_copy(update={"name": resolve_category(setup.knowledge, found.name)})
    except KnowledgeError:
        return found


def _resolved(setup: Setup, given: str) -> str:
    from reason_iad.knowledge import resolve_category

    if setup.knowledge is None:
        return given
    try:
        return resolve_category(setup.knowledge, given)
    except KnowledgeError:
        if setup.method.knowledge:
            raise
        return given


def _retrieved(setup: Setup, category: str | None, words: str) -> tuple[RetrievedEntry, ...]:
    """Knowledge for the prompt, within its share of the context window."""
    if setup.knowledge is None or not setup.method.knowledge:
        return ()
    from reason_iad.knowledge import retrieve

    return retrieve(
        setup.knowledge,
        category=category if category is not None and category in setup.knowledge.categories() else None,
        question=words,
        count_tokens=setup.model.count_tokens,
        budget=int(setup.model.context_length * setup.config.knowledge_share),
        limit=setup.config.knowledge_entries,
    )


def _defects(setup: Setup, category: str | None, shown: tuple[RetrievedEntry, ...]) -> tuple[Entry, ...]:
    store = setup.knowledge
    if store is None or category is None or category not in store.categories():
        return ()
    first = [found.entry for found in shown]
    known = [entry for entry in store.entries(category) if entry.kind == "defect"]
    known.sort(key=lambda entry: first.index(entry) if entry in first else len(first))
    return tuple(known)


def _aliases(setup: Setup, shown: tuple[RetrievedEntry, ...]) -> dict[str, tuple[str, ...]] | None:
    """Other names of the defect types in the prompt; None where no answer is weighed, which alone needs them."""
    if setup.knowledge is None or setup.fusion is None:
        return None
    aliases: dict[str, tuple[str, ...]] = {}
    for category in {found.entry.category for found in shown if found.entry.kind == "defect"}:
        aliases |= setup.knowledge.aliases(category)
    return aliases
