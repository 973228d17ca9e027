"""The fenced blocks of README and docs, and the commands in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "CONTRIBUTING.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")))
SHOWN = ("markdown", "yaml", "json", "text", "toml", "html", "css")
"""Languages of blocks that show a file or an output; nothing in them can be run."""

_BLOCK = re.compile(r"^(?P<fence>```+)(?P<language>[^\n]*)\n(?P<text>.*?)^(?P=fence)$", re.DOTALL | re.MULTILINE)
_NAMED_FILE = re.compile(r"`([\w./-]+\.(?:md|ya?ml|json))`:?\s*$")


@dataclass(frozen=True)
class Block:
    """One fenced block.

    Attributes:
        page: the file it stands in, relative to the root.
        line: where it begins.
        language: what stands behind the fence.
        text: what stands between the fences.
        file: the file that the sentence before the block names, if it ends with one.
    """

    page: str
    line: int
    language: str
    text: str
    file: str | None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    def commands(self) -> list[str]:
        """The lines of a shell block, joined where they go on, without comments."""
        joined = self.text.replace("\\\n", " ")
        lines = (re.sub(r"(^|\s)#.*", "", line) for line in joined.splitlines())
        return [" ".join(line.split()) for line in lines if line.strip()]


def blocks(page: str) -> list[Block]:
    """All fenced blocks of a page, in order; directives of the site are left out."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for match in _BLOCK.finditer(text):
        language = match["language"].strip()
        if language.startswith("{"):
            continue
        before = text[: match.start()]
        named = _NAMED_FILE.search(before)
        file = named[1] if named else None
        found.append(Block(page, before.count("\n") + 1, language, match["text"], file))
    return found


def outside_blocks(page: str) -> str:
    """The text of a page without its fenced blocks."""
    return _BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
