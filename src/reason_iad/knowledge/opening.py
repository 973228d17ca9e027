"""`--knowledge`: a store, a folder of files, one file, or nothing (the knowledge in the package).

Files are indexed once: the store built from them is kept in the user's cache under the hash of their
content, so an edited file is a new store and two processes can never see half of one. Where nothing can be
written the index is built in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from reason_iad.errors import KnowledgeError
from reason_iad.knowledge.files import knowledge_files, read_documents
from reason_iad.knowledge.lance import MARKER
from reason_iad.knowledge.mmad import import_mmad
from reason_iad.knowledge.store import LAYOUT, KnowledgeStore

BUILTIN = Path(__file__).parent / "builtin"
_ABANDONED_SECONDS = 24 * 3600


def open_knowledge(path: str | Path | None) -> KnowledgeStore:
    """Open knowledge for reading.

    Args:
        path: a store, a folder of knowledge files, one file, or MMAD's domain_knowledge.json; None: the knowledge
            that comes with the package.

    Raises:
        KnowledgeError: nothing usable is there.
    """
    path = BUILTIN if path is None else Path(path)
    if not path.exists():
        raise KnowledgeError(f"The knowledge '{path}' does not exist; give a store, a folder or a file.")
    if (path / MARKER).exists():
        return KnowledgeStore.open(path)
    if path.suffix.lower() == ".json":  # MMAD's layout; small, and indexed in a moment
        store = KnowledgeStore.memory()
        store.add(import_mmad(path))
        return store
    return _cached(knowledge_files(path) if path.is_dir() else [path])


def writable_store(path: Path) -> KnowledgeStore:
    """The store at a path, made if nothing is there; two processes may make it at the same time.

    Raises:
        KnowledgeError: something else is there, or it cannot be written.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        return KnowledgeStore.open(path)
    try:
        return KnowledgeStore.create(path)
    except KnowledgeError:
        if (path / MARKER).exists():  # another process was faster
            return KnowledgeStore.open(path)
        raise


def cache_folder() -> Path:
    """REASON_IAD_CACHE, else the user's cache folder."""
    if configured := os.environ.get("REASON_IAD_CACHE"):
        return Path(configured).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "reason-iad"


def default_store() -> Path:
    """Where `reason-iad knowledge add` keeps knowledge unless told otherwise."""
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share").expanduser() / "reason-iad" / "knowledge"


def _cached(files: Sequence[Path]) -> KnowledgeStore:
    folder = cache_folder() / "knowledge"
    target = folder / _content_hash(files)
    with contextlib.suppress(KnowledgeError):
        return KnowledgeStore.open_snapshot(target)
    documents = read_documents(files)  # before anything is written: a bad file costs nothing
    building = folder / f".{target.name[:16]}.{os.getpid()}.{time.time_ns()}"
    try:
        built = KnowledgeStore.create(building)
        built.add_documents(documents)
        built.write_snapshot()
        return _move(building, target)
    except KnowledgeError:  # a read-only or a full disk
        store = KnowledgeStore.memory()
        store.add_documents(documents)
        return store
    finally:
        shutil.rmtree(building, ignore_errors=True)
        _sweep(folder)


def _move(building: Path, target: Path) -> KnowledgeStore:
    if target.exists():  # damaged, or another process was faster; what that one built is the same
        with contextlib.suppress(KnowledgeError):
            return KnowledgeStore.open_snapshot(target)
        shutil.rmtree(target, ignore_errors=True)
    with contextlib.suppress(OSError):  # lost the race
        building.rename(target)
    return KnowledgeStore.open_snapshot(target)


def _content_hash(files: Sequence[Path]) -> str:
    digest = hashlib.sha256(f"layout {LAYOUT} with a snapshot\n".encode())
    for file in files:
        try:
            content = file.read_bytes()
        except OSError as error:
            raise KnowledgeError(f"Cannot read '{file}' ({error.strerror}); check its permissions.") from None
        digest.update(f"{file.name}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _sweep(folder: Path) -> None:
    """Remove what builds left that were killed. Finished indexes stay: a server may have one open for months."""
    oldest = time.time() - _ABANDONED_SECONDS
    with contextlib.suppress(OSError):
        for path in folder.glob(".*"):
            if path.stat().st_mtime < oldest:
                shutil.rmtree(path, ignore_errors=True)
