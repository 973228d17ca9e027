from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.knowledge.conftest import METAL, WOOD, entry

from reason_iad.errors import KnowledgeError
from reason_iad.knowledge import KnowledgeStore, read_document, resolve_category

Write = Callable[..., Path]

_PRELUDE = """
import sys
from reason_iad.knowledge import KnowledgeStore
from reason_iad.schema import Entry

def entry(category, i):
    return Entry(id=f"{category}/defect/{i}", category=category, kind="defect", name=f"d{i}",
                 text=f"scratch number{i}", source="x.md")

store = KnowledgeStore.open(sys.argv[1])
"""


def environment() -> dict[str, str]:
    """For a child process that imports the package from the source tree."""
    source = str(Path(__file__).parents[2] / "src")
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [source, os.environ.get("PYTHONPATH", "")]))}


def start(code: str, *arguments: str | Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _PRELUDE + code, *map(str, arguments)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment())


def test_entries_come_back_as_they_went_in_also_after_opening_again(store: KnowledgeStore) -> None:
    assert store.add(WOOD) == 5
    assert store.entries() == WOOD  # the author's order: normal, tolerances, defects
    again = KnowledgeStore.open(store.location)
    assert again.entries("Wood") == WOOD
    assert again.entries("metal") == []
    assert again.get("wood/defect/hole") == WOOD[3]
    assert len(again) == 5


def test_adding_again_replaces_by_id(store: KnowledgeStore) -> None:
    store.add(WOOD)
    store.add([WOOD[3].model_copy(update={"text": "A zebra crossing."})])
    assert len(store) == 5
    assert store.get("wood/defect/hole").text == "A zebra crossing."
    assert [f.entry.id for f in store.search("zebra")] == ["wood/defect/hole"]
    assert [f.entry.id for f in store.search("round opening sharp")] == ["wood/defect/crack"]  # old words are gone


def test_the_same_id_twice_in_one_call(store: KnowledgeStore) -> None:
    with pytest.raises(KnowledgeError, match="'wood/normal/normal' is given twice"):
        store.add([*WOOD, WOOD[0]])
    assert len(store) == 0


def test_unknown_id(store: KnowledgeStore) -> None:
    with pytest.raises(KnowledgeError, match="No entry 'x/y/z'"):
        store.get("x/y/z")
    with pytest.raises(KnowledgeError):
        store.get("' OR '1'='1")


def test_an_edited_file_takes_its_removed_entries_with_it(store: KnowledgeStore, write: Write) -> None:
    store.add([entry("a", "mine", "By hand, from elsewhere.")])
    head = "category: a\ndefects:\n- {name: b, description: x}\n"
    store.add_documents([read_document(write("a.yaml", head + "- {name: c, description: y}\n"))])
    store.add_documents([read_document(write("a.yaml", head))])
    assert [e.id for e in store.entries()] == ["a/defect/b", "a/defect/mine"]


def test_search_ranks_by_bm25_and_filters(store: KnowledgeStore) -> None:
    store.add([*WOOD, *METAL])
    found = store.search("a dark opening along the grain")
    assert found[0].entry.id == "wood/defect/crack"
    assert all(f.scorer == "bm25" and f.score > 0 for f in found)
    assert [f.score for f in found] == sorted((f.score for f in found), reverse=True)
    assert {f.entry.category for f in store.search("thin line", category="Metal")} == {"metal"}
    assert {f.entry.kind for f in store.search("grain even", kinds=["normal"])} == {"normal"}
    assert store.search("grain", kinds=[]) == []
    assert len(store.search("grain", limit=1)) == 1
    assert store.search("grain", limit=0) == []


def test_search_knows_names_aliases_causes_and_word_forms(store: KnowledgeStore) -> None:
    one = entry("wood", "knot", "A spot.").model_copy(update={"cause": "A branch.", "action": "Fill it."})
    store.add([one, *METAL], aliases={"wood": ["timber"], one.id: ["eyelet"]})
    for word in ("knots", "branches", "filling", "timber", "EYELET", "wood"):
        assert [f.entry.id for f in store.search(word)] == [one.id], word


