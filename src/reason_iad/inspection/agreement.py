"""An explanation keeps to the result that it explains: sentences that contradict it are left out [ours].

An explanation opens with what was decided (`prompts.explanation_opening`), and the model writes on from there. A
model may still go on to name another place, another type or another size. Such a sentence is left out of the
explanation; the whole text stays in the evidence, in the answer with the key 'explanation'.

Only facts that were decided are checked. Without knowledge nothing is known about types, and without references
nothing about the size: what the model says of them is then its own impression, and contradicts nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reason_iad.schema import PLACES, SIZES, Claim, Entry, Fact
from reason_iad.schema.names import words_of

QUOTED = 0.7
"""From this share of common words on, a sentence is taken from an entry of the knowledge."""
LEAST_QUOTED = 3
"""Common words that such a sentence has at least."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
_ROW = {"top": "top", "upper": "top", "middle": "middle", "bottom": "bottom", "lower": "bottom",
        "center": "middle", "centre": "middle", "central": "middle"}  # fmt: skip
_COLUMN = {"left": "left", "right": "right", "center": "center", "centre": "center", "central": "center",
           "middle": "center"}  # fmt: skip
_BOTH = re.compile(rf"\b({'|'.join(_ROW)})[ -]({'|'.join(_COLUMN)})\b")
_CENTER = re.compile(r"\b(?:in|at|near|to|towards?) the (?:very )?(?:center|centre|middle)\b")
_WAY = r"(left|right|top|bottom|upper|lower)"
_SIDE = re.compile(
    rf"\b(?:at|on|in|near|to|towards?|along) the (?:very |far )?{_WAY}\b"
    rf"|\b{_WAY}(?:-hand)? (?:side|edge|half|part|area|region|third|border|section)\b"
)
_SIZE_WORDS = dict(zip(SIZES, SIZES, strict=True)) | {"minute": "tiny", "big": "large", "huge": "large"}
_SIZE = re.compile(rf"\b({'|'.join(_SIZE_WORDS)})(?:-sized)?\b")
_FLAW = r"(?:defect|anomal|abnormal|damag|flaw|fault)\w*"
_NEGATION = re.compile(r"\b(?:no|not|nor|none|never|neither|without|free|nothing|absence)\b|n['’]t\b")
_SAYS_DEFECT = re.compile(
    rf"\b(?:{_FLAW}|(?:scratch|crack|stain|burr|corro[ds]|rust|contamina|chipp|misplac|deform)\w*"
    r"|dent(?:s|ed)?|broken|missing)\b"
)
_SAYS_GOOD = re.compile(
    rf"\b(?:no|not any|without(?: any)?|free (?:of|from)|not) (?:\w+ ){{0,2}}{_FLAW}"
    r"|\b(?:is|looks|appears|seems) (?:to be )?(?:completely |entirely |perfectly )?"
    r"(?:normal|fine|good|intact|flawless|undamaged|okay|ok)\b"
)
_OF_A_GOOD_PART = re.compile(r"\b(?:references?|good (?:part|one|image|picture)s?|template)\b")
_LOOKS_NORMAL = re.compile(r"\bthe (.+?) (?:is|looks|appears|seems)\b")


@dataclass(frozen=True, slots=True)
class Decided:
    """What a result says, which its explanation may not contradict.

    Attributes:
        defective: whether the part is a defect, or suspected to be one.
        claims: what is claimed of the defect.
        known: the types of defects that the knowledge lists for this part.
        sized: whether it was estimated how large the defect is.
        category: what the part is; None if it is not known.
        categories: every category that the knowledge has, with its other names.
    """

    defective: bool
    claims: Sequence[Claim] = ()
    known: Sequence[Entry] = ()
    sized: bool = False
    category: str | None = None
    categories: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def names(self, fact: Fact) -> tuple[str, ...]:
        """The names that are claimed of a fact; none where it is not clear."""
        return next((claim.names for claim in self.claims if claim.fact == fact), ())

    def of_claimed_types(self) -> list[Entry]:
        """What the knowledge says of the types that are claimed."""
        return [entry for entry in self.known if entry.name in self.names("type")]


