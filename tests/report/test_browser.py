"""The page in a real browser, cut off from any network: it renders, complains about nothing, and looks right."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.report import report_cases as cases

from reason_iad.images import LoadedImage
from reason_iad.report import save_report
from reason_iad.report.overview import PAGE, Overview
from reason_iad.schema import Inspection, ReferenceEvidence
from reason_iad.schema.verdict import OperatingPoint

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
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
    assert done.stdout.count("<img") == 8
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Refused to" in line]
    assert not complaints


@pytest.mark.parametrize("width", [500, 1200])
def test_it_shows_the_region_where_it_is_and_fits(report: Path, tmp_path: Path, width: int) -> None:
    shot = tmp_path / "shot.png"
    browse(report, tmp_path / "profile", f"--screenshot={shot}", f"--window-size={width},2600")
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    top = pixels[:200].reshape(-1, 3)
    reddish = (top[:, 0] - top[:, 1] > 8) & (top[:, 0] > 170)
    assert reddish.mean() > 0.1, "the verdict is red"
    line = (pixels[..., 0] > 200) & (pixels[..., 1] < 90) & (pixels[..., 2] < 110)
    assert line[:800].sum() > 100, "the region is drawn in red"


def defect_with_eight_references() -> tuple[Inspection, tuple[LoadedImage, ...]]:
    """A long first screen: a long explanation, advice, and eight good parts."""
    good = tuple(cases.plate(False, seed) for seed in range(1, 9))
    recorded = tuple(
        ReferenceEvidence(name=f"good_{number}.png", sha256=one.sha256, width=one.width, height=one.height)
        for number, one in enumerate(good)
    )
    evidence = cases.defect().evidence.model_copy(update={"references": recorded})
    return cases.defect(evidence=evidence), good


def results() -> dict[str, tuple[Inspection, LoadedImage, tuple[LoadedImage, ...]]]:
    """Name to result, picture and references."""
    part, (defect, good) = cases.plate(True), defect_with_eight_references()
    point = OperatingPoint(
        false_alarms=0.1, good_parts=19, missed=0.1, defective_parts=19, pass_below=0.4, threshold=0.98
    )
    review = defect.model_copy(update={"verdict": "review", "operating_point": point, "threshold": 0.98})
    return {
        "defect": (defect, part, good),
        "review": (review, part, good),
        "pass": (cases.good(), cases.plate(False, 1), ()),
    }


MEASURE = """
<script>
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const ids = ["outcome", "what", "where", "sure", "marked", "why"];
  const found = {scroll: page.documentElement.scrollWidth};
  for (const id of ids) {
    const box = page.getElementById(id)?.getBoundingClientRect();
    if (box) found[id] = [box.left, box.top, box.right, box.bottom];
  }
  const result = document.createElement("output");
  result.textContent = "FOUND" + JSON.stringify(found) + "END";
  document.body.append(result);
});
</script>
"""


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 800)])
@pytest.mark.parametrize("name", ["defect", "review", "pass"])
def test_the_first_screen_answers_everything(tmp_path: Path, name: str, width: int, height: int) -> None:
    """On a phone and a desktop, also with eight references. The page runs in a frame of that size."""
    inspection, image, references = results()[name]
    save_report(inspection, tmp_path / "out.html", image=image, references=references)
    frame = f'<iframe src="out.html" style="width:{width}px;height:{height}px;border:0"></iframe>'
    (tmp_path / "frame.html").write_text(f"<!DOCTYPE html><body>{frame}{MEASURE}</body>")
    shown = browse(tmp_path / "frame.html", tmp_path / "profile", "--dump-dom", "--allow-file-access-from-files")
    found = json.loads(shown.stdout.split("<output>FOUND")[1].split("END</output>")[0])
    assert found.pop("scroll") <= width, "nothing is cut off at the side"
    assert set(found) == {"outcome", "what", "sure", "marked", "why"} | ({"where"} if name != "pass" else set())
    for key, (left, top, right, bottom) in found.items():
        assert 0 <= left < right <= width and 0 <= top < bottom <= height, f"{key} lies outside the first screen"


CHOOSE = """
<script>
addEventListener("load", () => {
  const page = document.querySelector("iframe").contentDocument;
  const shown = () => [...page.querySelectorAll(".parts > li")].filter(part => part.offsetHeight > 0).length;
  const found = {scroll: page.documentElement.scrollWidth, all: shown()};
  for (const kind of ["defect", "failed", "pass"]) {
    page.querySelector(`label[for=show-${kind}]`).click();
    found[kind] = shown();
  }
  const result = document.createElement("output");
  result.textContent = "FOUND" + JSON.stringify(found) + "END";
  document.body.append(result);
});
</script>
"""


@pytest.mark.parametrize("width", [390, 1280])
def test_the_overview_fits_and_its_filter_works(tmp_path: Path, width: int) -> None:
    with Overview(tmp_path) as overview:
        for number in range(3):
            image = cases.defect().image.model_copy(update={"name": f"{number}.png"})
            part = cases.defect(image=image) if number < 2 else cases.good(image=image)
            long = f"a_folder/{'a_long_name_' * 6}{number}.png"
            overview.add(part, long, cases.plate(number < 2), tmp_path / "out.html")
        overview.add_failed("torn.png", "torn.png", "The image 'torn.png' is damaged. Copy it again.")
        overview.write()
    frame = f'<iframe src="{PAGE}" style="width:{width}px;height:800px;border:0"></iframe>'
    (tmp_path / "frame.html").write_text(f"<!DOCTYPE html><body>{frame}{CHOOSE}</body>")
    done = browse(tmp_path / "frame.html", tmp_path / "profile", "--dump-dom", "--allow-file-access-from-files")
    found = json.loads(done.stdout.split("<output>FOUND")[1].split("END</output>")[0])
    assert found.pop("scroll") <= width, "nothing is cut off at the side"
    assert found == {"all": 4, "defect": 2, "failed": 1, "pass": 1}
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Refused to" in line]
