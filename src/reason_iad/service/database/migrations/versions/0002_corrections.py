"""Corrections can wait until somebody confirms them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"
branch_labels = depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the table."""
    _correction()


def _correction() -> None:
    op.create_table(
        "correction",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("review", NUMBER, nullable=False),
        sa.Column("product", sa.String(length=100), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("decided_by", sa.String(length=100), nullable=True),
        sa.Column("decided", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["review"], ["review.id"], name=op.f("fk_correction_review"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_correction")),
    )
    op.create_index(op.f("ix_correction_review"), "correction", ["review"], unique=False)
    op.create_index(op.f("ix_correction_product_state_id"), "correction", ["product", "state", "id"], unique=False)
