"""The client and `inspect --server`, with a server in a process of its own, and with servers that fail."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from tests.parts import plate, save, scratched
from tests.service.serving import Served, make_product

from reason_iad import client as clients
from reason_iad.cli import main
from reason_iad.client import Client, Refused
from reason_iad.errors import ImageError, ServiceError
from reason_iad.service.server import add_administrator
from reason_iad.service.settings import Settings

pytestmark = pytest.mark.slow

PART = {
    "id": 7, "product": "plate", "name": "a.png", "picture": "a" * 64, "source": "http", "received": 1.0,
    "state": "done", "outcome": "pass", "of a newer server": 1,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("client")
    save(plate(100), folder / "good.png")
    save(scratched(101), folder / "bad.png")
    return folder


@pytest.fixture(scope="module")
def url(folder: Path) -> Iterator[str]:
    """A server with a key in the file 'key'."""
    from reason_iad.service.database import Database
    from reason_iad.service.people import People

    settings = Settings(folder / "data")
    make_product(folder / "data", count=8)
    add_administrator(settings, "ann", "correct horse battery")
    database = Database(settings.database_url)
    (folder / "key").write_text(People(database, 3).make_key("line", "review", "ann") + "\n")
    database.close()
    with Served(folder / "data") as server:
        yield server.url


@pytest.fixture
def client(url: str, folder: Path) -> Iterator[Client]:
    with Client(url, (folder / "key").read_text().strip(), patience=5) as made:
        yield made


def test_parts_are_inspected_listed_and_reviewed(client: Client, folder: Path) -> None:
    bad = client.inspect(folder / "bad.png", "plate", key="bad")
    assert bad.state == "done" and bad.outcome in ("defect", "review") and bad.name == "bad.png"
    assert client.inspect((folder / "bad.png").read_bytes(), "plate", name="bad.png", key="bad").id == bad.id
    later = client.inspect(folder / "good.png", "plate", wait=0)
    assert not later.ended or later.outcome
    details = client.get(bad.id)
    assert details.result is not None and details.result["verdict"] == bad.outcome and details.reviews == ()
    assert bad.id in [part.id for part in client.parts(product="plate", text="bad.png", limit=1)]
    assert "knows this part" in client.review(bad.id, "defect", defect_type="scratch", box=(80, 50, 112, 80)).words
    (review,) = client.get(bad.id).reviews
    assert (review.says, review.box) == ("defect", {"x1": 80, "y1": 50, "x2": 112, "y2": 80})
    assert client.review(bad.id, "undo").contradicts is None


def test_a_list_goes_over_all_pages(client: Client, folder: Path) -> None:
    for _ in range(3):
        client.inspect(folder / "good.png", "plate", name="many", wait=0)
    found = [part.id for part in client.parts(text="many", limit=1)]
    assert len(found) == 3 or len(list(client.parts(limit=1))) >= 3  # words are found once parts are done
    assert found == sorted(found, reverse=True)


def test_what_the_server_refuses_is_said_in_its_words(client: Client, url: str, folder: Path) -> None:
    for status, ask in (
        (404, lambda: client.get(10**9)),
        (404, lambda: client.inspect(folder / "good.png", "nothing")),
        (422, lambda: client.inspect(b"no picture", "plate")),
        (422, lambda: list(client.parts(outcome="good"))),
        (401, lambda: Client(url, "riad_wrong").get(1)),
    ):
        with pytest.raises(Refused) as refused:
            ask()
        assert refused.value.status == status and "Traceback" not in str(refused.value)
    with pytest.raises(ImageError, match=r"nothing\.png"):
        client.inspect(folder / "nothing.png", "plate")


def test_inspect_at_a_server_prints_lines_and_gives_codes_as_without(url: str, folder: Path) -> None:
    runner, good, bad = CliRunner(), str(folder / "good.png"), str(folder / "bad.png")
    (folder / "broken.png").write_bytes(b"no picture")
    common = ["--server", url, "--product", "plate", "--key", str(folder / "key")]
    many = runner.invoke(main, ["inspect", good, bad, *common, "--jobs", "2", "--report", str(folder / "reports")])
    assert many.exit_code in (1, 4), many.output
    first, second = many.stdout.splitlines()
    assert first.startswith("PASS") and "good.png" in first and "bad.png" in second
    assert (folder / "reports" / "index.html").exists()
    one = runner.invoke(main, ["inspect", good, *common, "--json", "-"])
    assert one.exit_code == 0 and json.loads(one.stdout)["verdict"] == "pass"
    failed = runner.invoke(main, ["inspect", good, str(folder / "broken.png"), *common])
    assert failed.exit_code == 3 and "FAILED" in failed.stdout
    by_variable = runner.invoke(
        main, ["inspect", good, *common[:4]], env={"REASON_IAD_KEY": (folder / "key").read_text().strip()}
    )
    assert by_variable.exit_code == 0, by_variable.output


def test_what_is_wrong_with_the_server_is_said_once_and_at_once(url: str, folder: Path) -> None:
    """Before any part is sent: no sink and no report is made, and not every photo is tried."""
    (folder / "wrong key").write_text("riad_wrong")
    parts = [str(folder / "good.png"), str(folder / "bad.png")]
    for server, key, product, said in (
        (url, "wrong key", "plate", "key"),
        (url, "key", "nothing", "no product 'nothing'"),
        ("http://127.0.0.1:1", "key", "plate", "cannot be reached"),
    ):
        options = ["--server", server, "--product", product, "--key", str(folder / key)]
        begun = time.monotonic()
        ended = CliRunner().invoke(main, ["inspect", *parts, *options, "--json", str(folder / "none.jsonl")])
        assert ended.exit_code == 2 and said in ended.output, ended.output
        assert ended.output.count(said) == 1 and time.monotonic() - begun < 20
        assert not (folder / "none.jsonl").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--server", "http://localhost:1"], "--server needs --product NAME"),
        (["--server", "http://localhost:1", "--product", "p", "--model", "nano"], "--model cannot be used with"),
        (["--server", "http://localhost:1", "--product", "p", "--no-align"], "--align cannot be used with"),
        (["--server", "localhost:1", "--product", "p"], "begins with http:// or https://"),
        (["--key", "KEY"], "--key is for a server"),
        (["--server", "http://localhost:1", "--product", "p", "--key", "EMPTY"], "holds no key"),
    ],
)
def test_options_that_do_not_go_together_are_told(folder: Path, options: list[str], said: str) -> None:
    (folder / "some key").write_text("riad_x")
    (folder / "no key").touch()
    known = {"KEY": str(folder / "some key"), "EMPTY": str(folder / "no key")}
    given = [known.get(each, each) for each in options]
    ended = CliRunner().invoke(main, ["inspect", str(folder / "good.png"), *given])
    assert ended.exit_code == 2 and said in " ".join(ended.output.split()), ended.output


class Flaky:
    """Answers as it is told; None: the connection breaks."""

    def __init__(self, *answers: httpx2.Response | None) -> None:
        self.answers, self.asked = list(answers), []  # type: tuple[list[httpx2.Response | None], list[httpx2.Request]]

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        request.read()
        self.asked.append(request)
        answer = self.answers.pop(0)
        if answer is None:
            raise httpx2.ReadError("broken", request=request)
        return answer


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was slept, without sleeping."""
    pauses: list[float] = []
    now = [0.0]

    class Clock:
        @staticmethod
        def sleep(seconds: float) -> None:
            pauses.append(seconds)
            now[0] += seconds

        @staticmethod
        def monotonic() -> float:
            return now[0]

    monkeypatch.setattr(clients, "time", Clock)
    return pauses


