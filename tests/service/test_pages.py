"""The pages in a real browser: what an operator, a reviewer and an administrator do on them."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import uvicorn
from PIL import Image
from tests.parts import plate, save, scratched
from tests.report import report_cases as cases
from tests.service.browsing import CHROMIUM, DROP, VIEWS, Watched, axe, chromium, problems
from tests.service.serving import Served

from reason_iad.products import GivenDefect, Products
from reason_iad.schema import Inspection
from reason_iad.service.api import make_app
from reason_iad.service.configuration import Configuration
from reason_iad.service.database import Database, queue
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.people import People
from reason_iad.service.settings import Settings
from reason_iad.service.work.worker import finding

pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
WORD = "correct horse battery"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as started:
        yield started


class Standing:
    """A service without workers; tests say what was found of the parts."""

    def __init__(self, folder: Path, configuration: Configuration | None = None) -> None:
        self.settings = Settings(folder, configuration=configuration or Configuration())
        self.settings.products.mkdir(parents=True)
        self.products = Products(self.settings.products)
        self.database = Database(self.settings.database_url)
        self.database.upgrade()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        app = make_app(self.settings, self.database)
        config = uvicorn.Config(app, port=port, log_level="critical", ws="none", timeout_graceful_shutdown=1)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def found(self, result: Inspection | str, picture: Image.Image | np.ndarray, name: str) -> int:
        """A part that was inspected with this result, or could not be for this reason."""
        content = png(picture)
        stored = PictureStore(self.settings.pictures).take([content], 2**24)
        number, _ = queue.accept(self.database, queue.Part("plate", stored, name, "http"), 1000)
        if isinstance(result, Inspection):
            image = result.image.model_copy(update={"name": name, "sha256": hashlib.sha256(content).hexdigest()})
            result = result.model_copy(update={"image": image})
        given = result if isinstance(result, str) else finding(result)
        queue.finish(self.database, "w", [(each, given) for each in queue.claim(self.database, "w", 1, 60)])
        return number

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self.database.close()


@pytest.fixture
def standing(tmp_path: Path) -> Iterator[Standing]:
    """A service with a product and one part of each outcome."""
    made = Standing(tmp_path / "data")
    good, bad = tmp_path / "good", tmp_path / "bad.png"
    good.mkdir()
    for seed in range(3):
        save(plate(seed), good / f"{seed}.png")
    save(scratched(9), bad)
    made.products.create("plate", [good]).with_defects([GivenDefect(bad, "scratch")])
    made.found(cases.good(), cases.plate(False).pixels, "good.png")
    made.found("The picture is damaged.", cases.plate(False, 2).pixels, "broken.png")
    made.found(cases.defect(verdict="review"), cases.plate(True, 3).pixels, "doubtful-1.png")
    made.found(cases.defect(verdict="review"), cases.plate(True, 4).pixels, "doubtful-2.png")
    made.found(cases.defect(), cases.plate(True).pixels, "<b>bad</b>.png")
    yield made
    made.close()


def png(picture: Image.Image | np.ndarray) -> bytes:
    out = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(out, "PNG")
    return out.getvalue()


def drop(page: Any, selector: str, files: dict[str, bytes]) -> None:
    page.wait_for_selector(selector)
    page.evaluate(DROP, [selector, [[name, base64.b64encode(content).decode()] for name, content in files.items()]])


def see(page: Any, words: str, within: str = "main", seconds: float = 20.0) -> None:
    page.locator(within, has_text=words).first.wait_for(timeout=1000 * seconds)


PAGES = [
    "/line",
    "/review",
    "/products",
    "/products/plate",
    "/inspections?outcome=review",
    "/inspections/5",
    "/inspections/1",
    "/statistics",
    "/people",
]


@pytest.mark.parametrize(
    "view", ["light", *(pytest.param(each, marks=pytest.mark.slow) for each in VIEWS if each != "light")]
)
def test_pages_are_accessible_and_complain_of_nothing(standing: Standing, browser: Any, view: str) -> None:
    script = axe()
    watched = Watched(browser, standing.url, view)
    found = {}
    for path in [*PAGES, "/login"]:
        page = watched.open(path)
        page.wait_for_load_state("load")
        page.wait_for_timeout(250)
        if path == "/review":
            page.keyboard.press("d")
            page.wait_for_selector(".kinds .kind")
        found[path] = problems(page, script)
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, f"{path} is wider than the screen by {wide} pixels"
    assert not any(found.values()), found
    assert not watched.complaints
    watched.context.close()


def test_the_line_shows_the_last_part_in_words_and_follows(standing: Standing, browser: Any) -> None:
    watched = Watched(browser, standing.url)
    page = watched.open("/line")
    see(page, "Defect", "#last .verdict")
    see(page, "<b>bad</b>.png", "#last")
    assert page.locator("#last .frame .mark").count() >= 1, "the place is marked"
    assert page.locator("#strip li").count() == 5
    words = page.locator("#strip li .word").all_inner_texts()
    assert [each.split(" ", 1)[1] for each in words][1:] == [
        "Needs a person",
        "Needs a person",
        "Not inspected",
        "Pass",
    ]
    standing.found(cases.good(), cases.plate(False, 7).pixels, "next.png")
    see(page, "Pass", "#last .verdict")
    assert page.locator("#spoken").inner_text() == "Pass. next.png."
    see(page, "2", "#shift .is-pass")
    assert not watched.complaints


def test_parts_are_reviewed_with_the_keyboard_alone(standing: Standing, browser: Any) -> None:
    watched = Watched(browser, standing.url)
    page = watched.open("/review")
    see(page, "doubtful-1.png", "#part")
    page.keyboard.press("s")
    see(page, "Left to somebody else.", "#said")
    see(page, "doubtful-2.png", "#part")
    page.keyboard.press("b")
    for key in ("ArrowRight", "ArrowDown", "Shift+ArrowLeft"):
        page.keyboard.press(key)
    page.wait_for_selector(".drawn")
    page.keyboard.press("d")
    page.keyboard.press("1")
    see(page, "as the defect 'scratch' now", "#said")
    see(page, "Nothing to review", "#part")
    review = page.request.get("/v1/inspections/4").json()["reviews"][0]
    step = 6  # a hundredth of the longer side, 640 pixels
    size = (round(640 / 5), round(480 / 5))
    x1, y1 = (640 - size[0]) // 2 + step, (480 - size[1]) // 2 + step
    assert review["box"] == {"x1": x1, "y1": y1, "x2": x1 + size[0] - step, "y2": y1 + size[1]}
    page.keyboard.press("u")
    see(page, "The review is undone.", "#said")
    see(page, "doubtful-2.png", "#part")
    page.keyboard.press("g")
    see(page, "as a good part now", "#said")
    assert page.request.get("/v1/products/plate").json()["good"] == 4
    assert not watched.complaints


def test_a_box_is_drawn_where_the_pointer_went(standing: Standing, browser: Any) -> None:
    watched = Watched(browser, standing.url)
    page = watched.open("/inspections/5")
    area = page.locator(".frame.drawable").bounding_box()
    at = lambda x, y: (area["x"] + x * area["width"], area["y"] + y * area["height"])  # noqa: E731
    page.mouse.move(*at(0.75, 0.5))
    page.mouse.down()
    page.mouse.move(*at(0.6, 0.4))
    page.mouse.move(*at(0.5, 0.25))
    page.mouse.up()
    page.keyboard.press("d")
    page.locator("#other-kind").fill("dent")
    page.keyboard.press("Enter")
    see(page, "as the defect 'dent' now", "#said")
    box = page.request.get("/v1/inspections/5").json()["reviews"][0]["box"]
    expected = {"x1": 320, "y1": 120, "x2": 480, "y2": 240}
    assert all(abs(box[name] - expected[name]) <= 2 for name in expected), box
    page.get_by_role("button", name="Take the review back").click()
    see(page, "The review is undone.", "#said")
    assert not watched.complaints


def test_the_report_is_shown_whole_and_can_run_nothing(standing: Standing, browser: Any) -> None:
    watched = Watched(browser, standing.url)
    page = watched.open("/inspections/5")
    frame = page.frame_locator("iframe.report")
    frame.locator("#outcome").wait_for()
    inside = page.evaluate("""async () => {
      const frame = document.querySelector("iframe.report");
      const page = frame.contentDocument;
      const before = page.title;
      const script = page.createElement("script");
      script.textContent = "document.title = 'it ran'";
      page.head.append(script);
      return [page.title === before, page.documentElement.scrollHeight - frame.clientHeight];
    }""")
    assert inside[0], "a script ran in the report"
    assert inside[1] <= 2, "the frame is as tall as the report"
    watched.context.close()


def test_a_product_is_changed_on_its_page_and_changed_back(standing: Standing, browser: Any) -> None:
    watched = Watched(browser, standing.url)
    page = watched.open("/products/plate")
    drop(page, "#add-good > .drop", {"a.png": png(plate(20)), "b.txt": b"no picture", "c.png": png(plate(21))})
    see(page, "5 good pictures", "#facts")
    see(page, "1 file could not be used:", "#add-good")
    see(page, "b.txt It is not an image", "#add-good li")
    page.locator("#kind").fill("dent")
    drop(page, "#add-defects .drop", {"d.png": png(scratched(22))})
    see(page, "dent (1)", "#defects")
    page.locator("#alarms").fill("2")
    page.get_by_role("button", name="Save", exact=True).click()
    see(page, "At most 2 % of good parts", "#said")
    see(page, "Set false alarms: 2 %.", "#history")
    page.get_by_role("button", name="Take out dent 1").click()
    see(page, "The picture is taken out.", "#said")
    page.get_by_role("button", name="Undo the last change").click()
    see(page, "dent (1)", "#defects")
    page.get_by_role("button", name="Go back to this: change 2", exact=True).click()
    see(page, "3 good pictures, 1 known defect.", "#facts")
    assert [each for each in watched.complaints if "422" not in each] == []


def test_the_chart_shows_what_is_out_of_control(standing: Standing, browser: Any) -> None:
    watched = Watched(browser, standing.url)
    page = watched.open("/statistics")
    see(page, "No hour is outside the control limits.", "#chart")
    steps = [{"begin": hour, "parts": 100, "defects": 30 if hour == 7 else 4} for hour in range(12)]
    found = page.evaluate("async (steps) => (await import('/static/chart.js')).controlled(steps)", steps)
    mean = (11 * 4 + 30) / 1200
    assert found["mean"] == pytest.approx(mean)
    assert [each["begin"] for each in found["points"] if each["outside"]] == [7]
    assert found["points"][0]["high"] == pytest.approx(mean + 3 * (mean * (1 - mean) / 100) ** 0.5)
    assert found["points"][0]["low"] == 0
    with page.expect_download() as saved:
        page.get_by_role("link", name="Save as CSV").click()
    assert Path(saved.value.path()).read_text().count("\n") == 6
    assert not watched.complaints


def test_another_limit_is_tried_and_drift_is_found(standing: Standing, browser: Any) -> None:
    watched = Watched(browser, standing.url)
    page = watched.open("/products/plate")
    parts = [{"score": number / 10, "review": {40: "good", 10: "defect"}.get(number)} for number in range(50)]
    call = "async ([name, given]) => (await import('/static/scores.js'))[name](...given)"
    found = page.evaluate(call, ["effect", [parts, 3.0]])
    assert found == {"stopped": 20, "falseAlarms": 1, "misses": 1}
    assert page.evaluate(call, ["effect", [parts, 0.5]])["misses"] == 0
    rng = np.random.default_rng(1)
    scores = rng.normal(1, 0.5, 200)
    scores[100:120] += 1
    passed = [{"score": each, "outcome": "pass", "received": at} for at, each in enumerate(scores)]
    found = page.evaluate(call, ["drift", [[*passed, {"score": 99, "outcome": "review", "received": 500}]]])
    assert [each["slot"] for each in found["points"] if each["outside"]] == [5]
    assert not watched.complaints


def test_an_area_is_painted_with_mouse_and_keyboard(standing: Standing, browser: Any) -> None:
    watched = Watched(browser, standing.url)
    page = watched.open("/products/plate")
    page.get_by_role("button", name="Paint an area to ignore").click()
    canvas = page.locator("#area canvas")
    area = canvas.bounding_box()
    page.mouse.move(area["x"] + 0.1 * area["width"], area["y"] + 0.2 * area["height"])
    page.mouse.down()
    page.mouse.move(area["x"] + 0.3 * area["width"], area["y"] + 0.2 * area["height"])
    page.mouse.up()
    canvas.focus()
    page.keyboard.press("Space")
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Save the area").click()
    see(page, "The area is saved.", "#said")
    content = page.request.get("/v1/products/plate/areas/ignore").body()
    kept = np.asarray(Image.open(io.BytesIO(content)).convert("L")) > 0
    assert kept[19, 13:38].all() and kept[48, 64], "along the mouse, and in the middle with the keyboard"
    assert kept.mean() < 0.05
    page.get_by_role("button", name="Change the area").click()
    page.wait_for_timeout(300)
    page.get_by_role("button", name="Wipe everything").click()
    page.get_by_role("button", name="Save the area").click()
    see(page, "Nothing is ignored any more.", "#said")
    assert not watched.complaints


def test_parts_are_found_again(standing: Standing, browser: Any) -> None:
    watched = Watched(browser, standing.url)
    page = watched.open("/inspections")
    rows = page.locator("#parts li")
    rows.nth(4).wait_for()
    page.locator("[name=text]").press_sequentially("doubtful-1")
    rows.nth(1).wait_for(state="detached")
    assert "Needs a person" in rows.inner_text() and "doubtful-1.png" in rows.inner_text()
    page.locator("[name=text]").fill("")
    page.locator("[name=outcome]").select_option("pass")
    see(page, "good.png", "#parts li")
    page.reload()
    see(page, "good.png", "#parts li")
    assert rows.count() == 1, "the address keeps what was asked"
    page.locator("[name=since]").fill("2100-01-01")
    see(page, "No part fits.")
    few = lambda route: route.continue_(url=f"{route.request.url}{'&' if '?' in route.request.url else '?'}limit=2")  # noqa: E731
    page.route(re.compile(r"/v1/inspections(\?|$)"), few)
    page.goto("/inspections")
    for number in (2, 4, 5):
        rows.nth(number - 1).wait_for()
        if number < 5:
            page.get_by_role("button", name="Show older parts").click()
    names = page.locator("#parts .name").all_inner_texts()
    assert names == ["<b>bad</b>.png", "doubtful-2.png", "doubtful-1.png", "broken.png", "good.png"]
    assert not watched.complaints


def test_two_people_log_in_and_each_sees_what_they_may(standing: Standing, browser: Any) -> None:
    first = Watched(browser, standing.url)
    page = first.open("/people")
    page.locator("#person [name=name]").fill("ann")
    page.locator("#person [name=password]").fill(WORD)
    page.get_by_role("button", name="Save").click()
    page.wait_for_url("**/login?next=%2Fpeople")
    People(standing.database, 5).add("rob", "review", WORD, "test")
    log_in(page, "ann", "wrong and long")
    see(page, "The name or the password is wrong.")
    log_in(page, "ann")
    page.wait_for_url("**/people")
    see(page, "rob", "#people")
    second = Watched(browser, standing.url)
    other = second.page
    other.goto("/review")
    log_in(other, "rob")
    other.wait_for_url("**/review")
    page.goto("/review")
    shown = set()
    for each in (page, other):
        each.wait_for_selector("#part .judge")
        shown.add(each.locator("#part .judge a").inner_text())
    assert shown == {"doubtful-1.png", "doubtful-2.png"}, "two reviewers never get the same part"
    assert "People" not in other.locator("nav").inner_text()
    other.get_by_role("button", name="Log out").click()
    other.wait_for_url("**/login")
    other.goto("/line")
    other.wait_for_url("**/login?next=%2Fline")
    assert [each for each in first.complaints + second.complaints if "401" not in each and "403" not in each] == []


def log_in(page: Any, name: str, password: str = WORD) -> None:
    page.locator("[name=name]").fill(name)
    page.locator("[name=password]").fill(password)
    page.keyboard.press("Enter")


@pytest.mark.parametrize(
    "asked", ["//evil.example/x", "https://evil.example/", "http://[", "/login", "javascript:alert(1)"]
)
def test_a_login_leads_to_no_other_place(standing: Standing, browser: Any, asked: str) -> None:
    People(standing.database, 5).add("ann", "administer", WORD, "test")
    watched = Watched(browser, standing.url)
    watched.page.goto(f"/login?next={asked}")
    log_in(watched.page, "ann")
    watched.page.wait_for_url(f"{standing.url}/line")
    watched.context.close()


def spot(seed: int) -> bytes:
    """A part with a faint spot that is easily missed."""
    picture = plate(seed)
    cv2.circle(picture, (60, 50), 3, (168, 168, 178), -1)
    return png(picture)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with Served(tmp_path / "data") as server:
        yield server


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_from_the_first_start_to_a_corrected_miss(served: Served, browser: Any) -> None:
    watched = Watched(browser, served.url)
    page = watched.open("/")
    see(page, "Make the first product")
    page.get_by_role("link", name="Make the first product").click()
    page.locator("#new-name").fill("plate")
    drop(page, "#new > .drop", {f"{seed}.png": png(plate(seed)) for seed in range(8)})
    page.wait_for_url("**/products/plate", timeout=60_000)
    see(page, "8 good pictures", "#facts")
    Products(served.data / "products").open("plate").with_settings(resolution=96)  # learns in seconds

    page = watched.open("/line")
    drop(page, "#send > .drop", {"bad.png": png(scratched(203))})
    see(page, "Needs a person", "#last .verdict", 120)
    page = watched.open("/review")
    page.wait_for_selector("#part .judge")
    page.keyboard.press("d")
    page.locator("#other-kind").fill("scratch")
    page.keyboard.press("Enter")
    see(page, "as the defect 'scratch' now", "#said")
    page.keyboard.press("u")
    see(page, "The review is undone.", "#said")

    page = watched.open("/line")
    drop(page, "#send > .drop", {"missed.png": spot(303)})
    see(page, "Pass", "#last .verdict", 120)
    see(page, "missed.png", "#last")
    page.get_by_role("link", name="Report and review").click()
    page.wait_for_selector("#judge .judge")
    page.keyboard.press("b")
    page.wait_for_selector(".drawn")
    page.keyboard.press("d")
    page.locator("#other-kind").fill("spot")
    page.keyboard.press("Enter")
    see(page, "as the defect 'spot' now", "#said")
    page = watched.open("/line")
    for attempt in range(60):  # the product is learnt in the background; parts go on meanwhile
        drop(page, "#send > .drop", {f"next-{attempt}.png": spot(311)})
        see(page, f"next-{attempt}.png", "#last", 120)
        if page.locator("#last .verdict").inner_text().endswith("Needs a person"):
            break
        page.wait_for_timeout(1000)
    see(page, "Looks like 'spot'", "#last .reason")
    assert not watched.complaints
    began = time.monotonic()
    assert served.stop() == 0
    assert time.monotonic() - began < 20, "an open page does not keep the server"
