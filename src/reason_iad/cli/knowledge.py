"""`reason-iad knowledge`: write, import, look at, search and check knowledge.

Results go to standard output: as a table on a terminal, as lines with tabs for other programs. What happened goes
to standard error.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from reason_iad.cli.headings import SuggestingGroup
from reason_iad.cli.printing import print_json, print_table, say
from reason_iad.cli.values import Choice

if TYPE_CHECKING:
    from reason_iad.knowledge import KnowledgeStore
    from reason_iad.knowledge.dense import Embedder

EXIT_PROBLEMS = 2

_PATH = click.Path(path_type=Path)
_write_store = click.option(
    "--store", type=_PATH, metavar="DIR", help="The store to change. Without it, your own store is changed."
)
_read_store = click.option(
    "--store",
    type=_PATH,
    metavar="DIR_OR_STORE",
    help="A store, or a folder of knowledge files. Without it, your own store is read. If you have none, the "
    "knowledge that comes with the package is read.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_category = click.option("--category", metavar="NAME", help="Only this product, by its name or another name of it.")


@click.group(cls=SuggestingGroup)
def knowledge() -> None:
    """Write, import, search and check knowledge about products.

    Knowledge is written in one Markdown or YAML file per product. docs/knowledge.md shows how.

    \b
    reason-iad knowledge check my_knowledge/
    reason-iad inspect part.png --knowledge my_knowledge/ --category bracket
    """


@knowledge.command()
@click.argument("files", nargs=-1, required=True, type=_PATH, metavar="FILE...")
@_write_store
def add(files: tuple[Path, ...], store: Path | None) -> None:
    """Add knowledge files, or folders of them, to a store.

    If a file was added before, its new content replaces the old one.
    """
    from reason_iad.knowledge import read_documents

    documents = read_documents(files)  # all are good before the store is touched
    target = _writable(store)
    count = target.add_documents(documents)
    names = ", ".join(document.category for document in documents)
    say(f"Added {_entries(count)} ({names}) to {target.location}. Use it with --knowledge.")


@knowledge.command("import")
@click.argument("file", type=_PATH)
@click.option("--format", "format_name", type=Choice(["mmad"]), required=True, help="Format of FILE.")
@_write_store
def import_(file: Path, format_name: str, store: Path | None) -> None:
    """Import knowledge from another format.

    The format mmad is that of the file domain_knowledge.json of MMAD.
    """
    from reason_iad.knowledge import import_mmad

    entries = {"mmad": import_mmad}[format_name](file)
    target = _writable(store)
    count = target.add(entries)
    categories = len({entry.category for entry in entries})
    say(f"Imported {_entries(count)} on {categories} categories into {target.location}. Use it with --knowledge.")


@knowledge.command("list")
@_category
@_read_store
@_json
def list_(category: str | None, store: Path | None, as_json: bool) -> None:
    """List all entries, or the entries about one product."""
    from reason_iad.knowledge import resolve_category

    source = _readable(store)
    entries = source.entries(resolve_category(source, category) if category else None)
    if as_json:
        print_json([entry.model_dump() for entry in entries])
    elif entries:
        print_table(("id", "severity", "text"), [(e.id, e.severity or "", e.text) for e in entries])
    else:
        say(f"'{source.location}' is empty. Add knowledge with 'reason-iad knowledge add'.")


@knowledge.command()
@click.argument("entry_id", metavar="ID")
@_read_store
@_json
def show(entry_id: str, store: Path | None, as_json: bool) -> None:
    """Show one entry in full."""
    entry = _readable(store).get(entry_id)
    if as_json:
        print_json(entry.model_dump())
        return
    for name, value in entry.model_dump().items():
        if value:
            click.echo(f"{name + ':':<10} {value}")


@knowledge.command()
@click.argument("query")
@_category
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    metavar="N",
    help="Show at most this many entries.",
)
@click.option(
    "--dense",
    type=_PATH,
    metavar="MODEL_DIR",
    help="Search by meaning, with a model2vec model in this folder. It needs: pip install 'reason-iad[dense]'.",
)
@_read_store
@_json
def search(
    query: str, category: str | None, limit: int, dense: Path | None, store: Path | None, as_json: bool
) -> None:
    """Search entries by words, or by meaning with --dense. The best match comes first."""
    from reason_iad.knowledge import resolve_category

    embedder: Embedder | None = None
    if dense is not None:
        from reason_iad.knowledge.dense import StaticEmbedder

        embedder = StaticEmbedder(dense)
    source = _readable(store)
    found = source.search(
        query,
        category=resolve_category(source, category) if category else None,
        limit=limit,
        mode="dense" if embedder else "bm25",
        embedder=embedder,
    )
    if as_json:
        print_json([each.model_dump() for each in found])
    elif found:
        print_table(("score", "id", "text"), [(f"{f.score:.3f}", f.entry.id, f.entry.text) for f in found])
    else:
        say("Nothing found. Try other words.")


@knowledge.command()
@click.argument("paths", nargs=-1, required=True, type=_PATH, metavar="FILE|DIR...")
@click.pass_context
def check(context: click.Context, paths: tuple[Path, ...]) -> None:
    """Check knowledge files, and list every problem.

    The exit code is 0 if there is no problem, and 2 otherwise.
    """
    from reason_iad.knowledge import scan

    documents, problems = scan(paths)
    for problem in problems:
        click.echo(str(problem))
    if problems:
        say(f"{len(problems)} problem{'s' * (len(problems) != 1)}.")
        context.exit(EXIT_PROBLEMS)
    count = sum(len(document.entries) for document in documents)
    say(f"{len(documents)} file{'s' * (len(documents) != 1)} with {_entries(count)}: no problems.")


@knowledge.command()
@click.argument("category")
@_write_store
def remove(category: str, store: Path | None) -> None:
    """Remove a product from a store, by its name or another name of it."""
    from reason_iad.knowledge import KnowledgeStore, resolve_category
    from reason_iad.knowledge.opening import default_store

    target = KnowledgeStore.open(store or default_store())
    name = resolve_category(target, category)
    say(f"Removed {_entries(target.remove(name))} of '{name}' from {target.location}.")


def _writable(store: Path | None) -> KnowledgeStore:
    from reason_iad.knowledge.opening import default_store, writable_store

    return writable_store(store or default_store())


def _readable(store: Path | None) -> KnowledgeStore:
    from reason_iad.knowledge import open_knowledge
    from reason_iad.knowledge.opening import default_store

    own = default_store()
    return open_knowledge(store or (own if own.exists() else None))


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"
