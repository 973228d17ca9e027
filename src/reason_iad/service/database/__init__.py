"""The database: what is kept (`tables.py`), how it is reached (`access.py`), and what is asked of it.

Parts wait in the `queue`. `records` and `series` list and count them, and `terms` are the words that find them.
"""

from __future__ import annotations

from reason_iad.service.database.access import Database

__all__ = ["Database"]
