"""Who may do what: people with passwords, keys for programs, and three roles."""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import deque
from dataclasses import dataclass
from typing import Literal, get_args

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError
from sqlalchemy import delete, func, select

from reason_iad.service.database import Database
from reason_iad.service.database.tables import ApiKey, Event, Person, Session
from reason_iad.service.faults import Fault, Forbidden, Invalid, Missing, Throttled

Role = Literal["inspect", "review", "administer"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may."""
SESSION_S = 12 * 3600.0
"""Seconds that a login lasts: a shift."""
LEAST_PASSWORD = 10
"""Characters that a password has, at least."""
KEY = "riad_"
"""What keys begin with, so that people and scanners know what they are."""
WINDOW_S = 900.0

_hasher = PasswordHasher()
_NOBODY = _hasher.hash(secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class Identity:
    """Whoever asks.

    Attributes:
        name: of the person, or of the key.
        role: the highest that they have.
        csrf: what requests of a browser have to carry; None for programs.
    """

    name: str
    role: Role
    csrf: str | None = None

    def may(self, role: Role) -> bool:
        """Whether they may do what this role may."""
        return ROLES.index(self.role) >= ROLES.index(role)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """What is known of a key.

    Attributes:
        name: of the key.
        role: what it may do.
        revoked: whether it works no more.
    """

    name: str
    role: Role
    revoked: bool


class People:
    """People, logins and keys.

    Args:
        database: the database.
        most_failed: failed logins per name in `WINDOW_S`, after which more are refused.
    """

    def __init__(self, database: Database, most_failed: int) -> None:
        self._database, self._most_failed = database, most_failed
        self._lock = threading.Lock()
        self._failed: dict[str, deque[float]] = {}

    def anybody(self) -> bool:
        """Whether there are people or keys at all."""
        with self._database.reading() as session:
            return bool(session.scalar(select(func.count()).select_from(Person))) or bool(
                session.scalar(select(func.count()).select_from(ApiKey))
            )

    def with_password(self) -> bool:
        """Whether anybody can log in."""
        with self._database.reading() as session:
            able = select(func.count()).select_from(Person).where(Person.disabled.is_(False))
            return bool(session.scalar(able))

    def add(self, name: str, role: str, password: str, by: str) -> None:
        """Add a person, or give one a new password and role; their logins end.

        Raises:
            Fault: the name, the role or the password cannot be used.
        """
        name = _name(name)
        if len(password) < LEAST_PASSWORD:
            raise Invalid(f"The password is too short. Choose one with {LEAST_PASSWORD} characters or more.")
        hashed = _hasher.hash(password)
        with self._database.writing() as session:
            person = session.get(Person, name)
            if person is None:
                session.add(Person(name=name, role=_role(role), password=hashed, added=time.time()))
            else:
                person.role, person.password, person.disabled = _role(role), hashed, False
                session.execute(delete(Session).filter_by(person=name))
            session.add(Event(at=time.time(), person=by, what="person", about=name, detail={"role": role}))

    def disable(self, name: str, by: str) -> None:
        """Let a person log in no more. What they did stays.

        Raises:
            Fault: there is no such person, or nobody would be left to administer.
        """
        with self._database.writing() as session:
            person = session.get(Person, name)
            if person is None:
                raise Missing(f"There is no person '{name}'.")
            others = select(func.count()).where(
                Person.role == "administer", Person.disabled.is_(False), Person.name != name
            )
            if person.role == "administer" and not session.scalar(others):
                raise Fault(f"'{name}' is the only administrator. Add another one first.")
            person.disabled = True
            session.execute(delete(Session).filter_by(person=name))
            session.add(Event(at=time.time(), person=by, what="person disabled", about=name))

    def login(self, name: str, password: str) -> tuple[str, Identity]:
        """Check a password; returns the token of the login, and who it is.

        Raises:
            Throttled: too many attempts failed for this name.
            Fault: name or password is wrong.
        """
        self._check_attempts(name)
        with self._database.reading() as session:
            person = session.get(Person, name)
            known = person is not None and not person.disabled
            hashed, role = (person.password, person.role) if person is not None and known else (_NOBODY, "inspect")
        try:
            _hasher.verify(hashed, password)  # as slow for a name that does not exist
        except VerificationError:
            known = False
        if not known:
            self._count_failure(name)
            raise Forbidden("The name or the password is wrong.")
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        with self._database.writing() as session:
            session.execute(delete(Session).where(Session.until < time.time()))
            session.add(Session(token=_digest(token), person=name, csrf=csrf, until=time.time() + SESSION_S))
            session.add(Event(at=time.time(), person=name, what="login", about=name))
        with self._lock:
            self._failed.pop(name, None)
        return token, Identity(name, _role(role), csrf)

    def logout(self, token: str) -> None:
        """End a login."""
        with self._database.writing() as session:
            session.execute(delete(Session).filter_by(token=_digest(token)))

    def of_session(self, token: str) -> Identity | None:
        """Whose login it is; None if it is over."""
        with self._database.reading() as session:
            found = session.get(Session, _digest(token))
            if found is None or found.until < time.time():
                return None
            person = session.get(Person, found.person)
            if person is None or person.disabled:
                return None
            return Identity(person.name, _role(person.role), found.csrf)

    def make_key(self, name: str, scope: str, by: str) -> str:
        """Make a key for a program. It is shown once; only its hash is kept.

        Raises:
            Fault: the name is taken, or name or scope cannot be used.
        """
        name, key = _name(name), KEY + secrets.token_urlsafe(32)
        with self._database.writing() as session:
            if session.scalar(select(ApiKey).filter_by(name=name)) is not None:
                raise Fault(f"There is a key '{name}' already. Choose another name.")
            session.add(ApiKey(hash=_digest(key), name=name, scope=_role(scope), added=time.time()))
            session.add(Event(at=time.time(), person=by, what="key", about=name, detail={"scope": scope}))
        return key

    def revoke_key(self, name: str, by: str) -> None:
        """Make a key useless.

        Raises:
            Fault: there is no such key.
        """
        with self._database.writing() as session:
            key = session.scalar(select(ApiKey).filter_by(name=name))
            if key is None:
                raise Missing(f"There is no key '{name}'.")
            key.revoked = True
            session.add(Event(at=time.time(), person=by, what="key revoked", about=name))

    def all_keys(self) -> list[KnownKey]:
        """All keys, by name."""
        with self._database.reading() as session:
            rows = session.scalars(select(ApiKey).order_by(ApiKey.name))
            return [KnownKey(row.name, _role(row.scope), row.revoked) for row in rows]

    def of_key(self, key: str) -> Identity | None:
        """Whose key it is; None if it is not valid."""
        with self._database.reading() as session:
            found = session.get(ApiKey, _digest(key))
            return None if found is None or found.revoked else Identity(found.name, _role(found.scope))

    def _check_attempts(self, name: str) -> None:
        with self._lock:
            failed = self._failed.get(name, deque())
            while failed and failed[0] < time.monotonic() - WINDOW_S:
                failed.popleft()
            if len(failed) >= self._most_failed:
                raise Throttled("Too many attempts failed. Try again in a quarter of an hour.")

    def _count_failure(self, name: str) -> None:
        with self._lock:
            if len(self._failed) > 10_000:  # names that somebody makes up must not fill the memory
                self._failed.clear()
            self._failed.setdefault(name, deque()).append(time.monotonic())


def _digest(secret: str) -> str:
    """Keys and tokens are long and random, so that a plain hash protects them."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _role(role: str) -> Role:
    for known in ROLES:
        if role == known:
            return known
    raise Invalid(f"'{role}' is no role. Choose one of: {', '.join(ROLES)}.")


def _name(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= 100 or not name.isprintable():
        raise Invalid("A name has 1 to 100 characters that can be printed.")
    return name
