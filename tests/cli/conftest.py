"""The command line on a stub inspector, put in at the one seam where the real one is loaded."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result
from tests.cli.stub import StubInspector

from reason_iad.cli import main
from reason_iad.cli.engine import Engine

Run = Callable[..., Result]


@pytest.fixture
def stubs(monkeypatch: pytest.MonkeyPatch) -> list[StubInspector]:
    """Every inspector that the command line loads, in order."""
    made: list[StubInspector] = []

    def load(engine: Engine) -> StubInspector:
        made.append(StubInspector(engine.model, engine.config, knowledge=engine.knowledge))
        made[-1].operating_point = engine.operating_point
        return made[-1]

    monkeypatch.setattr(Engine, "load", load)
    return made


@pytest.fixture
def run(stubs: list[StubInspector]) -> Run:
    """Call `reason-iad` with these words."""

    def call(*words: object) -> Result:
        return CliRunner().invoke(main, [str(word) for word in words])

    return call
