"""What the documents promise is there: links lead somewhere, and nothing is left to be filled in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reason_iad.knowledge import open_knowledge

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/*.md", "src/**/*.md")
    for path in ROOT.glob(pattern)
    if "builtin" not in path.parts
)
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")


@pytest.mark.parametrize("name", DOCUMENTS)
def test_links_lead_somewhere(name: str) -> None:
    path = ROOT / name
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (path.parent / target).exists(), f"{name} links to {target}"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_nothing_is_left_to_be_filled_in(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    assert not re.search(r"\{\{[A-Z]|\bTODO\b|\bTBD\b|\bFIXME\b", text)


def test_the_list_of_known_products_is_complete() -> None:
    names = sorted({entry.category for entry in open_knowledge(None).entries()})
    text = (ROOT / "docs" / "getting-started.md").read_text(encoding="utf-8")
    assert f"defects of {len(names)} common products" in text
    listed = next(part for part in text.split("\n\n") if part.startswith("array, "))
    assert listed.replace("\n", " ").split(", ") == names


def test_every_script_the_readme_names_exists() -> None:
    for name in DOCUMENTS:
        for script in re.findall(r"benchmarks/\w+\.py", (ROOT / name).read_text(encoding="utf-8")):
            assert (ROOT / script).is_file(), f"{name} names {script}"


def test_every_page_that_the_code_names_exists() -> None:
    for path in (*ROOT.glob("src/**/*.py"), *ROOT.glob("benchmarks/*.py"), *ROOT.glob("tests/**/*.py")):
        for page in re.findall(r"\bdocs/[\w-]+\.md", path.read_text(encoding="utf-8")):
            assert (ROOT / page).is_file(), f"{path.relative_to(ROOT)} names {page}"
