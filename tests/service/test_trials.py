"""The effect of a change is shown before it is made, and the product stays as it is until then."""

from __future__ import annotations

import base64
import io
import time
from atexit import register
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from shutil import copytree, rmtree
from tempfile import mkdtemp
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image
from tests.parts import plate, save
from tests.service.test_corrections import Line

from reason_iad.products import derive
from reason_iad.products.effects import Altered, Effect
from reason_iad.schema import Inspection
from reason_iad.service.database import queue
from reason_iad.service.reviews import trials
from reason_iad.service.work.kinds import Kinds
from reason_iad.service.work.supplies import OwnFolder
from reason_iad.service.work.worker import inspected

PATH = "/v1/products/plate"


def spot(seed: int) -> np.ndarray:
    """A part with a faint spot that is easily missed."""
    picture = plate(seed)
    cv2.circle(picture, (60, 50), 3, (168, 168, 178), -1)
    return picture


class Judged(Line):
    """A service whose parts were really inspected."""

    def inspect(self, picture: Any, kinds: Kinds) -> int:
        """A part that is inspected now."""
        number = self.found(picture)
        part = self.client.get(f"/v1/inspections/{number}").json()["part"]
        job = queue.Job(number, "plate", part["picture"], "part.png", 1)
        found = inspected(kinds, OwnFolder(self.settings), job)
        assert isinstance(found, queue.Finding), found
        with self.database.writing() as session:
            row = session.get_one(trials.Inspection, number)
            row.outcome, row.score = found.outcome, found.score
            session.get_one(trials.Result, number).json = found.json
        return number

    def tried(self, path: str, **sent: Any) -> dict[str, Any]:
        """Ask for a trial, and work it out here."""
        answer = self.client.post(f"{PATH}/{path}", **sent)
        assert answer.status_code == 200, answer.text
        number = answer.json()["id"]
        with self.database.writing() as session:
            session.get_one(trials.Trial, number).state = "working"
        trials.run_trial(self.settings, self.database, number)
        return dict(self.client.get(f"{PATH}/trials/{number}").json())


@cache
def prepared() -> Path:
    """The folder of a product that is learnt, made once."""
    folder = Path(mkdtemp(prefix="riad-tried"))
    register(rmtree, folder, ignore_errors=True)
    made = Judged(folder, "")
    for seed in range(3, 7):
        save(plate(seed), folder / "good" / f"{seed}.png")
    derive(made.product.with_good(folder / "good"))
    made.database.close()
    return made.product.folder


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Judged]:
    made = Judged(tmp_path, "")
    rmtree(made.product.folder)
    copytree(prepared(), made.settings.products / "plate")
    yield made
    made.database.close()


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_correction_is_shown_to_alter_similar_parts_and_changes_nothing_yet(line: Judged) -> None:
    kinds = Kinds(line.products)
    missed, similar = line.inspect(spot(11), kinds), line.inspect(spot(24), kinds)
    for seed in (21, 22):
        line.inspect(plate(seed), kinds)
    line.say(missed, "defect", defect_type="spot")
    before, (waiting,) = files(line.product.folder), line.waiting()
    shown = line.tried("corrections/trial", json={"corrections": [waiting["id"]]})
    assert shown["state"] == "done" and not shown["stale"], shown
    found = shown["found"]
    assert found["compared"] == 3, "the part that is corrected is not counted"
    altered = {each["id"]: (each["before"], each["after"]) for each in found["altered"]}
    assert altered[similar] == ("pass", "review") and missed not in altered
    assert found["words"] == f"This change would have altered {len(altered)} of the last 3 verdicts."
    assert "Parts with a score" in found["limits"]
    assert files(line.product.folder) == before and not list(line.settings.data.glob("trial-*"))
    line.decide("take", waiting["id"])
    again = line.client.get(f"{PATH}/trials/{shown['id']}").json()
    assert again["stale"], "the product is another one now"


def test_other_limits_are_tried_on_the_scores_that_are_kept(line: Judged) -> None:
    kinds = Kinds(line.products)
    numbers = [line.inspect(plate(seed), kinds) for seed in range(21, 27)]
    rmtree(line.settings.pictures)
    shown = line.tried("trial", json={"false_alarms": 0.5})
    found, scores = shown["found"], {}
    for number in numbers:
        result = line.client.get(f"/v1/inspections/{number}").json()["result"]
        scores[number] = Inspection.model_validate(result).evidence.product.score  # type: ignore[union-attr]
    assert found["compared"] == 6, "no picture is needed"
    altered = {each["id"] for each in found["altered"]}
    assert altered and min(scores[each] for each in altered) > max(
        (scores[each] for each in numbers if each not in altered), default=-9.0
    )
    assert line.product.settings.false_alarms == 0.05


