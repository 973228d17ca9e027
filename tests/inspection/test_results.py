"""Results as lines: known again by their file's content, and only of one kind."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.stub import StubInspector

from reason_iad.errors import OutputError
from reason_iad.files import file_sha256
from reason_iad.inspection.conditions import Conditions
from reason_iad.inspection.results import ResultLog

Make = Callable[..., Path]


def test_hash_of_a_file_is_the_one_in_the_result(make_image: Make) -> None:
    path = make_image()
    assert StubInspector().inspect(path).image.sha256 == file_sha256(path)


@pytest.mark.timeout(20)
def test_what_is_no_file_has_no_hash(tmp_path: Path) -> None:
    assert file_sha256(tmp_path) is None is file_sha256(tmp_path / "missing")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe")
        assert file_sha256(tmp_path / "pipe") is None  # and it does not wait for a writer


def test_a_log_refuses_a_result_of_another_kind(make_image: Make, tmp_path: Path) -> None:
    log = ResultLog.create(tmp_path / "log.jsonl")
    part = make_image()
    log.append(StubInspector().inspect(part))
    before = log.path.read_bytes()
    with pytest.raises(OutputError, match="model nano instead of other"):
        log.append(StubInspector("other").inspect(part))
    assert log.path.read_bytes() == before
    log.close()


def test_only_what_is_known_is_compared() -> None:
    known = Conditions(config="a", references=("r",), question="", model="nano", weights="w")
    assert known.differences(Conditions()) == []
    assert known.differences(Conditions(weights="v", references=())) == ["other references", "other weights"]
