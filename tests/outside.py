"""A package of somebody else, installed for one test: modules and a dist-info with entry points, on the path."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest


def install(
    monkeypatch: pytest.MonkeyPatch, folder: Path, name: str, modules: Mapping[str, str], points: Mapping[str, str]
) -> None:
    """Install a package until the test ends.

    Args:
        monkeypatch: undoes it.
        folder: an empty or new folder, as `site-packages`.
        name: of the package.
        modules: module name to source text.
        points: group to its lines, 'name = module:attribute'.
    """
    for module, text in modules.items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{module}.py").write_text(text, encoding="utf-8")
        monkeypatch.delitem(sys.modules, module, raising=False)
    info = folder / f"{name.replace('-', '_')}-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("".join(f"[{group}]\n{lines}\n" for group, lines in points.items()))
    monkeypatch.syspath_prepend(folder)
    for module in modules:  # registered now, so that it is forgotten with the test
        monkeypatch.setitem(sys.modules, module, sys.modules[__name__])
        del sys.modules[module]
