"""`--threads`, and how threads wait: set before torch starts, by the command line only."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reason_iad.cli.threads import use_threads

Make = Callable[..., Path]
NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "OMP_WAIT_POLICY")

ASK = """
import os, sys
from reason_iad.cli import main
from reason_iad.cli.engine import Engine

def load(engine):
    import cv2, torch
    print(os.environ["OMP_WAIT_POLICY"], os.environ.get("OMP_NUM_THREADS"))
    print(torch.get_num_threads(), cv2.getNumThreads())
    sys.exit(0)

Engine.load = load
main(sys.argv[1:])
"""  # fmt: skip


def asked(part: Path, *words: str, **environment: str) -> list[str]:
    """How the threads of a process are set up: how they wait, the variable, torch's number, OpenCV's number."""
    import os

    plain = {name: value for name, value in os.environ.items() if name not in NAMES} | environment
    command = [sys.executable, "-c", ASK, "ask", str(part), "Is there any defect?", *words]
    return subprocess.run(command, env=plain, capture_output=True, text=True, check=True).stdout.split()


def test_threads_sleep_while_they_wait_and_their_number_stays_torchs_own(make_image: Make) -> None:
    import os

    wait, variable, torch_threads, _ = asked(make_image())
    assert (wait, variable) == ("PASSIVE", "None")
    code = "import torch; print(torch.get_num_threads())"
    plain = {name: value for name, value in os.environ.items() if name not in NAMES}
    alone = subprocess.run([sys.executable, "-c", code], env=plain, capture_output=True, text=True, check=True)
    assert torch_threads == alone.stdout.strip()


def test_the_option_wins_over_the_environment(make_image: Make) -> None:
    part = make_image()
    assert asked(part, "--threads", "1", OMP_NUM_THREADS="2") == ["PASSIVE", "1", "1", "1"]
    assert asked(part, OMP_NUM_THREADS="1", OMP_WAIT_POLICY="ACTIVE")[:3] == ["ACTIVE", "1", "1"]


def test_a_program_that_has_loaded_torch_can_call_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2
    import torch

    for name in NAMES:
        monkeypatch.setenv(name, "2")  # and put back
    before = torch.get_num_threads(), cv2.getNumThreads()
    try:
        use_threads(1)
        assert (torch.get_num_threads(), cv2.getNumThreads()) == (1, 1)
    finally:
        torch.set_num_threads(before[0])
        cv2.setNumThreads(before[1])


def test_python_users_keep_their_settings() -> None:
    """Loading and inspecting changes neither the environment nor torch's threads."""
    code = (
        "import os, torch; torch.set_num_threads(1); before = dict(os.environ)\n"
        "from reason_iad import Inspector; import numpy as np\n"
        "Inspector.from_pretrained('fake').inspect(np.zeros((64, 64, 3), np.uint8))\n"
        f"print(torch.get_num_threads(), [n for n in {NAMES!r} if os.environ.get(n) != before.get(n)])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1) == ["1", "[]\n"]