def flaky(*answers: httpx2.Response | None) -> tuple[Client, Flaky]:
    client, server = Client("http://localhost:1", "riad_x", patience=20), Flaky(*answers)
    client._http = httpx2.Client(
        transport=httpx2.MockTransport(server), base_url=client.url, headers=client._http.headers
    )
    return client, server


def busy(after: str = "3", status: int = 503) -> httpx2.Response:
    return httpx2.Response(status, json={"detail": "200 parts are waiting."}, headers={"retry-after": after})


def test_a_busy_or_broken_server_gets_the_same_part_again(slept: list[float]) -> None:
    client, server = flaky(busy(), None, busy("7", 429), httpx2.Response(200, json=PART))
    assert client.inspect(b"picture", "plate").id == 7
    assert len({request.headers["idempotency-key"] for request in server.asked}) == 1
    assert {request.content for request in server.asked} == {b"picture"}
    assert server.asked[0].headers["authorization"] == "Bearer riad_x"
    assert slept == [3.0, pytest.approx(0.2), 7.0]


def test_patience_ends(slept: list[float]) -> None:
    client, _ = flaky(*[busy("6") for _ in range(9)])
    with pytest.raises(Refused, match="200 parts are waiting") as refused:
        client.inspect(b"picture", "plate")
    assert refused.value.status == 503 and len(slept) == 3
    client, _ = flaky(*[None] * 50)
    with pytest.raises(ServiceError, match="cannot be reached"):
        client.get(1)


def test_a_review_is_not_said_twice(slept: list[float]) -> None:
    client, server = flaky(busy(), None, httpx2.Response(200, json={"words": "Noted."}))
    with pytest.raises(ServiceError, match="cannot be reached"):
        client.review(7, "good")
    assert len(server.asked) == 2, "busy: nothing was done; broken: perhaps it was"


def test_a_result_that_takes_long_is_asked_for(slept: list[float]) -> None:
    waiting = {**PART, "state": "waiting", "outcome": None}
    details = [{"part": part, "result": None, "reviews": []} for part in (waiting, waiting, PART)]
    answers = [httpx2.Response(202, json=waiting), *(httpx2.Response(200, json=each) for each in details)]
    client, server = flaky(*answers)
    assert client.inspect(b"picture", "plate", wait=40).outcome == "pass"
    assert server.asked[0].url.params["wait"] == "30.0" and len(server.asked) == 4
    client, server = flaky(httpx2.Response(202, json=waiting))
    assert client.inspect(b"picture", "plate", wait=0).state == "waiting"


def test_an_answer_of_something_else_is_told() -> None:
    client, _ = flaky(
        httpx2.Response(200, text="<html>"), httpx2.Response(302, headers={"location": "http://evil/"})
    )
    with pytest.raises(ServiceError, match="not one of this service"):
        client.get(1)
    with pytest.raises(Refused, match="302"):
        client.get(1)


def test_nobody_listens() -> None:
    begun = time.monotonic()
    client = Client("http://127.0.0.1:1", patience=0.3)
    with pytest.raises(ServiceError, match="cannot be reached"):
        client.inspect(b"picture", "plate")
    assert time.monotonic() - begun < 5


def test_the_docs_list_every_method() -> None:
    page = Path(__file__, "../../../docs/sources-and-sinks.md").resolve().read_text()
    for name in vars(Client):
        assert name.startswith("_") or f"\n| `{name}(" in page, name
