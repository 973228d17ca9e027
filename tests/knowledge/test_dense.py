from __future__ import annotations

import re
import sys
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from tests.knowledge.conftest import METAL, WOOD, entry

from reason_iad.errors import KnowledgeError, MissingExtraError
from reason_iad.knowledge import KnowledgeStore
from reason_iad.knowledge.dense import StaticEmbedder


class Hashing:
    """Bags of hashed words, with one synonym: enough to tell meaning from spelling, the same everywhere."""

    def __init__(self, name: str = "hashing", dimension: int = 64) -> None:
        self.name = name
        self.dimension = dimension
        self.asked: list[str] = []

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        self.asked += texts
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower().replace("fissure", "crack")):
                vectors[row, zlib.crc32(word.encode()) % self.dimension] += 1
        return vectors


def test_meaning_finds_what_words_do_not(store: KnowledgeStore) -> None:
    store.add([*WOOD, *METAL])
    assert store.search("fissure") == []
    found = store.search("wood fissure", mode="dense", embedder=Hashing(), limit=3)
    assert found[0].entry.id == "wood/defect/crack"
    assert [each.scorer for each in found] == ["cosine"] * 3
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)


def test_the_score_is_the_cosine(store: KnowledgeStore) -> None:
    store.add(WOOD)
    embedder = Hashing()
    best = store.search("a dark opening", mode="dense", embedder=embedder)[0]
    a, b = Hashing().embed(["a dark opening", f"wood {best.entry.name}: {best.entry.text}"])
    assert best.score == pytest.approx(a @ b / np.linalg.norm(a) / np.linalg.norm(b), abs=1e-5)


def test_filters_hold(store: KnowledgeStore) -> None:
    store.add([*WOOD, *METAL])
    found = store.search("grain", mode="dense", embedder=Hashing(), category="metal", kinds=["defect"])
    assert {each.entry.id for each in found} == {"metal/defect/scratch", "metal/defect/dent"}


def test_vectors_follow_the_entries(store: KnowledgeStore) -> None:
    embedder = Hashing()
    store.add(WOOD)
    store.search("x", mode="dense", embedder=embedder)
    assert len(embedder.asked) == len(WOOD) + 1
    store.add([entry("wood", "hole", "A zebra crossing.")])
    store.remove("nothing")
    assert store.search("zebra crossing", mode="dense", embedder=embedder)[0].entry.text == "A zebra crossing."
    assert len(embedder.asked) == len(WOOD) + 1 + 2  # one changed entry and the query
    store.remove("wood")
    assert store.search("zebra", mode="dense", embedder=embedder) == []
    store.add(METAL)
    assert {e.entry.category for e in store.search("zebra", mode="dense", embedder=embedder)} == {"metal"}


def test_two_embedders_do_not_mix(store: KnowledgeStore) -> None:
    store.add(WOOD)
    for embedder in (Hashing("small", 32), Hashing("large", 128)):
        assert store.search("crack", mode="dense", embedder=embedder)[0].entry.id == "wood/defect/crack"
    assert store.entries() == WOOD  # and none of it is an entry


def test_vectors_that_cannot_be_used(store: KnowledgeStore) -> None:
    class Broken(Hashing):
        def embed(self, texts: Sequence[str]) -> np.ndarray:
            return np.full((len(texts), 4), np.nan, dtype=np.float32)

    store.add(WOOD)
    with pytest.raises(KnowledgeError, match="not finite"):
        store.search("x", mode="dense", embedder=Broken("broken"))


def test_without_the_extra_it_is_named(store: KnowledgeStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "model2vec", None)
    store.add(WOOD)
    for call in (lambda: store.search("x", mode="dense"), lambda: StaticEmbedder("anywhere")):
        with pytest.raises(MissingExtraError, match=r"pip install 'reason-iad\[dense\]'"):
            call()


def test_a_real_model2vec_directory(store: KnowledgeStore, tmp_path: Path) -> None:
    model2vec = pytest.importorskip("model2vec")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    words = ["[UNK]", "crack", "fissure", "scratch", "hole"]
    tokenizer = Tokenizer(WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = Whitespace()
    vectors = np.array([[0.1, 0.1, 0.1], [1, 0, 0], [0.9, 0.1, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)
    model2vec.StaticModel(vectors, tokenizer).save_pretrained(tmp_path / "model")

    embedder = StaticEmbedder(tmp_path / "model")
    store.add(WOOD)
    assert store.search("fissure", mode="dense", embedder=embedder)[0].entry.id == "wood/defect/crack"
    with pytest.raises(KnowledgeError, match="pass embedder"):
        store.search("x", mode="dense")
    with pytest.raises(KnowledgeError, match="not a model2vec directory"):
        StaticEmbedder(tmp_path)
    (tmp_path / "model" / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(KnowledgeError, match="Cannot load the text embedding model"):
        StaticEmbedder(tmp_path / "model")
