"""Shows what a change of a product would do before it is made: asked for on a page, worked out beside the server.

One trial at a time runs, in a process of its own with a low priority, so that parts of the line do not wait for it.
Its row in the database says how far it is.
"""

from __future__ import annotations

import base64
import logging
import multiprocessing
import os
import shutil
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from reason_iad.errors import ReasonIADError
from reason_iad.products import Product, Products
from reason_iad.products.checking import check_product
from reason_iad.products.effects import Past, effect
from reason_iad.service.background import Background, end_with_parent
from reason_iad.service.database import Database
from reason_iad.service.database.tables import DONE, FAILED, WAITING, WORKING, Inspection, Result, Trial
from reason_iad.service.faults import Missing, Unavailable
from reason_iad.service.keeping.pictures import PictureStore
from reason_iad.service.reviews.corrections import lessons, pending
from reason_iad.service.reviews.teaching import teach

if TYPE_CHECKING:
    from reason_iad.service.settings import Settings

log = logging.getLogger(__name__)

LAST = 500
"""Parts on which verdicts are compared."""
MOST_WAITING = 20
"""Trials that wait at the same time, at most."""
LONGEST_S = 3600.0
"""Seconds that a trial may take."""
FOLDER = "trial-"
"""How folders of copies begin; one that a killed process left is deleted at the next start."""
LOOK_S, TELL_S = 0.2, 0.5
"""Seconds between looks at what is running, and between notes on how far it is."""
LOST = "The effect could not be worked out. The log of the server says more."
LOST_S = 1.0
"""Seconds to wait after the database could not be reached."""
KEPT_S = 30 * 86400.0
"""Seconds after which what a trial showed is forgotten."""
ENDED = "The service ended before this was worked out. Ask again."


def ask(session: Session, product: str, person: str, what: dict[str, Any]) -> int:
    """Ask for a trial; returns its number. What waits for the same product and person is not needed any more.

    Args:
        session: of the database.
        product: its name.
        person: who asks.
        what: the change: 'corrections' (numbers), 'settings' (values), or 'ignore' or 'inspect' (the file of an
            area in base64; null takes it away). 'check': no change, but a self-test of the product as it is.

    Raises:
        Unavailable: too many wait.
    """
    old = update(Trial).where(Trial.product == product, Trial.person == person, Trial.state == WAITING)
    session.execute(old.values(state=FAILED, error="Something else was asked for.", finished=time.time()))
    if len(session.scalars(select(Trial.id).where(Trial.state == WAITING)).all()) >= MOST_WAITING:
        raise Unavailable("Many effects are being worked out. Ask again in a minute.")
    trial = Trial(product=product, person=person, asked=time.time(), state=WAITING, what=what)
    session.add(trial)
    session.flush()
    return trial.id


def trial_of(session: Session, product: str, number: int) -> Trial:
    """A trial of a product.

    Raises:
        Missing: there is none of that number.
    """
    found = session.get(Trial, number)
    if found is None or found.product != product:
        raise Missing(f"There is no trial {number} of '{product}'.")
    return found


class Trials(Background):
    """Works out trials, one after the other.

    Args:
        settings, database: of the service.
    """

    def __init__(self, settings: Settings, database: Database) -> None:
        super().__init__("trials")
        self._settings, self._database = settings, database
        self._asked = threading.Event()

    def start(self) -> None:
        """Begin. What an earlier server did not end was lost with it."""
        for left in self._settings.data.glob(f"{FOLDER}*"):
            shutil.rmtree(left, ignore_errors=True)
        with self._database.writing() as session:
            _fail(session, (WAITING, WORKING), ENDED)
            session.execute(delete(Trial).where(Trial.finished < time.time() - KEPT_S))
        super().start()

    def stop(self) -> None:
        """End; what is being worked out is given up."""
        self._stop.set()
        self._asked.set()
        super().stop()

    def wake(self) -> None:
        """Something was asked for."""
        self._asked.set()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._asked.wait()
            self._asked.clear()
            try:
                while not self._stop.is_set() and (number := self._next()) is not None:
                    self._work_out(number)
            except Unavailable as error:
                log.warning("%s The trial begins later.", error)
                self._stop.wait(LOST_S)
                self._asked.set()

    def _next(self) -> int | None:
        with self._database.writing() as session:
            found = session.scalar(select(Trial).where(Trial.state == WAITING).order_by(Trial.id).limit(1))
            if found is None:
                return None
            found.state = WORKING
            return found.id

    def _work_out(self, number: int) -> None:
        context = multiprocessing.get_context("spawn")
        process = context.Process(target=work, args=(self._settings, number), name=f"trial {number}", daemon=True)
        process.start()
        end = time.monotonic() + LONGEST_S
        while process.is_alive() and not self._stop.wait(LOOK_S) and time.monotonic() < end:
            pass
        if process.is_alive():
            process.kill()
        process.join()
        words = ENDED if self._stop.is_set() else LOST
        with self._database.writing() as session:
            _fail(session, (WORKING,), words)