@pytest.mark.parametrize("text", ["焊点表面有划痕", "Öffnung der Leiterbahn", "رگه"])
def test_search_in_any_script(store: KnowledgeStore, text: str) -> None:
    store.add([*WOOD, entry("x", "y", text)])
    query = {"焊": "划痕", "Ö": "offnung", "ر": "رگه"}[text[0]]
    assert [f.entry.id for f in store.search(query)] == ["x/defect/y"]


@pytest.mark.parametrize(
    ("query", "finds"),
    [
        ('"', False), ("*", False), ("\0", False), ("\\", False), ('{"match": {"column": "id"}}', False),
        ("grain" * 50_000, False), ('"grain AND', True), ("text:grain (", True), ("+grain -grain", True),
        ("grain'); DROP TABLE entries; --", True), ("grain~2^3", True), ("\ud800 grain", True),
    ],
)  # fmt: skip
def test_what_users_type_is_never_parsed(store: KnowledgeStore, query: str, finds: bool) -> None:
    store.add(WOOD)
    assert bool(store.search(query)) == finds
    assert len(store) == 5


@pytest.mark.parametrize("query", ["", "  \n", "the of", "zebra"])
def test_a_query_without_matching_words_finds_nothing(store: KnowledgeStore, query: str) -> None:
    assert store.search(query) == []  # an empty store
    store.add(WOOD)
    assert store.search(query) == []


def test_a_category_name_is_never_part_of_the_filter_language(store: KnowledgeStore) -> None:
    store.add([*WOOD, entry("o'brien; --", "x", "grain")])
    assert [e.category for e in store.entries("O'Brien")] == ["o'brien; --"]
    assert store.entries("wood' OR '1'='1") == []
    assert store.remove("x' OR '1'='1") == 0
    assert len(store) == 6


def test_equal_scores_are_ordered_by_id_and_repeat_exactly(tmp_path: Path) -> None:
    same = [entry("a", f"d{i}", "A scratch.") for i in (5, 3, 9, 1, 7)]
    results = []
    for name, order in (("one", same), ("two", same[::-1])):
        store = KnowledgeStore.create(tmp_path / name)
        store.add([*order, *METAL])
        results.append([(f.entry.id, f.score) for f in store.search("scratch", limit=4)])
    assert results[0] == results[1]


def test_remove_a_category(store: KnowledgeStore) -> None:
    store.add([*WOOD, *METAL])
    assert store.remove("Wood") == 5
    assert store.entries() == METAL
    assert store.remove("wood") == 0


def test_categories_and_their_other_names(store: KnowledgeStore) -> None:
    store.add(WOOD, aliases={"wood": ["timber", "board"]})
    store.add(METAL)
    assert store.categories() == {"metal": (), "wood": ("timber", "board")}


def test_other_names_of_entries(store: KnowledgeStore) -> None:
    hole = WOOD[3].id
    store.add(WOOD, aliases={"wood": ["timber"], hole: ["eyelet", "knot hole"]})
    store.add(METAL, aliases={METAL[0].id: ["other"]})
    assert store.aliases("Wood") == {hole: ("eyelet", "knot hole")}
    assert store.aliases("glass") == {}


def test_a_name_means_one_category(store: KnowledgeStore) -> None:
    store.add(WOOD, aliases={"wood": ["timber"]})
    with pytest.raises(KnowledgeError, match="'Timber' already names the category 'wood'"):
        store.add([entry("Timber", "x", "y")])
    with pytest.raises(KnowledgeError, match="already names"):
        store.add(METAL, aliases={"metal": ["WOOD"]})
    assert len(store) == 5


@pytest.mark.parametrize(("one", "other"), [("गल", "गुल"), ("ปา", "ป้า"), ("cafe", "café")])
def test_names_that_differ_by_a_mark_are_two_categories(one: str, other: str) -> None:
    store = KnowledgeStore.memory()
    store.add([entry(one, "scratch", "A line."), entry(other, "dent", "A hollow.")])
    assert [each.category for each in store.entries(other)] == [other]
    store.remove(one)
    assert list(store.categories()) == [other]
    with pytest.raises(KnowledgeError, match=f"Did you mean '{other}'"):
        resolve_category(store, one)


