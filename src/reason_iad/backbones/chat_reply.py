"""What a chat-completions server answered: checked, and read strictly. An answer that is unclear is no answer.

Servers differ: some return log-probabilities, some none, some in shapes of their own. Only
`choices[0].message.content` has to be there; whatever else is malformed counts as missing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from reason_iad.errors import ModelError

_SHOWN = 160
"""Characters of a server's words that an error message repeats."""
_ANSWER = re.compile(r"\W*(?:answer\W+)?(?-i:([A-Z]))(?:\W*$|[).:\]]|\*\*|\s*\n)", re.IGNORECASE)
"""'A', '(A)', 'A.', '**A**', 'A) yes', 'Answer: A'. Not 'A scratch', where the letter is a word."""
_TOKEN = re.compile(r"\W*([A-Z])\W*")
"""A token that is a letter and nothing else but space and punctuation: 'A', ' A', 'A)', '(A'."""
_THOUGHT = re.compile(r"\s*<think>.*?</think>", re.DOTALL)
"""A finished thought before the answer. Models that think write an empty one where thinking is switched off."""
_THOUGHT_ENDS = "</think>"


class _Json(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class TokenChance(_Json):
    """A token and the natural logarithm of its probability; None where the server does not say it."""

    token: str
    logprob: float | None = None


class Step(TokenChance):
    """A generated token, and the most probable tokens in its place."""

    top_logprobs: tuple[TokenChance, ...] | None = None


class _Steps(_Json):
    content: tuple[Step, ...]


class _Message(_Json):
    content: str | None = None


class _Choice(_Json):
    message: _Message
    finish_reason: str | None = None
    logprobs: object = None  # checked apart: a strange shape here must not cost the answer


class _Completion(_Json):
    choices: tuple[_Choice, ...] = Field(min_length=1)


class ChatReply:
    """The first choice of a chat completion.

    Attributes:
        text: what the model wrote after its thoughts, without white space around it; never empty.
        steps: the tokens of it with their alternatives; empty if the server gives none.

    Raises:
        ModelError: it is not a chat completion, or holds no text.
    """

    def __init__(self, body: bytes) -> None:
        try:
            choice = _Completion.model_validate_json(body).choices[0]
        except ValidationError as error:
            raise ModelError(
                "The server's answer is not a chat completion (expected JSON with choices[0].message.content): "
                f"{shortened(body.decode('utf-8', 'replace'))}; check that --base-url is the API's address."
            ) from error
        self.text = _THOUGHT.sub("", choice.message.content or "", count=1).strip()
        if not self.text:
            raise ModelError(
                f"The server answered without any text (it stopped for the reason '{choice.finish_reason}'); "
                "use a model that answers directly instead of thinking first."
            )
        try:
            self.steps = _after_the_thought(_Steps.model_validate(choice.logprobs).content)
        except ValidationError:
            self.steps = ()

    def letter(self, letters: Sequence[str]) -> str:
        """The letter of the option that was answered.

        Raises:
            ModelError: the text is anything but one of these letters (with or without its option behind it).
        """
        found = _ANSWER.match(self.text)
        if found is None or found[1] not in letters:
            raise ModelError(
                f"The model was asked for one of the letters {', '.join(letters)} but answered: "
                f"{shortened(self.text)}; ask again, or use a model that follows instructions better."
            )
        return found[1]

    def probabilities(self, letters: Sequence[str]) -> list[float] | None:
        """Distribution over the letters in the place where one was answered.

        None if it is not known: without log-probabilities, or without that of the answer. A letter whose
        log-probability is missing does not count. See `ChatAPI.choose` for what it means.

        Raises:
            ModelError: as `letter`.
        """
        answered = self.letter(letters)
        step = next((step for step in self.steps if _letter(step.token) == answered), None)
        if step is None:
            return None
        mass = dict.fromkeys(letters, 0.0)
        for token, chance in _chances((step, *(step.top_logprobs or ()))).items():
            if (letter := _letter(token)) in mass:
                mass[letter] += chance
        if mass[answered] <= 0:
            return None
        total = sum(mass.values())
        return [chance / total for chance in mass.values()]


def _letter(token: str) -> str | None:
    found = _TOKEN.fullmatch(token)
    return found[1] if found else None


def _chances(tokens: Iterable[TokenChance]) -> dict[str, float]:
    """Token to probability, each once: most servers list the generated token among the alternatives, too."""
    known = ((each.token, each.logprob) for each in tokens if each.logprob is not None)
    return {token: math.exp(min(logprob, 0.0)) for token, logprob in known if not math.isnan(logprob)}


def _after_the_thought(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps after the end of a thought; all of them if there is none."""
    written, start = "", 0
    for number, step in enumerate(steps, 1):
        written += step.token
        if written.rstrip().endswith(_THOUGHT_ENDS):
            start = number
    return steps[start:]


def shortened(text: str) -> str:
    """A foreign text for one line of an error message: quoted, short, nothing that a terminal would obey."""
    line = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(line.split())
    return f"'{line if len(line) <= _SHOWN else line[: _SHOWN - 1] + '…'}'"
