from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reason_iad.errors import KnowledgeError
from reason_iad.knowledge import KnowledgeStore, import_mmad, resolve_category

Write = Callable[..., Path]

# Made up, in MMAD's layout.
LAYOUT: dict[str, Any] = {
    "SetA": {
        "tea_cup": {
            "broken_handle": " <Handle Damage>\n Description: The handle is gone.\n - Rough ends remain.",
            "good": " <Normal Characteristics>\n Description: The cup is whole.",
        },
        "spoon": {"good": "A plain spoon.", "bad": "Bent <badly> Description: yes."},
    },
    "SetB": {"spoon": {"good": " <Normal> A wooden spoon."}},
}


def test_kinds_names_texts_and_sources(write: Write) -> None:
    entries = {entry.id: entry for entry in import_mmad(write("made_up.json", json.dumps(LAYOUT)))}
    assert list(entries) == [
        "tea-cup/defect/broken-handle", "tea-cup/normal/normal", "seta-spoon/normal/normal",
        "seta-spoon/defect/bad", "setb-spoon/normal/normal",
    ]  # fmt: skip
    broken = entries["tea-cup/defect/broken-handle"]
    assert (broken.category, broken.kind, broken.name) == ("tea cup", "defect", "broken handle")
    assert broken.text == "The handle is gone. - Rough ends remain."
    assert broken.source == "made_up.json#SetA/tea_cup/broken_handle"
    good = entries["tea-cup/normal/normal"]
    assert (good.kind, good.name, good.text) == ("normal", "normal", "The cup is whole.")
    assert entries["seta-spoon/defect/bad"].text == "Bent <badly> Description: yes."  # only a title in front goes
    assert entries["setb-spoon/normal/normal"].text == "A wooden spoon."


def test_imported_entries_can_be_stored_and_found(write: Write, store: KnowledgeStore) -> None:
    store.add(import_mmad(write("m.json", json.dumps(LAYOUT))))
    assert resolve_category(store, "tea_cup") == "tea cup"
    assert store.search("handle")[0].entry.id == "tea-cup/defect/broken-handle"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "line 1: not JSON"),
        ('{"a": ', "not JSON"),
        ("[]", "the file must be an object"),
        ("{}", "holds no knowledge"),
        ('{"A": {"b": {}}}', "holds no knowledge"),
        ('{"A": ["b"]}', "A must be an object"),
        ('{"A": {"b": "text"}}', "A/b must be an object"),
        ('{"A": {"b": {"good": 3}}}', "A/b/good must be a text"),
        ('{"A": {"b": {"good": " <T> Description: "}}}', "A/b/good must be a text and not empty"),
        ('{"A": {"b": {"c": "x", "c": "y"}}}', "'c' is there twice"),
        ('{"A": {"b": {"c d": "x", "c_d": "y"}}}', "A/b/c_d is there twice"),
        ('{"A": {"-": {"c": "x"}}}', "needs letters or digits"),
        (json.dumps({"A": {"b": {"c": "x" * 4001}}}), "longer than 4000"),
        ("[" * 100_000, "not JSON"),
        (b"\xff\xfe\x00", "not JSON in UTF-8"),
    ],
)
def test_other_layouts_are_refused(write: Write, content: str | bytes, says: str) -> None:
    with pytest.raises(KnowledgeError, match=says) as caught:
        import_mmad(write("bad.json", content))
    assert "bad.json" in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="is not a file"):
        import_mmad(tmp_path / "none.json")


@pytest.mark.data
def test_the_real_file(data_dir: Path, store: KnowledgeStore) -> None:
    entries = import_mmad(data_dir / "mmad" / "domain_knowledge.json")
    assert Counter(entry.kind for entry in entries) == {"normal": 38, "defect": 108}
    assert len({entry.category for entry in entries}) == 38
    assert not any(entry.text.startswith(("<", "Description")) for entry in entries)
    store.add(entries)
    assert store.search("cable swap")[0].entry.id == "cable/defect/cable-swap"
