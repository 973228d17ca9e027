"""The database: what is kept (`tables.py`), how it is reached (`access.py`), and how its form changes over time."""

from __future__ import annotations

from reason_iad.service.database.access import Database

__all__ = ["Database"]
