"""Fixtures that several folders of tests share."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # a test that reaches for the network fails at once

ROOT = Path(__file__).parent.parent


def pytest_configure() -> None:
    """Ctrl-C works in what tests start, too where a shell started the tests in the background with it ignored."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def workshop_command(tmp_path_factory: pytest.TempPathFactory) -> None:
    """`reason-iad nano` is there, too where the tests run from the sources and the workshop was not installed."""
    if entry_points(group="reason_iad.commands", name="nano"):
        return
    folder = tmp_path_factory.mktemp("workshop")
    metadata = folder / "reason_iad_nano-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: reason-iad-nano\nVersion: 0\n")
    (metadata / "entry_points.txt").write_text("[reason_iad.commands]\nnano = reason_iad_nano.cli:nano\n")
    sys.path.append(str(folder))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The real development images; tests that ask for them are skipped where they are absent."""
    folder = Path(os.environ.get("REASON_IAD_DATA") or ROOT.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip("no development images: set REASON_IAD_DATA")
    return folder


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache and a data folder shared by the tests of one run, never the user's own."""
    folder = tmp_path_factory.getbasetemp() / "home"
    monkeypatch.setenv("REASON_IAD_CACHE", str(folder / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    return folder


@pytest.fixture
def make_image(tmp_path: Path) -> Callable[..., Path]:
    """Write a small PNG: a grey plate of the given brightness with a little fixed texture."""

    def make(name: str = "part.png", brightness: int = 128, size: int = 32) -> Path:
        texture = np.random.default_rng(brightness).integers(-4, 5, (size, size, 3))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(brightness + texture, 0, 255).astype(np.uint8)).save(path)
        return path

    return make
