"""Knowledge in Markdown: YAML front matter, then the headings `# Normal`, `# Tolerances` and `# Defects`.

Notable: the body is read through markdown-it's tokens, so emphasis, links, entities and comments behave as
in any other Markdown. Only the plain text of a block is kept. A line `Severity: …`, `Cause: …`, `Action: …`
or `Aliases: …` inside a defect's section (bold or in a list, if the author likes) fills that field;
everything else is its description.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from reason_iad.knowledge.document import KnowledgeFileError, Problem, RawDocument
from reason_iad.knowledge.yaml_format import parse_yaml

_SECTIONS = ("normal", "tolerances", "defects")
_DETAILS = ("severity", "cause", "action", "aliases")
_FENCE = "---"
CLOSE = 0.8
"""How near the name before a colon has to be to that of a field to be taken for a slip."""


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of plain text. `item` counts the bullets of the document's top level; None outside of
    bullets."""

    number: int
    text: str
    item: int | None = None


@dataclass(frozen=True, slots=True)
class _Heading:
    number: int
    level: int
    text: str


def parse_markdown(text: str, shown: str) -> RawDocument:
    """Parse a Markdown knowledge file to plain data with line numbers.

    Args:
        text: the whole file.
        shown: the file as the user named it, for messages.

    Raises:
        KnowledgeFileError: the front matter is missing or malformed, or a heading is not one of the layout's.
    """
    front, body, body_line = _split(text, shown)
    raw = parse_yaml(front, shown, first_line=2)
    return _Reader(raw, shown).read(_blocks(body, body_line))


def _split(text: str, shown: str) -> tuple[str, str, int]:
    """Front matter, body, and the line on which the body begins."""
    lines = text.split("\n")
    if lines and lines[0].strip() == _FENCE:
        for number, line in enumerate(lines[1:], start=1):
            if line.strip() == _FENCE:
                return "\n".join(lines[1:number]) + "\n", "\n".join(lines[number + 1 :]), number + 2
        raise KnowledgeFileError([Problem(shown, 1, "the front matter has no end; close it with a line '---'.")])
    message = "it must begin with front matter: a line '---', 'category: …', a line '---'."
    raise KnowledgeFileError([Problem(shown, 1, message)])


def _blocks(body: str, first_line: int) -> Iterator[_Heading | _Line]:
    """Headings and lines of text, in order, with line numbers of the file."""
    tokens = MarkdownIt("commonmark").parse(body)
    depth = 0
    item: int | None = None
    items = 0
    for index, token in enumerate(tokens):
        number = first_line + (token.map[0] if token.map else 0)
        if token.type == "list_item_open":
            depth += 1
            if depth == 1:
                item, items = items, items + 1
        elif token.type == "list_item_close":
            depth -= 1
            item = item if depth else None
        elif token.type == "heading_open":
            text = " ".join(line for _, line in _plain(tokens[index + 1].children or ()))
            yield _Heading(number, int(token.tag[1:]), text.strip())
        elif token.type == "inline" and tokens[index - 1].type != "heading_open":
            for shift, line in _plain(token.children or ()):
                yield _Line(number + shift, line, item)
        elif token.type in ("fence", "code_block"):
            yield from (_Line(number, line, item) for line in token.content.splitlines())
        elif token.type == "html_block" and not token.content.lstrip().startswith("<!--"):
            yield _Line(number, token.content, item)


def _plain(children: Sequence[Token]) -> list[tuple[int, str]]:
    """Inline tokens as lines of plain text, each with its distance in lines from the block's first."""
    lines = [""]
    for child in children:
        if child.type in ("softbreak", "hardbreak"):
            lines.append("")
        elif child.type == "html_inline" and child.content.startswith("<!--"):
            continue
        else:
            lines[-1] += child.content
    return list(enumerate(lines))


