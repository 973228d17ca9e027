"""Workers on a local Ray cluster with logical GPUs, as a server uses one: replicas come, die, and go."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from tests.service.serving import Served, free_port, make_product, png, until

from reason_iad.cli import main
from reason_iad.errors import ConfigError
from reason_iad.products import Products
from reason_iad.service.database.queue import Finding
from reason_iad.service.settings import Settings
from reason_iad.service.work.ray_replica import found_of, text_of

FOUND = Finding("defect", 0.9, 3.5, "scratch", None, "It differs.", "{}")


@pytest.mark.parametrize("found", [FOUND, "The picture cannot be read."])
def test_what_is_found_travels_unchanged(found: Finding | str) -> None:
    assert found_of(text_of(found)) == found


@pytest.mark.parametrize("gpus", [-1.0, 1.5, float("nan"), float("inf")])
def test_shares_of_gpus_that_ray_does_not_know_are_refused(tmp_path: Path, gpus: float) -> None:
    with pytest.raises(ConfigError, match="GPUs per worker"):
        Settings(tmp_path, ray="auto", gpus=gpus)
    with pytest.raises(ConfigError, match="at least one worker"):
        Settings(tmp_path, ray="auto", workers=0)


def test_what_keeps_parts_from_a_cluster_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve = ["serve", "--data", str(tmp_path / "data"), "--ray"]
    ended = CliRunner().invoke(main, [*serve, "no address"])
    assert ended.exit_code == 2 and "is not the address of a Ray cluster" in ended.output
    monkeypatch.setattr("reason_iad.service.work.ray_workers.find_spec", lambda name: None)
    ended = CliRunner().invoke(main, [*serve, "HEAD:6379"])
    assert ended.exit_code == 2 and "reason-iad[ray]" in ended.output
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--gpus", "0.5"], "--gpus has no effect without --ray"),
        (["--worker"], "--worker and --server go together"),
        (["--server", "http://localhost:8340"], "--worker and --server go together"),
        (["--worker", "--server", "http://localhost:8340"], "Give its address with --database"),
        (["--key", "KEY"], "--key is for --worker"),
    ],
)
def test_options_that_do_not_go_together_are_told(tmp_path: Path, options: list[str], said: str) -> None:
    (tmp_path / "key").write_text("riad_x")
    given = [str(tmp_path / "key") if each == "KEY" else each for each in options]
    ended = CliRunner().invoke(main, ["serve", "--data", str(tmp_path / "data"), *given])
    assert ended.exit_code == 2 and said in " ".join(ended.output.split()), ended.output


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Address of a cluster of our own: one machine that says it has two GPUs."""
    pytest.importorskip("ray.serve")
    folder, port = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp")), free_port()
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    ray = [sys.executable, "-m", "ray.scripts.scripts"]
    given = [
        "--head", "--port", str(port), "--node-ip-address", "127.0.0.1", "--num-gpus", "2", "--num-cpus", "4",
        "--include-dashboard", "false", "--disable-usage-stats", "--temp-dir", str(folder / "ray"),
        "--object-store-memory", str(100 * 2**20), "--block",
    ]  # fmt: skip
    with (folder / "log").open("wb") as log:
        head = subprocess.Popen([*ray, "start", *given], stdout=log, stderr=log)
    try:
        until(lambda: "Ray runtime started" in (folder / "log").read_text(), 90, (folder / "log").read_text)
        yield f"127.0.0.1:{port}"
    finally:
        for each in [*psutil.Process(head.pid).children(recursive=True), head]:
            each.kill()
        head.wait()
        shutil.rmtree(folder, ignore_errors=True)


def replicas() -> list[psutil.Process]:
    """Processes of replicas."""
    found = psutil.process_iter(["cmdline"])
    return [each for each in found if any("ServeReplica" in word for word in each.info["cmdline"] or ())]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_parts_are_inspected_on_ray_and_a_killed_replica_loses_none(cluster: str, tmp_path: Path) -> None:
    make_product(tmp_path / "data")
    options = ("--ray", cluster, "--gpus", "0.5", "--workers", "2")
    server = Served(tmp_path / "data", *options)
    with closing(server):
        server.start(ready=False)
        until(lambda: server.answers("/v1/ready"), 300, server.said)  # Ray Serve takes its time
        first = server.send(png(1))
        until(lambda: server.parts(state="done"), 300, server.said)  # a replica begins, and learns the product
        assert server.parts()[0]["outcome"] == "pass"
        bad = server.send(png(2, bad=True))
        until(server.finished, 120, server.said)
        assert server.parts()[0]["outcome"] in ("defect", "review"), server.parts()[0]
        numbers: list[int] = []

        def crowded() -> bool:
            """Parts go on coming faster than one replica inspects them, so a second one comes."""
            answer = server.send(png(len(numbers) % 40))
            if answer.status_code != 503:  # so many wait already
                numbers.append(answer.json()["id"])
            return len(replicas()) == 2

        until(crowded, 300, server.said)
        replicas()[0].kill()
        until(server.finished, 600, server.said)
        done = [part["id"] for part in server.parts(state="done")]
        assert sorted(done) == sorted([first.json()["id"], bad.json()["id"], *numbers]), "each once"
        Products(tmp_path / "data" / "products").open("plate").with_settings(false_alarms=0.4)
        again = server.send(png(3), wait=30).json()["id"]
        until(lambda: again in [part["id"] for part in server.parts(state="done")], 120, server.said)
        begin = time.monotonic()
        assert server.stop() == 0, server.said()
        assert "SIGTERM" not in server.said() and "Traceback" not in server.said()
        assert time.monotonic() - begin < 60
        until(lambda: not replicas(), 30)
