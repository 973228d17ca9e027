"""Search by meaning: entries and the query as vectors, compared by cosine in LanceDB (the `dense` extra).

Notable: vectors are derived data. They stand in a table of their own, one per embedder, keyed by entry and
text, and are brought up to date before a search, so adding knowledge never needs an embedder and a changed
text never keeps an old vector.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from reason_iad.errors import KnowledgeError, MissingExtraError
from reason_iad.knowledge import lance
from reason_iad.knowledge.text import slug

if TYPE_CHECKING:
    from reason_iad.knowledge.store import KnowledgeStore


class Embedder(Protocol):
    """Anything that turns texts into vectors.

    Attributes:
        name: id of the model; vectors of two names are never compared.
    """

    name: str

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of the texts, shape (n, d), finite, any length."""
        ...


class StaticEmbedder:
    """Static token embeddings from a local model2vec directory: small, fast on a CPU, no network.

    Raises:
        MissingExtraError: the `dense` extra is not installed.
        KnowledgeError: the directory does not hold such a model.
    """

    def __init__(self, directory: str | Path) -> None:
        directory = Path(directory)
        library = _model2vec()
        if not (directory / "model.safetensors").is_file():  # a missing folder would be taken for a hub id
            raise KnowledgeError(
                f"'{directory}' is not a model2vec directory (no model.safetensors); give the path of one."
            )
        try:
            self._model = library.StaticModel.from_pretrained(directory)
        except Exception as error:
            reason = type(error).__name__
            raise KnowledgeError(
                f"Cannot load the text embedding model '{directory}' ({reason}); download it anew."
            ) from error
        weights = (directory / "model.safetensors").read_bytes()
        self.name = f"{directory.name}@{hashlib.sha256(weights).hexdigest()[:16]}"

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of the texts, shape (n, d)."""
        return np.asarray(self._model.encode(list(texts)), dtype=np.float32)


def _model2vec() -> Any:
    try:
        return importlib.import_module("model2vec")
    except ImportError:
        raise MissingExtraError("Searching knowledge by meaning", "dense") from None


def search_dense(
    store: KnowledgeStore, text: str, where: str | None, embedder: Embedder | None
) -> dict[str, float]:
    """Cosine of every entry that passes the filter, by id.

    Raises:
        MissingExtraError: no embedder was given and the extra is missing.
        KnowledgeError: no embedder was given, or it made vectors that cannot be used.
    """
    if embedder is None:
        _model2vec()
        raise KnowledgeError(
            "Searching by meaning needs a text embedding model; pass embedder=StaticEmbedder(DIR)."
        )
    table = _fresh_vectors(store, embedder)
    if table is None:
        return {}
    query = _vectors(embedder, [text])[0]
    found = table.search(query.tolist(), vector_column_name="vector").distance_type("cosine")
    if where:
        found = found.where(where, prefilter=True)
    rows = found.select(["id", "_distance"]).limit(int(table.count_rows())).to_arrow().to_pylist()
    return {row["id"]: 1.0 - float(row["_distance"]) for row in rows}


def _fresh_vectors(store: KnowledgeStore, embedder: Embedder) -> Any | None:
    """The embedder's table with exactly the store's entries in it; None for an empty store."""
    entries = {entry.id: entry for entry in store.entries()}
    if not entries:
        return None
    texts = {i: f"{e.category} {e.name}: {e.text}" for i, e in entries.items()}
    hashes = {i: hashlib.sha256(text.encode()).hexdigest() for i, text in texts.items()}
    name = f"vectors_{hashlib.sha256(embedder.name.encode()).hexdigest()[:16]}"
    exists = name in _table_names(store.connection)
    table = store.connection.open_table(name) if exists else None
    known: dict[str, str] = {}
    if table is not None:
        rows = table.search().select(["id", "text_sha256"]).limit(None).to_arrow().to_pylist()
        known = {row["id"]: row["text_sha256"] for row in rows}
    if known == hashes:
        return table
    stale = [i for i in texts if known.get(i) != hashes[i]]
    vectors = _vectors(embedder, [texts[i] for i in stale])
    rows = [
        {
            "id": i, "text_sha256": hashes[i], "category_key": slug(entries[i].category), "kind": entries[i].kind,
            "vector": vector.tolist(),
        }
        for i, vector in zip(stale, vectors, strict=True)
    ]  # fmt: skip
    with lance.writing(store.location, "knowledge store"):
        if table is None:
            table = store.connection.create_table(name, schema=_schema(vectors.shape[1]))
        if rows:
            merge = table.merge_insert("id").when_matched_update_all().when_not_matched_insert_all()
            lance.commit(lambda: merge.execute(rows))
        if gone := [i for i in known if i not in hashes]:
            table.delete(f"id IN ({', '.join(lance.quoted(i) for i in gone)})")
        lance.optimize(table)
    return table


def _table_names(connection: Any) -> list[str]:
    listed = connection.list_tables()
    return list(getattr(listed, "tables", listed))


def _vectors(embedder: Embedder, texts: Sequence[str]) -> NDArray[np.float32]:
    if not texts:
        return np.zeros((0, 0), dtype=np.float32)
    vectors = np.asarray(embedder.embed(texts), dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
        raise KnowledgeError(
            f"The text embedding model '{embedder.name}' returned vectors of shape {vectors.shape} for "
            f"{len(texts)} texts, or not finite ones; check the model."
        )
    return vectors


def _schema(dimension: int) -> Any:
    import pyarrow as pa

    fields = [pa.field(name, pa.string()) for name in ("id", "text_sha256", "category_key", "kind")]
    return pa.schema([*fields, pa.field("vector", pa.list_(pa.float32(), dimension))])
