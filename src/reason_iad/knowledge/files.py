"""Reading knowledge files from disk: limits first, then the format's parser, then the rules they share.

A new format is one parser and one line in `PARSERS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from reason_iad.knowledge.document import Document, KnowledgeFileError, Problem, RawDocument, build_document
from reason_iad.knowledge.markdown_format import parse_markdown
from reason_iad.knowledge.yaml_format import parse_yaml
from reason_iad.schema.names import name_key

MAX_BYTES = 1 << 20

PARSERS: Mapping[str, Callable[[str, str], RawDocument]] = {
    ".md": parse_markdown,
    ".markdown": parse_markdown,
    ".yaml": parse_yaml,
    ".yml": parse_yaml,
}

# What YAML does not take, and nobody wants in a prompt. Line ends stay, so that line numbers do.
_UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def read_document(path: str | Path) -> Document:
    """Read one knowledge file.

    Raises:
        KnowledgeFileError: with every problem found in it.
    """
    path = Path(path)
    shown = str(path)
    parser = PARSERS.get(path.suffix.lower())
    if parser is None:
        raise _refuse(shown, f"a knowledge file ends in {', '.join(PARSERS)}; rename or convert it.")
    return build_document(parser(_read_text(path), shown), path.name, shown)


def knowledge_files(folder: str | Path) -> list[Path]:
    """The knowledge files directly in a folder, by name; README files and hidden ones are not knowledge.

    Raises:
        KnowledgeFileError: the folder cannot be read or has none.
    """
    folder = Path(folder)
    try:
        inside = sorted(folder.iterdir())
    except OSError as error:
        raise _refuse(str(folder), f"the folder cannot be read ({error.strerror}); check the path.") from None
    found = [
        path
        for path in inside
        if path.suffix.lower() in PARSERS
        and not path.name.startswith(".")
        and path.stem.lower() != "readme"
        and path.is_file()
    ]
    if not found:
        endings = ", ".join(f"*{suffix}" for suffix in PARSERS)
        raise _refuse(str(folder), f"it holds no knowledge files ({endings}); add one file per category.")
    return found


def read_documents(paths: Iterable[str | Path]) -> list[Document]:
    """Read several files that are to be used together.

    Raises:
        KnowledgeFileError: with every problem of every file, also names that two files both claim.
    """
    documents, problems = scan(paths)
    if problems:
        raise KnowledgeFileError(problems)
    return documents


def scan(paths: Iterable[str | Path]) -> tuple[list[Document], list[Problem]]:
    """Read what can be read, and list what is wrong with the rest. Folders stand for the files in them."""
    documents: list[Document] = []
    problems: list[Problem] = []
    owners: dict[str, tuple[str, str]] = {}
    for path in paths:
        try:
            files = knowledge_files(path) if Path(path).is_dir() else [Path(path)]
        except KnowledgeFileError as error:
            problems.extend(error.problems)
            continue
        for file in files:
            try:
                document = read_document(file)
            except KnowledgeFileError as error:
                problems.extend(error.problems)
                continue
            documents.append(document)
            problems.extend(_claims(document, str(file), owners))
    return documents, problems


def _claims(document: Document, shown: str, owners: dict[str, tuple[str, str]]) -> Iterable[Problem]:
    """Names that another file has claimed already. `owners`: folded name to (file, category)."""
    for name in (document.category, *document.aliases):
        file, category = owners.setdefault(name_key(name), (shown, document.category))
        if file != shown:
            message = f"'{name}' already names the category '{category}' of {file}; merge the files or rename one."
            yield Problem(shown, None, message)


def _refuse(shown: str, message: str, line: int | None = None) -> KnowledgeFileError:
    return KnowledgeFileError([Problem(shown, line, message)])


def _read_text(path: Path) -> str:
    shown = str(path)
    if not path.is_file():  # also keeps pipes and devices from blocking the read
        reason = "it is not a file" if path.exists() else "there is no such file"
        raise _refuse(shown, f"{reason}; check the path.")
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _refuse(shown, f"it cannot be read ({error.strerror}); check its permissions.") from None
    if len(data) > MAX_BYTES:
        raise _refuse(shown, "it is larger than 1 MiB; split it by category.")
    if b"\0" in data:
        raise _refuse(shown, "it is binary, not text; save it as plain UTF-8 text.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _refuse(shown, "it is not UTF-8; save it as UTF-8 text.", line) from None
    if not text.strip():
        raise _refuse(shown, "it is empty; see docs/knowledge.md for the layout.")
    return _UNPRINTABLE.sub(" ", text.replace("\r\n", "\n").replace("\r", "\n"))
