"""A part may come with a template of its own, which is kept as its picture is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0004", "0003"
branch_labels = depends_on = None


def upgrade() -> None:
    """Parts that are there have none."""
    op.execute(  # in SQL, since SQLite adds a column with its key, and alembic only without
        "ALTER TABLE inspection ADD COLUMN template VARCHAR(64) "
        "CONSTRAINT fk_inspection_template REFERENCES picture (sha256)"
    )
    there = sa.text("template IS NOT NULL")
    op.create_index(
        "ix_inspection_template",
        "inspection",
        ["template"],
        unique=False,
        sqlite_where=there,
        postgresql_where=there,
    )
