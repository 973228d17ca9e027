"""The form of the database is that of its tables, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from reason_iad.errors import ServiceError
from reason_iad.service.database import Database
from reason_iad.service.database.tables import Base, Event
from reason_iad.service.faults import Unavailable


def test_the_migrations_lead_to_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    database.upgrade()  # once more does no harm


def test_a_database_of_a_newer_version_is_left_alone(database: Database) -> None:
    with database.writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ServiceError, match="newer version"):
        database.upgrade()
    database.ping()


def test_a_block_that_raises_leaves_nothing(database: Database) -> None:
    with pytest.raises(ValueError, match="stop"), database.writing() as session:
        session.add(Event(at=1.0, person="a", what="b", about="c"))
        session.flush()
        raise ValueError("stop")
    with database.reading() as session:
        assert session.query(Event).count() == 0


def test_a_database_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="The database answered"):
        Database(f"sqlite:///{tmp_path / 'no' / 'such.db'}").ping()
    with pytest.raises(Unavailable, match="The database answered"):
        Database("postgresql+psycopg://riad@127.0.0.1:1/none").ping()
    for wrong in ("mysql://a/b", "not an address"):
        with pytest.raises(Unavailable, match=r"PostgreSQL|postgresql"):
            Database(wrong)


def test_what_is_committed_is_on_the_disk(tmp_path: Path) -> None:
    made = Database(f"sqlite:///{tmp_path / 'service.db'}")
    with made.reading() as session:
        connection = session.connection()
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