def work(settings: Settings, number: int) -> None:
    """Work out one trial; run in a process of its own."""
    with suppress(OSError, AttributeError):
        os.nice(10)
    threading.Thread(target=end_with_parent, daemon=True).start()
    import torch

    torch.set_num_threads(1)
    database = Database(settings.database_url)
    try:
        run_trial(settings, database, number)
    finally:
        database.close()


def run_trial(settings: Settings, database: Database, number: int) -> None:
    """Work out one trial, and record what came of it.

    Raises:
        Missing: there is none of that number.
        Unavailable: the database cannot be reached.
    """
    pictures, told = PictureStore(settings.pictures), [0.0]
    with database.reading() as session:
        trial = session.get(Trial, number)
        if trial is None:
            raise Missing(f"There is no trial {number}.")
        name, what = trial.product, trial.what

    def progress(step: str, done: int, total: int, /) -> None:
        if time.monotonic() - told[0] >= TELL_S:
            told[0] = time.monotonic()
            _note(database, number, step=step, done=done, total=total)

    try:
        product = Products(settings.products).open(name)
        _note(database, number, state_sha256=product.state_sha256)
        if "check" in what:
            check_product(product, progress)
            nothing = {"words": "The test is done.", "limits": "", "compared": 0, "altered": []}
            _note(database, number, state=DONE, found=nothing, finished=time.time())
            return
        parts = past(database, pictures, name)
        with TemporaryDirectory(dir=settings.data, prefix=FOLDER) as place:
            change = _Change(database, pictures, name, what, Path(place))
            found = effect(product, change, parts, Path(place), progress)
    except ReasonIADError as error:
        _note(database, number, state=FAILED, error=_unnamed(str(error), settings), finished=time.time())
        return
    told_ = {
        "words": found.in_words(), "limits": found.limits, "compared": found.compared,
        "altered": [{**asdict(each), "against": each.against} for each in found.altered],
    }  # fmt: skip
    _note(database, number, state=DONE, found=told_, finished=time.time())


def past(database: Database, pictures: PictureStore, product: str, most: int = LAST) -> list[Past]:
    """The last parts of a product that were inspected, the newest first."""
    query = (
        select(Inspection.id, Inspection.picture, Inspection.template, Inspection.review, Result.json)
        .join(Result, Result.inspection == Inspection.id)
        .where(Inspection.product == product, Inspection.state == DONE)
        .order_by(Inspection.id.desc())
        .limit(most)
    )
    found = []
    with database.reading() as session:
        rows: Sequence[Any] = session.execute(query).all()
    for number, sha256, own, review, text in rows:
        template = None if own is None else pictures.path(own)
        found.append(Past(int(number), pictures.path(sha256), sha256, review, *_scored(text), template))
    return found


def _scored(text: str) -> tuple[float | None, str | None]:
    """The score of a result by which the limits alone decided, and the hash of what it was judged by."""
    from reason_iad.schema import Inspection as Whole

    try:
        whole = Whole.model_validate_json(text)
    except ValidationError:  # of another version: the part is looked at again
        return None, None
    seen = whole.evidence.product
    if seen is None or seen.fit_sha256 is not None or seen.left_out is not None or whole.verdict == "unjudged":
        return None, None
    return seen.score, seen.sha256


class _Change:
    """A change of a product that somebody asked about."""

    def __init__(
        self, database: Database, pictures: PictureStore, name: str, what: dict[str, Any], place: Path
    ) -> None:
        self._database, self._pictures, self._name, self._what, self._place = database, pictures, name, what, place

    def __call__(self, product: Product) -> Product:
        """Make it, on a copy of the product."""
        if "corrections" in self._what:
            with self._database.reading() as session:
                found = lessons(pending(session, self._name, self._what["corrections"]), self._pictures)
            return teach(product, found)
        values = dict(self._what.get("settings", {}))
        for area in ("ignore", "inspect"):
            if area in self._what:
                values[area] = self._file(area, self._what[area])
        return product.with_settings(**values)

    def _file(self, area: str, content: str | None) -> Path | None:
        if content is None:
            return None
        path = self._place / f"{area}.png"
        path.write_bytes(base64.b64decode(content))
        return path


def _note(database: Database, number: int, **values: Any) -> None:
    with database.writing() as session:
        session.execute(update(Trial).where(Trial.id == number, Trial.state == WORKING).values(**values))


def _fail(session: Session, states: Sequence[str], words: str) -> None:
    session.execute(
        update(Trial).where(Trial.state.in_(states)).values(state=FAILED, error=words, finished=time.time())
    )


def _unnamed(said: str, settings: Settings) -> str:
    """A sentence that names no folder of this machine."""
    return said.replace(str(settings.data), "").replace(str(settings.data.resolve()), "")
