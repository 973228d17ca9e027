"""Each sink: what arrives there, and what it says when it cannot take it."""

from __future__ import annotations

import base64
import csv
import hashlib
import hmac
import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.parts import plate, save
from tests.service.serving import receiving

from reason_iad.cli import main
from reason_iad.errors import OutputError, ServiceError
from reason_iad.files import hold
from reason_iad.service.sinks.base import Message
from reason_iad.service.sinks.csv import CsvTable
from reason_iad.service.sinks.mqtt import MqttTable
from reason_iad.service.sinks.sort import SortTable
from reason_iad.service.sinks.webhook import WebhookTable

NOWHERE = Path("nowhere")


def message(**changes: Any) -> Message:
    known: dict[str, Any] = {
        "id": "all-7", "inspection": 7, "product": "plate", "name": "a.png", "source": "http", "received": 1.5,
        "finished": 2.0, "outcome": "defect", "probability": 0.9, "score": 5.0, "defect_type": "scratch",
        "place": "top left", "explanation": "A scratch.", "error": None, "picture": "a" * 64,
    }  # fmt: skip
    return Message(**{**known, **changes})


def webhook(folder: Path, url: str, secret: str = "a secret") -> Any:
    (folder / "secret").write_text(f"{secret}\n")
    return WebhookTable(kind="webhook", url=url, secret_file=folder / "secret", timeout_s=2).open()


def test_a_webhook_is_signed_and_has_an_id(tmp_path: Path) -> None:
    secret = base64.b64encode(b"thirty-two bytes of a secret, so").decode()
    with receiving() as receiver:
        sink = webhook(tmp_path, receiver.url, f"whsec_{secret}")
        sink.send(message(), NOWHERE)
        sink.close()
    ((headers, body),) = receiver.got
    assert json.loads(body) == message().model_dump()
    assert headers["webhook-id"] == "all-7" and abs(int(headers["webhook-timestamp"]) - time.time()) < 60
    signed = f"all-7.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.new(b"thirty-two bytes of a secret, so", signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(digest).decode()}"


def test_a_webhook_is_taken_only_when_the_answer_says_so(tmp_path: Path) -> None:
    with receiving() as receiver:
        sink = webhook(tmp_path, receiver.url)
        receiver.answers += [500, 302, 400, 204]
        for status in (500, 302, 400):
            with pytest.raises(ServiceError, match=str(status)):
                sink.send(message(), NOWHERE)
        sink.send(message(), NOWHERE)
        assert len(receiver.got) == 4, "a redirect is not followed"
    with pytest.raises(ServiceError, match="cannot be reached"):
        sink.send(message(), NOWHERE)
    sink.close()


def test_a_secret_that_is_no_base64_is_told(tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="whsec_"):
        webhook(tmp_path, "http://localhost/", "whsec_?")


def test_pictures_are_sorted_by_outcome_and_names_are_no_paths(tmp_path: Path) -> None:
    picture = tmp_path / ("a" * 64)
    save(plate(1), tmp_path / "a.png")
    (tmp_path / "a.png").rename(picture)
    sink = SortTable(kind="sort", folder=tmp_path / "sorted").open()
    sink.send(message(name="../../evil.png"), picture)
    sink.send(message(name="../../evil.png"), picture)
    sink.send(message(outcome="pass", inspection=8), picture)
    sink.send(message(outcome="pass", inspection=9), NOWHERE)
    files = {str(path.relative_to(tmp_path / "sorted")) for path in (tmp_path / "sorted").rglob("*.*")}
    assert files == {"defect/000000007-aaaaaaaaaaaa.png", "pass/000000008-aaaaaaaaaaaa.png"}
    assert (tmp_path / "sorted/defect/000000007-aaaaaaaaaaaa.png").read_bytes() == picture.read_bytes()
    with pytest.raises(OutputError):
        sink.send(message(outcome="../up"), picture)


def test_a_sorted_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "sorted").touch()
    save(plate(1), tmp_path / "a.png")
    with pytest.raises(OutputError, match="cannot be made"):
        SortTable(kind="sort", folder=tmp_path / "sorted").open().send(message(), tmp_path / "a.png")


def test_lines_are_added_to_a_csv_file(tmp_path: Path) -> None:
    sink = CsvTable(kind="csv", file=tmp_path / "a.csv").open()
    sink.send(message(), NOWHERE)
    sink.send(message(id="all-8", name='=cmd|"/c"', explanation="One.\nTwo, three", score=None), NOWHERE)
    with (tmp_path / "a.csv").open(newline="") as file:
        one, two = csv.DictReader(file)
    assert one["id"] == "all-7" and one["received"] == "1970-01-01T00:00:01.500+00:00" and one["score"] == "5.0"
    assert two["name"] == '\'=cmd|"/c"' and two["explanation"] == "One. Two, three" and two["score"] == ""


