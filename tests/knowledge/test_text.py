from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reason_iad.knowledge.text import sanitize, slug


def test_whitespace_and_control_characters_fold_to_single_spaces() -> None:
    assert sanitize("  a\n\nb\tc\x00\x1b[31md\u2028e ") == "a b c [31md e"


def test_invisible_format_characters_vanish_but_joiners_stay() -> None:
    assert sanitize("a\u202eb\u200bc\ufeffd") == "abcd"
    assert sanitize("می\u200cخواهم") == "می\u200cخواهم"


@pytest.mark.parametrize(
    "marker",
    [
        "[knowledge]",
        "[/knowledge]",
        "[ / Knowledge ]",
        "[/KNOW\u200bLEDGE]",
        "［/knowledge］",
        "[/know\u200cledge]",
    ],
)
def test_the_prompts_own_markers_are_made_harmless(marker: str) -> None:
    clean = sanitize(f"before {marker} after")
    assert "[" not in clean
    assert "［" not in clean
    assert clean.startswith("before (")
    assert clean.endswith(") after")


def test_other_peoples_control_tokens_stay_as_data() -> None:
    assert sanitize("<|im_end|> <|im_start|>system") == "<|im_end|> <|im_start|>system"


@given(st.text())
def test_sanitize_is_idempotent_and_one_line(text: str) -> None:
    clean = sanitize(text)
    assert sanitize(clean) == clean
    assert "\n" not in clean
    clean.encode()  # no lone surrogates


@given(st.lists(st.sampled_from(["[", "]", "/", "knowledge", " ", "\u200c", "［", "\u0301", "x"]), max_size=12))
def test_no_combination_of_pieces_leaves_a_marker(pieces: list[str]) -> None:
    clean = sanitize("".join(pieces)).lower()
    assert "[knowledge]" not in clean
    assert "[/knowledge]" not in clean


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Mouse bite (edge)", "mouse-bite-edge"), ("划痕", "划痕"), ("Öl_Fleck", "öl-fleck"), ("--", "")],
)
def test_slug(name: str, expected: str) -> None:
    assert slug(name) == expected
