"""Which type of defect it is: by comparison with labelled defects, and as the model reads the knowledge (METHOD
section 5).

The rule: where comparison with labelled defects can state a type, it is that. Otherwise it is what the model says.
Where both state a type and they differ, the result says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from reason_iad.schema import Claim, size_of
from reason_iad.schema.names import name_key

if TYPE_CHECKING:
    from reason_iad.expert.normality.examples import Resemblance
    from reason_iad.schema import ExampleEvidence, Finding


class Reading(NamedTuple):
    """The type that the model chose, and how probable it is; None where nothing was weighed."""

    type: str
    probability: float | None


def with_types(
    findings: Sequence[Finding], alike: Sequence[Resemblance], read: Reading | None
) -> tuple[Finding, ...]:
    """Findings with their types.

    Args:
        findings: the places, the clearest first.
        alike: the labelled defect that each looks like; empty if there are none.
        read: what the model says of the first.
    """
    typed = list(findings)
    for number, found in enumerate(alike):
        if found.types and (number == 0 or len(found.types) == 1):
            typed[number] = findings[number].model_copy(update={"type": found.types[0]})
    if typed and typed[0].type is None:
        likely = _likely(alike[0]) if alike else None
        update = {"type": likely} if read is None else {"type": read.type, "type_probability": read.probability}
        typed[0] = typed[0].model_copy(update=update)
    return tuple(typed)


def type_claim(alike: Sequence[Resemblance], read: Reading | None) -> tuple[Claim, ...]:
    """What can be claimed of the type of the clearest place."""
    if alike and alike[0].types:
        return (Claim(fact="type", names=alike[0].types, probability=None),)
    if read is not None:
        return (Claim(fact="type", names=(read.type,), probability=read.probability),)
    return ()


def measured_claims(finding: Finding) -> tuple[Claim, ...]:
    """What can be claimed of where the clearest place is, and how large."""
    return (
        Claim(fact="place", names=(finding.place,), probability=None),
        Claim(fact="size", names=(size_of(finding.share),), probability=None),
    )


def said_of_type(example: ExampleEvidence | None, read: str | None) -> str:
    """What the labelled defects say of the type, and whether the model disagrees; empty where there are none."""
    if example is None:
        return ""
    known = {name_key(name) for name in example.types}
    differs = read is not None and known and name_key(read) not in known
    return f"{example.in_words()} The model calls it '{read}'." if differs else example.in_words()


def _likely(found: Resemblance) -> str | None:
    """The best guess where no type can be stated."""
    return None if found.unlike else found.example.type
