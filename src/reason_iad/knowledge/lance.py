"""The few things that the knowledge store and the reference gallery both do with LanceDB.

Notable: a store is a folder with a marker file beside LanceDB's tables, made complete in a sibling folder
and then renamed, so a folder with a marker is always a whole store. LanceDB itself commits by writing a new
manifest, so a process killed in the middle of a write leaves the version before it.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from reason_iad.errors import KnowledgeError

MARKER = "reason-iad.json"
MEMORY = "memory://"
_ATTEMPTS = 20


def connect(location: str) -> Any:
    """A LanceDB connection that sees what other processes have written since, and is quiet."""
    os.environ.setdefault("LANCEDB_LOG", "error")  # read on import; it warns where two processes meet
    import lancedb

    return lancedb.connect(location, read_consistency_interval=timedelta(0))


def read_marker(path: Path, format_name: str, version: int, what: str) -> dict[str, Any]:
    """The marker of the store at `path`.

    Raises:
        KnowledgeError: there is nothing, or something else, or a version this program does not know.
    """
    if not path.is_dir():
        reason = "is a file, not a folder" if path.exists() else "does not exist"
        raise KnowledgeError(f"The {what} '{path}' {reason}; check the path.")
    try:
        marker = json.loads((path / MARKER).read_text(encoding="utf-8"))
        known = isinstance(marker, dict) and marker.get("format") == format_name
    except (OSError, ValueError):
        known = False
    if not known:
        raise KnowledgeError(f"'{path}' is not a {what} (it has no valid {MARKER}); check the path.")
    if marker.get("version") != version:
        raise KnowledgeError(
            f"The {what} '{path}' has layout {marker.get('version')}, this program reads {version}; make it anew."
        )
    return dict(marker)


def build_folder(path: Path, marker: dict[str, Any], fill: Callable[[str], None], what: str) -> None:
    """Make a store folder that is either whole or not there.

    Args:
        path: must not exist, or be an empty folder.
        marker: content of the marker file.
        fill: given the location, makes the tables.
        what: for messages.

    Raises:
        KnowledgeError: `path` is taken or cannot be written.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise KnowledgeError(f"Cannot make a {what} at '{path}': something is there already; choose another path.")
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
        with writing(path, what):
            fill(str(temporary))
        (temporary / MARKER).write_text(json.dumps(marker, indent=2, sort_keys=True) + "\n", encoding="utf-8")
        temporary.chmod(0o777 & ~_umask())  # mkdtemp makes private folders
        temporary.replace(path)
    except OSError as error:
        raise KnowledgeError(f"Cannot make a {what} at '{path}' ({error.strerror}); check the path.") from None
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def writing(path: Path | str, what: str) -> Iterator[None]:
    """Turn LanceDB's errors while writing (a full disk, no permission) into one sentence."""
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        reason = re.split(r"\n|, /", str(error))[0][:200] or type(error).__name__  # without LanceDB's own paths
        message = f"Cannot write the {what} '{path}' ({reason}); check free space and permissions."
        raise KnowledgeError(message) from error


def commit(operation: Callable[[], Any]) -> None:
    """Run a LanceDB write; begin it again when another process has committed in between."""
    for attempt in range(_ATTEMPTS):
        try:
            operation()
            return
        except (OSError, RuntimeError, ValueError) as error:
            if "conflict" not in str(error).lower() or attempt == _ATTEMPTS - 1:
                raise
            time.sleep(random.uniform(0.0, 0.05 * (attempt + 1)))


def optimize(table: Any) -> None:
    """Bring a table's index up to date and fold small files together.

    Searches are right without it (rows not yet in the index are scanned), so another process's commit in between
    is no reason to fail: that process optimises, too.
    """
    try:
        table.optimize()
    except (OSError, RuntimeError, ValueError) as error:
        if "conflict" not in str(error).lower():
            raise


def open_table(connection: Any, name: str, path: Path | str, what: str) -> Any:
    """A table of a store.

    Raises:
        KnowledgeError: the store is damaged.
    """
    try:
        return connection.open_table(name)
    except (OSError, RuntimeError, ValueError) as error:
        raise KnowledgeError(f"The {what} '{path}' is damaged (no table '{name}'); make it anew.") from error


def quoted(value: str) -> str:
    """`value` as a string literal of LanceDB's filter language."""
    return "'" + value.replace("'", "''") + "'"


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
