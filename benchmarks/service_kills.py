"""Kills a worker or the server at random moments, and counts what was lost and what came twice.

    python benchmarks/service_kills.py --kills 200 [--postgresql URL]

While parts are sent with keys, reviewed, and taught to their product, one process is killed after the other
(`kill -9`): a worker, the whole server, or, with PostgreSQL, the connections to the database. Whoever sends tries
again with the same key until it has an answer. At the end, every part that was accepted has to be there once, every
picture has to be whole, and every product has to open.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import httpx

from expert_speed import part
from reason_iad.products import Products
from reason_iad.service.settings import Limits

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests know how to start a server

from tests.service.serving import Served, make_product, until


class Line:
    """Sends parts one after the other, and reviews some of them, until it is told to stop.

    Args:
        server: that takes the parts.
        name: of the line; part of the keys.
    """

    def __init__(self, server: Served, name: str) -> None:
        self.accepted: dict[str, int] = {}
        self.wrong: list[str] = []
        self.reviewed = 0
        self.stop = threading.Event()
        self._server, self._name = server, name
        self._chance = random.Random(name)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Stop, and wait until the last part is sent."""
        self.stop.set()
        self._thread.join()

    def _run(self) -> None:
        number, asked = 0, False
        with httpx.Client(base_url=self._server.client.base_url, timeout=20) as client:
            while asked or not self.stop.is_set():  # a part whose answer was lost is sent until there is one
                asked = True
                try:
                    if self._sent(client, number):
                        number, asked = number + 1, False
                    if self._chance.random() < 0.1:
                        self._review(client)
                except httpx.HTTPError:
                    time.sleep(0.05)
                time.sleep(0.1)

    def _sent(self, client: httpx.Client, number: int) -> bool:
        key, out = f"{self._name}-{number}", io.BytesIO()
        part(number, 96).save(out, "PNG")
        answer = client.post("/v1/inspections", params={"product": "plate", "wait": 0}, content=out.getvalue(),
                             headers={"Idempotency-Key": key})  # fmt: skip
        if answer.status_code not in (200, 202):
            if answer.status_code != 503:
                self.wrong.append(f"{answer.status_code} {answer.text}")
            return False
        self.accepted[key] = answer.json()["id"]
        return True

    def _review(self, client: httpx.Client) -> None:
        found = client.get("/v1/review/next")
        waiting = found.json().get("part") if found.status_code == 200 else None
        if waiting is not None and self.reviewed < 5:
            answer = client.post(f"/v1/inspections/{waiting['id']}/review", json={"says": "good"})
            self.reviewed += answer.status_code == 200


def killed(server: Served, chance: random.Random, postgresql: str) -> str:
    """Kill something; returns what."""
    what = chance.choice(("worker", "server", "connections") if postgresql else ("worker", "server"))
    if what == "worker":
        workers = server.workers()
        if workers:
            chance.choice(workers).kill()
    elif what == "server":
        server.kill()
        server.start(ready=False)
    else:
        import psycopg

        with psycopg.connect(postgresql, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
    return what


def check(server: Served, lines: list[Line]) -> int:
    """Say what is wrong; returns how much."""
    parts = server.parts()
    accepted = [number for line in lines for number in line.accepted.values()]
    numbers = [each["id"] for each in parts]
    states = Counter(each["state"] for each in parts)
    lost = set(accepted) - set(numbers)
    twice = (len(numbers) - len(set(numbers))) + (len(accepted) - len(set(accepted)))
    extra = set(numbers) - set(accepted)
    files = list((server.data / "pictures").glob("??/*"))
    damaged = [file for file in files if hashlib.sha256(file.read_bytes()).hexdigest() != file.name]
    product = Products(server.data / "products").open("plate")
    wrong = [said for line in lines for said in line.wrong]
    print(f"{len(accepted)} parts were accepted: {dict(states)}; {sum(line.reviewed for line in lines)} reviewed")
    print(f"lost {len(lost)}, twice {twice}, never accepted {len(extra)}, damaged pictures {len(damaged)}")
    print(f"the product opens with {len(product.good)} good pictures; {len(wrong)} wrong answers {wrong[:3]}")
    for each in parts:
        if each["state"] == "failed":
            print(f"  failed: {each['error']}")
    return len(lost) + twice + len(extra) + len(damaged) + len(wrong) + states.get("failed", 0)


def main() -> None:
    """Kill, and count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--postgresql", default="", metavar="URL", help="an empty database; without it, SQLite")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        make_product(data)
        with Served(data, "--workers", "2", database=options.postgresql, limits=Limits(waiting=2000)) as server:
            lines = [Line(server, name) for name in ("left", "right")]
            done: Counter[str] = Counter()
            for _ in range(options.kills):
                time.sleep(chance.uniform(0.05, 4.0))
                done[killed(server, chance, options.postgresql)] += 1
            for line in lines:
                line.end()
            print(f"killed: {dict(done)}", flush=True)
            until(server.finished, 1800, server.said)
            wrong = check(server, lines)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