def test_the_hash_is_over_content_not_order(tmp_path: Path) -> None:
    one, two = (KnowledgeStore.create(tmp_path / name) for name in ("one", "two"))
    one.add([*WOOD, *METAL])
    two.add(METAL)
    two.add(WOOD[::-1])
    assert one.sha256() == two.sha256()
    two.add([WOOD[3].model_copy(update={"text": "Other."})])
    assert one.sha256() != two.sha256()
    before = one.sha256()
    one.add(WOOD, aliases={"wood": ["timber"]})
    assert one.sha256() != before


def test_what_is_not_a_store_is_refused(tmp_path: Path, write: Write) -> None:
    (tmp_path / "folder").mkdir()
    cases = {
        tmp_path / "missing": "does not exist",
        write("file", "x"): "is a file",
        tmp_path / "folder": "is not a knowledge store",
        write("broken/reason-iad.json", "{").parent: "is not a knowledge store",
        write("other/reason-iad.json", '{"format": "reason-iad-gallery"}').parent: "is not a knowledge store",
        write("new/reason-iad.json", '{"format": "reason-iad-knowledge", "version": 99}').parent: "layout 99",
        write("empty/reason-iad.json", '{"format": "reason-iad-knowledge", "version": 2}').parent: "is damaged",
    }
    for path, says in cases.items():
        before = sorted(tmp_path.rglob("*"))
        with pytest.raises(KnowledgeError, match=says):
            KnowledgeStore.open(path)
        assert sorted(tmp_path.rglob("*")) == before  # looking leaves nothing behind


def test_create_does_not_overwrite_and_leaves_nothing_when_it_fails(tmp_path: Path, write: Write) -> None:
    kept = write("taken/file.txt", "x")
    with pytest.raises(KnowledgeError, match="something is there already"):
        KnowledgeStore.create(kept.parent)
    with pytest.raises(KnowledgeError, match="Cannot make a knowledge store"):
        KnowledgeStore.create(kept / "below")
    assert sorted(tmp_path.rglob("*")) == [kept.parent, kept]
    (tmp_path / "empty").mkdir()
    assert len(KnowledgeStore.create(tmp_path / "empty")) == 0


def test_another_process_sees_what_was_added(store: KnowledgeStore) -> None:
    other = KnowledgeStore.open(store.location)
    assert other.entries() == []
    store.add(WOOD)
    assert len(other) == 5
    assert other.search("grain")


def test_two_processes_may_add_at_the_same_time(store: KnowledgeStore) -> None:
    code = "for i in range(8): store.add([entry(sys.argv[2], i)])"
    processes = [start(code, store.location, name) for name in "ab"]
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out, err) == (0, "", "")  # also quiet
    assert len(store) == 16
    assert len(store.search("scratch", limit=100)) == 16


def test_kill_9_while_adding_leaves_a_readable_store(store: KnowledgeStore) -> None:
    store.add(WOOD)
    code = "for i in range(100_000): store.add([entry('a', i)]); print(i, flush=True)"
    for round_ in range(3):
        process = start(code, store.location)
        assert process.stdout is not None
        for _ in range(2):
            process.stdout.readline()
        time.sleep(0.003 + 0.007 * round_)  # somewhere inside of a write
        process.send_signal(signal.SIGKILL)
        process.communicate()
        again = KnowledgeStore.open(store.location)
        assert again.entries("wood") == WOOD
        assert len(again.entries("a")) >= 2
        assert len(again.search("scratch", category="a", limit=10_000)) == len(again.entries("a"))
        again.add([entry("b", f"round {round_}", "Still takes entries.")])
    assert len(KnowledgeStore.open(store.location).entries("b")) == 3


def test_a_failed_write_is_one_sentence_and_changes_nothing(store: KnowledgeStore) -> None:
    store.add(WOOD)
    code = """
import resource
from reason_iad.errors import KnowledgeError
resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))  # every file may have 512 bytes, as on a full disk
try:
    store.add([entry("a", i) for i in range(50)])
except KnowledgeError as error:
    print(error)
"""
    process = start(code, store.location)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert out.startswith(f"Cannot write the knowledge store '{store.location}'")
    assert out.count("\n") == 1
    assert KnowledgeStore.open(store.location).entries() == WOOD


def test_threads_may_share_a_store(store: KnowledgeStore) -> None:
    store.add([*WOOD, *METAL])
    expected = store.search("thin line")
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: store.search("thin line"), range(32)))
    assert results == [expected] * 32
