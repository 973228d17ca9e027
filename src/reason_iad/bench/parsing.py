"""From a generated reply to an option: strictly. A reply that leaves a doubt has no letter; nothing is guessed.

Two ways to answer are understood. By letter: 'A', 'A)', 'A.', '(A)', 'Answer: A', 'The answer is A.', with or
without that option's own text behind it. By text: the exact text of one option, but for case, quotes, full stop.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from reason_iad.inspection.questions import LETTERS

_LETTER = re.compile(
    r"""
    (?i: (?:the\ )? (?:correct\ |right\ )? (?:answer|option) (?:\ is)? \s* :? \s* )?  # 'The answer is', 'Answer:'
    (?P<open> [(\[]? ) (?P<letter> [A-Z] ) (?P<close> [)\]]? )
    (?P<mark> [.:]? ) (?: \s+ (?P<text> \S.* ) )?
    """,
    re.VERBOSE | re.DOTALL,
)
_BRACKETS = {("", ""), ("", ")"), ("(", ")"), ("[", "]")}
_QUOTES = "\"'`*“”‘’"


def parse_reply(reply: str, options: Sequence[str]) -> str | None:
    """The letter of the option that a reply names.

    Args:
        reply: generated text.
        options: texts of the options, in the order of their letters.

    Returns: None if the reply names no option, or could be read as naming more than one.
    """
    text = _plain(reply)
    found = {letter for letter, option in zip(LETTERS, options, strict=False) if _same(text, option)}
    if (letter := _by_letter(text, options)) is not None:
        found.add(letter)
    return found.pop() if len(found) == 1 else None


def _by_letter(text: str, options: Sequence[str]) -> str | None:
    """The letter that is all a reply says, but for the text of that very option."""
    match = _LETTER.fullmatch(text)
    if match is None or (match["open"], match["close"]) not in _BRACKETS:
        return None
    index = LETTERS.index(match["letter"])
    if index >= len(options):
        return None
    if match["text"] is not None and not (
        _same(match["text"], options[index]) and (match["close"] or match["mark"])
    ):
        return None
    return match["letter"]


def _same(text: str, option: str) -> bool:
    plain = _bare(text)
    return bool(plain) and plain == _bare(option)


def _bare(text: str) -> str:
    """A text without what does not count when it is compared."""
    return " ".join(_plain(text).casefold().split()).rstrip(".").rstrip()


def _plain(text: str) -> str:
    """Without white space, quotes and emphasis around it, or around a letter in it ('**A**', 'Answer: "A"')."""
    return (
        re.sub(rf"[{_QUOTES}]+(?P<kept>[(\[]?[A-Z][)\]]?[.:]?)[{_QUOTES}]+", r"\g<kept>", text)
        .strip()
        .strip(_QUOTES)
        .strip()
    )