def in_agreement(text: str, opening: str, decided: Decided) -> str:
    """The explanation without the sentences that contradict the result.

    Args:
        text: what the model wrote, which begins with `opening`.
        opening: the words that state what was decided; they are never changed.
        decided: the result.
    """
    sentences = [each for each in _SENTENCE.split(text.removeprefix(opening).strip()) if each]
    kept = [each for each in sentences if not contradicts(each, decided)]
    return text if kept == sentences else " ".join([opening, *kept])


def contradicts(sentence: str, decided: Decided) -> bool:
    """Whether a sentence says something else than the result; see the module's description."""
    said = " ".join(sentence.casefold().split())
    if _names_another_part(said, decided):
        return True
    if not decided.defective:
        types = any(_named(entry.name).search(said) for entry in decided.known)
        return (types or bool(_SAYS_DEFECT.search(said))) and not _NEGATION.search(said)
    if _SAYS_GOOD.search(said) and not _OF_A_GOOD_PART.search(said):
        return True
    return _names_another_place(said, decided) or _names_another_size(said, decided) or _another_type(said, decided)


def _names_another_part(said: str, decided: Decided) -> bool:
    """Whether it says how another kind of part looks: 'the flange looks normal', of a screw."""
    match = _LOOKS_NORMAL.search(said)
    subject = _plain(match[1]) if match else ""
    named = [
        category
        for category, others in decided.categories.items()
        if any(f" {subject}".endswith(f" {_plain(name)}") for name in (category, *others))
    ]
    return bool(named) and decided.category not in named


def _plain(name: str) -> str:
    return " ".join(words_of(name))


def _names_another_place(said: str, decided: Decided) -> bool:
    claimed = set(decided.names("place"))
    return any(not places & claimed for places in _places_in(said))


def _places_in(said: str) -> Iterator[set[str]]:
    """For each mention of a place, which of `PLACES` it may mean."""
    for row, column in _BOTH.findall(said):
        name = f"{_ROW[row]} {_COLUMN[column]}"
        yield {"center" if name == "middle center" else name}
    rest = _BOTH.sub(" ", said)
    if _CENTER.search(rest):
        yield {"center"}
    for match in _SIDE.finditer(rest):
        side = _ROW.get(match[1] or match[2], match[1] or match[2])
        yield {place for place in PLACES if side in place.split()}


def _names_another_size(said: str, decided: Decided) -> bool:
    if not decided.sized:
        return False
    described = " ".join(entry.text for entry in decided.of_claimed_types()).casefold()
    allowed = {*decided.names("size"), *(_SIZE_WORDS[word] for word in _SIZE.findall(described))}
    return any(_SIZE_WORDS[word] not in allowed for word in _SIZE.findall(said))


def _another_type(said: str, decided: Decided) -> bool:
    """Whether it names a known type that is not claimed, or repeats what the knowledge says of one."""
    claimed = decided.of_claimed_types()
    described = " ".join(_all_of(entry) for entry in claimed)
    for name in decided.names("type"):
        said = _named(name).sub(" ", said)
    for entry in decided.known:
        if entry in claimed:
            continue
        if _named(entry.name).search(said) and not _named(entry.name).search(described):
            return True
        shared = _shared(said, _all_of(entry))
        if shared >= QUOTED and shared > max((_shared(said, _all_of(one)) for one in claimed), default=0.0):
            return True
    return False


def _all_of(entry: Entry) -> str:
    return " ".join(filter(None, (entry.name, entry.text, entry.cause, entry.action))).casefold()


def _named(name: str) -> re.Pattern[str]:
    """Finds a name in any spelling, and its plural: 'pin-hole' and 'pin holes' are one."""
    words = filter(None, re.split(r"[\W_]+", name.casefold()))
    return re.compile(rf"\b{'[ _-]?'.join(map(re.escape, words))}(?:e?s)?\b")


def _shared(said: str, described: str) -> float:
    """The share of a sentence's longer words that a description has too; 0 for a short sentence."""
    words, known = (set(re.findall(r"[^\W\d_]{4,}", text)) for text in (said, described))
    return len(words & known) / len(words) if len(words) >= LEAST_QUOTED else 0.0
