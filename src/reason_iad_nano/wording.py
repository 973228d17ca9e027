"""Many ways to say the same: questions, and what normal and each defect kind look like.

`{part}` is the name of the part, or a general word where the prompt does not name it.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

IS_DEFECTIVE = (
    "Does the {part} have a defect?",
    "Is the {part} defective?",
    "Can you see a defect?",
    "Is there an anomaly in the image?",
    "Is something wrong with this {part}?",
    "Does the inspected image show damage?",
    "Is this {part} faulty?",
    "Should this {part} be rejected?",
    "Does the {part} differ from a good one?",
    "Is there any flaw on the {part}?",
    "Would you sort out this {part}?",
    "Is there any defect in the object?",
    "Does the {part} show an abnormality?",
)
IS_GOOD = (
    "Is the {part} free of defects?",
    "Is the {part} good?",
    "Does this {part} pass the inspection?",
    "Is the {part} in order?",
    "Is everything normal in the inspected image?",
    "Is this {part} without any flaw?",
)
WHICH_TYPE = (
    "What is the type of the defect?",
    "Which defect is it?",
    "What kind of defect does the {part} have?",
    "Which of these defects is present?",
    "Name the defect.",
    "What is wrong with the {part}?",
    "How would you classify what you see?",
)
WHICH_TYPE_OF_DEFECT = (
    "There is a defect in the object. What is its type?",
    "The {part} is defective. Of which kind is the defect?",
    "Choose the defect that the image shows.",
)
"""The same where it is known that there is one."""
WHICH_TYPE_AT = (
    "What is wrong in the [place] of the image?",
    "The {part} has a defect in the [place]. Of which type?",
    "Which defect is in the [place] part?",
)
WHICH_PLACE = (
    "Where is the defect on the {part}?",
    "In which area of the image is the defect?",
    "What is the position of the defect?",
    "Where is the damage?",
    "Locate the defect.",
    "In which region does the {part} differ from a good one?",
    "There is a defect in the object. Where is it?",
    "Divide the image into nine equal parts. In which of them is the defect?",
)
WHICH_PLACE_OF = (
    "Where is the {part} damaged by this: [name]?",
    "Where is the following defect: [name]?",
    "Which part of the image shows this: [name]?",
)
WHICH_OBJECT = (
    "What is shown?",
    "What is the object in the image?",
    "Which part is being inspected?",
    "What do you see in the image?",
    "What kind of product is it?",
    "Name the inspected object.",
)
OBJECT_PHRASES = ("{a} {}", "the {}", "part of {a} {}", "a photograph of {a} {}", "{a} {} or part of one")
OTHER_OBJECTS = (
    "zipper", "transistor", "toothbrush", "hazelnut", "metal nut", "candle", "bearing", "cup", "light bulb",
    "battery", "bag of food", "welded joint", "rail", "solar cell", "shoe", "box", "tire", "fruit",
)  # fmt: skip
"""Things that the world does not draw: now and then wrong answers in words that are never right."""
WHICH_SIZE = (
    "How large is the defect?",
    "What is the size of the defect?",
    "How much of the {part} does the defect cover?",
)
WHICH_SHARE = (
    "What share of the image do the defects cover?",
    "How much of the area of the image is defective?",
    "How large a part of the image shows damage?",
)
WHICH_NORMAL = (
    "What should a good {part} look like?",
    "How does a {part} without a defect look?",
    "Which of these describes a good {part}?",
)
HOW_MANY = (
    "How many defects are there?",
    "How many defects does the {part} have?",
    "What is the number of defects?",
)
WHY = (
    "Why does this defect matter?",
    "What can this defect lead to?",
    "What is the effect of the defect on the {part}?",
    "What may happen because of the defect?",
)
CAUSE = (
    "What is the likely cause of the defect?",
    "How did the defect come about?",
    "Where does the defect come from?",
)

HOW_LOOKS = (
    "What does '{name}' look like?",
    "How is '{name}' recognised here?",
    "What is meant by '{name}'?",
    "Repeat what the knowledge says about '{name}'.",
)
WHICH_LOOKS = (
    "Which defect looks like this? {look}",
    "What is this called here? {look}",
    "Name of the following: {look}",
)

GENERIC_NORMAL = (
    "The part looks like the reference: complete, clean and even.",
    "Even surface, no marks, nothing missing and nothing added.",
    "All details are present and at their places; edges are smooth.",
    "Texture and color are regular; slow changes of brightness are allowed.",
    "The pattern continues everywhere without interruption.",
    "No damage, no dirt, no missing or extra material.",
    "Uniform finish. Small variation of light and position is accepted.",
)

_FRAMES = (
    "{}",
    "{}",
    "{}",
    "{}",
    "Looks like this: {}",
    "Seen as follows: {}",
    "Reject if seen: {}",
    "Typical look: {}",
    "In this product: {}",
    "To recognise it: {}",
)


@dataclass(frozen=True, slots=True)
class KindText:
    """What is said about a defect kind.

    Attributes:
        name: its common name.
        looks: descriptions of its look, all true, in different words.
        why: why it matters.
        cause: where it comes from.
        action: what to do.
    """

    name: str
    looks: tuple[str, ...]
    why: str
    cause: str
    action: str


def kind_texts(kinds: Mapping[str, Any]) -> dict[str, KindText]:
    """The texts of the world's kinds, with more descriptions where there are any."""
    from reason_iad_nano.looks import LOOKS

    return {
        key: KindText(
            name=key.replace("_", " "),
            looks=(kind.description, *LOOKS.get(key, ())),
            why=kind.why,
            cause=kind.cause,
            action=kind.action,
        )
        for key, kind in kinds.items()
    }


def describe(text: KindText, rng: random.Random) -> str:
    """One description of a kind; now and then with its cause or what to do, which also tells it apart."""
    look = rng.choice(text.looks)
    framed = rng.choice(_FRAMES).format(look)
    draw = rng.random()
    if draw < 0.10:
        return f"{framed} {text.cause}"
    if draw < 0.18 and len(text.looks) > 1:
        return f"{framed} {rng.choice(text.looks)}"
    return framed
