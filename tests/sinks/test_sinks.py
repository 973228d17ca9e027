"""Sinks: where outcomes go, and what is said when they cannot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.stub import StubInspector
from tests.outside import install

from reason_iad.errors import ConfigError, OutputError
from reason_iad.inspection.many import Failure
from reason_iad.schema import Inspection
from reason_iad.sinks import open_sink, open_sinks


def test_json_lines_are_added_to_what_is_there(make_image: Callable[..., Path], tmp_path: Path) -> None:
    result, failure = StubInspector().inspect(make_image()), Failure(image="torn.png", error="It is torn.")
    for outcome in (result, failure):
        with open_sinks([f"jsonl:{tmp_path / 'all.jsonl'}"]) as send:
            send(outcome)
    first, second = (tmp_path / "all.jsonl").read_text().splitlines()
    assert Inspection.model_validate_json(first) == result and Failure.model_validate_json(second) == failure


def test_every_sink_gets_every_outcome(tmp_path: Path) -> None:
    with open_sinks([f"jsonl:{tmp_path / name}" for name in ("a", "b")]) as send:
        send(Failure(image="torn.png", error="It is torn."))
    assert (tmp_path / "a").read_text() == (tmp_path / "b").read_text() != ""


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("jsonl", r"needs a file; write it as jsonl:FILE"),
        ("json:x", r"There is no sink 'json'\. Did you mean 'jsonl'\? Choose one of: jsonl"),
    ],
)
def test_a_sink_that_cannot_be_made_is_refused(spec: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        open_sink(spec)


def test_a_folder_that_is_not_there_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="gone' does not exist; create it first"):
        open_sink(f"jsonl:{tmp_path / 'gone' / 'all.jsonl'}")


SINK = """
class Sink:
    def __init__(self, target):
        self.target = target
        if target == "now":
            raise KeyError("host")
    def send(self, outcome):
        raise ConnectionError("nobody listens")
    def close(self):
        open(self.target, "w").write("closed")
"""


def test_a_sink_of_another_package_that_fails_is_named_and_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(
        monkeypatch, tmp_path / "site", "acme", {"acme_sink": SINK}, {"reason_iad.sinks": "acme = acme_sink:Sink"}
    )
    failure, mark = Failure(image="torn.png", error="It is torn."), tmp_path / "mark"
    with (
        pytest.raises(OutputError, match=r"The sink 'acme' failed \(ConnectionError: nobody listens\)"),
        open_sinks([f"acme:{mark}"]) as send,
    ):
        send(failure)
    assert mark.read_text() == "closed"
    mark.unlink()
    with pytest.raises(OutputError, match="The sink 'acme' failed"), open_sinks([f"acme:{mark}", "acme:now"]):
        pass
    assert mark.read_text() == "closed"  # the first one, though the second could not be made


def test_what_went_wrong_first_is_said_and_not_what_follows_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SINK.replace('open(self.target, "w").write("closed")', 'raise BrokenPipeError("the line is cut")')
    install(
        monkeypatch, tmp_path / "site", "acme", {"acme_sink": source}, {"reason_iad.sinks": "acme = acme_sink:Sink"}
    )
    with (
        pytest.raises(OutputError, match=r"ConnectionError: nobody listens"),
        open_sinks(["acme:a", "acme:b"]) as send,
    ):
        send(Failure(image="torn.png", error="It is torn."))
    with pytest.raises(OutputError, match="the line is cut"), open_sinks(["acme:a"]):
        pass


def test_a_file_that_cannot_be_written_is_noticed_before_anything_is_sent(tmp_path: Path) -> None:
    foreign = tmp_path / "letter.txt"
    foreign.write_text("Dear Sir,")
    for target in (tmp_path, foreign):
        with pytest.raises(OutputError, match=target.name):
            open_sink(f"jsonl:{target}")
    assert foreign.read_text() == "Dear Sir,"
