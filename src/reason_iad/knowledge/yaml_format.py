"""Knowledge in YAML: parsed into nodes, never constructed.

Notable: nodes give line numbers, and every scalar is read as the text that was written, so `name: no` is the
word "no" and `severity: 2` the text "2". Nothing is instantiated, whatever tags a file carries. Anchors and
aliases are refused where they stand, which rules out the exponential "alias bomb"; so are duplicate keys and
deep nesting.
"""

from __future__ import annotations

from typing import Any

import yaml

from reason_iad.knowledge.document import KnowledgeFileError, Place, Problem, RawDocument

_MAX_DEPTH = 12
_NULL = "tag:yaml.org,2002:null"


class _Refused(Exception):
    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


class _NodeLoader(yaml.SafeLoader):
    """Composes nodes and stops at the first thing a knowledge file has no use for."""

    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
            raise _Refused("anchors and aliases (& and *) are not allowed; write the text out.", line)
        tag = getattr(event, "tag", None)
        if tag is not None and tag != "!":
            raise _Refused("tags (!) are not allowed; write plain text.", line)
        if self.depth >= _MAX_DEPTH:
            raise _Refused("it is nested too deeply; see docs/knowledge.md for the layout.", line)
        self.depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self.depth -= 1


def _compose(text: str) -> yaml.Node | None:
    loader = _NodeLoader(text)
    try:
        return loader.get_single_node()
    finally:
        loader.dispose()


def parse_yaml(text: str, shown: str, first_line: int = 1) -> RawDocument:
    """Parse YAML text to plain data (dicts, lists, strings) with line numbers.

    Args:
        text: the YAML.
        shown: the file as the user named it, for messages.
        first_line: line of the file on which `text` begins (front matter begins on the second).

    Raises:
        KnowledgeFileError: it is not YAML, or uses what is refused (see the module's docstring).
    """
    offset = first_line - 1
    raw = RawDocument({})
    try:
        node = _compose(text)
        data = _plain(node, (), raw.lines, offset) if node is not None else None
    except _Refused as error:
        raise KnowledgeFileError([Problem(shown, error.line + offset, str(error))]) from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = None if mark is None else mark.line + 1 + offset
        message = f"it is not valid YAML ({error.problem or error.context}); check indentation and quotes."
        raise KnowledgeFileError([Problem(shown, line, message)]) from None
    except yaml.YAMLError as error:
        reason = str(error).splitlines()[0]
        raise KnowledgeFileError([Problem(shown, None, f"it is not valid YAML ({reason}).")]) from None
    if data is None:
        raise KnowledgeFileError([Problem(shown, None, "it is empty; see docs/knowledge.md for the layout.")])
    if not isinstance(data, dict):
        message = "it must begin with fields such as 'category:' and 'defects:'."
        raise KnowledgeFileError([Problem(shown, 1 + offset, message)])
    raw.data = data
    return raw


def _plain(node: yaml.Node, place: Place, lines: dict[Place, int], offset: int) -> Any:
    """A node as plain data; blank fields are left out, as if they had not been written."""
    lines[place] = node.start_mark.line + 1 + offset
    if isinstance(node, yaml.ScalarNode):
        return None if node.tag == _NULL else str(node.value)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, (*place, i), lines, offset) for i, item in enumerate(node.value)]
    if place[:1] == ("tolerances",) and len(place) == 2 and len(node.value) == 1:
        # "- Line width: 10 %" is a mapping to YAML and a sentence to its author.
        key, value = node.value[0]
        if isinstance(key, yaml.ScalarNode) and isinstance(value, yaml.ScalarNode):
            return f"{key.value}: {value.value}"
    data: dict[str, Any] = {}
    for key, value in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            raise _Refused("a field's name must be plain text.", line)
        if (*place, key.value) in lines:
            raise _Refused(f"'{key.value}' is given twice; keep one.", line)
        if (plain := _plain(value, (*place, key.value), lines, offset)) is not None:
            data[key.value] = plain
        at = (*place, key.value)
        lines[at] = line + offset
    return data
