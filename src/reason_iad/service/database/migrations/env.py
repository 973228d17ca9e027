"""Run by alembic: the connection is given by `Database.upgrade`."""

from __future__ import annotations

from alembic import context

from reason_iad.service.database.tables import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
