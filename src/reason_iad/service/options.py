"""What tables of the configuration file are made of."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, StringConstraints, ValidationInfo

from reason_iad.errors import ServiceError
from reason_iad.images import printable
from reason_iad.schema import Record

LOCK, NAME = "service.lock", "server-name"
"""Files of the data folder: held by the server that uses it, and with the name of that server."""
MOST_SECRET = 4096
"""Bytes that a file with a secret may have."""


class Options(Record):
    """A table of the configuration file. A key that it does not know is an error."""


def _beside_the_file(path: Path, info: ValidationInfo) -> Path:
    folder = (info.context or {}).get("folder", Path())
    return Path(os.path.abspath(folder / path.expanduser()))  # noqa: PTH100 (resolve() would follow links)


Place = Annotated[Path, AfterValidator(_beside_the_file)]
"""A path in the configuration file, which is relative to the folder of that file."""

Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$")]
"""The name of a source or a sink."""


def read_secret(path: Path, what: str) -> str:
    """A secret that is kept in a file of its own, without the spaces around it.

    Args:
        path: the file.
        what: it is, for the message.

    Raises:
        ServiceError: the file cannot be read, or holds nothing.
    """
    try:
        with path.open("rb") as file:
            secret = file.read(MOST_SECRET).decode("utf-8").strip()
    except (OSError, ValueError):
        secret = ""
    if not secret:
        raise ServiceError(f"The file '{printable(path)}' with {what} cannot be read, or is empty. Check it.")
    return secret
