"""What the database holds. Times are seconds since 1970 in UTC, as floating-point numbers.

An accepted part is a row of `inspection` from the moment of its acceptance: it is its own job. Reviews and events
are only ever added.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
NUMBER = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts only INTEGER keys up
WORD = String(64).with_variant(String(64, collation="C"), "postgresql")
"""Words are in the order of their characters everywhere, so that those with the same beginning are together."""
WAITING, WORKING, DONE, FAILED = "waiting", "working", "done", "failed"
"""States of an accepted part."""


class Base(DeclarativeBase):
    """Base of all tables."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map = {dict[str, Any]: JSON}  # noqa: RUF012  # SQLAlchemy reads it


class Picture(Base):
    """A picture on disk."""

    __tablename__ = "picture"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    bytes: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int]
    height: Mapped[int]
    format: Mapped[str] = mapped_column(String(16))
    added: Mapped[float] = mapped_column(Float)


class Inspection(Base):
    """An accepted part, and what became of it."""

    __tablename__ = "inspection"
    id: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    product: Mapped[str] = mapped_column(String(100))
    picture: Mapped[str] = mapped_column(ForeignKey("picture.sha256"))
    template: Mapped[str | None] = mapped_column(ForeignKey("picture.sha256"))
    name: Mapped[str] = mapped_column(String(300))
    source: Mapped[str] = mapped_column(String(100))
    key: Mapped[str | None] = mapped_column(String(200))
    received: Mapped[float] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(8), default=WAITING)
    attempts: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None] = mapped_column(String(100))
    lease: Mapped[float | None] = mapped_column(Float)
    finished: Mapped[float | None] = mapped_column(Float)
    outcome: Mapped[str | None] = mapped_column(String(10))
    probability: Mapped[float | None] = mapped_column(Float)
    score: Mapped[float | None] = mapped_column(Float)
    defect_type: Mapped[str | None] = mapped_column(String(200))
    place: Mapped[str | None] = mapped_column(String(100))
    explanation: Mapped[str | None] = mapped_column(Text)
    error: Mapped[str | None] = mapped_column(Text)
    sampled: Mapped[bool] = mapped_column(Boolean, default=False)
    review: Mapped[str | None] = mapped_column(String(8))
    held_by: Mapped[str | None] = mapped_column(String(100))
    held_until: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (
        UniqueConstraint("source", "key"),
        Index(None, "state", "id"),
        Index(None, "product", "id"),
        Index(None, "outcome", "id"),
        Index(None, "product", "outcome", "id"),
        Index(None, "review", "id"),
        Index(None, "picture"),
        Index(None, "received", "id", "product", "outcome", "state"),
        Index(
            "ix_inspection_template",
            "template",
            sqlite_where=text("template IS NOT NULL"),
            postgresql_where=text("template IS NOT NULL"),
        ),
        Index(
            "ix_inspection_reviewed",
            "id",
            sqlite_where=text("review IS NOT NULL"),
            postgresql_where=text("review IS NOT NULL"),
        ),
    )


class Result(Base):
    """The full result of an inspection, apart from it so that lists stay quick."""

    __tablename__ = "result"
    inspection: Mapped[int] = mapped_column(ForeignKey("inspection.id", ondelete="CASCADE"), primary_key=True)
    json: Mapped[str] = mapped_column(Text)


class Term(Base):
    """A word by which an inspection is found."""

    __tablename__ = "term"
    word: Mapped[str] = mapped_column(WORD, primary_key=True)
    inspection: Mapped[int] = mapped_column(
        ForeignKey("inspection.id", ondelete="CASCADE"), primary_key=True, index=True
    )


class Review(Base):
    """What a person said of an inspected part. Undoing is a review of its own."""

    __tablename__ = "review"
    id: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    inspection: Mapped[int] = mapped_column(ForeignKey("inspection.id", ondelete="CASCADE"), index=True)
    person: Mapped[str] = mapped_column(String(100))
    at: Mapped[float] = mapped_column(Float)
    says: Mapped[str] = mapped_column(String(8))
    defect_type: Mapped[str | None] = mapped_column(String(200))
    box: Mapped[dict[str, Any] | None]
    note: Mapped[str | None] = mapped_column(Text)
    change: Mapped[int | None]


class Correction(Base):
    """A review that its product learns only once somebody has confirmed it."""

    __tablename__ = "correction"
    id: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    review: Mapped[int] = mapped_column(ForeignKey("review.id", ondelete="CASCADE"), index=True)
    product: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(8))
    decided_by: Mapped[str | None] = mapped_column(String(100))
    decided: Mapped[float | None] = mapped_column(Float)

    __table_args__ = (Index(None, "product", "state", "id"),)


class Trial(Base):
    """A change of a product that somebody wants to see the effect of before it is made."""

    __tablename__ = "trial"
    id: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    product: Mapped[str] = mapped_column(String(100))
    person: Mapped[str] = mapped_column(String(100))
    asked: Mapped[float] = mapped_column(Float)
    state: Mapped[str] = mapped_column(String(8), index=True)
    what: Mapped[dict[str, Any]]
    state_sha256: Mapped[str | None] = mapped_column(String(64))
    step: Mapped[str | None] = mapped_column(String(100))
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    found: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(Text)
    finished: Mapped[float | None] = mapped_column(Float)


class Event(Base):
    """What was done, by whom and when."""

    __tablename__ = "event"
    id: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    at: Mapped[float] = mapped_column(Float, index=True)
    person: Mapped[str] = mapped_column(String(100))
    what: Mapped[str] = mapped_column(String(50))
    about: Mapped[str] = mapped_column(String(300))
    detail: Mapped[dict[str, Any] | None]


class Person(Base):
    """Somebody who may log in."""

    __tablename__ = "person"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    role: Mapped[str] = mapped_column(String(20))
    password: Mapped[str] = mapped_column(String(300))
    added: Mapped[float] = mapped_column(Float)
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)


class Session(Base):
    """A login. Only the hash of its token is kept."""

    __tablename__ = "session"
    token: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(ForeignKey("person.name", ondelete="CASCADE"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    until: Mapped[float] = mapped_column(Float)


class ApiKey(Base):
    """A key for programs. Only its hash is kept."""

    __tablename__ = "api_key"
    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    scope: Mapped[str] = mapped_column(String(20))
    added: Mapped[float] = mapped_column(Float)
    revoked: Mapped[bool] = mapped_column(Boolean, default=False)


class Delivery(Base):
    """An outcome on its way to a sink; it stays until the sink has taken it."""

    __tablename__ = "delivery"
    id: Mapped[int] = mapped_column(NUMBER, primary_key=True, autoincrement=True)
    sink: Mapped[str] = mapped_column(String(100))
    inspection: Mapped[int] = mapped_column(ForeignKey("inspection.id", ondelete="CASCADE"), index=True)
    next_try: Mapped[float] = mapped_column(Float)
    attempts: Mapped[int] = mapped_column(default=0)
    delivered: Mapped[float | None] = mapped_column(Float)
    error: Mapped[str | None] = mapped_column(Text)

    __table_args__ = (Index(None, "delivered", "next_try"), UniqueConstraint("sink", "inspection"))
