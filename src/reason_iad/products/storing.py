"""A product on disk, and how it changes so that a crash leaves the old state or the new one.

    product.json     the state; replaced in one step, and this is the moment of a change
    history.jsonl    one line per change, what exactly
    good/ …          files whose names hold their hash; they are written once and never changed

A change first writes its line into the history, then its files, then the state. Until the state is there, the line
is beyond it: readers do not see it, and the next writer removes it with exactly the files that it names. Files that
an earlier state names stay, because undo goes back to them. So whoever reads has an unchanging product, and needs
no lock; whoever writes holds the lock of `reason_iad.files`, beside the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path, PurePath

from pydantic import ValidationError

from reason_iad.errors import OutputError, ProductError
from reason_iad.files import append_lines, file_sha256, hold, is_temporary, read_lines, sync_folder, write_atomic
from reason_iad.images import printable
from reason_iad.products.names import file_name, is_name
from reason_iad.products.state import Change, FileRecord, State, difference, ordered

STATE = "product.json"
HISTORY = "history.jsonl"
CACHE = ".cache"
MOST_BYTES = 128 * 2**20
"""Bytes that `product.json`, and a line of the history, may have: enough for 250,000 images."""
PATIENCE = 10.0
"""Seconds to wait for another process that changes the same product."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A file that a change brings.

    Attributes:
        source: where it is now.
        record: where it goes, and the hash that it must have.
    """

    source: Path
    record: FileRecord


@dataclass(frozen=True, slots=True)
class Edit:
    """A change that is worked out and not yet made.

    Attributes:
        after: the state that it leads to; revision and time are set when it is made.
        words: what it is, for people.
        copies: the files that it brings.
    """

    after: State
    words: str
    copies: tuple[Copy, ...] = ()


def now() -> datetime:
    """The time, UTC, in whole seconds."""
    return datetime.now(timezone.utc).replace(microsecond=0)


@contextmanager
def holding(folder: Path, *, wait: float | None = None) -> Iterator[None]:
    """The sole right to change, make or remove a product.

    Args:
        folder: of the product, which need not exist.
        wait: how many seconds to wait for another process; None: `PATIENCE`.

    Raises:
        OutputError: another process has it.
    """
    held = hold(folder.parent / folder.name.lower(), "another product", wait=PATIENCE if wait is None else wait)
    try:
        yield
    finally:
        held.release()


def read_state(folder: Path) -> State:
    """The state of a product.

    Raises:
        ProductError: there is none, or it is damaged or of another version.
    """
    path = folder / STATE
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size > MOST_BYTES:
            raise ProductError(f"'{printable(path)}' is not the file of a product. Restore it from a copy.")
        content = path.read_bytes()
    except FileNotFoundError:
        raise ProductError(
            f"'{printable(folder)}' is not a product: it has no '{STATE}'. Give the folder of a product."
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ProductError(f"'{printable(path)}' cannot be read ({reason}). Check its permissions.") from None
    return parse_state(content, str(printable(path)))


def parse_state(content: bytes, where: str) -> State:
    """The state in the content of `product.json`.

    Args:
        content: of the file.
        where: the file, for messages.

    Raises:
        ProductError: it is damaged or of another version.
    """
    try:
        return ordered(State.model_validate_json(content))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise ProductError(
            f"'{where}' is damaged, or comes from another version of the program ({place}: "
            f"{printable(first['msg'])[:200]}). Restore it from a copy."
        ) from None
    except (ValueError, RecursionError):
        raise ProductError(f"'{where}' is damaged. Restore it from a copy.") from None


def read_history(folder: Path) -> tuple[Change, ...]:
    """Every line of the history, the oldest first; also one beyond the state.

    Raises:
        ProductError: it is damaged.
    """
    path = folder / HISTORY
    if not path.exists():
        return ()
    try:
        return parse_history(read_lines(path, longest=MOST_BYTES), str(printable(path)))
    except OutputError as error:
        raise ProductError(str(error)) from None


def parse_history(lines: Iterable[str], where: str) -> tuple[Change, ...]:
    """The changes in the lines of `history.jsonl`.

    Raises:
        ProductError: a line is none, or they are not in order.
    """
    changes: list[Change] = []
    for number, line in enumerate(lines, 1):
        try:
            change = Change.model_validate_json(line)
        except (ValueError, RecursionError):
            change = None
        if change is None or (changes and change.revision <= changes[-1].revision):
            raise ProductError(
                f"Line {number} of '{where}' is damaged. Restore the file from a copy, or delete it: what it says "
                "about earlier changes is then lost, the product itself is not."
            )
        changes.append(change)
    return tuple(changes)


class Workbench:
    """A product that this process alone may change. What a killed process left there is removed first.

    Args:
        folder: of the product.
        state: what it is now; at revision 0 it is empty, and nothing is on disk yet.
        history: how it came to be.
    """

    def __init__(self, folder: Path, state: State, history: tuple[Change, ...]) -> None:
        self.folder, self.state, self.history = folder, state, history
        self._taken = {record.file.casefold(): record.sha256 for record in self._named()}

    @classmethod
    @contextmanager
    def at(cls, folder: Path) -> Iterator[Workbench]:
        """The product in a folder, for the time of a block.

        Raises:
            OutputError: another process changes it, or it cannot be written.
            ProductError: it is damaged.
        """
        with holding(folder):
            state = read_state(folder)
            _clean(folder, state)
            history = tuple(each for each in read_history(folder) if each.revision <= state.revision)
            if is_name(folder.resolve().name):  # it may have been moved
                state = state.model_copy(update={"name": folder.resolve().name})
            yield cls(folder, state, history)

    @classmethod
    def empty(cls, folder: Path, name: str) -> Workbench:
        """A new product in an empty folder, which nobody else knows."""
        return cls(folder, State(name=name, revision=0, changed=now()), ())

    def place(self, folder: str, path: PurePath, sha256: str) -> str:
        """A name for a new file that no other file has, now or in the history."""
        name = file_name(folder, path, sha256, self._taken)
        self._taken[name.casefold()] = sha256
        return name

    def commit(self, edit: Edit) -> State:
        """Make a change.

        Raises:
            OutputError: it cannot be written; the product is then as before.
            ProductError: a file that is to be copied has changed meanwhile.
        """
        before, time = self.state, now()
        after = ordered(
            edit.after.model_copy(update={"revision": before.revision + 1, "changed": time, "name": before.name})
        )
        removed, added = difference(before, after)
        change = Change(revision=after.revision, time=time, words=_line(edit.words), removed=removed, added=added)
        try:
            append_lines(self.folder / HISTORY, change.model_dump_json(exclude_none=True))
            for copy in edit.copies:
                self._bring(copy)
            sync_folders(self.folder / copy.record.file for copy in edit.copies)
            write_atomic(self.folder / STATE, after.text())
        except BaseException:  # also when interrupted, be it right after the change was made
            with contextlib.suppress(OutputError, ProductError, OSError):
                _clean(self.folder, read_state(self.folder))
            raise
        self.state, self.history = after, (*self.history, change)
        return after

    def _named(self) -> Iterator[FileRecord]:
        yield from self.state.files()
        for change in self.history:
            yield from change.files()

    def _bring(self, copy: Copy) -> None:
        """Write a file, unless it is there from an earlier state."""
        target = self.folder / copy.record.file
        if file_sha256(target) == copy.record.sha256:
            return
        try:
            content = copy.source.read_bytes()
        except OSError:
            content = b""
        if hashlib.sha256(content).hexdigest() != copy.record.sha256:
            raise ProductError(f"'{printable(copy.source)}' changed while it was read. Run the command again.")
        make_folder(self.folder, target.parent)
        write_atomic(target, content, sync_name=False)


def sync_folders(files: Iterable[Path]) -> None:
    """Make the names of new files survive a power cut."""
    for folder in {file.parent for file in files}:
        sync_folder(folder)


def _line(words: str) -> str:
    """What a change is called, in one line."""
    return "".join(c if c.isprintable() else " " for c in words)[:2000]


def make_folder(product: Path, folder: Path) -> None:
    """Make a folder in a product, and those between, so that they survive a power cut.

    Raises:
        OutputError: it cannot be made.
    """
    missing = [each for each in (folder, *folder.parents) if each.is_relative_to(product) and not each.exists()]
    try:
        for each in reversed(missing):
            each.mkdir()
            sync_folder(each.parent)
    except OSError as error:
        raise OutputError(f"The folder '{printable(folder)}' cannot be made ({error.strerror}).") from None


def _clean(folder: Path, state: State) -> None:
    """Remove what a change left that did not come to its end: its line, its files, and parts of files."""
    history = read_history(folder)
    done = [each for each in history if each.revision <= state.revision]
    undone = history[len(done) :]
    needed = {record.file.casefold() for record in state.files()}
    needed |= {record.file.casefold() for change in done for record in change.files()}
    left = {record.file for change in undone for record in change.files()}
    places = {folder, *((folder / file).parent for file in left)}
    for file in left:
        if file.casefold() not in needed:
            with contextlib.suppress(OSError):
                (folder / file).unlink()
    for place in sorted(places, key=lambda each: len(each.parts), reverse=True):
        _sweep(place)
        while place != folder:  # folders that the change made; one with files in it stays
            with contextlib.suppress(OSError):
                place.rmdir()
            place = place.parent
    if undone:
        write_atomic(
            folder / HISTORY,
            "".join(f"{change.model_dump_json(exclude_none=True)}\n" for change in done),
        )


def _sweep(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if is_temporary(path.name):
                path.unlink(missing_ok=True)
