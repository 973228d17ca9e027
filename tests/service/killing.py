"""Kills a server at random moments, and finds what was lost and what came twice.

A line sends parts with keys, people review and undo, and products are changed. What the server answered has to be
there at the end; what was asked without an answer may be there, but once.
"""

from __future__ import annotations

import hashlib
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
import psycopg
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from tests.service.serving import Served, png, until

from reason_iad.products import Products
from reason_iad.service.database.access import MIGRATIONS, Database

FIRST = "0001"
"""The first form of the database."""
ROWS = 400
"""Parts in a database of the first form."""
TAUGHT = "other"
"""The product that is changed; no part is inspected with it."""
_REFUSALS = (409, 422, 503)
"""Answers to what cannot be done at this moment."""


class Line:
    """Sends parts one after the other, with keys, until it is told to stop.

    Args:
        server: that takes the parts.
        name: of the line; part of the keys.
        pause: seconds between parts.
    """

    def __init__(self, server: Served, name: str, pause: float = 0.1) -> None:
        self.accepted: dict[str, int] = {}
        self.wrong: list[str] = []
        self._server, self._name, self._pause = server, name, pause
        self._contents = [png(200 + seed) for seed in range(8)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def end(self) -> None:
        """Stop, and wait until the last part is sent."""
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        number, asked = 0, False
        with httpx.Client(base_url=self._server.url, timeout=20) as client:
            while asked or not self._stop.is_set():  # a part whose answer was lost is sent until there is one
                asked = True
                try:
                    if self._sent(client, number):
                        number, asked = number + 1, False
                except httpx.HTTPError:
                    time.sleep(0.05)
                time.sleep(self._pause)

    def _sent(self, client: httpx.Client, number: int) -> bool:
        key = f"{self._name}-{number}"
        answer = client.post("/v1/inspections", params={"product": "plate", "wait": 0},
                             content=self._contents[number % len(self._contents)],
                             headers={"Idempotency-Key": key})  # fmt: skip
        if answer.status_code not in (200, 202):
            if answer.status_code != 503:
                self.wrong.append(f"{answer.status_code} {answer.text}")
            return False
        if self.accepted.setdefault(key, answer.json()["id"]) != answer.json()["id"]:
            self.wrong.append(f"{key} has two numbers")
        return True


@dataclass
class People:
    """Who reviews parts and changes products, one act after the other.

    Attributes:
        asked, answered: how often something was said of each part, and how often that was answered.
        revisions: of the changed product, as they were answered.
        pictures: that were asked to be added to it.
        wrong: answers that should not be.
    """

    server: Served
    lines: list[Line]
    chance: random.Random
    asked: Counter[int] = field(default_factory=Counter)
    answered: Counter[int] = field(default_factory=Counter)
    revisions: list[int] = field(default_factory=list)
    pictures: int = 0
    wrong: list[str] = field(default_factory=list)

    def review(self) -> None:
        """Say what a part is, or take back what was said last."""
        accepted = [number for line in self.lines for number in list(line.accepted.values())]
        if not accepted:
            return
        number = self.chance.choice(list(self.asked) or accepted) if self.chance.random() < 0.5 else accepted[0]
        says = "undo" if self.answered[number] % 2 else "defect"
        self.asked[number] += 1
        review = {"says": says} if says == "undo" else {"says": says, "defect_type": "scratch"}
        answer = self._ask("POST", f"/v1/inspections/{number}/review", json=review)
        self.answered[number] += answer is not None

    def change(self) -> None:
        """Add a picture to a product, or change its settings."""
        if self.chance.random() < 0.5:
            self.pictures += 1
            answer = self._ask("POST", f"/v1/products/{TAUGHT}/pictures", content=png(1000 + self.pictures))
        else:
            value = round(self.chance.uniform(0.1, 0.9), 6)
            answer = self._ask("PATCH", f"/v1/products/{TAUGHT}", json={"false_alarms": value})
        if answer is not None:
            self.revisions.append(answer.json()["revision"])

    def _ask(self, method: str, path: str, **given: object) -> httpx.Response | None:
        """Ask once; None if nothing was done, or nobody knows."""
        try:
            answer = httpx.request(method, f"{self.server.url}{path}", timeout=20, **given)  # type: ignore[arg-type]
        except httpx.HTTPError:
            return None
        if answer.is_success:
            return answer
        if answer.status_code not in _REFUSALS:
            self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text}")
        return None


