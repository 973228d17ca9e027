"""From the configuration file to the sinks, with a server in a process of its own."""

from __future__ import annotations

import csv
import json
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import httpx2
import pytest
from tests.parts import plate, save, scratched
from tests.service.serving import Receiver, Served, make_product, receiving, until

from reason_iad.client import Client
from reason_iad.service.sinks.webhook import signature

pytestmark = pytest.mark.slow

CONFIG = """
[sources.line]
kind = "folder"
product = "plate"
folder = "incoming"
settle_s = 0.3
then = "delete"

[sources.camera]
kind = "camera"
product = "plate"
video = "video.avi"

[sinks.table]
kind = "csv"
file = "table.csv"

[sinks.sorted]
kind = "sort"
folder = "sorted"

[sinks.control]
kind = "webhook"
url = "{url}"
secret_file = "secret"

[[rules]]
sinks = ["table", "sorted"]

[[rules]]
outcomes = ["pass", "defect", "review", "unjudged"]
sinks = ["control"]
"""


@dataclass(frozen=True)
class Line:
    """A line: the folder of everything, and the address that gets outcomes."""

    folder: Path
    receiver: Receiver


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    make_product(tmp_path / "data", count=3)
    (tmp_path / "incoming").mkdir()
    (tmp_path / "secret").write_text("a secret")
    writer = cv2.VideoWriter(str(tmp_path / "video.avi"), cv2.VideoWriter_fourcc(*"MJPG"), 10, (128, 96))
    writer.write(plate(7))
    writer.release()
    with receiving() as receiver:
        (tmp_path / "service.toml").write_text(CONFIG.replace("{url}", receiver.url))
        yield Line(tmp_path, receiver)


def table(folder: Path) -> list[dict[str, str]]:
    path = folder / "table.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def waiting(server: Served) -> int:
    """How many outcomes have not reached their sinks."""
    return sum(each["waiting"] for each in httpx2.get(f"{server.url}/v1/sinks").json())


def test_parts_go_from_folder_and_camera_to_all_sinks_also_after_a_kill(line: Line) -> None:
    folder, receiver = line.folder, line.receiver
    options = ["--config", str(folder / "service.toml")]
    save(scratched(1), folder / "incoming" / "bad.png")
    receiver.answers += [503] * 2
    with Served(folder / "data", *options) as server, Client(server.url) as client:
        until(lambda: len(receiver.got) > 2)
        until(lambda: not list((folder / "incoming").iterdir()))
        taken = httpx2.post(f"{server.url}/v1/sources/camera/trigger", params={"part": "number 9"}, timeout=20)
        assert taken.status_code == 202 and taken.json()["source"] == "camera", taken.text
        until(lambda: client.get(taken.json()["id"]).part.ended)
        assert httpx2.post(f"{server.url}/v1/sources/line/trigger").status_code == 409
        assert httpx2.post(f"{server.url}/v1/sources/other/trigger").status_code == 404
        known = httpx2.get(f"{server.url}/v1/sources").json()
        assert (known[0]["name"], known[0]["kind"], known[0]["works"]) == ("line", "folder", True)
        until(lambda: waiting(server) == 0)
        assert str(folder) not in json.dumps([known, httpx2.get(f"{server.url}/v1/sinks").json()])
        server.kill()
    save(scratched(2), folder / "incoming" / "while it was away.png")
    with Served(folder / "data", *options) as server:
        until(lambda: len(table(folder)) == 3)
        until(lambda: waiting(server) == 0)  # each sink has its own pace
    assert any(b"while it was away" in body for _, body in receiver.got)
    rows = table(folder)
    assert {row["name"] for row in rows} == {"bad.png", "number 9", "while it was away.png"}
    assert len({row["id"] for row in rows}) == 3, "each once"
    assert len(list((folder / "sorted").rglob("*.png"))) == 3
    first = [(headers, body) for headers, body in receiver.got if b"bad.png" in body]
    assert len({headers["webhook-id"] for headers, _ in first}) == 1, "the same outcome has the same id"
    headers, body = first[-1]
    signed = signature(b"a secret", headers["webhook-id"], headers["webhook-timestamp"], body)
    assert headers["webhook-signature"] == signed


def test_a_sink_that_cannot_be_used_stops_the_start(line: Line) -> None:
    (line.folder / "secret").unlink()
    server = Served(line.folder / "data", "--config", str(line.folder / "service.toml"))
    ended = subprocess.run(server.command(), capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0 and "secret of a webhook" in ended.stderr and "Traceback" not in ended.stderr
