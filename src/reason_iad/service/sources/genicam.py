"""An industrial camera that speaks GenICam (GigE Vision, USB3 Vision and others), read by the library harvesters.

The maker of the camera supplies a driver, a file that ends in `.cti` (a GenTL producer).
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Literal

from pydantic import Field

from reason_iad.errors import MissingExtraError, ServiceError
from reason_iad.service.options import Place
from reason_iad.service.sources.base import Intake, SourceTable
from reason_iad.service.sources.camera import PATIENCE_MS, CameraSource, Capture

SHIFTS = {"Mono8": 0, "Mono10": 6, "Mono12": 4, "Mono14": 2, "Mono16": 0}
"""Formats without colour, and by how many bits their values are raised to use all of 8 or 16 bits."""
COLOURS = {"BGR8": "", "RGB8": "COLOR_RGB2BGR"}
BAYER = {
    "BayerRG8": "COLOR_BayerRGGB2BGR", "BayerGR8": "COLOR_BayerGRBG2BGR",
    "BayerGB8": "COLOR_BayerGBRG2BGR", "BayerBG8": "COLOR_BayerBGGR2BGR",
}  # fmt: skip
"""Formats with colour, and what OpenCV calls the way from them to BGR."""


class GenICamTable(SourceTable):
    """The table of a GenICam camera.

    Attributes:
        driver: the file of the driver: a GenTL producer, which ends in `.cti`.
        serial: serial number of the camera; None: the first one that the driver finds.
        every_s: take a picture after so many seconds; None: only when one is asked for.
        settings: of the camera, by the names in its manual, for example `{ ExposureTime = 5000 }`.
    """

    kind: Literal["genicam"]
    driver: Place
    serial: str | None = Field(default=None, min_length=1, max_length=100)
    every_s: float | None = Field(default=None, ge=0.02, le=86400)
    settings: dict[str, bool | int | float | str] = {}  # noqa: RUF012  # pydantic copies it

    def open(self, name: str, intake: Intake) -> CameraSource:
        """The source."""
        return CameraSource(name, self, intake, self._opened, live=True)

    def _opened(self) -> Capture:
        return Acquired(self)


class Acquired:
    """A camera that is read.

    Args:
        table: of the source.

    Raises:
        MissingExtraError: the library is not installed.
        ServiceError: the camera cannot be opened.
    """

    def __init__(self, table: GenICamTable) -> None:
        try:
            from harvesters.core import Harvester
        except ImportError:
            raise MissingExtraError("A GenICam camera", "genicam") from None
        if not table.driver.is_file():
            raise ServiceError("The file of its driver does not exist. Check the key 'driver'.")
        self._buffer: Any = None
        self._camera: Any = None
        self._harvester = Harvester()
        try:
            self._harvester.add_file(str(table.driver))
            self._harvester.update()
            wanted = None if table.serial is None else {"serial_number": table.serial}
            self._camera = self._harvester.create(wanted)
            for name, value in table.settings.items():
                getattr(self._camera.remote_device.node_map, name).value = value
            self._camera.start()
        except Exception as error:  # the library raises anything here
            self.release()
            raise ServiceError(
                f"It cannot be opened ({type(error).__name__}: {_first_line(error)}). Check its cable, the keys "
                "'driver' and 'serial', and whether another program uses it."
            ) from None

    def grab(self) -> bool:
        """Take the next picture."""
        self._put_back()
        try:
            self._buffer = self._camera.try_fetch(timeout=PATIENCE_MS / 1000)
        except Exception as error:
            raise ServiceError(f"The camera failed ({type(error).__name__}: {_first_line(error)}).") from None
        return self._buffer is not None

    def retrieve(self) -> tuple[bool, Any]:
        """The picture that was taken last."""
        if self._buffer is None or not self._buffer.payload.components:
            return False, None
        shown = self._buffer.payload.components[0]
        return True, as_picture(shown.data, shown.data_format, int(shown.height), int(shown.width))

    def release(self) -> None:
        """Close the camera and its driver."""
        self._put_back()
        for close in (getattr(self._camera, "destroy", None), self._harvester.reset):
            if close is not None:
                with suppress(Exception):  # it may be gone
                    close()

    def _put_back(self) -> None:
        """Give the camera its buffer back."""
        buffer, self._buffer = self._buffer, None
        if buffer is not None:
            with suppress(Exception):
                buffer.queue()


def as_picture(data: Any, data_format: str, height: int, width: int) -> Any:
    """What a camera sends, as OpenCV takes it: (H, W) or (H, W, 3), BGR; the data themselves are not kept.

    Args:
        data: the values, in one row.
        data_format: as the standard calls it (PFNC).
        height, width: in pixels.

    Raises:
        ServiceError: the format is none of those that are known.
    """
    import cv2
    import numpy as np

    if data_format in SHIFTS:
        return np.left_shift(np.asarray(data).reshape(height, width), SHIFTS[data_format])
    if data_format in BAYER:
        return cv2.cvtColor(np.asarray(data).reshape(height, width), getattr(cv2, BAYER[data_format]))
    if data_format in COLOURS:
        picture = np.array(data).reshape(height, width, 3)
        return cv2.cvtColor(picture, getattr(cv2, COLOURS[data_format])) if COLOURS[data_format] else picture
    known = ", ".join((*SHIFTS, *COLOURS, *BAYER))
    raise ServiceError(f"The camera sends the format '{data_format}'. Set PixelFormat to one of: {known}.")


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0].rstrip(".")
