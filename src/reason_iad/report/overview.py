"""The overview of many parts: a page on which the parts that failed come first, and a table for spreadsheets.

Parts are added as their results come. Their small pictures wait in a temporary file, so memory does not grow with
them. The page is one file without a script: it filters by radio buttons and the style sheet alone.
"""

from __future__ import annotations

import base64
import csv
import io
import os
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO
from urllib.parse import quote

from PIL import Image, ImageDraw

from reason_iad.files import replacing, write_atomic
from reason_iad.images import LoadedImage, printable
from reason_iad.report.facts import percent, sentence_case
from reason_iad.report.product import nothing_is_known
from reason_iad.schema import Box, Inspection, in_digits
from reason_iad.schema.verdict import ALONE

PAGE, TABLE = "index.html", "results.csv"
ORDER = ("defect", "review", "unjudged", "failed", "pass")
"""In which order parts are shown: the more they need a person, the earlier."""
NAMES = {
    "defect": "defect", "review": "needs a person", "unjudged": "cannot be judged", "failed": "not inspected",
    "pass": "pass",
}  # fmt: skip
_REST = (
    ("review", "needs a person", "need a person"),
    ("unjudged", "cannot be judged", "cannot be judged"),
    ("failed", "was not inspected", "were not inspected"),
)
"""What else may become of parts, of one and of several."""
SIDE, QUALITY = 208, 62
"""Longest side of a small picture in pixels, and quality of its compression."""
COLUMNS = (
    "image", "verdict", "probability", "threshold", "score", "pass_below", "limit", "good_parts", "type", "place",
    "x", "y", "width", "height", "share", "findings", "report", "error",
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_MARK = ((255, 255, 255), 7), ((255, 45, 32), 4)
"""Colour and width of the rim of a mark, and of the mark."""


@dataclass(frozen=True, slots=True)
class Part:
    """What the overview keeps of one part.

    Attributes:
        image: its name as results give it.
        name: the same, below the folder that all parts have in common.
        verdict: one of `ORDER`.
        probability, threshold: of a defect; None where it was not inspected, or could not be judged.
        score: of a product; None without one.
        pass_below, limit: below which a part passes, and from which on it is defective; None without a product.
        good_parts: with how many it was compared; None where it was not inspected.
        type, place: of the defect; empty for a pass.
        claimed: type and place as people read them.
        box: around the defect; None where nothing is marked.
        share: of the picture that the defect covers; None if it is not known.
        findings: how many places are marked.
        report: path of the report from the page; empty without one.
        error: why it was not inspected.
        picture: where its small picture begins and ends in the temporary file.
    """

    image: str
    name: str
    verdict: str
    probability: float | None = None
    threshold: float | None = None
    score: float | None = None
    pass_below: float | None = None
    limit: float | None = None
    good_parts: int | None = None
    type: str = ""
    place: str = ""
    claimed: str = ""
    box: Box | None = None
    share: float | None = None
    findings: int = 0
    report: str = ""
    error: str = ""
    picture: tuple[int, int] = (0, 0)

    @property
    def sort_key(self) -> tuple[int, float, str]:
        """Parts that need a person first, and of these the most probable defects."""
        return ORDER.index(self.verdict), -(self.probability or 0.0), self.name

    @property
    def sure(self) -> str:
        """The probability of a defect, or the score of a product with its limit."""
        if self.score is not None and self.probability is not None:
            limit = "" if self.limit is None else f", limit {self.limit:.1f}"
            if self.limit is None and self.pass_below is not None:
                limit = f", pass below {self.pass_below:.1f}"
            return f"score {self.score:.1f}{limit}"
        if self.probability is None or self.threshold is None:
            return ""
        return percent(self.probability, (self.threshold,))

    @property
    def alone(self) -> str:
        """That the result is the model's opinion alone; empty where the part was compared with a good one."""
        return "the model's opinion alone" if self.good_parts == 0 else ""

    @property
    def link(self) -> str:
        """The report as a relative address."""
        return quote(os.fsencode(self.report))

    def cells(self) -> tuple[str, ...]:
        """One row of the table, in the order of `COLUMNS`."""
        box = self.box
        place = ("",) * 4 if box is None else tuple(map(str, (box.x1, box.y1, box.x2 - box.x1, box.y2 - box.y1)))
        sure = (None, None) if self.score is not None else (self.probability, self.threshold)  # the score decides
        numbers = ("" if each is None else in_digits(each) for each in sure)
        scores = ("" if each is None else f"{each:.4f}" for each in (self.score, self.pass_below, self.limit))
        return (
            self.image, self.verdict, *numbers, *scores, "" if self.good_parts is None else str(self.good_parts),
            self.type, self.place, *place,
            "" if self.share is None else f"{self.share:.6g}", str(self.findings), printable(self.report),
            self.error,
        )  # fmt: skip


class Overview:
    """Collects parts, and writes the page and the table of all of them.

    As a context manager it drops its temporary file at the end.

    Args:
        folder: where the page will be, above all reports.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._parts: dict[str, Part] = {}
        self._pictures: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 (closed at the end)

    def __enter__(self) -> Overview:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pictures.close()

    def add(self, result: Inspection, name: str, picture: LoadedImage | None, report: Path | None) -> None:
        """Add a part.

        Args:
            result: of its inspection.
            name: of the part, below the folder that all have in common.
            picture: its pixels; None leaves its picture out.
            report: its report; None without one.
        """
        region, product = result.region, result.evidence.product
        said = [(result.in_words(fact) or "").removeprefix("not clear, ") for fact in ("type", "place")]
        self._parts[result.image.name] = Part(
            image=result.image.name,
            name=name,
            verdict=result.verdict,
            probability=None if nothing_is_known(result) else result.probability,
            threshold=None if nothing_is_known(result) else result.threshold,
            score=None if product is None else product.score,
            pass_below=None if product is None else product.pass_below,
            limit=None if product is None else product.defect_from,
            good_parts=result.good_parts_used,
            type=result.defect_type or "",
            place="" if region is None else region.place,
            claimed=result.unjudged or sentence_case(", ".join(filter(None, said))),
            box=None if region is None else region.box,
            share=None if region is None else region.share,
            findings=len(result.findings),
            report="" if report is None else report.relative_to(self._folder).as_posix(),
            picture=(0, 0) if picture is None else self._kept(_small(result, picture)),
        )

    def add_failed(self, image: str, name: str, error: str) -> None:
        """Add a part that could not be inspected, and say why."""
        self._parts[image] = Part(image=image, name=name, verdict="failed", error=error)

    def others(self) -> int:
        """How many reports are in the folder that are not of these parts."""
        mine = {self._folder / part.report for part in self._parts.values() if part.report}
        mine.add(self._folder / PAGE)
        return sum(path not in mine for path in self._folder.rglob("*.html"))

    def write(self) -> None:
        """Write the page and the table, each whole or not at all.

        Raises:
            OutputError: they cannot be written.
        """
        from reason_iad.report.layout import environment

        ordered = sorted(self._parts.values(), key=lambda part: part.sort_key)
        template = environment().get_template("overview.html.j2")
        counts = Counter(part.verdict for part in ordered)
        kinds = [(kind, NAMES[kind], counts[kind]) for kind in ORDER if counts[kind]]
        rows = ((part, self._uri(part)) for part in ordered)
        page = template.generate(
            rows=rows, kinds=kinds, names=NAMES, total=len(ordered), headline=headline(counts), table=TABLE,
            alone=caution(ordered), scored=any(part.score is not None for part in ordered),
        )  # fmt: skip
        with replacing(self._folder / PAGE) as file:
            file.writelines(piece.encode("utf-8", "replace") for piece in page)
        write_atomic(self._folder / TABLE, "".join(table(self._parts.values())))

    def _kept(self, data: bytes) -> tuple[int, int]:
        begin = self._pictures.seek(0, os.SEEK_END)
        self._pictures.write(data)
        return begin, begin + len(data)

    def _uri(self, part: Part) -> str:
        """The small picture of a part as a data URI; empty without one."""
        begin, end = part.picture
        if begin == end:
            return ""
        self._pictures.seek(begin)
        return "data:image/webp;base64," + base64.b64encode(self._pictures.read(end - begin)).decode()


def headline(counts: Counter[str]) -> str:
    """What became of the parts, in one sentence."""
    total = counts.total()
    parts = f"{total:,} part{'' if total == 1 else 's'}"
    if counts["pass"] == total:
        return f"All {parts} passed." if total > 1 else "The part passed."
    said = []
    if not counts["defect"]:
        said.append(f"{counts['pass']:,} of {parts} passed." if counts["pass"] else "No part passed.")
    if found := counts["defect"]:
        said.append(f"{found:,} of {parts} {'has' if found == 1 else 'have'} a defect.")
    for kind, one, several in _REST:
        if number := counts[kind]:
            said.append(f"{number:,} {one if number == 1 else several}.")
    if counts["defect"] and counts["pass"]:
        said.append(f"{counts['pass']:,} passed.")
    return " ".join(said)


def caution(parts: Iterable[Part]) -> str:
    """That there was no good part to compare with, and for how many parts; empty if there was one for each."""
    inspected = [part for part in parts if part.good_parts is not None]
    alone = sum(bool(part.alone) for part in inspected)
    if not alone:
        return ""
    if alone == len(inspected):
        return ALONE
    some = f"{alone:,} of {len(inspected):,} parts were"
    return f"{some} compared with no good part: their results are the model's opinion alone."


def table(parts: Iterable[Part]) -> Iterator[str]:
    """The lines of the table, in the order in which parts were added.

    It begins with a byte order mark, by which spreadsheets know UTF-8. Text that they would take for a formula
    gets an apostrophe in front.
    """
    yield "\N{BYTE ORDER MARK}"
    for cells in (COLUMNS, *(part.cells() for part in parts)):
        line = io.StringIO()
        csv.writer(line).writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
        yield line.getvalue()


def _small(result: Inspection, picture: LoadedImage) -> bytes:
    """A small WebP of the part with its marked region."""
    small = picture.whole.copy()
    small.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0)
    box = None if result.region is None else result.region.box
    if box is not None:
        across, down = small.width / picture.width, small.height / picture.height
        x1, y1, x2, y2 = box.x1 * across - 4, box.y1 * down - 4, box.x2 * across + 3, box.y2 * down + 3
        draw = ImageDraw.Draw(small)
        for colour, width in _MARK:
            out = (width - 4) / 2
            draw.rectangle((x1 - out, y1 - out, x2 + out, y2 + out), outline=colour, width=width)
    data = io.BytesIO()
    small.save(data, "WEBP", quality=QUALITY, method=4)
    return data.getvalue()
