"""Corrections can wait until somebody confirms them, and the effect of a change is shown before it is made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0002", "0001"
branch_labels = depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Add the tables. Words are in the order of their characters from now on, as they are on SQLite anyway."""
    _correction()
    _trial()
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("term", "word", type_=sa.String(length=64, collation="C"))


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


def _trial() -> None:
    op.create_table(
        "trial",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("product", sa.String(length=100), nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("asked", sa.Float(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("what", sa.JSON(), nullable=False),
        sa.Column("state_sha256", sa.String(length=64), nullable=True),
        sa.Column("step", sa.String(length=100), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("found", sa.JSON(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("finished", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trial")),
    )
    op.create_index(op.f("ix_trial_state"), "trial", ["state"], unique=False)
