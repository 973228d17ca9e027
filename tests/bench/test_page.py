"""The HTML page of a report: whole, self-contained, and safe to open whatever the runs hold."""

from __future__ import annotations

import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.bench.made_runs import answer, answers, make_run

from reason_iad.bench.records import TimingRecord
from reason_iad.bench.report import render
from reason_iad.bench.report.summary import Summary, summarize

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'{{7*7}}$x_1^2$"


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def latent(name: str = "full", dataset: str = "bolts", count: int = 90, **changes: str) -> Summary:
    """A run with everything that a page can show."""
    kinds = ("Anomaly Detection", "Defect Classification", "Object Classification")
    those = []
    for number in range(count):
        good = number % 3 == 0
        sure = 0.3 + 0.69 * number / count
        right = (number * 7) % 10 < 10 * sure
        chosen, other = ("A", "B") if right else ("B", "A")
        those.append(
            answer(
                f"{dataset}/part/test/{'good' if good else 'scratch'}/{number}.png", kinds[number % 3], right,
                probabilities={chosen: sure, other: 1 - sure}, reward=0.5 + number / 300, initial="A", steps=4,
                inside=None if good else 0.4, chance=None if good else 0.1, **changes,
            )
        )  # fmt: skip
    those.append(answer(f"{dataset}/part/test/scratch/lost.png", kinds[1], None, reply=EVIL, **changes))
    timings = [TimingRecord(question=each.question, ms=50.0 + i, peak_mb=9) for i, each in enumerate(those)]
    return summarize(make_run(those, name, timings))


def bare(name: str = "bare") -> Summary:
    """A run with nothing but answers."""
    return summarize(make_run(answers("D", "Defect Analysis", 2, 3), name))


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    text = render([latent()], "html")
    page = Page(text)
    assert page.tags.count("figure") == 6 and page.tags.count("svg") == 6
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert not [
        value for name, value in page.attributes if name in ("src", "href") and not str(value).startswith("#")
    ]
    assert "http://" not in text and "https://" not in text
    assert "default-src 'none'" in text


def test_it_says_what_the_markdown_says() -> None:
    summary = latent()
    words = " ".join(" ".join(Page(render([summary], "html")).text).split())
    table = summary.scores.table
    assert f"{100 * (table.overall or 0):.1f} % average accuracy" in words
    for figure in (*table.values.values(), *(interval.low for interval in summary.intervals.values())):
        assert f"{100 * figure:.1f}" in words
    assert "91 of 91 questions answered" in words and "became" in words


def test_hostile_text_stays_text() -> None:
    hostile = latent(EVIL, EVIL.replace("/", "∕"), category=EVIL, error=EVIL)
    friendly = latent("x", "y", category="z", error="w")
    assert hostile.scores.failures[0].category == EVIL
    evil, good = (Page(render([each, bare()], "html")) for each in (hostile, friendly))
    assert sorted(set(evil.tags)) == sorted(set(good.tags)), "no tag that was not ours"
    assert not [name for name, _ in evil.attributes if name.startswith("on")]
    words = " ".join(evil.text)
    assert "<script>alert(1)</script>" in words and "{{7*7}}" in words and "$x_1^2$" in words


def test_strange_names_are_drawn_without_complaint(recwarn: pytest.WarningsRecorder) -> None:
    text = render([bare("_hidden"), bare("検査 🔧")], "html")
    assert "_hidden" in text and "検査 🔧" in text
    assert not [each for each in recwarn if "Glyph" in str(each.message)]


def test_runs_without_evidence_leave_its_place_out() -> None:
    empty = summarize(make_run([], "empty", questions=7, status="running"))
    page = Page(render([bare()], "html"))
    assert page.tags.count("figure") == 1
    both = Page(render([bare(), empty], "html"))
    assert "0 of 7" in " ".join(both.text) and both.tags.count("figure") == 1


def test_several_runs_share_one_plot_and_one_table() -> None:
    page = Page(render([bare(f"run {number}") for number in range(8)], "html"))
    assert page.text.count("Accuracy per subtask") == 1
    assert page.tags.count("section") == 9


def test_ids_are_unique_and_the_page_is_the_same_every_time() -> None:
    summaries = [latent("one"), bare("two")]
    text = render(summaries, "html")
    ids = [value for name, value in Page(text).attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert text == render(summaries, "html")


def test_published_figures_are_marked_as_such() -> None:
    text = " ".join(Page(render([summarize(make_run(answers("VisA", "Defect Analysis", 2, 3)))], "html")).text)
    assert "GPT-4o" in text and "not measured here" in text
    assert "Published figures of MMAD are not shown" in " ".join(Page(render([bare()], "html")).text)


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on PATH")
def test_a_browser_renders_it_without_complaint(tmp_path: Path) -> None:
    path, shot = tmp_path / "report ü.html", tmp_path / "shot.png"
    path.write_text(render([latent(EVIL), bare("two")], "html"), encoding="utf-8")
    flags = [
        "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        "--no-first-run", "--disable-background-networking", "--enable-logging=stderr", "--v=0",
        "--virtual-time-budget=3000", "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={tmp_path / 'profile'}",
        f"--screenshot={shot}", "--window-size=1200,2200",
    ]  # fmt: skip
    done = subprocess.run(
        [str(CHROMIUM), *flags, path.as_uri()], capture_output=True, text=True, timeout=90, check=True
    )
    assert not [line for line in done.stderr.splitlines() if "CONSOLE" in line or "Refused to" in line]
    pixels = np.asarray(Image.open(shot).convert("RGB")).astype(int)
    orange = (pixels[..., 0] > 170) & (abs(pixels[..., 1] - 95) < 30) & (pixels[..., 2] < 40)
    assert orange.sum() > 100, "the second run's marks are drawn in its colour"
