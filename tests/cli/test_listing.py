"""Many parts: what is printed where, and what the summary says."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.cli.conftest import Run

Make = Callable[..., Path]

MANY = """
import sys
sys.path.insert(0, {folder!r})
from tests.cli.stub import StubInspector
from reason_iad.cli import main
from reason_iad.cli.engine import Engine

Engine.load = lambda engine: StubInspector(engine.model, engine.config)
main()
"""


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
@pytest.mark.parametrize("words", [(), ("--json", "-")])
def test_what_goes_to_a_file_is_not_printed_with_the_progress_bar(
    words: tuple[str, ...], make_image: Make, tmp_path: Path
) -> None:
    """`reason-iad inspect PARTS > file` on a terminal: standard error is a terminal, standard output is not."""
    import pty
    import subprocess

    parts = [str(make_image(f"{i}.png", 60)) for i in range(3)]
    ours, theirs = pty.openpty()
    code = MANY.format(folder=str(Path(__file__).parents[2]))
    with (tmp_path / "out.txt").open("wb") as out:
        command = [sys.executable, "-c", code, "inspect", *parts, *words]
        subprocess.run(command, stdout=out, stderr=theirs, check=True, env=os.environ | {"TERM": "xterm"})
    os.close(theirs)
    os.close(ours)
    found = (tmp_path / "out.txt").read_text().splitlines()
    assert len(found) == 3 and all(part in line for part, line in zip(parts, found, strict=True))


@pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
def test_on_a_terminal_each_part_has_a_line_of_its_own(make_image: Make) -> None:
    import pty
    import re
    import subprocess

    parts = [str(make_image(f"{i}.png", 60)) for i in range(3)]
    ours, theirs = pty.openpty()
    code = MANY.format(folder=str(Path(__file__).parents[2]))
    command = [sys.executable, "-c", code, "inspect", *parts]
    subprocess.run(command, stdout=theirs, stderr=theirs, check=True, env=os.environ | {"TERM": "xterm"})
    os.close(theirs)
    shown = os.read(ours, 2**20).decode()
    os.close(ours)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert [part in plain for part in parts] == [True] * 3
    assert len(re.findall(r"[\r\n]PASS  ", "\n" + plain)) == 3


def test_many_failures_are_counted(run: Run, make_image: Make, tmp_path: Path) -> None:
    folder = make_image("in/good.png", 60).parent
    for number in range(12):
        (folder / f"{number:02}.png").write_bytes(b"no image")
    out = tmp_path / "out.jsonl"
    result = run("inspect", folder, "--json", out)
    assert result.exit_code == 3
    *_, last, _ = result.stderr.splitlines()
    assert last.startswith(f"12 photos could not be inspected: {folder / '00.png'}, ") and "10.png" not in last
    assert last.endswith("and 2 more. Repair them, then run again with --resume.")
    assert "12 not inspected" in result.stderr
