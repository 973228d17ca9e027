"""The base of everything that comes out of the door."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """Base of every result type: immutable, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")