def test_a_line_that_was_cut_off_does_not_spoil_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    sink = CsvTable(kind="csv", file=path).open()
    sink.send(message(), NOWHERE)
    path.write_bytes(path.read_bytes()[:-5])
    sink.send(message(id="all-8"), NOWHERE)
    assert path.read_text().splitlines()[-1].startswith("all-8,7,")


def test_a_csv_file_that_another_process_writes_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reason_iad.service.sinks.csv.PATIENCE_S", 0.05)
    held = hold(tmp_path / "a.csv")
    with pytest.raises(OutputError, match="writing"):
        CsvTable(kind="csv", file=tmp_path / "a.csv").open().send(message(), NOWHERE)
    held.release()
    with pytest.raises(OutputError):
        CsvTable(kind="csv", file=tmp_path).open().send(message(), NOWHERE)


@contextmanager
def broker(*, confirm: bool = True) -> Iterator[tuple[int, list[bytes]]]:
    """A broker that speaks as much of MQTT 3.1.1 as one message needs; gives its port and what was published."""
    published: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as incoming:
                while head := incoming.read(1):
                    length, shift = 0, 0
                    while True:
                        digit = incoming.read(1)[0]
                        length |= (digit & 127) << shift
                        shift += 7
                        if digit < 128:
                            break
                    packet = incoming.read(length)
                    if head[0] >> 4 == 1:
                        connection.sendall(b"\x20\x02\x00\x00")
                    elif head[0] >> 4 == 3:
                        topic = int.from_bytes(packet[:2], "big")
                        published.append(packet[2 : 2 + topic] + b" " + packet[4 + topic :])
                        if confirm:
                            connection.sendall(b"\x40\x02" + packet[2 + topic : 4 + topic])

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield server.getsockname()[1], published
    finally:
        server.close()


def test_outcomes_are_published_by_mqtt_and_the_broker_confirms() -> None:
    pytest.importorskip("paho.mqtt", reason="needs paho-mqtt")
    with broker() as (port, published):
        sink = MqttTable(kind="mqtt", host="127.0.0.1", port=port, topic="line/2").open()
        for number in (7, 8):
            sink.send(message(inspection=number), NOWHERE)
        sink.close()
    assert [each[:7] for each in published] == [b"line/2 "] * 2
    assert [json.loads(each[7:])["inspection"] for each in published] == [7, 8]


def test_a_broker_that_is_away_or_confirms_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("paho.mqtt", reason="needs paho-mqtt")
    monkeypatch.setattr("reason_iad.service.sinks.mqtt.PATIENCE_S", 0.3)
    with broker(confirm=False) as (port, _):
        sink = MqttTable(kind="mqtt", host="127.0.0.1", port=port, topic="line/2").open()
        with pytest.raises(ServiceError, match="confirm"):
            sink.send(message(), NOWHERE)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sink = MqttTable(kind="mqtt", host="127.0.0.1", port=port, topic="line/2").open()
    with pytest.raises(ServiceError, match="cannot be reached"):
        sink.send(message(), NOWHERE)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "paho.mqtt.client", None)
    with pytest.raises(Exception, match=r"reason-iad\[mqtt\]"):
        MqttTable(kind="mqtt", host="127.0.0.1", topic="line/2").open()


def test_a_secret_that_is_missing_is_named_with_its_sink_and_its_file(tmp_path: Path) -> None:
    """Both kinds of sinks with secrets say which one it is, before the server listens."""
    pytest.importorskip("paho.mqtt", reason="needs paho-mqtt")
    webhook = 'kind = "webhook"\nurl = "http://localhost/"\nsecret_file = "nowhere.secret"\n'
    mqtt = 'kind = "mqtt"\nhost = "localhost"\ntopic = "a"\npassword_file = "nowhere.secret"\n'
    for table in (webhook, mqtt):
        (tmp_path / "service.toml").write_text(f"[sinks.control]\n{table}")
        options = ["serve", "--data", str(tmp_path / "data"), "--config", str(tmp_path / "service.toml")]
        ended = CliRunner().invoke(main, options)
        said = " ".join(ended.output.split())
        assert ended.exit_code == 2, said
        assert "The sink 'control' cannot be used." in said and "nowhere.secret" in said, said
