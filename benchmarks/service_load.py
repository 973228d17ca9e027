"""A real server under load, beside the same work in one process without a server.

    python benchmarks/service_load.py [--seconds 30] [--clients 4] [--postgresql [URL]] [--model nano]
    python benchmarks/service_load.py --minutes 30 --share 0.8
    python benchmarks/service_load.py --overload 3

The first form compares throughput: parts per second, and the time from sending a part to its result. Both are
measured in turns, so that other programs of the machine disturb both alike; the share is the median of the turns.
What each process needs of a processor is told apart, since that hardly depends on other programs. The second form
sends parts at a share of that rate and says whether memory or queue grow: whether the last quarter of the time is
above the second one. The third one sends more than the server can do, and looks how long it takes to recover. The
program that sends runs on the same machine.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil
import torch
from PIL import Image

from expert_speed import part
from reason_iad.expert.brushes import draw_defect
from reason_iad.inspection.by_product import PartInspector
from reason_iad.products import Products, derive
from reason_iad.service.settings import Limits
from reason_iad.service.work.kinds import Kinds
from service_kills import server_of

sys.path.insert(0, str(Path(__file__).parent.parent))  # the tests know how to start a server

from tests.service.serving import Served, empty_database, until

LOOK_S = 5.0
"""Seconds between looks at memory and queue."""


@dataclass
class Heard:
    """What a load came to.

    Attributes:
        seconds: that it took.
        took: seconds from sending a part to its result, for each.
        refused: number of parts that were refused because too many were waiting.
    """

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)
    refused: int = 0

    @property
    def rate(self) -> float:
        """Parts per second."""
        return len(self.took) / self.seconds

    def __str__(self) -> str:
        cuts = statistics.quantiles(self.took, n=100) if len(self.took) > 1 else [0.0] * 99
        return (
            f"{self.rate:6.2f} parts/s; p50 {1000 * cuts[49]:.0f} ms, p95 {1000 * cuts[94]:.0f} ms, "
            f"p99 {1000 * cuts[98]:.0f} ms; {len(self.took)} parts, {self.refused} refused"
        )


def pictures(folder: Path, count: int, side: int, first: int = 0, *, defects: bool = False) -> list[Path]:
    """Drawn parts as PNG files; with `defects`, every second one has a scratch."""
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{number}.png" for number in range(count)]
    for number, file in enumerate(files):
        image = part(first + number, side)
        if defects and number % 2:
            drawn = draw_defect(np.asarray(image), "scratch", seed=number, size=0.002)
            image = image if drawn is None else Image.fromarray(drawn.picture)
        image.save(file)
    return files


def plain(inspector: PartInspector, files: list[Path], seconds: float) -> Heard:
    """The same work in this process."""
    heard, begin = Heard(), time.monotonic()
    while time.monotonic() - begin < seconds:
        at = time.monotonic()
        inspector.inspect(files[len(heard.took) % len(files)]).to_json()
        heard.took.append(time.monotonic() - at)
    heard.seconds = time.monotonic() - begin
    return heard


def together(heard: list[Heard]) -> Heard:
    """Several measurements as one."""
    took = [each for one in heard for each in one.took]
    return Heard(sum(one.seconds for one in heard), took, sum(one.refused for one in heard))


def full(server: Served, contents: list[bytes], seconds: float, clients: int) -> Heard:
    """Each client sends its next part when it has the result of the one before."""
    heard, begin = Heard(), time.monotonic()

    def send(first: int) -> None:
        number = first
        with httpx.Client(base_url=server.client.base_url, timeout=60) as client:
            while time.monotonic() - begin < seconds:
                at = time.monotonic()
                answer = client.post("/v1/inspections", params={"product": "plate", "wait": 30},
                                     content=contents[number % len(contents)])  # fmt: skip
                if answer.status_code == 200:
                    heard.took.append(time.monotonic() - at)
                elif answer.status_code == 503:
                    heard.refused += 1
                number += clients

    threads = [threading.Thread(target=send, args=(first,)) for first in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard.seconds = time.monotonic() - begin
    return heard


@dataclass(frozen=True, slots=True)
class Level:
    """How a server does at one moment.

    Attributes:
        server, workers: memory, in MiB.
        waiting: parts that wait or are inspected.
    """

    server: float
    workers: float
    waiting: float

    @classmethod
    def of(cls, server: Served) -> Level:
        """Look at a server."""
        assert server.process is not None
        own = psutil.Process(server.process.pid).memory_info().rss / 2**20
        workers = sum(each.memory_info().rss for each in server.workers()) / 2**20
        numbers = re.findall(r'reason_iad_parts\{state="\w+"\} ([\d.]+)', server.client.get("/v1/metrics").text)
        return cls(own, workers, sum(float(each) for each in numbers))

    def __str__(self) -> str:
        return f"server {self.server:.0f} MiB, workers {self.workers:.0f} MiB, {self.waiting:.0f} parts wait"


def growth(levels: list[Level]) -> str:
    """What grew from the second to the last quarter of the time; the first one is for warming up."""
    quarter = max(1, len(levels) // 4)
    before, after = levels[quarter : 2 * quarter] or levels, levels[-quarter:]
    said = []
    for what, name, least in (
        ("the memory of the server", "server", 10.0), ("the memory of the workers", "workers", 20.0),
        ("the queue", "waiting", 5.0),
    ):  # fmt: skip
        then, now = (statistics.median(getattr(each, name) for each in part) for part in (before, after))
        grew = "grew" if now - then > max(least, 0.05 * then) else "did not grow"
        said.append(f"{what} {grew} ({then:.0f} to {now:.0f})")
    return "; ".join(said)


def steady(server: Served, contents: list[bytes], seconds: float, rate: float) -> Heard:
    """Parts come at a rate, whether results are there or not; every ten seconds it is said how the server does."""
    heard, begin, number = Heard(), time.monotonic(), 0
    levels: list[Level] = []
    earlier = len(server.parts(state="done"))
    while (now := time.monotonic() - begin) < seconds:
        if now < number / rate:
            time.sleep(number / rate - now)
        status = server.send(contents[number % len(contents)]).status_code
        number += 1
        heard.refused += status == 503
        if now >= LOOK_S * len(levels):
            levels.append(Level.of(server))
            if len(levels) % 6 == 1:
                print(f"  {now:6.0f} s: {levels[-1]}", flush=True)
    heard.seconds = time.monotonic() - begin
    parts = server.parts(state="done")
    heard.took = [each["finished"] - each["received"] for each in parts[: len(parts) - earlier]]
    print(f"  {growth(levels)}", flush=True)
    return heard


def processor(server: Served) -> list[float]:
    """Seconds of a processor that the server, its workers and this program had so far."""
    assert server.process is not None
    times = [psutil.Process(server.process.pid).cpu_times(), *(each.cpu_times() for each in server.workers())]
    used = [each.user + each.system for each in times]
    return [used[0], sum(used[1:]), time.process_time()]


def recovered(server: Served, content: bytes) -> float:
    """Seconds until a part that is sent has its result as fast as usual again."""
    begin = time.monotonic()
    until(lambda: server.send(content, wait=1).status_code == 200, 120, server.said)
    return time.monotonic() - begin


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30, help="of each measurement")
    parser.add_argument("--turns", type=int, default=4, help="of each measurement")
    parser.add_argument("--clients", type=int, default=4, help="that send at the same time")
    parser.add_argument("--workers", type=int, default=1, help="processes of the server that inspect")
    parser.add_argument("--side", type=int, default=448, help="pixels of each side of the pictures")
    parser.add_argument("--good", type=int, default=20, help="good pictures of the product")
    parser.add_argument("--postgresql", nargs="?", const="own", metavar="URL",
                        help="a server, as postgresql://USER@HOST/; without URL, one of our own")  # fmt: skip
    parser.add_argument("--model", help="that is asked, as `serve --model` takes it; without it, none is. It is "
                        "asked about doubtful parts, so that every second part then has a defect")  # fmt: skip
    parser.add_argument("--minutes", type=float, help="send parts at a share of the full rate for so long")
    parser.add_argument("--share", type=float, default=0.8, help="of the full rate")
    parser.add_argument("--overload", type=float, help="send so many times the full rate")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, server_of(options.postgresql) as postgresql:
        root = Path(folder)
        pictures(root / "good", options.good, options.side)
        files = pictures(root / "parts", 16, options.side, first=1000, defects=options.model is not None)
        contents = [file.read_bytes() for file in files]
        derive(Products(root / "data" / "products").create("plate", [root / "good"]))
        torch.set_num_threads(1)
        inspector = Kinds(Products(root / "data" / "products"), options.model).of("plate")
        inspector.inspect(files[0])
        given = ["--workers", str(options.workers), *(["--model", options.model] if options.model else [])]
        database = empty_database(postgresql) if postgresql else ""
        with Served(root / "data", *given, database=database, limits=Limits(waiting=50)) as server:
            server.send(contents[0], wait=30)
            alone, served, used, own = [], [], [0.0, 0.0, 0.0], 0.0
            for _ in range(options.turns):
                begin = time.process_time()
                alone.append(plain(inspector, files, options.seconds / options.turns))
                own += time.process_time() - begin
                before = processor(server)
                served.append(full(server, contents, options.seconds / options.turns, options.clients))
                used = [each + now - then for each, now, then in zip(used, processor(server), before, strict=True)]
            found = together(served)
            share = statistics.median(each.rate / one.rate for each, one in zip(served, alone, strict=True))
            print(f"one process, no server: {together(alone)}")
            print(f"server, {options.clients} clients:      {found}")
            print(f"share of the throughput: {100 * share:.0f} %; {Level.of(server)}", flush=True)
            costs = [1000 * each / len(found.took) for each in used]
            print(
                f"processor time per part: {1000 * own / len(together(alone).took):.0f} ms in one process; server "
                f"{costs[0]:.0f} ms, worker {costs[1]:.0f} ms, sender {costs[2]:.0f} ms", flush=True,
            )  # fmt: skip
            if options.minutes is not None:
                rate = options.share * found.rate
                print(f"{rate:.2f} parts/s for {options.minutes:g} minutes:")
                print(f"  {steady(server, contents, 60 * options.minutes, rate)}")
            if options.overload is not None:
                rate = options.overload * found.rate
                print(f"{rate:.2f} parts/s, {options.overload:g} times what it can do:")
                print(f"  {steady(server, contents, options.seconds, rate)}")
                print(f"  recovered after {recovered(server, contents[0]):.1f} s; {Level.of(server)}")


if __name__ == "__main__":
    main()
