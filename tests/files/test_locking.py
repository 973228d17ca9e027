"""One writer at a time; another one can wait for a while."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from reason_iad.errors import OutputError
from reason_iad.files import hold


def test_a_writer_can_wait_for_another(tmp_path: Path) -> None:
    first = hold(tmp_path / "x")
    with pytest.raises(OutputError, match=r"is writing '.*x'"):
        hold(tmp_path / "x")
    threading.Timer(0.2, first.release).start()
    begun = time.monotonic()
    second = hold(tmp_path / "x", wait=10)
    assert 0.1 < time.monotonic() - begun < 5
    second.release()
    assert not list(tmp_path.iterdir())
