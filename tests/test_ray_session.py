"""What a Ray of our own lets in, and what it leaves behind; joining a cluster that refuses or is not there."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from tests.bench.ray_answerers import Fake, make_units

from reason_iad.bench.ray_pool import _READERS, stream
from reason_iad.errors import ConfigError, MissingExtraError
from reason_iad.ray_session import _require_loopback, check_version

pytest.importorskip("ray")

JOIN = """
import sys
from reason_iad.ray_session import session
from reason_iad.errors import ConfigError
try:
    with session(sys.argv[1]):
        import ray
        print("joined", len(ray.nodes()))
except ConfigError as error:
    print(error)
"""


def join(address: str, **environment: str) -> str:
    """What another process meets that connects to a cluster."""
    command = [sys.executable, "-c", JOIN, address]
    env = {**os.environ, **environment}
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=150, check=True).stdout


def family() -> list[psutil.Process]:
    return [psutil.Process(), *psutil.Process().children(recursive=True)]


@dataclass
class Facts:
    """What was seen of one run on a Ray of our own that was left in the middle."""

    names: set[str] = field(default_factory=set)
    listening: set[str] = field(default_factory=set)
    folder: Path = Path()
    mode: int = 0
    joined: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    connected: bool = True
    environment: set[str] = field(default_factory=set)
    readers: list[str] = field(default_factory=list)
    reading: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facts]:
    """Begin to answer, look around, and close the iterator."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
            patch.delenv(name, raising=False)
        before, others = dict(os.environ), set(family())  # such as trackers of other tests' processes
        make = Fake(tmp_path_factory.mktemp("journal"), seconds=0.1)
        results = stream(make_units(50), make, address=None, workers=1)
        next(results)
        found = look_around()
        import ray

        found.readers = [thread.name for thread in threading.enumerate() if thread.name.startswith(_READERS)]

        shutdown = ray.shutdown

        def seen() -> None:
            found.reading = [thread.name for thread in threading.enumerate() if thread.name.startswith(_READERS)]
            shutdown()

        patch.setattr(ray, "shutdown", seen)
        results.close()  # type: ignore[attr-defined]  # a generator
        found.left = [process.name() for process in family() if process not in others]
        found.connected = ray.is_initialized()
        found.environment = {k for k in before.keys() | os.environ.keys() if before.get(k) != os.environ.get(k)}
        yield found


def look_around() -> Facts:
    import ray

    found = Facts()
    for process in family():
        found.names.add(process.name())
        for connection in process.net_connections("inet"):
            if connection.status == psutil.CONN_LISTEN:
                found.listening.add(connection.laddr.ip.removeprefix("::ffff:"))
        for part in process.cmdline():
            if part.startswith("--raylet_socket_name="):
                found.folder = Path(part.split("=")[1]).parents[3]  # FOLDER/ray/session_TIME/sockets/raylet
    found.mode = stat.S_IMODE(found.folder.stat().st_mode)
    address = ray.get_runtime_context().gcs_address
    tokens = {
        "right": {},  # it is in the environment of this process
        "wrong": {"RAY_AUTH_TOKEN": "0" * 64},
        "none": {"RAY_AUTH_TOKEN": "", "RAY_AUTH_MODE": "disabled"},
    }
    with ThreadPoolExecutor() as pool:
        said = pool.map(lambda environment: join(address, **environment), tokens.values())
        found.joined = dict(zip(tokens, said, strict=True))
    return found


@pytest.mark.slow
def test_no_process_listens_beyond_the_loopback_address(facts: Facts) -> None:
    assert facts.names >= {"gcs_server", "raylet"}
    assert facts.listening == {"127.0.0.1"}


@pytest.mark.slow
def test_the_sockets_of_ray_lie_where_nobody_else_gets_in(facts: Facts) -> None:
    assert facts.mode == 0o700


@pytest.mark.slow
def test_only_who_has_the_token_of_the_run_gets_in(facts: Facts) -> None:
    assert "joined 1" in facts.joined["right"]
    assert "refuses the token; set RAY_AUTH_MODE=token" in facts.joined["wrong"]
    assert "refuses the token; set RAY_AUTH_MODE=token" in facts.joined["none"]


@pytest.mark.slow
def test_no_thread_still_reads_when_ray_is_shut_down(facts: Facts) -> None:
    assert facts.readers, "Ray calls them otherwise now"
    assert facts.reading == []  # or Ray ends this very process


@pytest.mark.slow
def test_closing_the_iterator_early_stops_ray_and_leaves_nothing(facts: Facts) -> None:
    assert not facts.connected
    assert facts.left == []
    assert facts.environment == set()
    assert facts.folder.parent.is_dir()
    assert not facts.folder.exists()


AFTERWARDS = """
from reason_iad.ray_session import session
with session(None):
    import ray
try:
    ray.put(1)
except Exception as error:
    print("not been started" in str(error), ray.is_initialized())
"""


@pytest.mark.slow
def test_who_asks_ray_something_afterwards_starts_no_other_one() -> None:
    done = subprocess.run([sys.executable, "-c", AFTERWARDS], capture_output=True, text=True, timeout=150)
    assert done.stdout.split() == ["True", "False"], done.stderr  # or it began to start one, and failed


KILLED = """
import os, psutil
from reason_iad.ray_session import session
with session(None):
    print(*[process.pid for process in psutil.Process().children(recursive=True)], flush=True)
    os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
def test_a_killed_run_takes_its_ray_with_it() -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, timeout=150)
    pids = [int(pid) for pid in done.stdout.split()]
    assert len(pids) > 4
    deadline = time.monotonic() + 30
    while not alive(pids) <= AGENTS and time.monotonic() < deadline:
        time.sleep(0.2)
    assert alive(pids) <= AGENTS


AGENTS = {"ray::DashboardAgent", "ray::RuntimeEnvAgent"}
"""They first try for a minute to tell the dead servers about it."""


def alive(pids: list[int]) -> set[str]:
    """Names of those processes that still run; who has ended and was not buried yet does not."""
    names = set()
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                names.add(process.name())
    return names


def test_an_address_where_nothing_listens_is_said_in_a_sentence() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
        begun = time.monotonic()
        with pytest.raises(ConfigError, match=f"No Ray cluster answers at '{address}'"):
            list(stream(make_units(1), Fake(Path()), address=address, workers=1))
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("address", ["nonsense", "ray://host:1", "host:port", "127.0.0.1", "a b:1", ""])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigError, match="is not the address of a Ray cluster"):
        stream(make_units(1), Fake(Path()), address=address, workers=1)


def test_a_ray_that_would_ask_for_no_token_is_refused() -> None:
    check_version("2.52.0")
    with pytest.raises(ConfigError, match=r"Ray 2\.51\.1 lets in everybody; run: pip install"):
        check_version("2.51.1")


def test_a_ray_that_others_may_reach_is_refused() -> None:
    _require_loopback([{"NodeManagerAddress": "127.0.0.1"}])
    with pytest.raises(ConfigError, match=r"listens on 10\.0\.0\.7, 127\.0\.0\.1 instead of 127\.0\.0\.1; use"):
        _require_loopback([{"NodeManagerAddress": "127.0.0.1"}, {"NodeManagerAddress": "10.0.0.7"}])


def test_without_ray_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"^Running on Ray needs .*reason-iad\[ray\]"):
        list(stream(make_units(1), Fake(Path()), address=None, workers=1))
