"""A running server with its workers: what is accepted is done once, whatever is killed, and it ends in order."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.service.killing import TAUGHT, Line, People, first_database, kill_a_start, strike, troubles
from tests.service.serving import Served, make_product, new_database, png, until

from reason_iad.products import Products
from reason_iad.service.settings import Limits, Settings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server as the command starts it, for tests that leave it as it was."""
    data = tmp_path_factory.mktemp("served") / "data"
    make_product(data)
    with Served(data) as server:
        yield server


def test_a_part_is_inspected_from_end_to_end(served: Served) -> None:
    good, bad = served.send(png(100), wait=30, name="ok.png"), served.send(png(101, bad=True), wait=30)
    assert good.status_code == bad.status_code == 200
    assert good.json()["outcome"] == "pass" and bad.json()["outcome"] in ("defect", "review"), bad.text
    number = bad.json()["id"]
    details = served.client.get(f"/v1/inspections/{number}").json()
    assert details["result"]["findings"] and details["part"]["name"] == "part"
    assert served.client.get(f"/v1/inspections/{number}/picture").content == png(101, bad=True)
    report = served.client.get(f"/v1/inspections/{number}/report")
    assert report.status_code == 200 and "data:image" in report.text
    for text in (good.text, bad.text, str(details), report.text):
        assert str(served.data) not in text and "/tmp" not in text, "no path of the server in an answer"


def test_a_key_that_is_sent_again_is_inspected_once(served: Served) -> None:
    content = png(102)
    answers: list[httpx.Response] = []
    threads = [
        threading.Thread(target=lambda: answers.append(served.send(content, key="again", wait=20)))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({each.json()["id"] for each in answers}) == 1 and {each.status_code for each in answers} == {200}
    other = served.send(png(103), key="again")
    assert other.status_code == 409 and "another part" in other.json()["detail"]


def test_a_second_server_on_the_same_folder_is_refused(served: Served) -> None:
    second = Served(served.data)
    found = subprocess.run(second.command(), capture_output=True, text=True, timeout=60)
    assert found.returncode != 0 and "Another server uses this data folder" in found.stderr
    assert "Traceback" not in found.stderr


def test_what_a_proxy_says_of_the_sender_is_not_believed(served: Served) -> None:
    lies = {"X-Forwarded-For": "10.0.0.1", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    answer = served.client.post("/v1/login", json={"name": "a", "password": "b"}, headers=lies)
    assert answer.status_code == 403
    assert served.client.get("/v1/me", headers={**lies, "Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_whatever_is_killed_every_accepted_part_is_done_once(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = new_database(request) if kind == "postgresql" else ""
    make_product(tmp_path / "data")
    make_product(tmp_path / "data", TAUGHT, count=1)
    chance = random.Random(7)
    with Served(tmp_path / "data", database=database, limits=Limits(waiting=500)) as server:
        line = Line(server, "line", pause=0.05)
        people = People(server, [line], chance)
        for _ in range(4):
            time.sleep(chance.uniform(0.05, 1.0))
            strike(server, people, chance, database)
        line.end()
        until(server.finished, 90, server.said)
        assert not troubles(server, [line], people)
        assert server.stop() == 0, server.said()
    assert not list((tmp_path / "data" / "pictures" / "arriving").glob("*")), "nothing half-written is left"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_migration_that_is_killed_is_done_at_the_next_start(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    database = new_database(request) if kind == "postgresql" else ""
    (tmp_path / "data").mkdir()
    first_database(Settings(tmp_path / "data", database).database_url)
    server = Served(tmp_path / "data", "--workers", "0", database=database)
    assert not kill_a_start(server, random.Random(7))


def test_a_worker_that_hangs_is_replaced(tmp_path: Path) -> None:
    make_product(tmp_path / "data")
    with Served(tmp_path / "data", limits=Limits(lease_s=2.0)) as server:
        (worker,) = server.workers()
        os.kill(worker.pid, signal.SIGSTOP)
        answer = server.send(png(1), wait=30)
        assert answer.status_code == 200 and answer.json()["state"] == "done", server.said()
        assert worker.pid not in [each.pid for each in server.workers()]
        assert "replaced" in server.said()


def test_overload_is_refused_and_over_at_once_when_it_ends(tmp_path: Path) -> None:
    make_product(tmp_path / "data")
    with Served(tmp_path / "data", limits=Limits(waiting=3, lease_s=60)) as server:
        (worker,) = server.workers()
        os.kill(worker.pid, signal.SIGSTOP)
        answers = [server.send(png(seed)) for seed in range(6)]
        assert [each.status_code for each in answers] == [202] * 3 + [503] * 3
        assert answers[-1].headers["Retry-After"] and "waiting" in answers[-1].json()["detail"]
        kept = list((tmp_path / "data" / "pictures").glob("??/*"))
        assert len(kept) == 3, "nothing is kept of a part that was refused"
        os.kill(worker.pid, signal.SIGCONT)
        until(server.finished, 30, server.said)
        assert server.send(png(9), wait=20).status_code == 200


def test_it_ends_in_order_and_the_current_part_is_finished(tmp_path: Path) -> None:
    make_product(tmp_path / "data")
    with Served(tmp_path / "data", limits=Limits()) as server:
        for seed in range(30):
            server.send(png(seed))
        answers: list[httpx.Response] = []
        waiting = threading.Thread(target=lambda: answers.append(server.send(png(99), wait=30)))
        waiting.start()
        time.sleep(0.3)
        begin = time.monotonic()
        assert server.stop() == 0, server.said()
        assert time.monotonic() - begin < 15, "those who wait are told to ask again"
        waiting.join()
        assert answers[0].status_code in (200, 202)
        server.start(ready=False)
        assert not server.parts(state="failed")
        until(server.finished, 60, server.said)
        assert len(server.parts(state="done")) == 31
        server.process.send_signal(signal.SIGINT)  # type: ignore[union-attr]
        assert server.process.wait(30) == 0  # type: ignore[union-attr]
        assert "Traceback" not in server.said()


def test_a_worker_that_learns_a_product_ends_without_a_word(tmp_path: Path) -> None:
    data = tmp_path / "data"
    make_product(data)
    with Served(data) as server:
        assert server.send(png(1), wait=30).status_code == 200
        product = Products(data / "products").open("plate")
        for resolution in (256, 272, 288):  # each is learnt anew, beside the parts
            product = product.with_settings(resolution=resolution)
            assert server.send(png(resolution), wait=30).status_code == 200
            assert server.stop() == 0
            assert all(line.startswith("The service listens") for line in server.said().splitlines()), server.said()
            server.start()
            assert server.send(png(resolution + 1), wait=60).status_code == 200
