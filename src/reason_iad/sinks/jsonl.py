"""One JSON line per outcome, added to the end of a file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.errors import ConfigError
from reason_iad.files import append_lines

if TYPE_CHECKING:
    from reason_iad.inspection.many import Outcome


class JsonLines:
    """Each line is on the disk before the next image begins. Lines that are already in the file stay.

    Args:
        target: the file; it is made if it is not there.

    Raises:
        ConfigError: no file was named.
        OutputError: it cannot be written.
    """

    def __init__(self, target: str) -> None:
        if not target:
            raise ConfigError("The sink 'jsonl' needs a file; write it as jsonl:FILE.")
        self._path = Path(target)
        append_lines(self._path)  # fails now rather than after the first inspection

    def send(self, outcome: Outcome) -> None:
        """Add a line that follows the published JSON schema of an inspection, or of a failure."""
        append_lines(self._path, outcome.model_dump_json())

    def close(self) -> None:
        """Nothing waits and nothing is held."""
