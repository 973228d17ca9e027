"""The prompt of an inspection, in the order METHOD section 1 fixes.

system · knowledge · references · query image · question and options · think tokens · answer cue.

Everything up to and including the query image is independent of the question: `build_head` makes it once for all
questions about one image.
"""

from __future__ import annotations

from collections.abc import Sequence

from reason_iad.backbones.prompt import SYSTEM, Data, ImageSlot, LatentSlot, Part, Prompt
from reason_iad.inspection.questions import Question
from reason_iad.knowledge.text import knowledge_line
from reason_iad.schema import Claim, Entry

TYPE_NOT_CLEAR = "type not clear"
"""How the explanation of a defect begins whose type cannot be told."""


def build_head(
    entries: Sequence[Entry], references: int, category: str | None, *, overlay: bool = False
) -> tuple[Part, ...]:
    """Parts up to and including the query image.

    Args:
        entries: retrieved knowledge, best first; empty for methods without knowledge.
        references: number of reference images shown before the query.
        category: name of the part, if known.
        overlay: the query with an anomaly map drawn on it is shown between the references and the query.
    """
    parts: list[Part] = []
    if entries:
        lines = "\n".join(knowledge_line(entry) for entry in entries)
        parts.append(Data(f"[knowledge]\n{lines}\n[/knowledge]\n"))
    if category:
        parts.append(Data(f"Part: {category}\n"))
    for index in range(references):
        parts += [Data("Good: "), ImageSlot(index), Data("\n")]
    if overlay:
        parts += [Data("Map: "), ImageSlot(references), Data("\n")]
    return (*parts, Data("Inspected: "), ImageSlot(references + int(overlay)), Data("\n"))


def build_tail(question: Question, *, latents: bool) -> tuple[Part, ...]:
    """The question, its options, and the latent slot if the method reasons in latent space."""
    lines = [question.text.strip()]
    lines += [f"{letter}) {text}" for letter, text in question.lettered.items()]
    text = "\n".join(lines) + "\n"
    return (Data(text), LatentSlot()) if latents else (Data(text),)


def build_prompt(head: tuple[Part, ...], question: Question, *, latents: bool) -> Prompt:
    """A whole prompt."""
    return Prompt(SYSTEM, head, build_tail(question, latents=latents))


def explanation_opening(defective: bool, claims: Sequence[Claim] = (), *, types_known: bool = True) -> str:
    """How the explanation of a verdict begins: with what was decided, so that the text cannot deny it.

    What the model writes after it is checked against the same claims (`agreement.py`).

    Args:
        defective: the verdict.
        claims: what can be said of the defect.
        types_known: whether the knowledge lists types; without, none is spoken of.
    """
    if not defective:
        return "No defect found."
    named = {claim.fact: claim.in_words() for claim in claims}
    what = f"Defect: {named.get('type', TYPE_NOT_CLEAR)}" if types_known else "Defect"
    where = f" at {named['place']}" if "place" in named else ""
    size = f", {named['size']}" if "size" in named else ""
    return f"{what}{where}{size}."


def only_suspected(explanation: str) -> str:
    """The explanation of a defect where a person has to decide whether it is one."""
    what = explanation.removeprefix("Defect: ") if explanation.startswith("Defect: ") else f"d{explanation[1:]}"
    return f"Not certain: a person has to decide. Suspected: {what}"
