"""A running server of our own, what it needs (a product, a database), and a receiver for what it sends."""

from __future__ import annotations

import io
import json
import os
import pwd
import secrets
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from atexit import register
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import astuple, dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from shutil import copytree, rmtree, which
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

import httpx
import numpy as np
import psutil
import pytest
from PIL import Image
from tests.parts import plate, save, scratched

from reason_iad.products import Product, Products, derive
from reason_iad.service.settings import Limits

BINARIES = [*sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True), Path("/usr/local/bin")]
_WITH_LIMITS = """
import json, sys
from reason_iad.cli import main
from reason_iad.service.settings import Limits

if __name__ == "__main__":
    Limits.__init__.__defaults__ = tuple(json.loads(sys.argv.pop(1)))
    main(prog_name="reason-iad")
"""
"""The command, with other limits than usual; there is no option for them."""


@cache
def learnt() -> Path:
    """A product 'plate' that is learnt already, made once for all tests."""
    folder = Path(mkdtemp(prefix="riad-served"))
    register(rmtree, folder, ignore_errors=True)
    derive(_drawn(folder, "plate", 8, 112))
    return folder / "products"


def make_product(data: Path, name: str = "plate", *, count: int | None = None) -> None:
    """Put a product into a data folder.

    Args:
        data: the folder.
        name: of the product.
        count: how many good pictures it has; it is not learnt yet. None: one that is learnt already.
    """
    if count is None:
        copytree(learnt() / "plate", data / "products" / name)
    else:
        _drawn(data, name, count, 128)


def _drawn(data: Path, name: str, count: int, resolution: int) -> Product:
    with TemporaryDirectory() as folder:
        for seed in range(count):
            save(plate(seed), Path(folder) / f"{seed}.png")
        return Products(data / "products").create(name, [Path(folder)], settings={"resolution": resolution})


@contextmanager
def own_postgresql() -> Iterator[str]:
    """Address of a PostgreSQL server of our own, up to the name of the database."""
    found = next((folder for folder in BINARIES if (folder / "initdb").exists()), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed")
    as_user: list[str] = []
    folder = Path(mkdtemp(prefix="riad-pg"))
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
        rmtree(folder, ignore_errors=True)


def new_database(request: pytest.FixtureRequest) -> str:
    """Address of an empty database on PostgreSQL."""
    return empty_database(request.getfixturevalue("postgresql"))


def empty_database(server: str) -> str:
    """Address of an empty database on this server."""
    import psycopg

    name = f"t{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"{server}{name}"


def png(seed: int, *, bad: bool = False) -> bytes:
    """A part as a file."""
    out = io.BytesIO()
    Image.fromarray(np.asarray(scratched(seed) if bad else plate(seed), np.uint8)).save(out, "PNG")
    return out.getvalue()


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Served:
    """A server that can be stopped, killed and started again on the same data.

    Args:
        data: its folder.
        options: further ones of `reason-iad serve`.
        database: address; empty: a file in the folder.
        limits: other ones than usual.
    """

    def __init__(self, data: Path, *options: str, database: str = "", limits: Limits | None = None) -> None:
        self.data, self._options, self._limits = data, list(options), limits
        if database:
            self._options += ["--database", database.replace("+psycopg", "")]
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data.parent / f"log-{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=60)

    def command(self) -> list[str]:
        """How it is started."""
        program = ["-m", "reason_iad"]
        if self._limits is not None:
            script = self.data.parent / "start.py"
            script.write_text(_WITH_LIMITS)
            program = [str(script), json.dumps(astuple(self._limits))]
        return [sys.executable, *program, "serve", "--data", str(self.data), "--port", str(self.port),
                *self._options]  # fmt: skip

    def begin(self) -> None:
        """Start it without waiting."""
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), env=env, stdout=log, stderr=log)

    def start(self, *, ready: bool = True) -> Served:
        """Start it and wait until it answers, or until it inspects parts."""
        self.begin()
        path = "/v1/ready" if ready else "/v1/health"
        until(lambda: self.answers(path), 90, self.said)
        return self

    def answers(self, path: str) -> bool:
        """Whether a path answers 200."""
        assert self.process is not None and self.process.poll() is None, self.said()
        try:
            return self.client.get(path).status_code == 200
        except httpx.HTTPError:
            return False

    def said(self) -> str:
        """What it wrote."""
        return self.log.read_text()

    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        assert self.process is not None
        found = []
        for each in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):  # it ends at this moment
                if "spawn_main" in " ".join(each.cmdline()):
                    found.append(each)
        return found

    def kill(self) -> None:
        """As a power cut would, for this process."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """As an administrator would; returns the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)

    def __enter__(self) -> Served:
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End it, whatever it does."""
        self.client.close()
        if self.process is not None and self.process.poll() is None:
            for each in self.workers():
                each.kill()
            self.kill()

    def send(
        self, content: bytes, *, key: str | None = None, wait: float = 0, name: str = "part"
    ) -> httpx.Response:
        """Send a part."""
        headers = {} if key is None else {"Idempotency-Key": key}
        asked = {"product": "plate", "name": name, "wait": wait}
        return self.client.post("/v1/inspections", params=asked, content=content, headers=headers)

    def parts(self, **asked: Any) -> list[dict[str, Any]]:
        """All parts that are asked for."""
        found: list[dict[str, Any]] = []
        before: int | None = None
        while True:
            page = self.client.get(
                "/v1/inspections", params={**asked, "limit": 200, **({"before": before} if before else {})}
            ).json()
            found += page["parts"]
            before = page["next"]
            if before is None:
                return found

    def finished(self) -> bool:
        """Whether nothing waits any more."""
        return not self.parts(state="waiting") and not self.parts(state="working")


def until(true: Callable[[], object], seconds: float = 60.0, said: Callable[[], object] = str) -> None:
    """Wait until something is true; the default is generous, because a busy machine is slow and not wrong."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, said()
        time.sleep(0.05)


