"""A camera, for which a video file stands in: pictures at an interval, and on request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
from sqlalchemy import select
from tests.parts import plate
from tests.service.serving import make_product, until

from reason_iad.products import Products
from reason_iad.service.configuration import Configuration
from reason_iad.service.database import Database
from reason_iad.service.database.tables import Inspection
from reason_iad.service.faults import Unavailable
from reason_iad.service.flow import Flow
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.settings import Limits, Settings
from reason_iad.service.sources import camera


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'service.db'}"


@pytest.fixture
def video(tmp_path: Path) -> Path:
    """Five pictures."""
    path = tmp_path / "video.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (128, 96))
    for seed in range(5):
        writer.write(plate(seed))
    writer.release()
    return path


@pytest.fixture
def flow(tmp_path: Path, database: Database, video: Path, request: pytest.FixtureRequest) -> Iterator[Flow]:
    make_product(tmp_path / "data", count=1)
    table = camera.CameraTable(kind="camera", product="plate", **({"video": video} | request.param))
    settings = Settings(
        tmp_path / "data", limits=Limits(waiting=6), configuration=Configuration(sources={"camera": table})
    )
    made = Flow(settings, database, Products(settings.products), PictureStore(settings.pictures))
    made.start()
    yield made
    made.stop()


def parts(database: Database) -> list[tuple[str, str]]:
    with database.reading() as session:
        return [(row.name, row.picture) for row in session.scalars(select(Inspection).order_by(Inspection.id))]


@pytest.mark.parametrize("flow", [{"every_s": 0.05}], indirect=True)
def test_pictures_are_taken_at_an_interval_until_a_video_ends(flow: Flow, database: Database) -> None:
    until(lambda: "Nothing more" in flow.states()[0].words)
    assert len({picture for _, picture in parts(database)}) == 5
    assert all(name.startswith("camera 2") for name, _ in parts(database))


@pytest.mark.parametrize("flow", [{}], indirect=True)
def test_a_picture_is_taken_when_somebody_asks(flow: Flow, database: Database) -> None:
    one = flow.trigger("camera", "part 17", "key")
    assert flow.trigger("camera", "part 17", "key") == one, "a request that is sent again takes no second picture"
    assert flow.trigger("camera", None, None) == one + 1
    assert parts(database)[0][0] == "part 17"
    assert len({picture for _, picture in parts(database)}) == 2
    for _ in range(3):
        flow.trigger("camera", None, None)
    with pytest.raises(Unavailable, match="has ended"):
        flow.trigger("camera", None, None)
    until(lambda: not flow.states()[0].works)
    with pytest.raises(Unavailable, match="has ended"):
        flow.trigger("camera", None, None)


@pytest.mark.parametrize("flow", [{"video": Path("nothing.avi")}], indirect=True)
def test_a_camera_that_cannot_be_opened_is_told(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera, "PATIENCE_MS", 100)
    until(lambda: "cannot be opened" in flow.states()[0].words)
    with pytest.raises(Unavailable, match="gives no picture"):
        flow.trigger("camera", None, None)


class Endless:
    """A USB camera that gives pictures as fast as they are asked for, and is unplugged when told."""

    unplugged = False
    grabbed = 0
    closed = 0

    def __init__(self, *_: Any) -> None:
        Endless.unplugged = False

    def isOpened(self) -> bool:
        return True

    def set(self, name: int, value: float) -> None:
        """It takes any size."""

    def grab(self) -> bool:
        Endless.grabbed += 1
        return not Endless.unplugged

    def retrieve(self) -> tuple[bool, Any]:
        picture = plate(1)
        picture[0, 0] = Endless.grabbed % 256
        return True, picture

    def release(self) -> None:
        Endless.closed += 1


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Endless)
    monkeypatch.setattr("reason_iad.service.flow.SHORTEST_S", 0.1)


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("flow", [{"video": None, "device": 0, "width": 640}], indirect=True)
def test_a_live_camera_is_read_all_the_time_and_opened_again(flow: Flow, database: Database) -> None:
    until(lambda: Endless.grabbed > 50)
    before = Endless.grabbed
    flow.trigger("camera", None, None)
    assert Endless.grabbed > before, "a picture of this moment, not one from a buffer"
    Endless.unplugged = True
    until(lambda: Endless.closed)
    until(lambda: flow.states()[0].works)
    flow.trigger("camera", None, None)
    assert len(parts(database)) == 2


@pytest.mark.usefixtures("endless")
@pytest.mark.parametrize("flow", [{"video": None, "device": 0, "every_s": 0.02}], indirect=True)
def test_a_camera_goes_on_while_too_many_parts_wait(flow: Flow, database: Database) -> None:
    closed = Endless.closed
    until(lambda: "takes no parts" in flow.states()[0].words)
    assert len(parts(database)) == 6 and Endless.closed == closed
    with database.writing() as session:
        for row in session.scalars(select(Inspection)):
            row.state = "done"
    until(lambda: len(parts(database)) == 12)
    with pytest.raises(Unavailable, match="waiting"):
        flow.trigger("camera", None, None)
