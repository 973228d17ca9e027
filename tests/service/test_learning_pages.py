"""On the pages: corrections that wait, and the effect of a change before it is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.parts import plate, save
from tests.report import report_cases as cases
from tests.service.browsing import CHROMIUM, VIEWS, Watched, axe, chromium, problems
from tests.service.test_pages import Standing, see

from reason_iad.service.configuration import Configuration, Corrections

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


@pytest.fixture
def confirming(tmp_path: Path) -> Iterator[Standing]:
    """A service in which corrections wait, with parts that were inspected."""
    made = Standing(tmp_path / "data", Configuration(corrections=Corrections(learn="after confirmation")))
    (tmp_path / "good").mkdir()
    for seed in range(4):
        save(plate(seed), tmp_path / "good" / f"{seed}.png")
    made.products.create("plate", [tmp_path / "good"], settings={"resolution": 96})
    made.found(cases.good(), plate(21), "good.png")
    made.found(cases.defect(verdict="review"), plate(22), "doubtful-1.png")
    made.found(cases.defect(verdict="review"), plate(23), "doubtful-2.png")
    yield made
    made.close()


def test_corrections_wait_and_their_effect_is_seen_before_they_are_taken(
    confirming: Standing, browser: Any
) -> None:
    watched = Watched(browser, confirming.url)
    page = watched.open("/review")
    see(page, "doubtful-1.png", "#part")
    page.keyboard.press("g")
    see(page, "when somebody takes this correction", "#said")
    see(page, "doubtful-2.png", "#part")
    page.keyboard.press("g")
    see(page, "Nothing to review", "#part")
    page = watched.open("/products/plate")
    see(page, "4 good pictures, 0 known defects.", "#facts")
    see(page, "2 corrections of 2 chosen.", "#corrections")
    page.locator("#corrections input").nth(1).uncheck()
    page.locator("#corrections").get_by_role("button", name="See the effect").click()
    see(page, "of the last 2 verdicts", "#corrections", 120)
    assert page.request.get("/v1/products/plate").json()["good"] == 4, "nothing is changed yet"
    page.locator("#corrections").get_by_role("button", name="Take the chosen ones").click()
    see(page, "The product 'plate' has learnt 1 correction.", "#said")
    see(page, "5 good pictures (4 of them set the limits)", "#facts")
    page.locator("#corrections").get_by_role("button", name="Drop the chosen ones").click()
    see(page, "1 correction dropped.", "#said")
    page.locator("#waiting").wait_for(state="hidden")
    assert not watched.complaints


def test_the_effect_of_another_limit_is_seen_before_it_is_saved(confirming: Standing, browser: Any) -> None:
    watched = Watched(browser, confirming.url)
    page = watched.open("/products/plate")
    page.locator("#alarms").fill("40")
    page.locator("#limits").get_by_role("button", name="See the effect").click()
    see(page, "of the last 3 verdicts", "#limits", 120)
    assert page.request.get("/v1/products/plate").json()["settings"]["false_alarms"] == 0.05
    page.locator("#alarms").fill("30")
    page.get_by_text("of the last 3 verdicts").wait_for(state="detached")
    assert not watched.complaints


@pytest.mark.parametrize("view", VIEWS)
def test_the_page_with_corrections_is_accessible(confirming: Standing, browser: Any, view: str) -> None:
    watched = Watched(browser, confirming.url, view)
    for number, says in ((2, "good"), (3, "defect")):
        watched.context.request.post(f"/v1/inspections/{number}/review", data={"says": says})
    page = watched.open("/products/plate")
    see(page, "2 corrections of 2 chosen.", "#corrections")
    page.wait_for_load_state("load")
    assert not problems(page, axe())
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert not watched.complaints
    watched.context.close()


@pytest.mark.timeout(600)
def test_a_self_test_is_followed_by_whoever_comes_back_to_the_page(confirming: Standing, browser: Any) -> None:
    folder = confirming.settings.data / "more"
    folder.mkdir()
    for seed in range(30, 38):
        save(plate(seed), folder / f"{seed}.png")
    confirming.products.open("plate").with_good(folder)
    watched = Watched(browser, confirming.url)
    page = watched.open("/products/plate")
    page.locator("#detection").get_by_role("button", name="Test it now").click()
    see(page, "worked out", "#detection")
    watched.open("/line")
    page = watched.open("/products/plate")
    see(page, "worked out", "#detection")
    see(page, "defects were drawn on the good pictures", "#detection", 500)
    page = watched.open("/products/plate")
    see(page, "defects were drawn on the good pictures", "#detection")
    assert "worked out" not in page.locator("#detection").inner_text()
    assert not watched.complaints
