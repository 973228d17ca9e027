"""Text that other people wrote: cleaned once, before anything else sees it.

Notable: `sanitize` never removes words. Chat control tokens such as `<|im_end|>` stay as the characters they
are (backbones tokenise knowledge with control tokens disabled); only our own markers, which are ordinary text
to every tokenizer, are made harmless here.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from reason_iad.schema.names import words_of

if TYPE_CHECKING:
    from reason_iad.schema import Entry

_JOINERS = "\u200c\u200d"  # needed to spell Persian and Indic words, so they stay
_WORD = f"[{_JOINERS}]*".join("knowledge")
_MARKER = re.compile(rf"[\[［](?P<inside>[\s{_JOINERS}/／]*{_WORD}[\s{_JOINERS}]*)[\]］]", re.IGNORECASE)


def sanitize(text: str) -> str:
    """Return `text` on one line, without control characters and without the prompt's own markers.

    Whitespace and control characters fold to single spaces; invisible format characters (direction overrides,
    zero-width spaces, byte order marks) and lone surrogates vanish; `[knowledge]` and `[/knowledge]` become
    `(knowledge)` and `(/knowledge)`. Idempotent.
    """
    kept: list[str] = []
    for character in unicodedata.normalize("NFC", text):
        group = unicodedata.category(character)
        if group in ("Cc", "Zl", "Zp") or character.isspace():
            kept.append(" ")
        elif group not in ("Cf", "Cs") or character in _JOINERS:
            kept.append(character)
    return _MARKER.sub(r"(\g<inside>)", " ".join("".join(kept).split()))


def slug(name: str) -> str:
    """Return `name` as an id part: its words in lower case, of any script, with hyphens between.

    >>> slug("Mouse bite (edge)")
    'mouse-bite-edge'
    """
    return "-".join(words_of(name))


def knowledge_line(entry: Entry) -> str:
    """One entry as one line of the prompt; newlines inside an entry are folded."""
    label = entry.name if entry.kind != "normal" else "normal"
    return f"{label}: {' '.join(entry.text.split())}"
