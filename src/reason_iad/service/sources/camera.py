"""A camera, read by OpenCV: at an interval, or whenever somebody asks for a picture.

The camera is read all the time, so that a picture is one of this moment and not an old one from a buffer. A video
file stands in for a camera in tests: each picture is its next one, until it ends.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from datetime import datetime, timezone
from queue import Empty, SimpleQueue
from typing import Any, Literal, Protocol

from pydantic import Field, model_validator

from reason_iad.errors import OutputError, ProductError, ServiceError
from reason_iad.service.faults import Missing, Unavailable
from reason_iad.service.options import Place
from reason_iad.service.sources.base import Intake, SourceTable, trouble_of

log = logging.getLogger(__name__)

PATIENCE_MS = 10_000
"""Milliseconds that a camera is given to answer."""
WAIT_S = 0.02
"""Seconds between looks at whether a picture of a video file is asked for."""
Asked = tuple[str | None, str | None]


class CameraTable(SourceTable):
    """The table of a camera. Exactly one of `device`, `url` and `video` is given.

    Attributes:
        device: number of a USB camera, from 0 on.
        url: address of a network camera: rtsp://…
        video: a video file, for tests.
        every_s: take a picture after so many seconds; None: only when one is asked for.
        width, height: of the pictures of a USB camera; None: as the camera likes.
    """

    kind: Literal["camera"]
    device: int | None = Field(default=None, ge=0, le=99)
    url: str | None = Field(default=None, pattern=r"^(rtsp|rtsps|http|https)://[^\s]+$")
    video: Place | None = None
    every_s: float | None = Field(default=None, ge=0.02, le=86400)
    width: int | None = Field(default=None, ge=16, le=20000)
    height: int | None = Field(default=None, ge=16, le=20000)

    @model_validator(mode="after")
    def _one_camera(self) -> CameraTable:
        if sum(each is not None for each in (self.device, self.url, self.video)) != 1:
            raise ValueError("give exactly one of 'device', 'url' and 'video'")
        return self

    def open(self, name: str, intake: Intake) -> CameraSource:
        """The source."""
        return CameraSource(name, self, intake, self._opened, live=self.video is None)

    def _opened(self) -> Capture:
        import cv2

        if self.device is not None:
            capture = cv2.VideoCapture(self.device)
            for name, value in ((cv2.CAP_PROP_FRAME_WIDTH, self.width), (cv2.CAP_PROP_FRAME_HEIGHT, self.height)):
                if value is not None:
                    capture.set(name, value)
        else:
            patience = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, PATIENCE_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, PATIENCE_MS]
            capture = cv2.VideoCapture(str(self.url or self.video), cv2.CAP_FFMPEG, patience)
        if not capture.isOpened():
            raise ServiceError("It cannot be opened. Check its cable and its address.")
        return capture


class Capture(Protocol):
    """A camera that gives pictures, one after the other."""

    def grab(self) -> bool:
        """Take the next picture; false if there is none any more."""
        ...

    def retrieve(self) -> tuple[bool, Any]:
        """Whether the picture that was taken last can be read, and it: (H, W) or (H, W, 3), BGR."""
        ...

    def release(self) -> None:
        """Close the camera."""
        ...


class TimedTable(Protocol):
    """What is the same for all cameras."""

    @property
    def product(self) -> str:
        """That the parts belong to."""
        ...

    @property
    def every_s(self) -> float | None:
        """Take a picture after so many seconds; None: only when one is asked for."""
        ...


class CameraSource:
    """Takes pictures.

    Args:
        name: of the source.
        table: what to do.
        intake: accepts the parts.
        opened: opens the camera. Raises `ServiceError` if it cannot be opened, or later if it fails.
        live: whether it has to be read all the time, so that a picture is one of this moment.
    """

    def __init__(
        self, name: str, table: TimedTable, intake: Intake, opened: Callable[[], Capture], *, live: bool
    ) -> None:
        self._name, self._table, self._intake = name, table, intake
        self._opened, self._live = opened, live
        self._asked: SimpleQueue[tuple[Asked, Future[int]]] = SimpleQueue()
        self.trouble = ""

    def run(self, stop: threading.Event) -> None:
        """Read the camera until told to stop; a video file also ends by itself."""
        try:
            capture = self._opened()
        except ServiceError as error:
            raise ServiceError(f"The camera '{self._name}' cannot be used. {error}") from None
        live = self._live
        due = time.monotonic()
        try:
            while not stop.is_set():
                if live and not capture.grab():
                    raise ServiceError(f"The camera '{self._name}' gives no picture any more. Check its cable.")
                asked = self._next()
                timed = self._table.every_s is not None and time.monotonic() >= due
                if asked is None and not timed:
                    if not live:
                        stop.wait(WAIT_S)
                    continue
                if not live and not capture.grab():
                    self._refuse(asked)
                    return
                if timed:
                    due = max(due + (self._table.every_s or 0), time.monotonic())
                self._shoot(capture, asked)
        finally:
            capture.release()

    def trigger(self, name: str | None, key: str | None) -> int:
        """Take a picture now."""
        hashed = None if key is None else hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
        if hashed is not None and (known := self._intake.known(self._name, hashed)) is not None:
            return known
        future: Future[int] = Future()
        self._asked.put(((name, hashed), future))
        try:
            return future.result(PATIENCE_MS / 1000)
        except FutureTimeoutError:
            future.cancel()
            raise Unavailable(
                f"The camera '{self._name}' gives no picture. Check its cable and its address."
            ) from None

    def _next(self) -> tuple[Asked, Future[int]] | None:
        """Who asked for a picture first and still waits for it."""
        while True:
            try:
                asked = self._asked.get_nowait()
            except Empty:
                return None
            if asked[1].set_running_or_notify_cancel():
                return asked

    def _shoot(self, capture: Capture, asked: tuple[Asked, Future[int]] | None) -> None:
        """Bring the picture that was grabbed last."""
        (name, key), future = asked if asked is not None else ((None, None), None)
        try:
            number = self._intake.take(
                self._name, self._table.product, name or self._named(), [self._encoded(capture)], key
            )
        except Exception as error:
            if future is not None:
                future.set_exception(error)
            elif isinstance(
                error, Missing | Unavailable | OutputError | ProductError
            ):  # the camera is not to blame
                if not self.trouble:
                    log.warning("A picture of the camera '%s' is lost. %s", self._name, error)
                self.trouble = trouble_of(error)
            else:
                raise
        else:
            self.trouble = ""
            if future is not None:
                future.set_result(number)

    def _encoded(self, capture: Capture) -> bytes:
        """The picture, without loss."""
        import cv2

        read, picture = capture.retrieve()
        if not read:
            raise ServiceError(f"The camera '{self._name}' gave a picture that cannot be read.")
        _, content = cv2.imencode(".png", picture, [cv2.IMWRITE_PNG_COMPRESSION, 1])
        return content.tobytes()

    def _named(self) -> str:
        return f"{self._name} {datetime.now(timezone.utc).isoformat(sep=' ', timespec='milliseconds')}"

    def _refuse(self, asked: tuple[Asked, Future[int]] | None) -> None:
        """Tell whoever waits that nothing comes any more."""
        while asked is not None:
            asked[1].set_exception(Unavailable(f"The video of the source '{self._name}' has ended."))
            asked = self._next()
