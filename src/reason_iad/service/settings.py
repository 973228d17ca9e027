"""What a service is started with."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from reason_iad.errors import ConfigError
from reason_iad.service.configuration import Configuration

LOOPBACK = ("127.0.0.1", "::1", "localhost")
"""Addresses that only this machine reaches."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a service takes before it says no.

    Attributes:
        header_s, body_s: seconds in which the head and the body of a request have to arrive.
        body_bytes: of a request.
        arriving_bytes: of all requests that arrive at the same time.
        connections: that are open at the same time.
        waiting: parts that are accepted and not yet inspected; beyond, the answer is 503.
        wait_s: longest time that a request waits for its result, in seconds.
        attempts: so often a part is begun before it is given up.
        lease_s: seconds after which a part whose worker shows no life is begun anew.
        page: entries on a page of a list, at most.
        per_minute: requests per minute from one address or person.
        logins: failed logins per name and quarter of an hour.
    """

    header_s: float = 10.0
    body_s: float = 60.0
    body_bytes: int = 64 * 2**20
    arriving_bytes: int = 512 * 2**20
    connections: int = 512
    waiting: int = 200
    wait_s: float = 30.0
    attempts: int = 3
    lease_s: float = 120.0
    page: int = 200
    per_minute: int = 6000
    logins: int = 5


@dataclass(frozen=True, slots=True)
class Settings:
    """A service.

    Attributes:
        data: folder of everything that has to survive.
        database: address of the database; empty: a file in `data`.
        host, port: where it listens.
        workers: processes that inspect.
        model: asked about doubtful parts and defects, as `inspect --model` takes it; None: no model is asked.
        certificate, private_key: files for TLS; None: plain HTTP.
        server: address of the server for which this is a worker on another machine; None: this is the server.
        key: that the server accepts from the worker.
        ray: address of a Ray cluster on which parts are inspected, by at most as many replicas as there are
            workers; None: they are inspected here.
        gpus: of Ray, for each replica: 0, a share, or a whole number.
        limits: what it takes.
        configuration: where parts come from, where outcomes go, and how long they are kept.

    Raises:
        ConfigError: a value cannot be used.
    """

    data: Path
    database: str = ""
    host: str = "127.0.0.1"
    port: int = 8340
    workers: int = 1
    model: str | None = None
    certificate: Path | None = None
    private_key: Path | None = None
    server: str | None = None
    key: str | None = field(default=None, repr=False)
    ray: str | None = None
    gpus: float = 0.0
    limits: Limits = field(default_factory=Limits)
    configuration: Configuration = field(default_factory=Configuration)

    def __post_init__(self) -> None:
        if self.workers < 0:
            raise ConfigError(f"The number of workers is {self.workers}; it has to be 0 or more.")
        if (self.certificate is None) != (self.private_key is None):
            raise ConfigError("A certificate and its private key go together. Give both, or neither.")

        if self.server is not None and not self.server.startswith(("http://", "https://")):
            raise ConfigError("The address of a server begins with http:// or https://.")
        if self.server is not None and not self.database.startswith("postgresql"):
            raise ConfigError(
                "A worker on another machine needs the PostgreSQL of its server. Give its address with --database."
            )
        if not math.isfinite(self.gpus) or self.gpus < 0 or (self.gpus > 1 and self.gpus != int(self.gpus)):
            raise ConfigError(f"GPUs per worker are 0, a share below 1, or a whole number, not {self.gpus}.")
        if self.ray is not None and (self.server is not None or not self.workers):
            raise ConfigError("A server that uses Ray has at least one worker, and is no worker itself.")
        if self.server is not None and not self.workers:
            raise ConfigError("A worker on another machine has at least one process. Raise --workers.")

    @property
    def local(self) -> bool:
        """Whether only this machine reaches the service."""
        return self.host in LOOPBACK

    @property
    def database_url(self) -> str:
        """Address of the database, as SQLAlchemy takes it."""
        url = self.database or f"sqlite:///{self.data.resolve() / 'service.db'}"
        return url.replace("postgresql://", "postgresql+psycopg://", 1)

    @property
    def pictures(self) -> Path:
        """Folder of the pictures, by the hash of their content."""
        return self.data / "pictures"

    @property
    def products(self) -> Path:
        """Folder of the products."""
        return self.data / "products"
