"""Questions about an image, with lettered options or open, and those that an inspection asks itself."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from reason_iad.errors import PromptError, given_type
from reason_iad.schema import PLACES

NEUTRAL_QUESTION = "Describe the inspected image."
"""Question of the neutral prompt against which attention is corrected (METHOD section 3, [ours])."""

LETTERS = string.ascii_uppercase


Asks = Literal["whether", "type", "place", "size"]
"""What an inspection can answer of a defect."""


@dataclass(frozen=True, slots=True)
class Intent:
    """What a question asks for, as data.

    Attributes:
        asks: whether there is a defect, of which type it is, where it is, or how much of the image it covers.
        yes: 'whether': the letter of the option that says there is one.
        places: 'place': for each option, which of the nine `PLACES` it is.
        ranges: 'size': for each option, the limits of the share of the image that it stands for, in [0, 1].
        at: the one of `PLACES` that alone is asked about; None: the whole part.
    """

    asks: Asks
    yes: str | None = None
    places: tuple[int, ...] = ()
    ranges: tuple[tuple[float, float], ...] = ()
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question with lettered options, or an open one (`options` empty).

    Attributes:
        key: names the answer in the evidence.
        text: the question.
        options: what to choose from.
        opening: words an open answer begins with, so that it cannot contradict what has been decided.
        intent: what it asks for; None: something else, which the model answers alone.
        said: how a person asked it in another language; '' where the text is what was asked.

    Raises:
        PromptError: the question is no text, is empty, or has more options than letters.
    """

    key: str
    text: str
    options: tuple[str, ...] = ()
    opening: str = ""
    intent: Intent | None = None
    said: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise PromptError(f"The question is given as {given_type(self.text)}; write it as text.")
        if not self.text.strip():
            raise PromptError("The question is empty; ask something about the image.")
        if len(self.options) == 1:
            raise PromptError("A question needs no options or at least two; one was given.")
        if len(self.options) > len(LETTERS):
            raise PromptError(f"A question can have at most {len(LETTERS)} options; {len(self.options)} given.")

    @property
    def lettered(self) -> dict[str, str]:
        """Letter to option text."""
        return dict(zip(LETTERS, self.options, strict=False))


def detection_question() -> Question:
    """Is there a defect? Option A is 'Yes'."""
    text = "Is there a defect in the inspected image?"
    return Question("detection", text, ("Yes", "No"), intent=Intent("whether", yes=LETTERS[0]))


def type_question(names: Sequence[str]) -> Question:
    """Which of the known defect types is it?"""
    text = "Which defect does the inspected image show?"
    return Question("type", text, tuple(names), intent=Intent("type"))


def described_question(question: Question, change: str) -> Question:
    """The same question, asked by a sentence about what changed."""
    return replace(question, text=f"Which defect looks like this? {change}")


def place_question() -> Question:
    """In which of the nine parts of the image is it?"""
    return Question(
        "place", "Where is the defect?", PLACES, intent=Intent("place", places=tuple(range(len(PLACES))))
    )


def explanation_question(opening: str = "", change: str | None = None) -> Question:
    """What is it, where, and why does it matter? (open)

    Args:
        opening: how the explanation begins.
        change: a sentence on what was measured to have changed at the spot; None: nothing is told of it.
    """
    text = "Explain the verdict: what, where, and why it matters."
    if change is not None:
        text = f"{text} Measured where the part differs most from the good parts: {change}"
    return Question("explanation", text, opening=opening)


OWN_KEYS = frozenset({"detection", "type", "place", "size", "explanation"})
"""Keys by which results name the questions that an inspection asks itself."""


def further_question(question: str | Question | None) -> Question | None:
    """What a person asks beside the inspection's own questions.

    Raises:
        PromptError: it is neither a text nor a `Question`, or it has the key of one of the inspection's own.
    """
    if question is None:
        return None
    if not isinstance(question, Question):
        return Question("question", question)
    if question.key in OWN_KEYS:
        raise PromptError(
            f"'{question.key}' is the key of one of the inspection's own questions. Give your question "
            "another key, for example 'question'."
        )
    return question


def parse_options(texts: Sequence[str]) -> tuple[str, ...]:
    """Options as a user writes them, 'A) yes' or 'yes', in order.

    Raises:
        PromptError: they are no list of texts, letters are mixed with bare texts, out of order or repeated, or an
            answer is given twice.
    """
    if isinstance(texts, str) or not isinstance(texts, Iterable):
        raise PromptError(f"The options are given as {given_type(texts)}; give a list such as ['yes', 'no'].")
    parsed: list[str] = []
    lettered = 0
    for index, raw in enumerate(texts):
        if not isinstance(raw, str):
            raise PromptError(f"Option {index + 1} is given as {given_type(raw)}; write it as text.")
        text = raw.strip()
        if len(text) > 1 and text[0] in LETTERS and text[1] in ").:":
            if text[0] != LETTERS[index]:
                raise PromptError(f"Option '{raw}' should start with {LETTERS[index]}); give the options in order.")
            lettered += 1
            text = text[2:].strip()
        if not text:
            raise PromptError(f"Option {index + 1} is empty; write it as 'A) text'.")
        parsed.append(text)
    if lettered not in (0, len(parsed)):
        raise PromptError("Some options start with a letter and some do not; write all of them the same way.")
    for index, text in enumerate(parsed):
        if text.casefold() in (other.casefold() for other in parsed[:index]):
            raise PromptError(f"The option '{text}' is given twice. Give each option once.")
    return tuple(parsed)


def best_choice(probabilities: Mapping[str, float]) -> str:
    """The most probable letter; the earlier one on a tie."""
    return max(probabilities, key=lambda letter: (probabilities[letter], -LETTERS.index(letter)))
