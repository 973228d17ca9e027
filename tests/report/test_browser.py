"""The page in a real browser, cut off from any network: it renders, complains about nothing, and looks right."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import report_cases as cases
from reason_iad.report import save_report

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH"),
]
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
    "--enable-logging=stderr",
    "--v=0",
    "--virtual-time-budget=3000",
]


def browse(page: Path, profile: Path, *more: str) -> subprocess.CompletedProcess[str]:
    cut_off = "--host-resolver-rules=MAP * ~NOTFOUND"
    command = [str(CHROMIUM), *FLAGS, cut_off, f"--user-data-dir={profile}", *more, page.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report with spaces ü")
    references = (cases.plate(False, 1),)
    return save_report(cases.defect(), folder / "out.html", image=cases.plate(True), references=references)


def test_it_renders_without_network_and_without_complaints(report: Path, tmp_path: Path) -> None:
    done = browse(report, tmp_path / "profile", "--dump-dom")
    assert "Defect found" in done.stdout
    assert done.stdout.count("<img") == 7
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Refused to" in line]
    assert not complaints


@pytest.mark.parametrize("width", [420, 1200])
def test_it_shows_the_region_where_it_is_and_fits(report: Path, tmp_path: Path, width: int) -> None:
    shot = tmp_path / "shot.png"
    browse(report, tmp_path / "profile", f"--screenshot={shot}", f"--window-size={max(width, 500)},2600")
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    banner = pixels[60:260].reshape(-1, 3)
    reddish = (banner[:, 0] - banner[:, 1] > 8) & (banner[:, 0] > 200)
    assert reddish.mean() > 0.3, "the verdict's banner is red"
    line = (pixels[..., 0] > 200) & (pixels[..., 1] < 90) & (pixels[..., 2] < 110)
    assert line[:1400].sum() > 100, "the region is drawn in red"
