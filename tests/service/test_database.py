"""The form of the database is that of its tables, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from reason_iad.errors import ServiceError
from reason_iad.service.database import Database
from reason_iad.service.database.access import _config
from reason_iad.service.database.tables import Base, Correction, Event, Inspection, Review
from reason_iad.service.faults import Unavailable


def test_the_migrations_lead_to_the_tables(database: Database) -> None:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    database.upgrade()  # once more does no harm


def test_a_database_with_data_is_brought_from_the_first_form_to_this_one(address: str) -> None:
    made = Database(address)
    with made.engine.execution_options(writing=True).connect() as connection:
        command.upgrade(_config(connection), "0001")
        connection.commit()
    with made.writing() as session:
        for row in (
            f"INSERT INTO picture VALUES ('{'a' * 64}', 1, 2, 3, 'PNG', 4.0)",
            "INSERT INTO inspection (id, product, picture, name, source, received, state, attempts, sampled, "
            f"review) VALUES (7, 'plate', '{'a' * 64}', 'a.png', 'http', 5.0, 'done', 1, true, 'good')",
            "INSERT INTO inspection (id, product, picture, name, source, received, state, attempts, sampled) "
            f"VALUES (8, 'plate', '{'a' * 64}', 'b.png', 'http', 5.0, 'failed', 1, false)",
            "INSERT INTO review (id, inspection, person, at, says) VALUES (3, 7, 'ann', 6.0, 'good')",
        ):
            session.execute(text(row))
    made.upgrade()
    with made.writing() as session:
        session.add(Correction(review=3, product="plate", state="pending"))
    with made.reading() as session:
        part, review = session.get_one(Inspection, 7), session.query(Review).one()
        assert session.get_one(Inspection, 8).outcome == "failed", "those without a verdict can be asked for, too"
        assert part.outcome is None
        assert (part.id, part.review, part.sampled, review.person) == (7, "good", True, "ann")
    with made.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    made.close()


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


def test_one_server_uses_a_database_at_a_time(address: str) -> None:
    first, second = Database(address), Database(address)
    with first.alone():
        with pytest.raises(ServiceError, match="Another server uses this database"), second.alone(wait=0.2):
            pass
        second.upgrade()  # workers and commands go on
        with second.writing() as session:
            session.add(Event(at=1.0, person="a", what="b", about="c"))
    with second.alone():  # PostgreSQL takes a moment to notice that the first one is gone
        pass
    for each in (first, second):
        each.close()
