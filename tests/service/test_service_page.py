"""The commands of docs/service.md do what the page says."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests import boards
from tests.docs.blocks import ROOT, blocks
from tests.parts import plate, save
from tests.service.serving import Served

from reason_iad.cli import main
from reason_iad.products import Products

pytestmark = pytest.mark.slow

PAGE = "docs/service.md"


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_requests_of_the_page_are_answered(tmp_path: Path) -> None:
    save(plate(1), tmp_path / "good.png")
    save(plate(2), tmp_path / "part.png")
    boards.save(boards.board(17), tmp_path / "board-17.png")
    boards.save(boards.template(17), tmp_path / "drawing-17.png")
    commands = [command for block in blocks(PAGE) if block.language == "bash" for command in block.commands()]
    (make_key,) = (command for command in commands if "--new-key" in command)
    *requests, with_key = (command for command in commands if command.startswith("curl "))
    with Served(tmp_path / "line-2") as server:

        def answer(command: str) -> Any:
            words = shlex.split(command.replace("localhost:8340", f"127.0.0.1:{server.port}"))
            done = subprocess.run(words, check=True, capture_output=True, text=True, cwd=tmp_path, timeout=60)
            return json.loads(done.stdout)

        good = boards.save(boards.board(0), tmp_path / "boards" / "0.png")
        own = boards.save(boards.template(0), tmp_path / "drawings" / "0.png")
        products = Products(server.data / "products")
        products.create("board", [good], template=own.parent, settings={"resolution": 160})
        taught, inspected, form, templated, keyed = (answer(command) for command in requests)
        assert taught["good"] == 1
        assert inspected["state"] == "done" and inspected["name"] == "part-17", inspected
        assert form["state"] == "done" and form["name"] == "part.png"
        assert templated["state"] == "done" and templated["template"], templated
        assert keyed["state"] == "done" and keyed["id"] == 4
        made = CliRunner().invoke(main, [*shlex.split(make_key)[1:], "--data", str(server.data)])
        key = made.stdout.strip()
        assert key.startswith("riad_")
        assert server.client.get("/v1/me").status_code == 401, "the first key closes the door"
        shown = server.client.get("/v1/me", headers={"Authorization": f"Bearer {key}"})
        assert shown.json()["role"] == "inspect"
        assert answer(with_key.replace("$KEY", key))["state"] == "done"


def test_the_numbers_of_the_page_are_those_of_the_program() -> None:
    from reason_iad.service.people import WINDOW_S
    from reason_iad.service.settings import Limits, Settings

    text, limits = (ROOT / PAGE).read_text(encoding="utf-8"), Limits()
    assert f"for the head ({limits.header_s:.0f} s) and the body ({limits.body_s:.0f} s)" in text
    assert f"({limits.arriving_bytes // 2**20} MiB)" in text
    assert (limits.lease_s, limits.attempts, limits.logins, WINDOW_S) == (120, 3, 5, 900)
    assert set(re.findall(r"localhost:(\d+)", text)) == {str(Settings(Path()).port)}
