"""One writer per file, among all processes of all machines that see the file.

The lock is the operating system's, on a hidden file beside the one that is written (`.NAME.lock`). It ends with
its process, however that ends. A holder that ends in order removes the file; what a killed process leaves of it is
taken over by the next one. The lock cannot be on the written file itself, because that is replaced by a new one
whenever its content changes as a whole.
"""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.errors import OutputError
from reason_iad.files import words

if TYPE_CHECKING:
    from filelock import FileLock


class Hold:
    """The sole right to write a file, until `release` or the end of this process. Made by `hold`."""

    def __init__(self, lock: FileLock) -> None:
        self._lock = lock

    def release(self) -> None:
        """Let others write; more than once does no harm."""
        if not self._lock.is_locked:
            return
        file = Path(self._lock.lock_file)
        if os.name == "nt":  # a file that another process has open cannot be removed there
            self._lock.release()
            with contextlib.suppress(OSError):
                file.unlink()
        else:  # removed while it is held: afterwards it may be another process's
            with contextlib.suppress(OSError):
                file.unlink()
            self._lock.release()


class Held(OutputError):
    """Another process writes the file."""


def hold(path: str | Path, instead: str = "another file", *, wait: float = 0) -> Hold:
    """Take the sole right to write a file, which need not exist; links are followed.

    Args:
        path: the file.
        instead: what the user may choose if another process writes it, for the message.
        wait: how many seconds to wait for another process.

    Raises:
        Held: another process writes it.
        OutputError: there is no place for the lock.
    """
    from filelock import FileLock, Timeout

    try:
        target = Path(os.path.realpath(path))
        os.scandir(target.parent).close()  # `FileLock` would make a folder that is missing
        file = target.with_name(f".{target.name}.lock")
        lock = FileLock(file, timeout=wait, thread_local=False)  # a server opens and closes in different threads
        lock.acquire()
    except Timeout:
        raise Held(_taken(path, file, instead)) from None
    except PermissionError as error:
        if file.exists():  # another user's
            raise Held(_taken(path, file, instead)) from None
        raise OutputError(words.cannot_write(path, error)) from None
    except (OSError, ValueError) as error:
        raise OutputError(words.cannot_write(path, error)) from None
    with contextlib.suppress(OSError), file.open("r+b") as claim:
        claim.seek(1)  # Windows locks the first byte, also against reading
        claim.truncate()
        claim.write(f"{os.getpid()} {platform.node()}".encode())
    return Hold(lock)


def _taken(path: str | Path, file: Path, instead: str) -> str:
    """Who writes a file, and what to do."""
    return f"{_holder(file)} is writing '{words.name(path)}'; wait until it has ended, or choose {instead}."


def _holder(file: Path) -> str:
    """Who has a lock, as the start of a sentence."""
    try:
        with file.open("rb") as claim:
            claim.seek(1)
            number, _, machine = claim.read(300).decode("utf-8", "replace").partition(" ")
    except OSError:
        number = machine = ""
    if not number.isdecimal():
        return "Another process"
    return f"Process {number}" if machine in ("", platform.node()) else f"Process {number} on '{machine}'"
