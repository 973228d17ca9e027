"""A real browser for tests of the pages: Debian's Chromium, driven by Playwright, and axe-core from npm."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import platformdirs
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
AXE = "axe-core@4.14.1"
VIEWS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 860}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 860}},
    "phone": {"color_scheme": "light", "viewport": {"width": 390, "height": 844}, "has_touch": True},
}
DROP = """([selector, files]) => {
  const dropped = new DataTransfer();
  for (const [name, text] of files) {
    dropped.items.add(new File([Uint8Array.from(atob(text), (each) => each.charCodeAt(0))], name));
  }
  const place = document.querySelector(selector);
  for (const type of ["dragover", "drop"]) {
    place.dispatchEvent(new DragEvent(type, { dataTransfer: dropped, bubbles: true, cancelable: true }));
  }
}"""
"""Drops files, as {name, content in base64}, on an element."""


@contextmanager
def chromium() -> Iterator[Any]:
    """A browser without a window."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Watched:
    """A page that notes everything that should not happen.

    Args:
        browser: in which it opens.
        url: of the service.
        view: one of `VIEWS`.
    """

    def __init__(self, browser: Any, url: str, view: str = "light") -> None:
        self.complaints: list[str] = []
        self.context = browser.new_context(**VIEWS[view], base_url=url)
        self.page = self.context.new_page()
        self.page.set_default_timeout(20_000)
        self.page.on(
            "console", lambda said: said.type in ("error", "warning") and self.complaints.append(said.text)
        )
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "request",
            lambda asked: asked.url.startswith((url, "data:", "blob:")) or self.complaints.append(asked.url),
        )

    def open(self, path: str) -> Any:
        """Go to a page, and wait until it has shown who is asking."""
        self.page.goto(path)
        self.page.wait_for_selector("header.bar .who, form#login")
        return self.page


def axe() -> str:
    """The script of axe-core, fetched once into the cache of the user."""
    kept = platformdirs.user_cache_path("reason-iad-tests") / f"{AXE}.js"
    if not kept.is_file():
        npm = shutil.which("npm")
        if npm is None:
            pytest.skip("axe-core needs npm, which is not installed")
        kept.parent.mkdir(parents=True, exist_ok=True)
        packed = subprocess.run(
            [npm, "pack", AXE, "--silent"], cwd=kept.parent, capture_output=True, text=True, timeout=120
        )
        if packed.returncode:
            pytest.skip("npm could not fetch axe-core")
        archive = kept.parent / Path(packed.stdout.strip().splitlines()[-1]).name
        with tarfile.open(archive) as files:
            script = files.extractfile("package/axe.min.js")
            assert script is not None
            kept.write_bytes(script.read())
        archive.unlink()
    return kept.read_text(encoding="utf-8")


def problems(page: Any, script: str) -> list[str]:
    """What axe-core finds on a page that is serious or worse."""
    page.evaluate(script)
    found = page.evaluate("axe.run(document, { iframes: false })")
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
        for node in each["nodes"]
    ]