def test_an_area_is_tried(line: Judged) -> None:
    kinds = Kinds(line.products)
    line.inspect(plate(21), kinds)
    out = io.BytesIO()
    area = Image.new("L", (plate(0).shape[1], plate(0).shape[0]))
    area.paste(255, (0, 0, 40, 40))
    area.save(out, "PNG")
    shown = line.tried("areas/ignore/trial", content=out.getvalue())
    assert shown["state"] == "done" and shown["found"]["compared"] == 1, shown
    assert line.product.ignore is None
    nothing = line.tried("areas/ignore/trial")
    assert nothing["found"]["altered"] == [], "there is no area to take away"
    black = line.client.post(f"{PATH}/areas/ignore/trial", content=base64.b64decode(_black()))
    assert black.status_code == 422


def _black() -> str:
    out = io.BytesIO()
    Image.new("L", (20, 20)).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()


def test_old_limits_are_shown_until_the_next_are_learnt(line: Judged) -> None:
    before = line.client.get(PATH).json()
    assert before["limits_are_current"] and before["limits"]["words"]
    line.product.with_settings(false_alarms=0.3)
    after = line.client.get(PATH).json()
    assert after["limits"] == before["limits"] and not after["limits_are_current"]


def test_the_detection_limit_is_shown_once_it_was_tested(line: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    from reason_iad.expert.normality import selftest

    monkeypatch.setattr(selftest, "self_test", partial(selftest.self_test, count=6))
    nothing = line.client.get(f"{PATH}/detection").json()
    assert nothing["change"] is None and nothing["kinds"] == []
    assert line.tried("detection")["state"] == "done"
    found = line.client.get(f"{PATH}/detection").json()
    assert found["current"] and found["change"] == line.product.state.revision and found["kinds"]
    assert {"kind", "words", "a90_95", "curve"} == set(found["kinds"][0])
    line.product.with_settings(false_alarms=0.3)
    assert not line.client.get(f"{PATH}/detection").json()["current"]


def test_a_change_that_cannot_be_made_says_why(line: Judged) -> None:
    shown = line.tried("trial", json={"scale": -1.0})
    assert (
        shown["state"] == "failed" and "scale" in shown["error"] and str(line.settings.data) not in shown["error"]
    )
    assert line.client.post(f"{PATH}/trial", json={"encoder": 1.0}).status_code == 404
    assert line.client.post(f"{PATH}/corrections/trial", json={"corrections": [99]}).status_code == 404
    assert line.client.get(f"{PATH}/trials/99").status_code == 404


@pytest.mark.slow
def test_it_is_worked_out_beside_the_server(line: Judged) -> None:
    with line.client:
        number = line.client.post(f"{PATH}/trial", json={"false_alarms": 0.1}).json()["id"]
        end = time.monotonic() + 60
        while (shown := line.client.get(f"{PATH}/trials/{number}").json())["state"] in ("waiting", "working"):
            assert time.monotonic() < end
            time.sleep(0.1)
    assert shown["found"]["words"] == "There is no other part of this product to compare verdicts on."


def test_what_a_server_did_not_end_is_said_to_be_lost(line: Judged) -> None:
    number = line.client.post(f"{PATH}/trial", json={"false_alarms": 0.1}).json()["id"]
    newer = line.client.post(f"{PATH}/trial", json={"false_alarms": 0.2}).json()["id"]
    first = line.client.get(f"{PATH}/trials/{number}").json()
    assert first["state"] == "failed" and "Something else" in first["error"]
    (line.settings.data / "trial-left").mkdir()
    with line.database.writing() as session:
        session.get_one(trials.Trial, number).finished = time.time() - 2 * trials.KEPT_S
    service = trials.Trials(line.settings, line.database)
    service.start()
    service.stop()
    assert "Ask again" in line.client.get(f"{PATH}/trials/{newer}").json()["error"]
    assert not (line.settings.data / "trial-left").exists()
    assert line.client.get(f"{PATH}/trials/{number}").status_code == 404, "that was long ago"


def test_only_so_many_wait(line: Judged, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trials, "MOST_WAITING", 1)
    with line.database.writing() as session:
        trials.ask(session, "other", "ann", {"settings": {}})
    assert line.client.post(f"{PATH}/trial", json={"false_alarms": 0.1}).status_code == 503


def test_it_is_told_in_words() -> None:
    altered = (Altered(3, "pass", "defect", "good"), Altered(2, "review", "pass", None))
    first, second = Effect(altered, 500, "").in_words().split(". ")
    assert first == "This change would have altered 2 of the last 500 verdicts"
    assert second == "1 of them would be against what a person said."
    assert Effect((), 1, "").in_words() == "This change would not have altered the last verdict."
    assert Effect((), 7, "").in_words() == "This change would have altered none of the last 7 verdicts."