class _Reader:
    """Fills the plain data from headings and lines, and remembers what was wrong."""

    def __init__(self, raw: RawDocument, shown: str) -> None:
        self.raw = raw
        self.shown = shown
        self.problems: list[Problem] = []
        self.section: str | None = None
        self.field: str | None = None  # of the current defect
        self.item: int | None = None
        for name in _SECTIONS:
            if name in raw.data:
                message = f"'{name}' belongs under a heading '# {name.title()}', not in the front matter."
                self._problem(raw.line((name,)), message)
                del raw.data[name]

    def read(self, blocks: Iterator[_Heading | _Line]) -> RawDocument:
        for block in blocks:
            if isinstance(block, _Heading):
                self._heading(block)
            elif block.text.strip():
                self._line(block)
        if self.problems:
            raise KnowledgeFileError(self.problems)
        return self.raw

    def _problem(self, line: int | None, message: str) -> None:
        self.problems.append(Problem(self.shown, line, message))

    def _heading(self, heading: _Heading) -> None:
        data, lines = self.raw.data, self.raw.lines
        if heading.level == 1:
            name = heading.text.casefold()
            self.section = name if name in _SECTIONS else "unknown"
            if name not in _SECTIONS:
                close = difflib.get_close_matches(name, _SECTIONS, n=1)
                mend = f"did you mean '# {close[0].title()}'?" if close else "use Normal, Tolerances and Defects."
                self._problem(heading.number, f"'# {heading.text}' is not a section; {mend}")
            elif name in data:
                self._problem(
                    heading.number, f"'# {heading.text}' is there twice; put both parts under one heading."
                )
            else:
                data[name] = "" if name == "normal" else []
                lines[(name,)] = heading.number
        elif heading.level == 2 and self.section == "defects":
            index = len(data["defects"])
            data["defects"].append({"name": heading.text})
            lines[("defects", index)] = heading.number
            self.field = "description"
        elif self.section != "unknown":
            mend = "use '# ' for sections and '## ' for the defects under '# Defects'."
            self._problem(heading.number, f"the heading '{heading.text}' has no place here; {mend}")

    def _line(self, line: _Line) -> None:
        data = self.raw.data
        if self.section is None:
            self._problem(line.number, "text before the first heading; put it under '# Normal'.")
            self.section = "unknown"  # say it once
        elif self.section == "normal":
            data["normal"] = f"{data['normal']} {line.text}".strip()
        elif self.section == "tolerances":
            self._tolerance(line)
        elif self.section == "defects":
            if not data["defects"]:
                self._problem(line.number, "text under '# Defects' before a defect's name; add '## name' above it.")
                self.section = "unknown"
            else:
                self._detail(line, data["defects"][-1], len(data["defects"]) - 1)

    def _tolerance(self, line: _Line) -> None:
        tolerances: list[str] = self.raw.data["tolerances"]
        if line.item is None:
            self._problem(line.number, "write each tolerance as a bullet: '- …'.")
        elif tolerances and line.item == self.item:
            tolerances[-1] += " " + line.text
        else:
            self.raw.lines[("tolerances", len(tolerances))] = line.number
            tolerances.append(line.text)
        self.item = line.item

    def _detail(self, line: _Line, defect: dict[str, Any], index: int) -> None:
        head, colon, rest = line.text.partition(":")
        name = head.strip().casefold()
        text = line.text
        if colon and name in _DETAILS:
            if name in defect:
                self._problem(line.number, f"'{head.strip()}' is given twice for '{defect['name']}'; keep one.")
            self.field, text = name, rest
            self.raw.lines[("defects", index, name)] = line.number
        elif slip := _slip(head.strip(), bool(colon), bullet=line.item is not None):
            self._problem(line.number, slip)
        field = self.field or "description"
        if field == "aliases":
            found = [alias.strip() for alias in text.split(",")]
            defect["aliases"] = [*defect.get("aliases", []), *(alias for alias in found if alias)]
        else:
            defect[field] = f"{defect.get(field, '')} {text}".strip()


def _slip(head: str, colon: bool, *, bullet: bool) -> str | None:
    """What is wrong with a line that was nearly a field; None if it is a description.

    Args:
        head: the line up to its first colon.
        colon: whether there is one.
        bullet: whether the line is a bullet, as fields often are.
    """
    if colon:
        near = difflib.get_close_matches(head.casefold(), _DETAILS, n=1, cutoff=CLOSE)
        return f"'{head}' is not a field; did you mean '{near[0].capitalize()}:'?" if near else None
    first, _, rest = head.partition(" ")
    if bullet and first.casefold() in _DETAILS:
        return f"'{head}' has no colon after its name; write '{first}: {rest or '…'}'."
    return None
