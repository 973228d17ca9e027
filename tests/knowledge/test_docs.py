"""The files that docs/knowledge.md shows are right. Its commands and its Python run in tests/docs."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from reason_iad.knowledge import read_document

PAGE = Path(__file__).parents[2] / "docs" / "knowledge.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def example(language: str) -> str:
    return next(text for found, text in BLOCKS if found == language)


def test_both_files_are_right_and_say_the_same(write: Callable[..., Path]) -> None:
    markdown = read_document(write("disc.md", example("markdown")))
    yaml = read_document(write("disc.yaml", example("yaml")))
    assert (
        (markdown.category, markdown.aliases) == (yaml.category, yaml.aliases) == ("brake disc", ("disc", "rotor"))
    )
    longer = {entry.id: entry.model_copy(update={"source": ""}) for entry in markdown.entries}
    for entry in yaml.entries:  # the YAML example leaves two entries out
        assert longer[entry.id] == entry.model_copy(update={"source": ""})
