"""The first form of the database."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision, down_revision = "0001", None
branch_labels = depends_on = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    _api_key()
    _event()
    _person()
    _picture()
    _inspection()
    _session()
    _delivery()
    _result()
    _review()
    _term()


def _api_key() -> None:
    op.create_table(
        "api_key",
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("added", sa.Float(), nullable=False),
        sa.Column("revoked", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_api_key")),
        sa.UniqueConstraint("name", name=op.f("uq_api_key_name")),
    )


def _event() -> None:
    op.create_table(
        "event",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("what", sa.String(length=50), nullable=False),
        sa.Column("about", sa.String(length=300), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_event")),
    )
    op.create_index(op.f("ix_event_at"), "event", ["at"], unique=False)


def _person() -> None:
    op.create_table(
        "person",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("role", sa.String(length=20), nullable=False),
        sa.Column("password", sa.String(length=300), nullable=False),
        sa.Column("added", sa.Float(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_person")),
    )


def _picture() -> None:
    op.create_table(
        "picture",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=16), nullable=False),
        sa.Column("added", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_picture")),
    )


def _inspection() -> None:
    op.create_table(
        "inspection",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("product", sa.String(length=100), nullable=False),
        sa.Column("picture", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=300), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=True),
        sa.Column("received", sa.Float(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("worker", sa.String(length=100), nullable=True),
        sa.Column("lease", sa.Float(), nullable=True),
        sa.Column("finished", sa.Float(), nullable=True),
        sa.Column("outcome", sa.String(length=10), nullable=True),
        sa.Column("probability", sa.Float(), nullable=True),
        sa.Column("score", sa.Float(), nullable=True),
        sa.Column("defect_type", sa.String(length=200), nullable=True),
        sa.Column("place", sa.String(length=100), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("sampled", sa.Boolean(), nullable=False),
        sa.Column("review", sa.String(length=8), nullable=True),
        sa.Column("held_by", sa.String(length=100), nullable=True),
        sa.Column("held_until", sa.Float(), nullable=True),
        sa.ForeignKeyConstraint(["picture"], ["picture.sha256"], name=op.f("fk_inspection_picture")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspection")),
        sa.UniqueConstraint("source", "key", name=op.f("uq_inspection_source_key")),
    )
    op.create_index(op.f("ix_inspection_outcome_id"), "inspection", ["outcome", "id"], unique=False)
    op.create_index(op.f("ix_inspection_picture"), "inspection", ["picture"], unique=False)
    op.create_index(op.f("ix_inspection_product_id"), "inspection", ["product", "id"], unique=False)
    op.create_index(
        op.f("ix_inspection_product_outcome_id"), "inspection", ["product", "outcome", "id"], unique=False
    )
    op.create_index(
        op.f("ix_inspection_received_id_product_outcome_state"),
        "inspection",
        ["received", "id", "product", "outcome", "state"],
        unique=False,
    )
    op.create_index(
        "ix_inspection_reviewed",
        "inspection",
        ["id"],
        unique=False,
        sqlite_where=sa.text("review IS NOT NULL"),
        postgresql_where=sa.text("review IS NOT NULL"),
    )
    op.create_index(op.f("ix_inspection_review_id"), "inspection", ["review", "id"], unique=False)
    op.create_index(op.f("ix_inspection_state_id"), "inspection", ["state", "id"], unique=False)


def _session() -> None:
    op.create_table(
        "session",
        sa.Column("token", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["person.name"], name=op.f("fk_session_person"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_person"), "session", ["person"], unique=False)


def _delivery() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("sink", sa.String(length=100), nullable=False),
        sa.Column("inspection", NUMBER, nullable=False),
        sa.Column("next_try", sa.Float(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("delivered", sa.Float(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["inspection"], ["inspection.id"], name=op.f("fk_delivery_inspection"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("sink", "inspection", name=op.f("uq_delivery_sink_inspection")),
    )
    op.create_index(op.f("ix_delivery_delivered_next_try"), "delivery", ["delivered", "next_try"], unique=False)
    op.create_index(op.f("ix_delivery_inspection"), "delivery", ["inspection"], unique=False)


def _result() -> None:
    op.create_table(
        "result",
        sa.Column("inspection", NUMBER, nullable=False),
        sa.Column("json", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inspection"], ["inspection.id"], name=op.f("fk_result_inspection"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("inspection", name=op.f("pk_result")),
    )


def _review() -> None:
    op.create_table(
        "review",
        sa.Column("id", NUMBER, autoincrement=True, nullable=False),
        sa.Column("inspection", NUMBER, nullable=False),
        sa.Column("person", sa.String(length=100), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("says", sa.String(length=8), nullable=False),
        sa.Column("defect_type", sa.String(length=200), nullable=True),
        sa.Column("box", sa.JSON(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("change", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["inspection"], ["inspection.id"], name=op.f("fk_review_inspection"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
    )
    op.create_index(op.f("ix_review_inspection"), "review", ["inspection"], unique=False)


def _term() -> None:
    op.create_table(
        "term",
        sa.Column("word", sa.String(length=64), nullable=False),
        sa.Column("inspection", NUMBER, nullable=False),
        sa.ForeignKeyConstraint(
            ["inspection"], ["inspection.id"], name=op.f("fk_term_inspection"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("word", "inspection", name=op.f("pk_term")),
    )
    op.create_index(op.f("ix_term_inspection"), "term", ["inspection"], unique=False)


def downgrade() -> None:
    """Take them away."""
    for table in (
        "term", "review", "result", "delivery", "session", "inspection", "picture", "person", "event", "api_key",
    ):  # fmt: skip
        op.drop_table(table)
