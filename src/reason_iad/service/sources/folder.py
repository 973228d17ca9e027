"""A watched folder: each picture that appears in it, or below it, is a part.

A file is taken when it has not changed for a moment. It is known by its place, its size and the time of its last
change: after a restart, no file is missed and none is inspected twice. Links are left alone, since they could lead
out of the folder.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import stat
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from reason_iad.errors import ImageError, ReasonIADError, ServiceError
from reason_iad.images import is_litter, printable
from reason_iad.images.kinds import is_image_name, is_unread_name
from reason_iad.service.options import Place
from reason_iad.service.sources.base import Intake, SourceTable, no_trigger, trouble_of

log = logging.getLogger(__name__)

LOOK_MS = 200
"""Milliseconds between looks at files that may be complete."""
SCAN_S = 60.0
"""Seconds after which the whole folder is looked through, for changes that the system did not tell."""
BLOCK = 2**20


class FolderTable(SourceTable):
    """The table of a watched folder.

    Attributes:
        folder: it.
        templates: a folder with the template of each part: the file of the same name, whatever its ending. None:
            parts have no template of their own.
        then: what becomes of a file that was taken: 'keep' or 'delete' it.
        settle_s: a file is complete when it has not changed for so many seconds.
        poll: look at all files again and again; needed for folders of other machines, which do not tell changes.
    """

    kind: Literal["folder"]
    folder: Place
    templates: Place | None = None
    then: Literal["keep", "delete"] = "keep"
    settle_s: float = Field(default=1.0, gt=0, le=600)
    poll: bool = False

    @model_validator(mode="after")
    def _templates_are_no_parts(self) -> FolderTable:
        if self.templates is not None and self.templates.is_relative_to(self.folder):
            raise ValueError("the templates lie in the watched folder, so they would be taken for parts")
        return self

    def open(self, name: str, intake: Intake) -> FolderSource:
        """The source."""
        return FolderSource(name, self, intake)


@dataclass(frozen=True, slots=True)
class Form:
    """What a file looks like from outside.

    Attributes:
        size: in bytes.
        changed: in nanoseconds.
    """

    size: int
    changed: int

    @classmethod
    def of(cls, path: Path | int) -> Form | None:
        """The form of a file; None if it is no ordinary file, or is gone."""
        try:
            found = os.fstat(path) if isinstance(path, int) else path.lstat()
        except OSError:
            return None
        return cls(found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else None


class Unfinished(ServiceError):
    """A file changed while it was read."""


class FolderSource:
    """Watches a folder.

    Args:
        name: of the source.
        table: what to do.
        intake: accepts the parts.
    """

    def __init__(self, name: str, table: FolderTable, intake: Intake) -> None:
        self._name, self._table, self._intake = name, table, intake
        self._root = Path(os.path.realpath(table.folder))
        self._done: dict[Path, Form] = {}
        self._coming: dict[Path, tuple[Form, float]] = {}
        self._not_before = 0.0
        self.trouble = ""

    def run(self, stop: threading.Event) -> None:
        """Bring what appears in the folder."""
        from watchfiles import watch

        if not self._root.is_dir():
            raise ServiceError(
                f"The folder of the source '{self._name}' is not there. Make it, or connect the drive."
            )
        changes = watch(
            self._root, watch_filter=None, step=LOOK_MS // 4, debounce=LOOK_MS, rust_timeout=LOOK_MS,
            yield_on_timeout=True, stop_event=stop, force_polling=self._table.poll or None, raise_interrupt=False,
        )  # fmt: skip
        scanned = -SCAN_S
        for told in changes:  # the first time, the system watches already: nothing falls between
            if time.monotonic() - scanned >= SCAN_S:
                self._scan()
                scanned = time.monotonic()
            for _, path in told:
                self._consider(Path(path))
            self._take_complete(stop)

    def trigger(self, name: str | None, key: str | None) -> int:
        """A folder takes no pictures."""
        raise no_trigger(self._name)

    def _scan(self) -> None:
        """Look through the whole folder; forget what is gone."""

        def refuse(error: OSError) -> None:
            if error.filename == str(self._root):
                raise ServiceError(f"The folder of the source '{self._name}' cannot be read ({error.strerror}).")
            if not isinstance(error, FileNotFoundError):
                log.warning("A folder below that of the source '%s' cannot be read.", self._name)

        present = set()
        for folder, below, names in os.walk(self._root, onerror=refuse):
            below[:] = [each for each in below if not is_litter(each)]
            for name in names:
                path = Path(folder, name)
                present.add(path)
                self._consider(path, first=True)
        self._done = {path: form for path, form in self._done.items() if path in present}

    def _consider(self, path: Path, *, first: bool = False) -> None:
        """Wait for a file to be complete, unless it was taken already.

        Args:
            path: the file.
            first: it was found, not told; the database may know it from an earlier run.
        """
        form = self._form(path)
        if form is None or self._done.get(path) == form:
            return
        if not form.size:
            if first and time.time() - form.changed / 1e9 > SCAN_S:  # nobody is about to write into it
                self._intake.refuse(self._name, self._called(path), "The file is empty.")
                self._done[path] = form
            return
        if first and path not in self._done and self._intake.known(self._name, self._key(path, form)) is not None:
            self._done[path] = form
            if self._table.then == "delete":  # the server was killed between the two
                self._remove(path, form)
            return
        if self._coming.get(path, (None,))[0] != form:
            self._coming[path] = form, time.monotonic()

    def _form(self, path: Path) -> Form | None:
        """The form of a file that can be a part; None for everything else."""
        try:
            relative = path.relative_to(self._root)
        except ValueError:
            return None
        if any(is_litter(part) for part in relative.parts):
            return None
        if not (is_image_name(path.name) or is_unread_name(path.name)):
            return None
        if os.path.realpath(path) != str(path):  # reached through a link
            return None
        return Form.of(path)

    def _take_complete(self, stop: threading.Event) -> None:
        """Take the files that have not changed for long enough, the oldest first."""
        now = time.monotonic()
        if now < self._not_before:
            return
        for path, (form, since) in sorted(self._coming.items(), key=lambda each: each[1][0].changed):
            if stop.is_set():
                return
            is_now = self._form(path)
            if is_now is None or not is_now.size:
                del self._coming[path]
            elif is_now != form:
                self._coming[path] = is_now, now
            elif now - since >= self._table.settle_s and not self._took(path, form):
                return

    def _took(self, path: Path, form: Form) -> bool:
        """Take a file; false if it has to wait, and the others with it."""
        name = self._called(path)
        try:
            own = None if self._table.templates is None else self._template(path, self._table.templates)
            key, content = self._key(path, form), _read(path, form)
            self._intake.take(self._name, self._table.product, name, content, key, own)
        except Unfinished:
            self._coming[path] = self._form(path) or form, time.monotonic()
            return True
        except FileNotFoundError:
            del self._coming[path]
            return True
        except (ImageError, PermissionError) as error:
            self._intake.refuse(
                self._name, name, str(error) if isinstance(error, ImageError) else "It cannot be read."
            )
            self._done[path] = form
            del self._coming[path]
            return True
        except ReasonIADError as error:
            if not self.trouble:
                log.warning("The source '%s' waits. %s", self._name, error)
            self.trouble = trouble_of(error)
            self._not_before = time.monotonic() + 2.0
            return False
        self.trouble = ""
        self._done[path] = form
        del self._coming[path]
        if self._table.then == "delete":
            self._remove(path, form)
        return True

    def _template(self, path: Path, templates: Path) -> Iterator[bytes]:
        """The content of the template of a part. It has to be there before the part.

        Raises:
            ImageError: there is none, or it cannot be read.
            ServiceError: the folder of templates cannot be read.
        """
        try:
            names = [each.name for each in os.scandir(templates) if each.is_file(follow_symlinks=False)]
        except OSError as error:
            raise ServiceError(
                f"The templates of the source '{self._name}' cannot be read ({error.strerror}). Check the folder."
            ) from None
        found = sorted(each for each in names if is_image_name(each) and Path(each).stem == path.stem)
        if found[1:]:
            raise ImageError(
                f"There are {len(found)} templates of its name. Keep one, and put the part there again."
            )
        form = Form.of(templates / found[0]) if found else None
        if form is None:
            raise ImageError("There is no template of its name. Put it there first, and then the part again.")
        return _read(templates / found[0], form)

    def _called(self, path: Path) -> str:
        """What people call the part in a file."""
        return printable(path.relative_to(self._root).as_posix())

    def _key(self, path: Path, form: Form) -> str:
        place = os.fsencode(path.relative_to(self._root))
        return hashlib.sha256(b"%s\0%d\0%d" % (place, form.size, form.changed)).hexdigest()

    def _remove(self, path: Path, form: Form) -> None:
        """Delete a file that was taken. One that took its place meanwhile is put back."""
        aside = path.with_name(f".{secrets.token_hex(8)}.tmp")
        try:
            path.rename(aside)
            if Form.of(aside) == form:
                aside.unlink()
            elif not path.exists():
                aside.rename(path)
        except OSError as error:
            log.warning("The source '%s' cannot delete a file that it took (%s).", self._name, error.strerror)


def _read(path: Path, form: Form) -> Iterator[bytes]:
    """The content of a file, as long as it stays as it was.

    Raises:
        Unfinished: it changed.
        FileNotFoundError, PermissionError: it is gone, or must not be read.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        while chunk := file.read(BLOCK):
            yield chunk
        if Form.of(file.fileno()) != form:
            raise Unfinished("The file is still being written.")
