"""How the database is reached: short transactions, the same on SQLite and PostgreSQL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError, TimeoutError
from sqlalchemy.orm import Session as OrmSession
from sqlalchemy.pool import QueuePool

from reason_iad.errors import ServiceError
from reason_iad.files import Held, hold
from reason_iad.service.faults import Invalid, Unavailable, Unreachable

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_S = 30
"""Seconds to wait for another writer of a SQLite file."""
MIGRATION, SERVER = 834021, 834022
"""Numbers of locks in PostgreSQL: of who changes the tables, and of the server."""
SOLE_S, AGAIN_S = 30.0, 0.1
"""Seconds to wait for a server that has just ended, and between looks at whether it has."""
NOTICED = ("tcp_keepalives_idle = 10", "tcp_keepalives_interval = 5", "tcp_keepalives_count = 2")
"""PostgreSQL notices within 20 seconds that the machine of the server is gone."""
TAKEN = "Another server uses this database. Stop it, or give this one a database of its own."
PATIENCE = {
    "connect_timeout": 5, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
    "options": "-c statement_timeout=60000 -c lock_timeout=30000 -c idle_in_transaction_session_timeout=60000",
}  # fmt: skip
"""How long a PostgreSQL that does not answer is waited for."""


class Database:
    """A database, brought up to date. Threads may share it; processes each open it for themselves.

    Args:
        url: as SQLAlchemy takes it.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)

    @property
    def sqlite(self) -> bool:
        """Whether it is a file."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[OrmSession]:
        """A transaction that only reads.

        Raises:
            Unavailable: the database cannot be reached.
        """
        with _said(), OrmSession(self.engine) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[OrmSession]:
        """A transaction that is committed at the end of the block, or taken back where the block raises.

        On SQLite it is the only writer from its first moment on, so it never finds out at its end that it lost.

        Raises:
            Unavailable: the database cannot be reached.
        """
        with _said(), OrmSession(self.engine.execution_options(writing=True)) as session, session.begin():
            yield session

    def upgrade(self) -> None:
        """Bring the tables to the form of this version; one process at a time.

        Raises:
            Unavailable: the database cannot be reached.
            ServiceError: it was made by a newer version.
        """
        with _said(), self.engine.execution_options(writing=True).connect() as connection:
            if not self.sqlite:  # SQLite locks the file itself
                connection.execute(text(f"SELECT pg_advisory_lock({MIGRATION})"))
            try:
                command.upgrade(_config(connection), "head")
                connection.commit()
            except CommandError:
                raise ServiceError(
                    "The database was made by a newer version of Reason-IAD. Install that version, or put a copy "
                    "of the data folder from before the upgrade in its place."
                ) from None
            finally:
                if not self.sqlite:
                    connection.execute(text(f"SELECT pg_advisory_unlock({MIGRATION})"))
                    connection.commit()

    @contextmanager
    def alone(self, wait: float = SOLE_S) -> Iterator[None]:
        """Keep other servers from this database while the block runs.

        PostgreSQL lets it go when the connection ends, and the system the file of SQLite when the process does.

        Args:
            wait: seconds to wait for a server that has just ended.

        Raises:
            Unavailable: the database cannot be reached.
            ServiceError: another server uses it.
        """
        if self.sqlite:
            try:
                lock = hold(str(self.engine.url.database), wait=wait)
            except Held:
                raise ServiceError(TAKEN) from None
            try:
                yield
            finally:
                lock.release()
            return
        with _said():
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        connection.detach()  # it is not given back, but closed: what is locked goes with it
        with closing(connection):
            with _said():
                for setting in NOTICED:  # or a machine that lost its power keeps the database for hours
                    connection.exec_driver_sql(f"SET {setting}")
                end = time.monotonic() + wait
                while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({SERVER})").scalar():
                    if time.monotonic() > end:
                        raise ServiceError(TAKEN)
                    time.sleep(AGAIN_S)
            yield

    def require_present_form(self) -> None:
        """Refuse a database that has the form of another version; nothing is changed.

        Raises:
            Unavailable: the database cannot be reached.
            ServiceError: it was made by another version.
        """
        with _said(), self.engine.connect() as connection:
            head = ScriptDirectory.from_config(_config(connection)).get_current_head()
            if MigrationContext.configure(connection).get_current_revision() != head:
                raise ServiceError(
                    "The database has the form of another version of Reason-IAD. Start its server first, and "
                    "install the same version here."
                )

    def ping(self) -> None:
        """Ask it something.

        Raises:
            Unavailable: the database cannot be reached.
        """
        with self.reading() as session:
            session.execute(text("SELECT 1"))

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    try:
        known = make_url(url)
    except ArgumentError:
        raise Unavailable("The address of the database is not one; write postgresql://USER@HOST/NAME.") from None
    if known.get_backend_name() == "sqlite":
        engine = create_engine(
            known, poolclass=QueuePool, pool_size=16, max_overflow=32,
            connect_args={"timeout": BUSY_S, "check_same_thread": False},
        )  # fmt: skip
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
        return engine
    if known.get_backend_name() == "postgresql":
        return create_engine(
            known, pool_size=16, max_overflow=32, pool_pre_ping=True, connect_args=PATIENCE,
        )  # fmt: skip
    raise Unavailable("The database has to be SQLite or PostgreSQL; leave --database out, or write postgresql://…")


def _prepare(connection: Any, _: object) -> None:
    """Transactions begin where we say so, readers never wait for a writer, and a commit is on the disk."""
    connection.isolation_level = None
    for setting in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {setting}")


def _begin(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


@contextmanager
def _said() -> Iterator[None]:
    """Errors of the database in one sentence. Mistakes of ours stay what they are."""
    try:
        yield
    except IntegrityError:  # whoever writes knows what it means
        raise
    except (DataError, OverflowError, UnicodeEncodeError):
        raise Invalid("A text or a number that was sent cannot be kept: it is too large, or no text.") from None
    except DBAPIError as error:
        said = str(error.orig).strip().splitlines()
        raise Unreachable(f"The database answered: {said[0] if said else type(error.orig).__name__}.") from error
    except TimeoutError:
        raise Unreachable("All connections to the database are in use.") from None
