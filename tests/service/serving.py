"""A running server of our own: `reason-iad serve` in a process, or the same with other limits."""

from __future__ import annotations

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from atexit import register
from collections.abc import Callable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from shutil import copytree, rmtree, which
from tempfile import mkdtemp
from typing import Any

import httpx
import psutil
from tests.parts import plate, save

from reason_iad.products import Products, derive
from reason_iad.service.settings import Limits

_WITH_LIMITS = """
import json, sys
from pathlib import Path
from reason_iad.service.server import run_server
from reason_iad.service.settings import Limits, Settings

if __name__ == "__main__":
    data, database, port, workers, limits = sys.argv[1:]
    run_server(
        Settings(Path(data), database, port=int(port), workers=int(workers), limits=Limits(**json.loads(limits))),
        lambda: None,
    )
"""


@cache
def learnt() -> Path:
    """A product 'plate' that is learnt already, made once for all tests."""
    folder = Path(mkdtemp(prefix="riad-served"))
    register(rmtree, folder, ignore_errors=True)
    (folder / "good").mkdir()
    for seed in range(8):
        save(plate(seed), folder / "good" / f"{seed}.png")
    derive(Products(folder / "products").create("plate", [folder / "good"], settings={"resolution": 112}))
    return folder / "products"


def make_product(data: Path) -> None:
    """Put a product 'plate' into a data folder."""
    copytree(learnt(), data / "products")


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Served:
    """A server that can be stopped, killed and started again on the same data.

    Args:
        data: its folder.
        database: address; empty: a file in the folder.
        limits: other ones than usual; None: started by the command.
        workers: processes that inspect.
    """

    def __init__(self, data: Path, database: str = "", limits: Limits | None = None, workers: int = 1) -> None:
        self.data, self._database, self._limits, self._workers = data, database, limits, workers
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data.parent / "log"
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=60)

    def command(self) -> list[str]:
        """How it is started."""
        database = self._database.replace("+psycopg", "")
        if self._limits is None:
            also = ["--database", database] if database else []
            return [sys.executable, "-m", "reason_iad", "serve", "--data", str(self.data), "--port", str(self.port),
                    "--workers", str(self._workers), *also]  # fmt: skip
        script = self.data.parent / "start.py"
        script.write_text(_WITH_LIMITS)
        numbers = json.dumps(asdict(self._limits))
        return [sys.executable, str(script), str(self.data), database, str(self.port), str(self._workers), numbers]

    def start(self, *, ready: bool = True) -> Served:
        """Start it and wait until it answers, or until it inspects parts."""
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command(), env=env, stdout=log, stderr=log)
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
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [each for each in found if "spawn_main" in " ".join(each.cmdline())]

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
        return self.start()

    def __exit__(self, *_: object) -> None:
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


def until(true: Callable[[], bool], seconds: float, said: Callable[[], object] = lambda: "") -> None:
    """Wait until something is true."""
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
        self._options = options

    def command(self) -> list[str]:
        """It is started where only it sees its disk."""
        script = 'mount -t tmpfs -o "size=24m" none "$0" && cp -r "$1" "$0/products" && shift && eval "$1" && shift'
        also = f'mount -o remount,{self._options} "$0"' if self._options else "true"
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
