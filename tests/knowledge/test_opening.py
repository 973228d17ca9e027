from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.knowledge.conftest import MARKDOWN, WOOD, YAML
from tests.knowledge.test_store import environment, start

from reason_iad.errors import KnowledgeError
from reason_iad.knowledge import KnowledgeFileError, KnowledgeStore, open_knowledge
from reason_iad.knowledge.opening import writable_store

Write = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("REASON_IAD_CACHE", str(folder))
    return folder / "knowledge"


def test_a_store_is_opened_in_place(store: KnowledgeStore, cache: Path) -> None:
    store.add(WOOD)
    assert open_knowledge(store.location).location == store.location
    assert not cache.exists()


def test_a_folder_is_indexed_once(write: Write, cache: Path) -> None:
    folder = write("mine/board.md", MARKDOWN).parent
    first = open_knowledge(folder)
    made = {path: path.stat().st_mtime_ns for path in cache.rglob("*.manifest")}
    second = open_knowledge(str(folder))
    assert first.location == second.location
    assert first.sha256() == second.sha256()
    assert [path.name for path in cache.iterdir()] == [Path(first.location).name]  # no leavings
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*.manifest")} == made


def test_an_indexed_folder_says_the_same_without_lancedb_and_loads_it_to_search(write: Write, cache: Path) -> None:
    path = write("board.md", MARKDOWN)
    built = KnowledgeStore.open(open_knowledge(path).location)
    code = """
import sys
from reason_iad.knowledge import open_knowledge
store = open_knowledge(sys.argv[1])
print(store.sha256(), len(store), store.categories(), [e.id for e in store.entries()])
print("lancedb" in sys.modules, [f.entry.id for f in store.search("joins")], "lancedb" in sys.modules)
"""
    run = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, env=environment(), check=True
    )
    facts, search = run.stdout.splitlines()
    assert facts == f"{built.sha256()} {len(built)} {built.categories()} {[e.id for e in built.entries()]}"
    assert search == "False ['bare-board/defect/short'] True"


def test_an_edited_or_renamed_file_is_a_new_index(write: Write, cache: Path) -> None:
    path = write("mine/board.md", MARKDOWN)
    before = open_knowledge(path.parent)
    write("mine/board.md", MARKDOWN.replace("Copper joins", "Tin joins"))
    after = open_knowledge(path.parent)
    assert before.get("bare-board/defect/short").text == "Copper joins two traces."
    assert after.get("bare-board/defect/short").text == "Tin joins two traces."
    path.rename(path.with_name("other.md"))
    assert open_knowledge(path.parent).get("bare-board/normal/normal").source == "other.md"


def test_one_file_is_enough(write: Write, cache: Path) -> None:
    assert len(open_knowledge(write("board.yaml", YAML))) == 5


def test_nothing_given_is_the_packages_own(cache: Path) -> None:
    assert "pcb" in open_knowledge(None).categories()


def test_a_damaged_index_is_built_anew(write: Write, cache: Path) -> None:
    path = write("board.md", MARKDOWN)
    location = Path(open_knowledge(path).location)
    shutil.rmtree(location / "entries.lance")
    assert len(open_knowledge(path)) == 5
    (location / "reason-iad.json").write_text("{")
    assert len(open_knowledge(path)) == 5
    assert len(list(cache.iterdir())) == 1


def test_where_nothing_can_be_written_the_index_is_in_memory(
    write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REASON_IAD_CACHE", str(write("a file", "x")))
    found = open_knowledge(write("board.md", MARKDOWN))
    assert found.location == "memory://"
    assert [f.entry.id for f in found.search("joins")] == ["bare-board/defect/short"]


def test_a_full_disk_leaves_nothing_behind(write: Write, cache: Path) -> None:
    code = """
import resource
from reason_iad.knowledge import open_knowledge
resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))
print(open_knowledge(sys.argv[2]).location)
"""
    other = KnowledgeStore.create(cache.parent.parent / "unused")
    process = start(code, other.location, write("board.md", MARKDOWN))
    out, err = process.communicate(timeout=60)
    assert (out, err) == ("memory://\n", "")
    assert list(cache.iterdir()) == []


def test_several_processes_may_index_the_same_folder_at_once(write: Write, cache: Path) -> None:
    code = "import sys; from reason_iad.knowledge import open_knowledge; print(len(open_knowledge(sys.argv[1])))"
    path = write("board.md", MARKDOWN)
    processes = [
        subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, env=environment())
        for _ in range(3)
    ]
    assert [process.communicate(timeout=60)[0] for process in processes] == [b"5\n"] * 3
    assert len(list(cache.iterdir())) == 1


def test_what_killed_builds_left_is_swept_up_later(write: Write, cache: Path) -> None:
    open_knowledge(write("a.md", MARKDOWN))
    finished = next(cache.iterdir())
    abandoned, running = cache / ".abandoned", cache / ".running"
    abandoned.mkdir()
    running.mkdir()
    long_ago = time.time() - 40 * 24 * 3600
    os.utime(abandoned, (long_ago, long_ago))
    os.utime(finished, (long_ago, long_ago))
    open_knowledge(write("b.md", MARKDOWN))
    assert not abandoned.exists()
    assert running.exists()
    assert finished.exists()  # somebody may have it open


def test_bad_paths_and_bad_files(tmp_path: Path, write: Write, cache: Path) -> None:
    with pytest.raises(KnowledgeError, match="does not exist"):
        open_knowledge(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(KnowledgeError, match="holds no knowledge files"):
        open_knowledge(tmp_path / "empty")
    with pytest.raises(KnowledgeFileError, match="ends in"):
        open_knowledge(write("part.png", b"\x89PNG"))
    bad = write("bad/a.yaml", "category: a\nnormal: ''\ndefects: x\n").parent
    with pytest.raises(KnowledgeFileError, match=r"a\.yaml, line 2: .*1 more"):
        open_knowledge(bad)
    assert not cache.exists()


def test_two_processes_may_make_one_new_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower one goes on with the store that the other has made."""
    path, create = tmp_path / "store", KnowledgeStore.create

    def too_late(where: Path) -> KnowledgeStore:
        create(where).add_documents([])
        return create(where)  # what the slower one meets

    monkeypatch.setattr(KnowledgeStore, "create", too_late)
    assert len(writable_store(path)) == 0
    assert len(writable_store(path)) == 0, "it is there"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(KnowledgeError, match="is not a knowledge store"):
        writable_store(tmp_path / "other")
