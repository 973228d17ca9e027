"""A GenICam camera. No camera is needed: what stands in for it has the form of the library harvesters."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select
from tests.parts import plate
from tests.service.serving import make_product, until

from reason_iad.errors import MissingExtraError, ServiceError
from reason_iad.products import Products
from reason_iad.service.configuration import Configuration
from reason_iad.service.database import Database
from reason_iad.service.database.tables import Inspection
from reason_iad.service.flow import Flow
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.settings import Settings
from reason_iad.service.sources.genicam import BAYER, SHIFTS, Acquired, GenICamTable, as_picture


class Buffer:
    """A picture that the camera has; it has to get it back."""

    out = 0

    def __init__(self, picture: np.ndarray, data_format: str) -> None:
        Buffer.out += 1
        height, width = picture.shape[:2]
        shown = SimpleNamespace(data=picture.ravel(), data_format=data_format, height=height, width=width)
        self.payload = SimpleNamespace(components=[shown])

    def queue(self) -> None:
        Buffer.out -= 1


class Camera:
    """A camera of the library."""

    def __init__(self) -> None:
        self.remote_device = SimpleNamespace(
            node_map=SimpleNamespace(ExposureTime=SimpleNamespace(value=1), Gain=SimpleNamespace(value=0.0))
        )
        self.pictures, self.started, self.gone = 0, False, False

    def start(self) -> None:
        self.started = True

    def try_fetch(self, *, timeout: float) -> Buffer | None:
        assert self.started and timeout > 0
        if self.gone:
            time.sleep(0.05)
            return None
        self.pictures += 1
        time.sleep(0.005)
        return Buffer(plate(self.pictures)[:, :, ::-1].copy(), "BGR8")

    def destroy(self) -> None:
        self.started = False


class Library:
    """The library, with one camera."""

    def __init__(self) -> None:
        self.camera, self.files, self.wanted, self.resets = Camera(), [], [], 0  # type: ignore[var-annotated]

    def harvester(self) -> Any:
        def create(wanted: object) -> Camera:
            self.wanted.append(wanted)
            if wanted not in (None, {"serial_number": "123"}):
                raise ValueError("no such camera\nand more")
            return self.camera

        def reset() -> None:
            self.resets += 1

        return SimpleNamespace(add_file=self.files.append, update=lambda: None, create=create, reset=reset)


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made, module = Library(), ModuleType("harvesters.core")
    module.Harvester = made.harvester  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "harvesters", ModuleType("harvesters"))
    monkeypatch.setitem(sys.modules, "harvesters.core", module)
    monkeypatch.setattr(Buffer, "out", 0)
    return made


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    path = tmp_path / "maker.cti"
    path.touch()
    return path


@pytest.fixture
def address(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'service.db'}"


@pytest.fixture
def flow(tmp_path: Path, database: Database, library: Library, driver: Path) -> Iterator[Flow]:
    make_product(tmp_path / "data", count=1)
    table = GenICamTable(
        kind="genicam", product="plate", driver=driver, serial="123", settings={"ExposureTime": 5000}
    )
    settings = Settings(tmp_path / "data", configuration=Configuration(sources={"camera": table}))
    made = Flow(settings, database, Products(settings.products), PictureStore(settings.pictures))
    made.start()
    yield made
    made.stop()


def test_a_picture_is_taken_when_somebody_asks(
    flow: Flow, library: Library, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reason_iad.service.flow.SHORTEST_S", 0.1)
    until(lambda: library.camera.pictures > 20)  # it is read all the time
    number = flow.trigger("camera", "part 17", "key")
    assert flow.trigger("camera", "part 17", "key") == number
    with database.reading() as session:
        (row,) = session.scalars(select(Inspection))
    with Image.open(PictureStore(tmp_path / "data" / "pictures").path(row.picture)) as image:
        shown = np.asarray(image)
    assert any((shown == plate(seed)).all() for seed in range(20, library.camera.pictures + 1)), "a picture of now"
    assert library.camera.remote_device.node_map.ExposureTime.value == 5000
    assert library.wanted == [{"serial_number": "123"}] and str(library.files[0]).endswith("maker.cti")
    library.camera.gone = True
    until(lambda: "gives no picture any more" in flow.states()[0].words)
    library.camera.gone = False
    until(lambda: flow.states()[0].works)
    flow.stop()
    until(lambda: library.resets == 2 and Buffer.out == 0)  # nothing of the library is left open


def test_what_cannot_be_opened_is_told_in_a_sentence(library: Library, driver: Path, tmp_path: Path) -> None:
    for given, said in (
        ({"serial": "9"}, "ValueError: no such camera).*Check its cable"),
        ({"settings": {"Nothing": 1}}, "Nothing"),
        ({"driver": tmp_path / "none.cti"}, "driver does not exist"),
    ):
        table = GenICamTable.model_validate({"kind": "genicam", "product": "plate", "driver": driver, **given})
        with pytest.raises(ServiceError, match=said.replace(")", r"\)")):
            Acquired(table)
    assert not library.camera.started


def test_the_extra_is_named(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "harvesters.core", None)
    with pytest.raises(MissingExtraError, match=r"reason-iad\[genicam\]"):
        Acquired(GenICamTable(kind="genicam", product="plate", driver=driver))


@pytest.mark.parametrize("data_format", SHIFTS)
def test_pictures_without_colour_use_all_bits(data_format: str) -> None:
    bits, kind = int(data_format.removeprefix("Mono")), np.uint8 if data_format == "Mono8" else np.uint16
    values = np.array([0, 1, 2**bits - 1, 5, 6, 7], kind)
    picture = as_picture(values, data_format, 2, 3)
    assert picture.shape == (2, 3) and picture.dtype == kind
    assert picture[0, 2] >= (0.99 if bits > 8 else 1) * (255 if bits == 8 else 65535)


@pytest.mark.parametrize("data_format", BAYER)
def test_colours_of_a_mosaic_are_the_right_ones(data_format: str) -> None:
    """A picture that is red all over: only the red places of the mosaic are bright."""
    mosaic = np.zeros((8, 8), np.uint8)
    first = {"RG": (0, 0), "GR": (0, 1), "GB": (1, 0), "BG": (1, 1)}[data_format[5:7]]
    mosaic[first[0] :: 2, first[1] :: 2] = 200
    blue, _, red = as_picture(mosaic.ravel(), data_format, 8, 8)[3, 3]
    assert red > 150 and blue == 0


def test_colours_are_in_order_and_other_formats_are_named() -> None:
    picture = np.arange(12, dtype=np.uint8)
    assert (as_picture(picture, "RGB8", 2, 2)[0, 0] == [2, 1, 0]).all()
    own = as_picture(picture, "BGR8", 2, 2)
    assert (own[0, 0] == [0, 1, 2]).all() and not np.shares_memory(own, picture)
    with pytest.raises(ServiceError, match=r"'YUV422_8'.*PixelFormat"):
        as_picture(picture, "YUV422_8", 2, 2)


def test_the_library_is_as_it_is_used() -> None:
    """Against the real library, where it is installed: the names and parameters that the source relies on."""
    core = pytest.importorskip("harvesters.core")
    from inspect import signature

    assert "search_key" in signature(core.Harvester.create).parameters
    assert "timeout" in signature(core.ImageAcquirer.try_fetch).parameters
    for owner, names in (
        (core.Harvester, ("add_file", "update", "reset")),
        (core.ImageAcquirer, ("start", "destroy")),
    ):
        assert all(hasattr(owner, name) for name in names)
    assert hasattr(core.Buffer, "queue") and hasattr(core.Buffer, "payload")
