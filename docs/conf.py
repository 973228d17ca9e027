"""How the documentation becomes a site: `make docs`. Warnings are errors there."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_extensions"), str(HERE.parent / "src")]

project = "Reason-IAD"
copyright = "the authors of Reason-IAD, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "cli_help", "public_api"]
exclude_patterns = ["_build"]

myst_enable_extensions = ["fieldlist"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # a table between two levels of headings is fine

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented"
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False

nitpicky = True
nitpick_ignore_regex = [
    # types of other packages, whose documentation is not read: the site is built without a network
    (r"py:.*", r"(collections|datetime|typing|os|pathlib|Path|PIL|Image|numpy|np|torch|pydantic|click)(\..*)?"),
    # names of this package that are not public, and that the sentence beside them explains
    (r"py:.*", r"(.*\.)?(Backbone|ChatModel|Embedder|EntryKind|Intent|LateFusion|LoadedImage|Mode|Setup)"),
]

html_theme = "furo"
html_title = "Reason-IAD"
html_static_path: list[str] = []
html_extra_path = [path.name for path in sorted(HERE.glob("*.schema.json"))]
