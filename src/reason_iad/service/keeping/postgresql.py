"""Copies of a PostgreSQL database, by its own programs pg_dump and pg_restore."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from reason_iad.errors import ServiceError


def dump(address: str, target: Path) -> None:
    """Write a database into a file, as it is at this moment.

    Raises:
        ServiceError: it cannot be reached, or the program is missing.
    """
    _run(["pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={target}"], _url(address))


def load(address: str, source: Path) -> None:
    """Fill an empty database from such a file, as a whole or not at all.

    Raises:
        ServiceError: the database is not empty or cannot be reached, or the program is missing.
    """
    url = _url(address)
    engine = create_engine(url.set(drivername="postgresql+psycopg"))
    try:
        tables = inspect(engine).get_table_names()
    except SQLAlchemyError:
        raise ServiceError("The database cannot be reached. Check --database.") from None
    finally:
        engine.dispose()
    if tables:
        raise ServiceError("The database is not empty. Make a new one, and give its address with --database.")
    database = ["--dbname", str(url.database)]
    _run(["pg_restore", "--no-owner", "--exit-on-error", "--single-transaction", *database, str(source)], url)


def _url(address: str) -> URL:
    try:
        return make_url(address)
    except ArgumentError:
        raise ServiceError("The address of the database is not one; write postgresql://USER@HOST/NAME.") from None


def _run(command: list[str], url: URL) -> None:
    """Run a program of PostgreSQL; a password is not shown to other users of this machine."""
    known = {
        "PGHOST": url.host, "PGPORT": url.port, "PGUSER": url.username, "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
    }  # fmt: skip
    environment = {**os.environ, **{name: str(value) for name, value in known.items() if value is not None}}
    try:
        ended = subprocess.run(command, env=environment, capture_output=True, check=False)  # noqa: S603
    except FileNotFoundError:
        raise ServiceError(f"The program {command[0]} is missing. Install the client of PostgreSQL.") from None
    if ended.returncode:
        said = ended.stderr.decode("utf-8", "replace").strip().splitlines()
        raise ServiceError(f"{command[0]} failed: {said[0] if said else ended.returncode}")