def strike(server: Served, people: People, chance: random.Random, postgresql: str = "") -> str:
    """Kill something while something is done; returns what, and during what."""
    during = chance.choice(("inspections", "review", "product change"))
    act: Callable[[], None] = {"review": people.review, "product change": people.change}.get(during, lambda: None)
    acting = threading.Thread(target=act)
    acting.start()
    time.sleep(chance.uniform(0, 0.2))
    what = chance.choice(("worker", "server", "connections") if postgresql else ("worker", "server"))
    if what == "worker":
        if workers := server.workers():
            with suppress(psutil.Error):  # it ended by itself
                chance.choice(workers).kill()
    elif what == "server":
        server.kill()
        server.start(ready=False)
    else:
        cut(postgresql)
    acting.join()
    return f"{what} during {during}"


def cut(postgresql: str) -> None:
    """End all connections to a database."""
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def troubles(server: Served, lines: list[Line], people: People) -> list[str]:
    """What was lost, came twice or is damaged. Nothing may be waiting any more."""
    parts = server.parts()
    numbers, accepted = (
        Counter(each["id"] for each in parts),
        Counter(number for line in lines for number in line.accepted.values()),
    )
    found = [said for each in (*lines, people) for said in each.wrong]
    found += [f"part {number} is lost" for number in accepted - numbers]
    found += [f"part {number} was never accepted" for number in numbers - accepted]
    found += [f"part {each['id']} is {each['state']}: {each['error']}" for each in parts if each["state"] != "done"]
    for number in people.asked:
        details = server.client.get(f"/v1/inspections/{number}").json()
        said = len(details["reviews"])
        if not people.answered[number] <= said <= people.asked[number]:
            found.append(f"part {number} has {said} reviews; {people.answered[number]} were answered and "
                         f"{people.asked[number]} asked")  # fmt: skip
        if server.client.get(f"/v1/inspections/{number}/picture").status_code != 200:
            found.append(f"the picture of part {number} is lost")
    history = [each["revision"] for each in server.client.get(f"/v1/products/{TAUGHT}/history").json()]
    found += [f"change {revision} is lost" for revision in set(people.revisions) - set(history)]
    if len(set(history)) != len(history):
        found.append("a change is twice in the history")
    return found + damaged(server.data)


def damaged(data: Path) -> list[str]:
    """Files that are not what their name says, or that were left half-written."""
    kept = list((data / "pictures").glob("??/*"))
    found = [f"{file} is damaged" for file in kept if hashlib.sha256(file.read_bytes()).hexdigest() != file.name]
    for name in ("plate", TAUGHT):
        product = Products(data / "products").open(name)
        for each in (*product.good, *product.defects):
            if hashlib.sha256(each.path.read_bytes()).hexdigest() != each.sha256:
                found.append(f"{each.path} is damaged")
    return found


def first_database(address: str) -> None:
    """Make a database of the first form, with parts in it."""
    database = Database(address)
    try:
        with database.engine.begin() as connection:
            config = Config()
            config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
            config.attributes["connection"] = connection
            command.upgrade(config, FIRST)
        tables = sa.MetaData()
        tables.reflect(database.engine)
        row = {"product": "plate", "picture": "0" * 64, "name": "part", "source": "http", "received": 1.0,
               "attempts": 1, "sampled": False, "state": "done", "outcome": "pass"}  # fmt: skip
        picture = {"sha256": "0" * 64, "bytes": 1, "width": 1, "height": 1, "format": "PNG", "added": 1.0}
        with database.engine.begin() as connection:
            connection.execute(tables.tables["picture"].insert(), picture)
            connection.execute(tables.tables["inspection"].insert(), [row] * ROWS)
    finally:
        database.close()


def kill_a_start(server: Served, chance: random.Random) -> list[str]:
    """Start a server on a database of the first form, kill it while it begins, and start it again.

    Returns:
        What is wrong then.
    """
    server.begin()
    until(lambda: (server.data / "products").exists(), 90, server.said)  # the database is next
    time.sleep(chance.uniform(0, 0.5))
    server.kill()
    server.start(ready=False)
    found = len(server.parts())
    assert server.stop() == 0, server.said()
    return [] if found == ROWS else [f"{found} of {ROWS} parts are there after a migration that was killed"]
