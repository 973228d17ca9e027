"""A part that could not be inspected has the outcome 'failed', so that it is found and counted like any other."""

from __future__ import annotations

from alembic import op

revision, down_revision = "0003", "0002"
branch_labels = depends_on = None


def upgrade() -> None:
    """Give it to those that have none."""
    op.execute("UPDATE inspection SET outcome = 'failed' WHERE state = 'failed' AND outcome IS NULL")
