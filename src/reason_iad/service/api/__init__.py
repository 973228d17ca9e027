"""The HTTP interface, version 1: who may ask (`guard.py`), what is answered, and errors in plain sentences."""

from __future__ import annotations

from reason_iad.service.api.app import make_app

__all__ = ["make_app"]
