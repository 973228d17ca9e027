"""Results on disk: whole files, JSON lines, and logs that one process writes and another one can go on with."""

from __future__ import annotations

from reason_iad.files.hashing import file_sha256
from reason_iad.files.lines import append_lines, read_lines
from reason_iad.files.locking import Held, Hold, hold
from reason_iad.files.log import Log
from reason_iad.files.objects import read_object
from reason_iad.files.writing import is_temporary, made_folder, replacing, sync_folder, write_atomic

__all__ = [
    "Held",
    "Hold",
    "Log",
    "append_lines",
    "file_sha256",
    "hold",
    "is_temporary",
    "made_folder",
    "read_lines",
    "read_object",
    "replacing",
    "sync_folder",
    "write_atomic",
]
