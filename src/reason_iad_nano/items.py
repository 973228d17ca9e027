"""One question with its answer, and how its options are laid out."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from reason_iad.inspection.questions import LETTERS, Question
from reason_iad_nano.scene import Scene


@dataclass(frozen=True, slots=True)
class Item:
    """One question with its answer.

    Attributes:
        task: 'detection', 'type', 'place', 'object', 'size', 'count', 'why', 'cause', 'explanation', 'describe',
            'lookup' or 'normal'.
        question: as the product asks it.
        answer: the letter, or the text of an open answer.
        correct: index of the right option, None for open questions.
        option_kinds: the world's kind behind each option of a type question; empty otherwise.
    """

    task: str
    question: Question
    answer: str
    correct: int | None = None
    option_kinds: tuple[str | None, ...] = ()


def choice(
    task: str, rng: random.Random, text: str, right: str, wrong: Sequence[str], style: Callable[[str], str] = str
) -> Item:
    """A question whose options are shuffled; the right one is at a place drawn evenly."""
    options = [style(option) for option in rng.sample(list(wrong), len(wrong))]
    place = rng.randrange(len(options) + 1)
    options.insert(place, style(right))
    return Item(task, Question(task, text, tuple(options)), LETTERS[place], place)


def sentence(text: str) -> str:
    """As a sentence, or the name of something as one."""
    return text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")


def option_style(rng: random.Random) -> Callable[[str], str]:
    """How the options of one question are written."""
    return rng.choice((str, str, sentence, lambda text: text[:1].upper() + text[1:]))


def fill(scene: Scene, rng: random.Random, templates: Sequence[str]) -> str:
    """One wording with the part named, if it may be."""
    return rng.choice(templates).format(part=scene.category or rng.choice(("part", "part", "object", "product")))
