"""Replies: what is clear is understood, what is not is never guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reason_iad.bench.parsing import parse_reply
from reason_iad.inspection.questions import LETTERS

OPTIONS = ("Yes.", "No.", "A scratch on the left", "top-left")


@pytest.mark.parametrize(
    "reply",
    ["B", "B)", "B.", "(B)", "[B]", "B:", " B\n", "**B**", '"B"', "Answer: B", "answer: (B)", "Answer: **B**",
     "The answer is B.", "The correct answer is B", "Option B", "The correct option is: B", "No", "No.", "no",
     "**No.**", "B) No.", "B. No", "(B) no.", "Answer: B) No."],
)  # fmt: skip
def test_a_clear_reply_is_understood(reply: str) -> None:
    assert parse_reply(reply, OPTIONS) == "B"


@pytest.mark.parametrize(
    ("reply", "letter"),
    [("a scratch  on the left.", "C"), ("C) A scratch on the left", "C"), ("Top-left", "D"), ("A", "A")],
)
def test_an_option_s_own_text_is_understood(reply: str, letter: str) -> None:
    assert parse_reply(reply, OPTIONS) == letter


@pytest.mark.parametrize(
    "reply",
    ["", " ", ".", "b", "E", "(E)", "A or B", "A, B", "A B", "A) No.", "A scratch", "B scratch", "A No.", "B No",
     "Both A and B", "I think it is B", "B because the surface is damaged", "The answer is not B.", "Yes and no",
     "Not B", "B) Yes. No.", "(B", "B]", "Answer:", "The answer is", "Answer: B\nAnswer: C", "AB", "A\nB", "Maybe",
     "top left", "Option", "B?", "No. A"],
)  # fmt: skip
def test_an_unclear_reply_is_never_guessed(reply: str) -> None:
    assert parse_reply(reply, OPTIONS) is None


def test_options_that_read_alike_are_told_apart_by_letter_only() -> None:
    assert parse_reply("dent", ("Dent.", "dent", "hole")) is None
    assert parse_reply("B", ("Dent.", "dent", "hole")) == "B"
    assert parse_reply("B", ("B", "A")) is None  # the letter means one option, the text the other
    assert parse_reply("A", ("B", "C")) == "A"


@given(st.text(alphabet="ABCab().: YesNo\n*", max_size=12))
def test_a_letter_is_only_ever_read_where_there_is_one(reply: str) -> None:
    letter = parse_reply(reply, ("red", "green"))
    assert letter is None or (letter in LETTERS[:2] and letter in reply)
