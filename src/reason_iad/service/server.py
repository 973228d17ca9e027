"""Starts everything on one machine: the database, the workers and the HTTP server."""

from __future__ import annotations

import secrets
import shlex
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn

from reason_iad.errors import OutputError, ServiceError
from reason_iad.files import Held, hold, write_atomic
from reason_iad.service.connections import protocol
from reason_iad.service.database import Database
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.options import LOCK, NAME
from reason_iad.service.settings import Settings

if TYPE_CHECKING:
    from reason_iad.service.people import People

COMMAND_LINE = "the command line"
"""Who adds people and keys there."""


def run_server(settings: Settings, listening: Callable[[], None]) -> None:
    """Serve until told to stop (Ctrl-C, SIGTERM).

    Args:
        settings: of the service.
        listening: called when it is about to listen.

    Raises:
        ServiceError: another server uses the data folder or the database, the database cannot be reached, or the
            service would be open to others without credentials.
        ConfigError, MissingExtraError: the Ray cluster cannot be used.
        OutputError: the data folder cannot be written.
    """
    from reason_iad.service.api import make_app
    from reason_iad.service.people import People
    from reason_iad.service.work.ray_workers import require_ray
    from reason_iad.service.work.supervisor import Supervisor

    if settings.ray is not None:
        require_ray(settings.ray)
    with opened(settings) as (database, name):
        if not settings.local and not People(database, settings.limits.logins).anybody():
            too = " Give the same --database, too." if settings.database else ""
            raise ServiceError(
                "Other machines could reach this service, and nobody has a password yet. Make an administrator "
                f"first: reason-iad serve --data {shlex.quote(str(settings.data))} --first-admin NAME.{too}"
            )
        app = make_app(settings, database, Supervisor(settings, database, name))
        listening()
        config = uvicorn.Config(
            app, host=settings.host, port=settings.port, log_level="warning", access_log=False,
            server_header=False, proxy_headers=False, timeout_graceful_shutdown=30, timeout_keep_alive=30,
            limit_concurrency=settings.limits.connections, http=protocol(settings.limits.header_s), ws="none",
            ssl_certfile=settings.certificate, ssl_keyfile=settings.private_key,
        )  # fmt: skip
        _Server(config, app.state.service.stopping.set).run()


class _Server(uvicorn.Server):
    """A server that ends in order when it is told to, instead of sending the signal to itself once more.

    Args:
        config: of uvicorn.
        stopping: called when the server is told to stop, so that requests that wait are answered.
    """

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a second Ctrl-C stops at once."""
        self._stopping()
        super().handle_exit(sig, frame)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at Ctrl-C and SIGTERM while the block runs."""
        before = {each: signal.signal(each, self.handle_exit) for each in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)


def run_workers(settings: Settings, working: Callable[[], None]) -> None:
    """Inspect parts for a server on another machine, until told to stop (Ctrl-C, SIGTERM).

    Args:
        settings: of the workers.
        working: called when they begin.

    Raises:
        ServiceError: the server or the database cannot be reached, or has another version.
        OutputError: the data folder cannot be written.
    """
    from reason_iad.service.work.supervisor import Supervisor
    from reason_iad.service.work.supplies import FromServer

    stop = Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: stop.set())
    FromServer(settings).check()
    with opened(settings) as (database, name):
        supervisor = Supervisor(settings, database, name)
        supervisor.start()
        try:
            working()
            stop.wait()
        finally:
            supervisor.stop()


def add_administrator(settings: Settings, name: str, password: str) -> None:
    """Add somebody who may do everything, or give them a new password. The server may be running.

    Raises:
        ServiceError: name or password cannot be used, or the database cannot be reached.
        OutputError: the data folder cannot be written.
    """
    with _people(settings) as people:
        people.add(name, "administer", password, COMMAND_LINE)


def add_key(settings: Settings, name: str, role: str) -> tuple[str, bool]:
    """Make a key for a program. The server may be running.

    Returns:
        The key, which is kept nowhere, and whether there is somebody who can log in.

    Raises:
        ServiceError: the name is taken or cannot be used, or the database cannot be reached.
        OutputError: the data folder cannot be written.
    """
    with _people(settings) as people:
        return people.make_key(name, role, COMMAND_LINE), people.with_password()


def keys_of(settings: Settings) -> dict[str, str]:
    """The names of the keys that work, and what they may do.

    Raises:
        ServiceError: the database cannot be reached.
        OutputError: the data folder cannot be written.
    """
    with _people(settings) as people:
        return {key.name: key.role for key in people.all_keys() if not key.revoked}


def revoke_key(settings: Settings, name: str) -> None:
    """Make a key useless. The server may be running.

    Raises:
        ServiceError: there is no such key, or the database cannot be reached.
        OutputError: the data folder cannot be written.
    """
    with _people(settings) as people:
        people.revoke_key(name, COMMAND_LINE)


@contextmanager
def _people(settings: Settings) -> Iterator[People]:
    """Who may use the service, whether it runs or not."""
    from reason_iad.service.people import People

    _made(settings)
    with closing(Database(settings.database_url)) as database:
        database.upgrade()
        yield People(database, settings.limits.logins)


def _made(settings: Settings) -> None:
    try:
        settings.data.mkdir(parents=True, exist_ok=True)
        settings.products.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"The data folder cannot be made: {error.strerror}. Choose another one.") from None


@contextmanager
def opened(settings: Settings) -> Iterator[tuple[Database, str]]:
    """The data folder, held by this process, and the database in its present form.

    Raises:
        ServiceError: another server uses the folder or the database, or the database cannot be reached.
        OutputError: the folder cannot be written.
    """
    _made(settings)
    try:
        lock = hold(settings.data / LOCK)
    except Held:
        raise ServiceError("Another server uses this data folder. Stop it, or choose another folder.") from None
    try:
        PictureStore(settings.pictures).sweep()
        with closing(Database(settings.database_url)) as database, ExitStack() as held:
            if settings.server is None:
                held.enter_context(database.alone())
                database.upgrade()
            else:
                database.require_present_form()
            yield database, server_name(settings.data / NAME)
    finally:
        lock.release()


def server_name(file: Path) -> str:
    """A name for this data folder that no other has; made once. Workers of other machines share the database."""
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        name = secrets.token_hex(6)
        write_atomic(file, name)
        return name
