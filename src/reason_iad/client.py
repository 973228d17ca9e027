"""A client for the service, for Python programs.

    from reason_iad.client import Client

    with Client("https://inspection.example:8340", key="riad_…") as client:
        part = client.inspect("part.png", "bracket")
        print(part.outcome, part.explanation)

A request that fails because the server is busy or cannot be reached is sent again. A picture carries a key, so that
it is inspected once, however often it is sent.
"""

from __future__ import annotations

import time
import urllib.parse
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, TypeVar

import httpx2
from pydantic import BaseModel, ConfigDict, ValidationError

from reason_iad.errors import ImageError, ServiceError

Says = Literal["good", "defect", "skip", "undo"]
Record = TypeVar("Record", bound=BaseModel)

SERVER_WAIT_S = 30.0
"""Seconds that a server lets one request wait."""
CHECK_S = 3.0
"""Seconds in which a server has to be reached when it is only checked whether it can be."""
SHORTEST_S, LONGEST_S = 0.1, 5.0
"""Pauses before a request is sent again: the first one, and the longest."""


class _Answer(BaseModel):
    """A newer server may answer more than is known here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Part(_Answer):
    """A part that the service has accepted, and what became of it.

    Attributes:
        id: its number.
        product, name: as they were sent.
        picture: SHA-256 of the file.
        template: SHA-256 of the template that came with it; None: it came without.
        source: where it came from.
        received, finished: seconds since 1970, UTC.
        state: 'waiting', 'working', 'done' or 'failed'.
        outcome: 'pass', 'defect', 'review' (a person has to look), 'unjudged' (the picture cannot be judged) or
            'failed' (it could not be inspected); None while it waits.
        probability: of a defect, in [0, 1].
        score: how far the part stands out from good ones.
        defect_type, place, explanation: in words.
        error: why it could not be inspected.
        review: what a person said last: 'good' or 'defect'.
    """

    id: int
    product: str
    name: str
    picture: str
    source: str
    received: float
    state: str
    finished: float | None = None
    outcome: str | None = None
    probability: float | None = None
    score: float | None = None
    defect_type: str | None = None
    place: str | None = None
    explanation: str | None = None
    error: str | None = None
    review: str | None = None
    template: str | None = None

    @property
    def ended(self) -> bool:
        """Whether the inspection is over, with a result or without."""
        return self.state in ("done", "failed")


class Review(_Answer):
    """What a person said of a part; `box` is x1, y1, x2, y2 in pixels."""

    person: str
    at: float
    says: str
    defect_type: str | None = None
    box: dict[str, int] | None = None
    note: str | None = None


class Details(_Answer):
    """A part with its full result (docs/inspection.schema.json; None while there is none) and its reviews."""

    part: Part
    result: dict[str, Any] | None = None
    reviews: tuple[Review, ...] = ()


class Reviewed(_Answer):
    """What came of a review: what was changed, and what contradicts it."""

    words: str
    contradicts: str | None = None


class Refused(ServiceError):
    """The server does not do what it was asked for.

    Attributes:
        status: of HTTP: 401 without a valid key, 404 for what does not exist, 503 where too many parts wait.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Client:
    """A connection to a service. Threads may share it.

    Args:
        url: address of the server: 'http://localhost:8340'.
        key: a key of the server for programs; None: a server on this machine that has no people yet needs none.
        timeout: seconds to wait for an answer, beyond the time that an inspection is waited for.
        patience: seconds for which a request is sent again when the server is busy or cannot be reached.

    Raises:
        ServiceError: the address is not one.
    """

    def __init__(self, url: str, key: str | None = None, *, timeout: float = 30.0, patience: float = 60.0) -> None:
        self.url, self._patience, self._timeout = url.rstrip("/"), patience, timeout
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        if not self.url.startswith(("http://", "https://")):
            raise ServiceError("The address of a server begins with http:// or https://.")
        try:
            self._http = httpx2.Client(base_url=self.url, headers=headers, timeout=timeout, follow_redirects=False)
        except (httpx2.InvalidURL, UnicodeEncodeError):
            raise ServiceError("The address or the key of the server has characters that it cannot have.") from None

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    def inspect(
        self,
        picture: str | Path | bytes,
        product: str,
        *,
        name: str | None = None,
        wait: float = 60.0,
        key: str | None = None,
        template: str | Path | bytes | None = None,
    ) -> Part:
        """Inspect a picture.

        Args:
            picture: a file, or its content.
            product: that the part belongs to.
            name: what you call the part; None: as the file is called.
            wait: seconds to wait for the result; 0: not at all.
            key: at most 200 characters, another one for each part; a part that is sent again with the same key
                is not inspected again. None: one is made, so that requests that fail can be sent again.
            template: of this part, as a file or its content, where each part of the product has its own.

        Returns:
            The part; its `state` is 'waiting' or 'working' if there is no result yet.

        Raises:
            ImageError: a file cannot be read.
            Refused: the server does not take it.
            ServiceError: the server cannot be reached.
        """
        sent, end = (
            _sent(_content(picture), None if template is None else _content(template)),
            time.monotonic() + wait,
        )
        name = name or ("part" if isinstance(picture, bytes) else Path(picture).name)
        answer = self._ask(
            "POST", "/v1/inspections", **sent,
            params={"product": product, "name": name, "wait": min(wait, SERVER_WAIT_S)},
            headers={"idempotency-key": key or uuid.uuid4().hex},
            timeout=httpx2.Timeout(self._timeout, read=self._timeout + min(wait, SERVER_WAIT_S)),
        )  # fmt: skip
        part, pause = _read(Part, answer), SHORTEST_S
        while not part.ended and (left := end - time.monotonic()) > 0:
            time.sleep(min(pause, left))
            part, pause = self.get(part.id).part, min(1.0, 1.5 * pause)
        return part

    def check(self, product: str) -> None:
        """Make sure that the server can be reached, takes the key and has a product, before much is sent.

        Raises:
            Refused: the key is not valid, or there is no such product.
            ServiceError: the server cannot be reached.
        """
        path = f"/v1/products/{urllib.parse.quote(product, safe='')}"
        self._ask("GET", path, patience=min(CHECK_S, self._patience))

    def get(self, number: int) -> Details:
        """A part with everything that is known of it.

        Raises:
            Refused: there is none of that number, or it must not be seen.
            ServiceError: the server cannot be reached.
        """
        return _read(Details, self._ask("GET", f"/v1/inspections/{int(number)}"))

    def parts(self, **wanted: str | float | bool) -> Iterator[Part]:
        """Parts, the newest first; further pages are asked for as they are needed.

        Args:
            wanted: product, outcome, state, reviewed, since, until (seconds since 1970), text: as in the OpenAPI
                document of the server.

        Raises:
            Refused: they must not be seen, or there is no such filter.
            ServiceError: the server cannot be reached.
        """
        asked: dict[str, Any] = {"limit": 200, **wanted}
        while True:
            page = _read(_Page, self._ask("GET", "/v1/inspections", params=asked))
            yield from page.parts
            if page.next is None:
                return
            asked["before"] = page.next

    def review(
        self,
        number: int,
        says: Says,
        *,
        defect_type: str | None = None,
        box: tuple[int, int, int, int] | None = None,
        note: str | None = None,
    ) -> Reviewed:
        """Say what a part really is; its product learns it.

        Args:
            number: of the part.
            says: 'good', 'defect', 'skip' (leave it to somebody else) or 'undo'.
            defect_type: what people call the defect.
            box: where it is: x1, y1, x2, y2 in pixels; x2 and y2 are exclusive.
            note: anything else.

        Raises:
            Refused: the key does not allow it, or the part cannot be reviewed.
            ServiceError: the server cannot be reached.
        """
        drawn = None if box is None else dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))
        said = {"says": says, "defect_type": defect_type, "box": drawn, "note": note}
        return _read(Reviewed, self._ask("POST", f"/v1/inspections/{int(number)}/review", once=True, json=said))

    def _ask(
        self, method: str, path: str, *, once: bool = False, patience: float | None = None, **given: Any
    ) -> httpx2.Response:
        """Send a request until it is answered.

        Args:
            method, path, given: of the request.
            once: it is not sent again if the server may have done it.
            patience: as of the client; None: that of the client.
        """
        end, pause = time.monotonic() + (self._patience if patience is None else patience), SHORTEST_S
        while True:
            problem: ServiceError
            wait = pause
            try:
                answer = self._http.request(method, path, **given)
            except httpx2.TransportError as error:
                problem = ServiceError(f"The server at {self.url} cannot be reached ({type(error).__name__}). "
                                       "Check the address, and that it runs.")  # fmt: skip
                if once and not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
                    raise problem from None
            else:
                if answer.is_success:
                    return answer
                problem = Refused(answer.status_code, _detail(answer))
                if answer.status_code not in (429, 503):
                    raise problem
                wait = max(pause, _retry_after(answer))
            if time.monotonic() + wait > end:
                raise problem
            time.sleep(wait)
            pause = min(LONGEST_S, 2 * pause)


class _Page(_Answer):
    parts: tuple[Part, ...]
    next: int | None = None


def _sent(picture: bytes, template: bytes | None) -> dict[str, Any]:
    """A part as a request brings it: the picture alone, or a form with both."""
    if template is None:
        return {"content": picture}
    return {"files": {"picture": ("picture", picture), "template": ("template", template)}}


def _content(picture: str | Path | bytes) -> bytes:
    if isinstance(picture, bytes):
        return picture
    try:
        return Path(picture).read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ImageError(f"The image '{picture}' cannot be read ({reason}). Check the path.") from None


def _read(kind: type[Record], answer: httpx2.Response) -> Record:
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError:
        raise ServiceError(
            "The answer is not one of this service. Check the address, and that server and client have the same "
            "version."
        ) from None


def _detail(answer: httpx2.Response) -> str:
    """What the server says, in its own sentence."""
    try:
        detail = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = None
    return detail if isinstance(detail, str) else f"The server answered {answer.status_code}."


def _retry_after(answer: httpx2.Response) -> float:
    """Seconds that the server asks to wait."""
    given = answer.headers.get("retry-after", "")
    return min(float(given), 60.0) if given.isdecimal() else 0.0
