"""Entries in LanceDB: one table, embedded, on disk, with a full-text (BM25) index.

Notable:
- What a user types is matched, never parsed: `MatchQuery` has no syntax, and filters only ever see slugs.
- All that a category needs stands in the rows of one table, so every change is one commit.
- The tokenizer is ICU's, which also finds words where a script writes none apart (Chinese, Japanese, Thai).
- Ties and order are settled here by id, so the same store gives the same answer everywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal

from reason_iad.errors import KnowledgeError
from reason_iad.knowledge import lance
from reason_iad.knowledge.text import sanitize, slug
from reason_iad.schema import Entry, EntryKind, RetrievedEntry
from reason_iad.schema.names import name_key

if TYPE_CHECKING:
    from reason_iad.knowledge.dense import Embedder
    from reason_iad.knowledge.document import Document

LAYOUT = 2
MAX_QUERY = 2000
Mode = Literal["bm25", "dense"]

_WHAT = "knowledge store"
_FORMAT = "reason-iad-knowledge"
_TABLE = "entries"
_SNAPSHOT = "entries.json"
_KINDS: tuple[EntryKind, ...] = ("normal", "tolerance", "defect")


class KnowledgeStore:
    """Knowledge on disk. Use `open`, `create` or `memory`; instances may be shared by threads.

    Attributes:
        location: the folder, or 'memory://'.
    """

    def __init__(
        self, location: str, connect: Callable[[], tuple[Any, Any]], rows: list[dict[str, Any]] | None = None
    ) -> None:
        """A store that LanceDB is loaded for when it is first needed.

        Args:
            location: the folder, or 'memory://'.
            connect: opens the connection and the table.
            rows: what the table holds, where that is known without LanceDB.
        """
        self.location = location
        self._connect, self._known, self._lock = connect, rows, Lock()
        self._connected: tuple[Any, Any] | None = None

    @classmethod
    def open(cls, path: str | Path) -> KnowledgeStore:
        """Open the store at `path`.

        Raises:
            KnowledgeError: there is no store, or it is damaged or of another layout.
        """
        path = Path(path)
        lance.read_marker(path, _FORMAT, LAYOUT, _WHAT)
        store = cls(str(path), lambda: _open(path))
        store._tables()  # a damaged store is refused here, not in the middle of an inspection
        return store

    @classmethod
    def open_snapshot(cls, path: str | Path) -> KnowledgeStore:
        """Open a store that `write_snapshot` was called for, and that nobody writes to any more.

        Only a search by words or by meaning loads LanceDB, which takes longer than reading all entries.

        Raises:
            KnowledgeError: there is no store, or no snapshot of it, or it is damaged.
        """
        path = Path(path)
        lance.read_marker(path, _FORMAT, LAYOUT, _WHAT)
        try:
            rows = json.loads((path / _SNAPSHOT).read_text(encoding="utf-8"))
            whole = any((path / f"{_TABLE}.lance" / "_versions").iterdir())
        except (OSError, ValueError):
            rows, whole = None, False
        if not whole or not isinstance(rows, list):
            raise KnowledgeError(f"The {_WHAT} '{path}' has no snapshot or is damaged; make it anew.")
        return cls(str(path), lambda: _open(path), rows)

    def write_snapshot(self) -> None:
        """Write all entries beside the tables, for `open_snapshot`.

        Raises:
            KnowledgeError: it cannot be written.
        """
        with lance.writing(self.location, _WHAT):
            text = json.dumps(self._rows(), ensure_ascii=False)
            (Path(self.location) / _SNAPSHOT).write_text(text, encoding="utf-8")

    @property
    def connection(self) -> Any:
        """The LanceDB connection."""
        return self._tables()[0]

    @property
    def _table(self) -> Any:
        return self._tables()[1]

    def _tables(self) -> tuple[Any, Any]:
        with self._lock:
            if self._connected is None:
                self._connected = self._connect()
            return self._connected

    @classmethod
    def create(cls, path: str | Path) -> KnowledgeStore:
        """Make an empty store at `path`, which must not exist or be an empty folder.

        Raises:
            KnowledgeError: something is there, or it cannot be written.
        """
        path = Path(path)
        lance.build_folder(path, {"format": _FORMAT, "version": LAYOUT}, _make_table, _WHAT)
        return cls.open(path)

    @classmethod
    def memory(cls) -> KnowledgeStore:
        """An empty store in memory, for where nothing can be written."""
        store = cls(lance.MEMORY, _in_memory)
        store._tables()
        return store

    def add(self, entries: Iterable[Entry], *, aliases: Mapping[str, Sequence[str]] | None = None) -> int:
        """Add entries, or replace those with the same id, in one commit.

        Args:
            entries: in the order in which a category's entries should be listed.
            aliases: other names, by category name and by entry id.

        Returns:
            How many entries were written.

        Raises:
            KnowledgeError: an id occurs twice, a name already means another category, or the write failed.
        """
        return self._write(list(entries), aliases or {}, None)

    def add_documents(self, documents: Iterable[Document]) -> int:
        """Add knowledge files, in one commit.

        Entries that an earlier version of the same file brought, and that are no longer in it, go.

        Returns:
            How many entries were written.

        Raises:
            KnowledgeError: a name already means another category, or the write failed.
        """
        documents = list(documents)
        names: dict[str, Sequence[str]] = {}
        for document in documents:
            names |= {document.category: document.aliases, **document.entry_aliases}
        stale = " OR ".join(
            f"(category_key = {lance.quoted(slug(document.category))} AND file = {lance.quoted(document.file)})"
            for document in documents
        )
        return self._write([entry for document in documents for entry in document.entries], names, stale)

    def entries(self, category: str | None = None) -> list[Entry]:
        """All entries, or those of one category (its name, not an alias), in the order they were written in."""
        return [_entry(row) for row in self._rows(category)]

    def get(self, entry_id: str) -> Entry:
        """One entry.

        Raises:
            KnowledgeError: there is none with this id.
        """
        rows = self._rows(ids=[entry_id])
        if not rows:
            raise KnowledgeError(
                f"No entry '{entry_id}' in '{self.location}'; 'reason-iad knowledge list' shows the ids."
            )
        return _entry(rows[0])

    def search(
        self,
        query: str,
        *,
        category: str | None = None,
        kinds: Sequence[EntryKind] | None = None,
        limit: int = 10,
        mode: Mode = "bm25",
        embedder: Embedder | None = None,
    ) -> list[RetrievedEntry]:
        """Find entries by their words (BM25) or by meaning (cosine of embeddings).

        Args:
            query: plain text; at most its first 2,000 characters count.
            category: only this category (its name, not an alias).
            kinds: only these kinds.
            limit: at most so many.
            mode: 'bm25', or 'dense', which needs an embedder.
            embedder: makes the vectors of 'dense'; see `reason_iad.knowledge.dense`.

        Returns:
            Best first; equal scores by id. Empty if no word matches.

        Raises:
            MissingExtraError: 'dense' without an embedder and without the extra.
        """
        text = sanitize(query[:MAX_QUERY])
        if limit < 1 or not text:
            return []
        where = _filter(category, kinds)
        if mode == "dense":
            from reason_iad.knowledge.dense import search_dense

            scores = search_dense(self, text, where, embedder)
        else:
            scores = self._bm25(text, where)
        best = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
        if not best:
            return []
        found = {row["id"]: row for row in self._rows(ids=[entry_id for entry_id, _ in best])}
        scorer: Literal["bm25", "cosine"] = "bm25" if mode == "bm25" else "cosine"
        return [
            RetrievedEntry(entry=_entry(found[entry_id]), score=score, scorer=scorer)
            for entry_id, score in best
            if entry_id in found
        ]

    def remove(self, category: str) -> int:
        """Remove a category (its name, not an alias). Returns how many entries went."""
        where = _filter(category, None)
        self._known = None
        count = int(self._table.count_rows(where))
        if count:
            with lance.writing(self.location, _WHAT):
                lance.commit(lambda: self._table.delete(where))
                lance.optimize(self._table)
        return count

    def categories(self) -> dict[str, tuple[str, ...]]:
        """Category names, sorted, each with its other names."""
        found: dict[str, dict[str, None]] = {}
        names: dict[str, str] = {}
        for row in self._rows():
            name = names.setdefault(row["category_key"], sanitize(row["category"]))
            found.setdefault(name, {}).update(dict.fromkeys(sanitize(a) for a in row["category_aliases"]))
        return {name: tuple(found[name]) for name in sorted(found)}

    def aliases(self, category: str) -> dict[str, tuple[str, ...]]:
        """Other names of the entries of a category (its name, not an alias), by the id of the entry."""
        rows = self._rows(category)
        return {row["id"]: tuple(map(sanitize, row["aliases"])) for row in rows if row["aliases"]}

    def sha256(self) -> str:
        """Hash over all entries and names; the order in which they were added does not count."""
        digest = hashlib.sha256()
        for row in sorted(self._rows(), key=lambda row: str(row["id"])):
            content = {
                **_entry(row).model_dump(),
                "aliases": sorted(row["aliases"]),
                "category_aliases": sorted(row["category_aliases"]),
            }
            digest.update(json.dumps(content, sort_keys=True, ensure_ascii=False).encode() + b"\n")
        return digest.hexdigest()

    def __len__(self) -> int:
        return int(self._table.count_rows()) if self._known is None else len(self._known)

    def _rows(self, category: str | None = None, ids: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """All rows, or those of one category, or those with these ids."""
        if self._known is None:
            where = _filter(category, None) if ids is None else _among(ids)
            query = self._table.search()
            rows = (query.where(where) if where else query).limit(None).to_arrow().to_pylist()
        else:
            key = None if category is None else slug(category)
            kept = (row for row in self._known if key is None or row["category_key"] == key)
            rows = [row for row in kept if ids is None or row["id"] in ids]
        return sorted(
            rows, key=lambda row: (row["category_key"], _KINDS.index(row["kind"]), row["position"], row["id"])
        )

    def _bm25(self, text: str, where: str | None) -> dict[str, float]:
        """Scores of all matches by id. All, so that a cut through equal scores is ours to settle."""
        from lancedb.query import MatchQuery

        count = len(self)
        if not count:
            return {}
        match: Any = MatchQuery
        query = self._table.search(match(text, column="search")).select(["id", "_score"]).limit(count)
        if where:
            query = query.where(where, prefilter=True)
        return {row["id"]: float(row["_score"]) for row in query.to_arrow().to_pylist()}

    def _write(self, entries: list[Entry], aliases: Mapping[str, Sequence[str]], stale: str | None) -> int:
        if not entries:
            return 0
        ids = [entry.id for entry in entries]
        if len(set(ids)) != len(ids):
            twice = next(entry_id for entry_id in ids if ids.count(entry_id) > 1)
            raise KnowledgeError(f"The entry '{twice}' is given twice; merge the two or rename one.")
        self._check_names({entry.category for entry in entries}, aliases)
        rows = [_row(entry, position, aliases) for position, entry in enumerate(entries)]
        self._known = None
        with lance.writing(self.location, _WHAT):
            merge = self._table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            if stale is not None:
                merge = merge.when_not_matched_by_source_delete(stale)
            lance.commit(lambda: merge.execute(rows))
            lance.optimize(self._table)
        return len(rows)

    def _check_names(self, categories: Iterable[str], aliases: Mapping[str, Sequence[str]]) -> None:
        """A name may mean one category only."""
        taken = {name_key(name): known for known, others in self.categories().items() for name in (known, *others)}
        for category in sorted(categories):
            for name in (category, *aliases.get(category, ())):
                owner = taken.setdefault(name_key(name), category)
                if slug(owner) != slug(category):
                    raise KnowledgeError(
                        f"'{name}' already names the category '{owner}', not '{category}'; rename one of them."
                    )


def _open(path: Path) -> tuple[Any, Any]:
    connection = lance.connect(str(path))
    return connection, lance.open_table(connection, _TABLE, path, _WHAT)


def _in_memory() -> tuple[Any, Any]:
    connection = lance.connect(lance.MEMORY)
    return connection, _new_table(connection)


def _make_table(location: str) -> None:
    _new_table(lance.connect(location))


def _new_table(connection: Any) -> Any:
    import pyarrow as pa
    from lancedb.index import FTS

    text = ("id", "category", "category_key", "kind", "name", "text", "severity", "cause", "action", "source")
    lists = ("aliases", "category_aliases")
    schema = pa.schema(
        [pa.field(name, pa.string()) for name in (*text, "file", "search")]
        + [pa.field(name, pa.list_(pa.string())) for name in lists]
        + [pa.field("position", pa.int32())]
    )
    table = connection.create_table(_TABLE, schema=schema)
    table.create_index("search", config=FTS(base_tokenizer="icu", with_position=False))
    return table


def _row(entry: Entry, position: int, aliases: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    fields = {name: sanitize(v) if isinstance(v, str) else v for name, v in entry.model_dump().items()}
    others = [sanitize(alias) for alias in aliases.get(entry.id, ())]
    of_category = [sanitize(alias) for alias in aliases.get(entry.category, ())]
    words = [fields[name] for name in ("category", "name", "text", "cause", "action")]
    return {
        **fields,
        "category_key": slug(entry.category),
        "aliases": others,
        "category_aliases": of_category,
        "file": fields["source"].partition("#")[0],
        "search": "\n".join(word for word in (*words, *others, *of_category) if word),
        "position": position,
    }


def _entry(row: Mapping[str, Any]) -> Entry:
    # Cleaned on the way out too: a store may come from somebody else.
    return Entry.model_validate(
        {name: sanitize(v) if isinstance(v := row[name], str) else v for name in Entry.model_fields}
    )


def _filter(category: str | None, kinds: Sequence[EntryKind] | None) -> str | None:
    parts = []
    if category is not None:
        parts.append(f"category_key = {lance.quoted(slug(category))}")
    if kinds is not None:
        parts.append(f"kind IN ({', '.join(lance.quoted(kind) for kind in kinds) or 'NULL'})")
    return " AND ".join(parts) or None


def _among(ids: Sequence[str]) -> str:
    return f"id IN ({', '.join(lance.quoted(entry_id) for entry_id in ids)})"
