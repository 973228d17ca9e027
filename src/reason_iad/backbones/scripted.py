"""What a scripted fake model answers: a table from questions to answers.

Nothing is remembered between calls, so one script serves many threads, and the order of the questions is free.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from reason_iad.errors import ConfigError

STANDARD = {
    "detection": "Is there a defect in the inspected image?",
    "type": "Which defect",
    "place": "Where is the defect?",
    "explanation": "Explain the verdict",
}
"""Key of each question of an inspection to the words by which it is recognised."""

_OPTION = re.compile(r"^([A-Z])\) (.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Script:
    """Answers of a scripted model.

    Attributes:
        answers: the key of a question of an inspection (`STANDARD`), or words of any other question, to its answer:
            the text of one of its options, or the text to be written.
    """

    answers: Mapping[str, str]

    def answer(self, asked: str) -> str:
        """The answer to a question, given as it stands in the prompt.

        Where the words of several entries stand in it, the longest decide.

        Raises:
            ConfigError: nothing is scripted for it.
        """
        words = {STANDARD.get(key, key): answer for key, answer in self.answers.items()}
        fits = [each for each in words if each.lower() in asked.lower()]
        if not fits:
            question = asked.strip().split("\n", 1)[0]
            raise ConfigError(
                f"The fake model has no scripted answer to '{question}'. Add one to `answers`, under "
                f"{', '.join(map(repr, STANDARD))}, or under words of the question."
            )
        return words[max(fits, key=len)]

    def letter(self, asked: str) -> str | None:
        """The letter of the scripted option; None for a question without options.

        Raises:
            ConfigError: nothing is scripted for the question, or none of its options is the scripted answer.
        """
        options: dict[str, str] = {text.strip().lower(): letter for letter, text in _OPTION.findall(asked)}
        answer = self.answer(asked)
        if not options:
            return None
        if answer.strip().lower() not in options:
            question = asked.strip().split("\n", 1)[0]
            raise ConfigError(
                f"The scripted answer '{answer}' is no option of '{question}'. "
                f"Choose one of: {', '.join(text for _, text in _OPTION.findall(asked))}."
            )
        return options[answer.strip().lower()]
