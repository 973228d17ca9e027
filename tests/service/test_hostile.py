"""What an enemy sends: pictures that are none, bombs, slow bodies, many connections, requests that are no HTTP."""

from __future__ import annotations

import io
import os
import socket
import struct
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image
from tests.parts import plate
from tests.service.serving import Served, make_product
from tests.service.test_server import png

from reason_iad.service.settings import Limits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with little patience."""
    data = tmp_path_factory.mktemp("hostile") / "data"
    make_product(data)
    limits = Limits(header_s=1.0, body_s=1.5, connections=48, body_bytes=4 * 2**20, arriving_bytes=8 * 2**20)
    with Served(data, limits=limits) as server:
        yield server
        assert server.send(png(1), wait=30).status_code == 200, "it still works after all of that"
        assert "Traceback" not in server.said(), server.said()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def header(width: int, height: int, pixels: bytes = b"") -> bytes:
    """A PNG that says how large it is."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


PART = Image.fromarray(np.asarray(plate(7), np.uint8))
REFUSED = {
    "empty": b"",
    "text": b"not an image",
    "zeros": bytes(4096),
    "start of a JPEG": b"\xff\xd8\xff",
    "tiny": saved(Image.new("RGB", (4, 4)), "PNG"),
    "narrow": saved(Image.new("RGB", (8, 4000)), "PNG"),
    "bomb": header(20_000, 20_000),
    "larger than any": header(2**31 - 1, 2**31 - 1),
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(/etc/passwd) run\n",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "HTML": b"<script>alert(1)</script>",
    "a pickle": b"\x80\x04cos\nsystem\n(S'id'\ntR.",
    "ICO": saved(PART, "ICO"),
    "PDF": saved(PART, "PDF"),
}
FAILS = {
    "cut off": saved(PART, "PNG")[:2000],
    "cut off JPEG": saved(PART, "JPEG")[:900],
    "cut off TIFF": saved(PART, "TIFF")[: 96 * 128],
    "pixels are missing": header(640, 480, zlib.compress(b"\0" * 100)),
    "bad compression": header(640, 480, b"\xff" * 500),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_picture_is_refused_before_it_is_decoded(served: Served, what: str) -> None:
    begin = time.monotonic()
    answer = served.send(REFUSED[what], name=f"../../{what}")
    assert answer.status_code == 422, (what, answer.text)
    assert time.monotonic() - begin < 5
    assert not named(served, answer.text)


@pytest.mark.parametrize("what", FAILS)
def test_a_damaged_picture_fails_alone_and_says_so(served: Served, what: str) -> None:
    answer = served.send(FAILS[what], wait=30, name="a/../../b\\c:d")
    assert answer.status_code in (200, 422), answer.text
    if answer.status_code == 200:
        assert answer.json()["state"] == "failed" and answer.json()["error"], answer.text
        assert "bug" not in answer.json()["error"], answer.text
        details = served.client.get(f"/v1/inspections/{answer.json()['id']}")
        assert details.status_code == 200 and not named(served, details.text)
    assert not named(served, answer.text)


def test_the_largest_pictures_that_are_allowed_do_not_stop_it(served: Served) -> None:
    answer = served.send(saved(Image.new("RGB", (7000, 7000), (90, 90, 90)), "PNG"), wait=30)
    assert answer.status_code in (200, 202), answer.text


def test_no_answer_names_a_file_of_the_server(served: Served) -> None:
    served.send(png(3), wait=30)
    served.client.post("/v1/products/plate/pictures", params={"defect": "dent"}, content=png(44))
    for path in (
        "/v1/inspections", "/v1/inspections/1", "/v1/products", "/v1/products/plate", "/v1/statistics",
        "/v1/products/plate/history", "/v1/products/plate/pictures", "/v1/metrics", "/v1/openapi.json",
        "/v1/products/..%2f..%2fetc", "/v1/products/plate/pictures/..%2f..%2fproduct.json", "/v1/inspections/x",
        "/v1/products/%00", "/../../etc/passwd", "/v1/inspections?limit=-1",
    ):  # fmt: skip
        answer = served.client.get(path)
        assert answer.status_code < 500, (path, answer.text)
        assert not named(served, answer.text), (path, answer.text)
    for number in range(1, 30):
        report = served.client.get(f"/v1/inspections/{number}/report")
        assert report.status_code in (200, 404, 409) and not named(served, report.text)


def test_a_body_that_trickles_in_is_ended(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as slow:
        slow.sendall(
            b"POST /v1/inspections?product=plate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nx"
        )
        begin = time.monotonic()
        slow.settimeout(6)
        answer = slow.recv(4096)
        assert b" 408 " in answer.split(b"\r\n")[0] and time.monotonic() - begin < 4


def test_a_head_that_never_ends_is_ended(served: Served) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as slow:
        slow.settimeout(0.3)
        begin, closed = time.monotonic(), False
        slow.sendall(b"GET /v1/health HTTP/1.1\r\n")
        while not closed and time.monotonic() - begin < 6:
            try:
                slow.sendall(b"X-A: b\r\n")
                closed = slow.recv(100) == b""
            except TimeoutError:
                continue
            except OSError:
                closed = True
        assert closed and time.monotonic() - begin < 4


def test_idle_connections_keep_nobody_out_for_long(served: Served) -> None:
    idle = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(120)]
    try:
        time.sleep(1.6)
        served.client.close()
        import httpx

        served.client = httpx.Client(base_url=f"http://127.0.0.1:{served.port}", timeout=60)
        assert served.client.get("/v1/health").status_code == 200
    finally:
        for each in idle:
            each.close()


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /v1/health HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"POST /v1/inspections?product=plate HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/inspections?product=plate HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /v1/me HTTP/1.1\r\n\r\n",
        b"POST /v1/inspections HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"GET http://evil.example/v1/me HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /v1/me HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(served: Served, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", served.port)) as connection:
        connection.settimeout(6)
        connection.sendall(sent)
        answer = b""
        try:
            while more := connection.recv(4096):
                answer += more
                if b"\r\n\r\n" in answer:
                    break
        except OSError:
            pass
    first = answer.split(b"\r\n")[0]
    assert not first or first.split()[1] in (b"400", b"403", b"404", b"408", b"413", b"421", b"422"), answer


def test_more_than_may_arrive_at_once_is_refused(served: Served) -> None:
    head = (
        b"POST /v1/inspections?product=plate&wait=0 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4000000\r\n\r\n"
    )
    open_ = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(5)]
    assert served.process is not None
    try:
        for each in open_:
            each.sendall(head + os.urandom(3_000_000))
        answers = []
        for each in open_:
            each.settimeout(6)
            answers.append(each.recv(200).split()[1])
        assert set(answers) == {b"503", b"408"}, answers
        assert psutil.Process(served.process.pid).memory_info().rss < 600 * 2**20
    finally:
        for each in open_:
            each.close()


def named(server: Served, text: str) -> list[str]:
    """Names of files and folders of the server in a text."""
    words = (str(server.data), str(server.data.parent), str(Path.home()), "/tmp/", "site-packages", "arriving")
    return [word for word in words if word in text]
