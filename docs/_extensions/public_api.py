"""Makes the Python interface complete.

Fields of records are described. A public name without a docstring, or without a place on the page, is a warning.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from pydantic import BaseModel
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging

import reason_iad

LOGGER = logging.getLogger(__name__)
PAGE = "api"


def skip_what_is_exported(app: Sphinx, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Show a name once that both `reason_iad` and a room export; leave out the insides of pydantic."""
    module = app.env.temp_data.get("autodoc:module")
    if what == "module" and module != "reason_iad" and name in reason_iad.__all__:
        return True
    if name.startswith(("model_", "__")):
        return True
    return None


def describe_fields(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Add the fields of a record below its docstring, with their descriptions."""
    if not inspect.isclass(obj):
        return
    fields: dict[str, str] = {}
    if issubclass(obj, BaseModel):
        fields = {key: field.description or "" for key, field in obj.model_fields.items()}
    elif dataclasses.is_dataclass(obj) and not any(line.startswith("Attributes:") for line in lines):
        fields = {field.name: "" for field in dataclasses.fields(obj)}
    if not fields:
        return
    lines += ["", "**Fields:**", ""]
    lines += [f"- ``{key}``{': ' + text if text else ''}" for key, text in fields.items()]
    lines.append("")


def mark_code(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Indented paragraphs of a docstring are code, as they are in Markdown."""
    marked: list[str] = []
    before = ""
    for at, line in enumerate(lines):
        code = line.startswith("    ") and before and not before.startswith((" ", "-", "..", ":"))
        if code and at and not lines[at - 1].strip():
            marked += ["::", ""]
        marked.append(line)
        before = line or before
    lines[:] = marked


def check_public_names(app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Warn about exported names that have no docstring or are not on the page."""
    described = {name for name, entry in env.get_domain("py").data["objects"].items() if entry.docname == PAGE}
    for name in reason_iad.__all__:
        if name.startswith("__"):
            continue
        if f"reason_iad.{name}" not in described:
            LOGGER.warning("reason_iad.%s is public and not described in docs/%s.md", name, PAGE)
        if not inspect.getdoc(getattr(reason_iad, name)):
            LOGGER.warning("reason_iad.%s is public and has no docstring", name)
    return []


def setup(app: Sphinx) -> dict[str, bool]:
    """Connect the hooks."""
    app.connect("autodoc-skip-member", skip_what_is_exported)
    app.connect("autodoc-process-docstring", mark_code, priority=400)  # before sections become lists
    app.connect("autodoc-process-docstring", describe_fields)
    app.connect("env-check-consistency", lambda app, env: check_public_names(app, env))
    return {"parallel_read_safe": True}
