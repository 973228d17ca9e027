"""Workers make batches in order, and do not outlive a trainer that was killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from reason_iad_nano.training.prefetch import Workers

TRAINER = """
import os, time
from reason_iad_nano.training.prefetch import Workers

if __name__ == "__main__":
    with Workers(1) as workers:
        for pid in workers.map(os.getpid, ((),)):
            print(pid, flush=True)
            time.sleep(60)
"""


def test_batches_come_in_order() -> None:
    numbers = [(n,) for n in range(12)]
    with Workers(0) as alone, Workers(2) as together:
        assert list(alone.map(abs, numbers)) == list(together.map(abs, numbers)) == list(range(12))


def test_a_worker_ends_with_its_trainer(tmp_path: Path) -> None:
    script = tmp_path / "trainer.py"
    script.write_text(TRAINER, encoding="utf-8")
    trainer = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert trainer.stdout is not None
    worker = int(trainer.stdout.readline())
    os.kill(worker, 0)  # it is there
    trainer.send_signal(signal.SIGKILL)
    trainer.wait()
    for _ in range(100):
        if not _alive(worker):
            return
        time.sleep(0.2)
    os.kill(worker, signal.SIGKILL)
    raise AssertionError("the worker outlived its trainer")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