class OnItsOwnDisk(Served):
    """A server whose data folder is a small disk of its own. Needs root and Linux.

    Args:
        data: its folder.
        options: of the disk.
    """

    def __init__(self, data: Path, options: str) -> None:
        super().__init__(data)
        data.mkdir()
        self._disk = options

    def command(self) -> list[str]:
        """It is started where only it sees its disk."""
        script = 'mount -t tmpfs -o "size=24m" none "$0" && cp -r "$1" "$0/products" && shift && eval "$1" && shift'
        also = f'mount -o remount,{self._disk} "$0"' if self._disk else "true"
        return ["unshare", "-m", "--", "sh", "-c", f'{script} && exec "$@"', str(self.data), str(learnt()), also,
                *super().command()]  # fmt: skip

    @property
    def seen(self) -> Path:
        """The data folder as the server sees it."""
        assert self.process is not None
        return Path(f"/proc/{self.process.pid}/root{self.data}")


def own_disks() -> bool:
    """Whether a server can have a disk of its own here."""
    if os.name != "posix" or os.getuid() != 0 or which("unshare") is None:
        return False
    return (
        subprocess.run(
            ["unshare", "-m", "--", "mount", "-t", "tmpfs", "none", "/mnt"], check=False, capture_output=True
        ).returncode
        == 0
    )


class Postgres:
    """The server that an address of PostgreSQL belongs to, to be stopped and started again."""

    def __init__(self, address: str) -> None:
        import psycopg

        with psycopg.connect(address) as connection:
            row = connection.execute("SHOW data_directory").fetchone()
        assert row is not None
        self._folder = Path(row[0])
        binary, *self._options = shlex.split((self._folder / "postmaster.opts").read_text())
        self._control = str(Path(binary).with_name("pg_ctl"))

    def _run(self, *what: str) -> None:
        as_user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
        subprocess.run(
            [*as_user, self._control, "-D", str(self._folder), "-w", *what],
            check=True, cwd=self._folder.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def stop(self) -> None:
        """As a crash would."""
        self._run("-m", "immediate", "stop")

    def start(self) -> None:
        """Start it again, as it was."""
        self._run("-l", str(self._folder.parent / "log"), "-o", shlex.join(self._options), "start")


@dataclass
class Receiver:
    """An address that takes what is posted.

    Attributes:
        url: it.
        got: headers and bodies, in order.
        answers: statuses of the next answers; afterwards it is 200.
    """

    url: str = ""
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver of webhooks."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(receiver.answers.pop(0) if receiver.answers else 200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/parts"
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
