"""A database of each kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")

from tests.service.serving import new_database, own_postgresql

from reason_iad.service.database import Database


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Address of a PostgreSQL server of our own, up to the name of the database."""
    with own_postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'service.db'}"
    return new_database(request).replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    """A database in its present form."""
    made = Database(address)
    made.upgrade()
    yield made
    made.close()
