"""A database of each kind, and a running server."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytest.importorskip("fastapi")
pytest.importorskip("sqlalchemy")

from reason_iad.service.database import Database

BINARIES = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin")]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """Address of a PostgreSQL server of our own, up to the name of the database."""
    found = next((folder for folder in BINARIES if (folder / "initdb").exists()), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    as_user: list[str] = []
    folder = Path(tempfile.mkdtemp(prefix="riad-pg"))
    if os.getuid() == 0:  # PostgreSQL refuses to run as root
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError:
            pytest.skip("there is no user 'postgres', and PostgreSQL does not run as root")
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_user = ["runuser", "-u", "postgres", "--"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, log = folder / "data", folder / "log"
    run = [*as_user, str(found / "initdb"), "-D", str(data), "-A", "trust", "-U", "riad", "--no-sync"]
    subprocess.run(run, check=True, capture_output=True, cwd=folder)
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200"
    control = [*as_user, str(found / "pg_ctl"), "-D", str(data), "-l", str(log), "-w"]
    subprocess.run([*control, "-o", options, "start"], check=True, stdout=subprocess.DEVNULL, cwd=folder)
    try:
        yield f"postgresql://riad@127.0.0.1:{port}/"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], check=False, stdout=subprocess.DEVNULL, cwd=folder)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Address of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'service.db'}"
    import psycopg

    server, name = request.getfixturevalue("postgresql"), f"t{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}{name}".replace("postgresql://", "postgresql+psycopg://")


@pytest.fixture
def database(address: str) -> Iterator[Database]:
    """A database in its present form."""
    made = Database(address)
    made.upgrade()
    yield made
    made.close()


@dataclass(frozen=True)
class Server:
    """A running service.

    Attributes:
        url: its address.
        data: its folder.
        process: the server; its workers are children of it.
    """

    url: str
    data: Path
    process: subprocess.Popen[str]

    def wait(self, seconds: float = 120.0) -> None:
        """Wait until parts can be inspected."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            assert self.process.poll() is None, "the server ended by itself"
            try:
                with urllib.request.urlopen(f"{self.url}/v1/ready", timeout=5):
                    return
            except urllib.error.URLError:
                time.sleep(0.1)
        pytest.fail("the server did not get ready")

    def stop(self) -> int:
        """Tell it to stop; its exit code."""
        self.process.terminate()
        return self.process.wait(60)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts servers, each in a process of its own, and ends them. Takes further options of the command."""
    started: list[Server] = []

    def start(*options: str, data: Path = tmp_path / "data") -> Server:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "reason_iad", "serve", "--data", str(data), "--port", str(port), *options]
        process = subprocess.Popen(command, text=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env={**os.environ, "OMP_NUM_THREADS": "1"})  # fmt: skip
        started.append(Server(f"http://127.0.0.1:{port}", data, process))
        started[-1].wait()
        return started[-1]

    yield start
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
        each.process.communicate()
