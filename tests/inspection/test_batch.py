"""The batch loop as a library: lazy, one outcome per image, in order."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cli.stub import StubInspector
from reason_iad.errors import OutputError
from reason_iad.inspection.batch import Conditions, Failure, ResultLog, file_sha256, inspect_many
from reason_iad.schema import Inspection

Make = Callable[..., Path]


def test_one_outcome_per_path_in_order(make_image: Make, tmp_path: Path) -> None:
    paths = [make_image("a.png"), tmp_path / "missing.png", make_image("b.png")]
    outcomes = list(inspect_many(StubInspector(), paths))
    assert [type(outcome) for outcome in outcomes] == [Inspection, Failure, Inspection]


def test_an_image_is_read_when_its_turn_comes(make_image: Make) -> None:
    seen: list[Path] = []

    def paths() -> Iterator[Path]:
        for name in ("a.png", "b.png"):
            seen.append(make_image(name))
            yield seen[-1]

    outcomes = inspect_many(StubInspector(), paths())
    next(outcomes)
    assert len(seen) == 1


def test_images_of_the_same_file_name_stay_apart(make_image: Make) -> None:
    paths = [make_image("left/part.png"), make_image("right/part.png")]
    outcomes = [o for o in inspect_many(StubInspector(), paths) if isinstance(o, Inspection)]
    assert [outcome.image.name for outcome in outcomes] == [str(path) for path in paths]


def test_hash_of_a_file_is_the_one_in_the_result(make_image: Make) -> None:
    path = make_image()
    assert StubInspector().inspect(path).image.sha256 == file_sha256(path)


@pytest.mark.timeout(20)
def test_what_is_no_file_has_no_hash(tmp_path: Path) -> None:
    assert file_sha256(tmp_path) == "" == file_sha256(tmp_path / "missing")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert file_sha256(tmp_path / "pipe") == ""  # and it does not wait for a writer


def test_a_log_refuses_a_result_of_another_kind(make_image: Make, tmp_path: Path) -> None:
    log = ResultLog.create(tmp_path / "log.jsonl")
    part = make_image()
    log.append(StubInspector().inspect(part))
    before = log.path.read_bytes()
    with pytest.raises(OutputError, match="model nano instead of other"):
        log.append(StubInspector("other").inspect(part))
    assert log.path.read_bytes() == before


def test_only_what_is_known_is_compared() -> None:
    known = Conditions(config="a", references=("r",), question="", model="nano", weights="w")
    assert known.differences(Conditions()) == []
    assert known.differences(Conditions(weights="v", references=())) == ["other references", "other weights"]
