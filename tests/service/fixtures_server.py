"""A server in a process of its own, and receivers for what it sends."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx2
from tests.parts import plate, save

from reason_iad.products import Products

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1"}


@dataclass(frozen=True)
class Running:
    """A server.

    Attributes:
        url: its address.
        process: it.
    """

    url: str
    process: subprocess.Popen[bytes]


@contextmanager
def running(data: Path, *options: str, patience: float = 60.0) -> Iterator[Running]:
    """A server on a free port; it is ready when the block begins, and has ended in order when the block has."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "reason_iad", "serve", "--data", str(data), "--port", str(port), *options]
    process = subprocess.Popen(command, env=ENVIRONMENT)
    url = f"http://127.0.0.1:{port}"
    try:
        until(lambda: process.poll() is not None or _ready(url), patience)
        assert process.poll() is None, "the server ended"
        yield Running(url, process)
    finally:
        process.terminate()
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def make_product(data: Path, name: str = "plate", count: int = 6) -> None:
    """A product with a few drawn good parts, in the data folder of a server."""
    folder = data.parent / f"good of {name}"
    folder.mkdir(parents=True)
    for seed in range(count):
        save(plate(seed), folder / f"{seed}.png")
    Products(data / "products").create(name, [folder], settings={"resolution": 128})


def until(true: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)


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


def _ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/v1/ready", timeout=5).status_code == 200
    except httpx2.HTTPError:
        return False
