"""A small knowledge file, and entries made by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reason_iad.knowledge import KnowledgeStore
from reason_iad.schema import Entry, EntryKind

MARKDOWN = """\
---
category: Bare Board
aliases: [pcb, printed circuit board]
---

# Normal

Traces have *even* width &amp; smooth
edges. <!-- ask the process engineer -->

# Tolerances

- Line width: within 10 %.
- Small stains
  are accepted.

# Defects

## Open circuit

A trace is interrupted
over its whole width.

- **Severity:** critical
- Cause: over-etching, or
  a scratch
- Action: scrap
- Aliases: open, broken trace

## Short

Copper joins two traces.
"""

YAML = """\
category: Bare Board
aliases: [pcb, printed circuit board]
normal: >-
  Traces have even width & smooth
  edges.
tolerances:
  - Line width: within 10 %.
  - Small stains are accepted.
defects:
  - name: Open circuit
    aliases: [open, broken trace]
    description: A trace is interrupted over its whole width.
    severity: critical
    cause: over-etching, or a scratch
    action: scrap
  - name: Short
    description: Copper joins two traces.
    cause:
"""


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file below the test's folder."""

    def make(name: str, content: str | bytes) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return make


@pytest.fixture
def store(tmp_path: Path) -> KnowledgeStore:
    """An empty store on disk."""
    return KnowledgeStore.create(tmp_path / "store")


def entry(category: str, name: str, text: str, kind: EntryKind = "defect", file: str = "hand.md") -> Entry:
    """An entry made by hand."""
    key = name.replace(" ", "-")
    return Entry(
        id=f"{category}/{kind}/{key}", category=category, kind=kind, name=name, text=text, source=f"{file}#{name}"
    )


WOOD = [
    entry("wood", "normal", "Even grain in one direction.", "normal"),
    entry("wood", "tolerance", "Slow changes are natural.", "tolerance"),
    entry("wood", "scratch", "A thin line crosses the grain."),
    entry("wood", "hole", "A dark round opening with a sharp edge."),
    entry("wood", "crack", "A dark narrow opening along the grain."),
]
METAL = [
    entry("metal", "normal", "An even sheen.", "normal"),
    entry("metal", "scratch", "A thin bright line on steel."),
    entry("metal", "dent", "A rounded hollow with a shadow."),
]
