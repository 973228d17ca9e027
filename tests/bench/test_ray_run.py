"""`reason-iad bench run --ray` with the embedded model, as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from tests.bench.mmad_files import write_set

pytest.importorskip("ray")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


def begin(questions: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    """A run with the embedded model, one thread, in a process of its own."""
    command = [sys.executable, "-m", "reason_iad", "bench", "run", "--quiet", "--method", "full", "--device", "cpu"]
    command += ["--questions", str(questions), "--images", str(questions.parent), "--out", str(out), *more]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def kill_a_worker(process: subprocess.Popen[str], answers: Path) -> None:
    """Kill one of the workers as soon as something is answered."""
    while process.poll() is None and not (answers.exists() and answers.read_bytes()):
        time.sleep(0.05)
    workers = [p for p in psutil.Process(process.pid).children(recursive=True) if "MapWorker" in p.name()]
    assert len(workers) == 2, "the run ended before a worker could be killed"
    os.kill(workers[0].pid, signal.SIGKILL)


def test_two_workers_of_which_one_is_killed_write_the_same_bytes_as_one_process(tmp_path: Path) -> None:
    questions = write_set(tmp_path / "set", images=2)
    with begin(questions, tmp_path / "alone") as alone:
        assert alone.wait() == 0
    with begin(questions, tmp_path / "many", "--ray", "--workers", "2") as many:
        kill_a_worker(many, tmp_path / "many" / "full" / "answers.jsonl")
        out, err = many.communicate()
    assert many.returncode == 0, err
    assert out == "" and "log level" not in err, "Ray's own lines are not for people"
    written = [(tmp_path / name / "full" / "answers.jsonl").read_bytes() for name in ("alone", "many")]
    assert written[0].count(b"\n") == 2 * (2 + 3)
    assert written[0] == written[1]
