"""What the service answers when it cannot do what it was asked for."""

from __future__ import annotations

from reason_iad.errors import ServiceError


class Fault(ServiceError):
    """A refusal with its HTTP status."""

    status = 409


class Missing(Fault):
    """There is no such thing."""

    status = 404


class Invalid(Fault):
    """What was sent cannot be used."""

    status = 422


class Forbidden(Fault):
    """Somebody asks who may not."""

    status = 403


class Throttled(Fault):
    """Too much was asked in too short a time."""

    status = 429


class Unavailable(Fault):
    """It would work at another time: too many parts wait, or the database cannot be reached."""

    status = 503


class Unreachable(Unavailable):
    """The database cannot be used. Its own words may name files and machines; they are for the log."""
