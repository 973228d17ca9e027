"""The demo of the service: a server with a product, and parts of which each comes to an end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.service.serving import Served, until

from reason_iad.cli import main
from reason_iad.cli.service_demo import DEFECTS, NAME

MAKEFILE = Path(__file__).parent.parent.parent / "Makefile"


@pytest.mark.slow
def test_the_demo_has_a_product_and_parts_of_each_kind(tmp_path: Path) -> None:
    with Served(tmp_path / "data", "--demo") as server:
        until(lambda: len(server.parts(state="done")) == len(DEFECTS) + 1, 90, server.said)
        outcomes = {part["name"]: part["outcome"] for part in server.parts()}
        assert {part["product"] for part in server.parts()} == {NAME}
        for number, kind in enumerate(DEFECTS):
            name = f"{number:02d}-{kind or 'good'}.png"
            assert (outcomes[name] == "pass") == (kind is None), outcomes
        assert "defect" in outcomes.values() and "unjudged" in outcomes.values()
        assert server.url in server.said()
        assert server.stop() == 0


@pytest.mark.slow
def test_its_folder_is_gone_after_ctrl_c(tmp_path: Path) -> None:
    """As `make serve-demo` starts it."""
    command = re.search(r"^serve-demo:.*\n\t\$\(BIN\)/reason-iad (.*)$", MAKEFILE.read_text(), re.MULTILINE)
    assert command is not None
    (tmp_path / "temporary").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temporary"), "OMP_NUM_THREADS": "1"}
    server = Served(tmp_path / "unused")
    started = [sys.executable, "-m", "reason_iad", *command[1].split(), "--port", str(server.port)]
    server.process = subprocess.Popen(started, stderr=subprocess.DEVNULL, env=environment)
    server.log.touch()
    until(lambda: server.answers("/v1/health"), 90)
    assert len(list((tmp_path / "temporary").glob("reason-iad-*"))) == 1
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(60) == 0
    assert not list((tmp_path / "temporary").iterdir())


def test_the_demo_leaves_a_folder_alone_in_which_there_is_something(tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    ended = CliRunner().invoke(main, ["serve", "--demo", "--data", str(tmp_path)])
    assert ended.exit_code == 2 and "not empty" in ended.output
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]
