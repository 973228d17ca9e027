"""A log: JSON lines that one process writes, durably, and that a later one can go on with.

What a line means, and which lines may stand in one file, is for the user of a log to say: inspections
(`inspection.results`), answers to a benchmark (`bench.storage`), scores of a detector (`bench.detect.folder`).
"""

from __future__ import annotations

import stat
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from reason_iad.errors import OutputError
from reason_iad.files import words
from reason_iad.files.lines import append_lines, read_lines
from reason_iad.files.locking import hold
from reason_iad.files.writing import write_atomic


class Log:
    """JSON lines in a file that only this process writes, from `create` or `resume` until `close` or `release`.

    As a context manager it is closed at the end of the block, or released if the block ends in an exception.
    Threads may share it. Pipes and devices ('/dev/stdout') can be logs, without a lock and without lines to go on
    with.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path, instead: str) -> None:
        self.path = path
        self._regular = _is_regular(path)
        self._hold = hold(path, instead) if self._regular else None
        self._waiting: list[str] | None = None  # as long as what is to be overwritten stays
        self._closed = False
        self._writing = threading.Lock()

    @classmethod
    def create(cls, path: Path, *, overwrite: bool = False, instead: str = "another file") -> Log:
        """Begin an empty log.

        Args:
            path: the file.
            overwrite: replace what is there. It stays until the first line that is written at once (see `append`),
                or until the log is closed with lines that wait.
            instead: what the user may choose if the file is taken, for messages.

        Raises:
            OutputError: the file has content and `overwrite` is off, another process writes it, or it cannot be
                written.
        """
        with ExitStack() as opening:
            log = cls(path, instead)
            opening.callback(log.release)
            if overwrite and log._regular and path.exists():
                log._waiting = []
            elif next(log.lines(), None) is not None:
                raise OutputError(
                    f"'{words.name(path)}' already holds results; continue it with --resume, replace it with "
                    f"--overwrite, or choose {instead}."
                )
            else:
                write_atomic(path, "")
            opening.pop_all()
        return log

    @classmethod
    def resume(cls, path: Path, *, instead: str = "another file") -> Log:
        """Go on with a log, or begin one if there is no such file; nothing is changed yet.

        Raises:
            OutputError: another process writes it, or it cannot be written.
        """
        return cls(path, instead)

    def lines(self) -> Iterator[str]:
        """What is in the file, without a last line that was cut off.

        Raises:
            OutputError: the file cannot be read.
        """
        if self._regular and self.path.exists():
            yield from read_lines(self.path)

    def replace(self, lines: Iterable[str]) -> None:
        """Put these lines in place of all that is in the file, in one step; equal content is left alone.

        Raises:
            OutputError: they cannot be written; the file is then unchanged.
        """
        content = "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")
        with self._writing:
            self._require_open()
            if self._regular and self.path.exists() and _content(self.path) == content:
                return
            write_atomic(self.path, content)

    def append(self, *lines: str, wait: bool = False) -> None:
        """Add lines in one write, and return when they are on the disk.

        Args:
            lines: JSON texts without line breaks.
            wait: these lines are no reason to drop what is to be overwritten: as long as that is there, they wait.

        Raises:
            OutputError: they cannot be written; the file is then as before.
        """
        with self._writing:
            self._require_open()
            if self._waiting is None:
                append_lines(self.path, *lines)
                return
            self._waiting += lines
            if not wait:
                self._write_waiting()

    @property
    def waits(self) -> bool:
        """Whether what is to be overwritten is still there."""
        return self._waiting is not None

    def close(self) -> None:
        """Write what waits, and let others write; for the end of a run that was neither refused nor interrupted.

        Raises:
            OutputError: it cannot be written; others may write nevertheless.
        """
        try:
            with self._writing:
                if self._waiting and not self._closed:
                    self._write_waiting()
        finally:
            self.release()

    def release(self) -> None:
        """Let others write, and forget what waits; more than once does no harm."""
        self._closed = True
        if self._hold is not None:
            self._hold.release()

    def __enter__(self) -> Log:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close() if kind is None else self.release()

    def _write_waiting(self) -> None:
        """Put what waits in place of what was to be overwritten."""
        write_atomic(self.path, "".join(f"{line}\n" for line in self._waiting or ()))
        self._waiting = None

    def _require_open(self) -> None:
        if self._closed:
            raise ValueError(f"the log '{words.name(self.path)}' is closed")


def _is_regular(path: Path) -> bool:
    """Whether it is a file or may become one. What is wrong with a path is said when its lock is taken."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (OSError, ValueError):
        return True


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None
