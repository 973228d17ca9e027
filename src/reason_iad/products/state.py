"""What `product.json` and `history.jsonl` say. They come by mail, too: everything in them is checked here."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from reason_iad.errors import ConfigError
from reason_iad.products.lengths import Length
from reason_iad.products.names import LONGEST, is_reserved
from reason_iad.schema import Box
from reason_iad.schema.record import Record

GOOD = "good"
DEFECTS = "defects"
AREAS = "areas"
KNOWLEDGE = "knowledge"
TEMPLATES = "templates"
FOLDERS = (GOOD, DEFECTS, AREAS, KNOWLEDGE, TEMPLATES)
"""Folders in which the files of a product are."""

_CAME_LATER = ("white", "template")
"""Settings that are written only where there is something to say."""

Orientation = Literal["auto", "fixed", "any"]
Details = Literal["auto", "on", "off"]
AreaName = Literal["ignore", "inspect"]


def _safe(file: str) -> str:
    """A path below the folder of the product that means the same on every system."""
    parts = file.split("/")
    if len(parts) < 2 or parts[0] not in FOLDERS or len(file.encode("utf-8", "replace")) > 600:
        raise ValueError("is not in a folder of the product")
    for part in parts:
        odd = any(not c.isprintable() or c in '\\:*?"<>|' for c in part)
        if not part or part.startswith(".") or part.endswith((".", " ")) or odd or is_reserved(part):
            raise ValueError("is not a safe path")
    return file


def _label(text: str) -> str:
    if not text.isprintable() or text != text.strip() or not text:
        raise ValueError("is not a name")
    return text


def _length(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return Length.parse(value)
    except ConfigError as error:
        raise ValueError(str(error)) from None


File = Annotated[str, AfterValidator(_safe)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Label = Annotated[str, Field(max_length=LONGEST), AfterValidator(_label)]
Side = Annotated[int, Field(ge=1, le=10**6)]
Share = Annotated[float, Field(gt=0, le=0.5, allow_inf_nan=False)]
SmallestSize = Annotated[Length, BeforeValidator(_length), PlainSerializer(str, return_type=str)]


class FileRecord(Record):
    """A file of the product, and the hash by which its content is known."""

    file: File
    sha256: Digest


class ImageRecord(FileRecord):
    """A picture, with its size when it lies upright."""

    width: Side
    height: Side


_AS_BEFORE = (("template", None), ("counts", True))
"""Fields and values that are not written, since older products do not have them."""


class PartRecord(ImageRecord):
    """A picture of a part, and the template of this part, if it has its own."""

    template: ImageRecord | None = None

    @model_serializer(mode="wrap")
    def _as_before(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without what it does not have: a product without templates is written as before there were any."""
        told: dict[str, Any] = write(self)
        return {name: value for name, value in told.items() if (name, value) not in _AS_BEFORE}


class GoodRecord(PartRecord):
    """A picture of a good part.

    Attributes:
        view: the view or variant that it shows; None: there is only one.
        added: when it came into the product, UTC.
        counts: whether its score counts for the limits. Parts that a person was asked about because they were
            doubtful are no fair sample of good parts: others are compared with them, and they set no limits.
    """

    view: Label | None = None
    added: datetime
    counts: bool = True


class DefectRecord(PartRecord):
    """A picture of a defective part."""

    type: Label
    mask: FileRecord | None = None
    box: Box | None = None
    added: datetime

    @model_validator(mode="after")
    def _inside(self) -> DefectRecord:
        box = self.box
        if box and not (0 <= box.x1 < box.x2 <= self.width and 0 <= box.y1 < box.y2 <= self.height):
            raise ValueError("the box is not inside the image")
        return self


class Settings(Record):
    """How parts of the product are judged.

    Attributes:
        false_alarms: the largest share of good parts that may be called defective, above 0 and at most 0.5.
        missed: the same of defective parts that pass; None: no limit.
        min_size: the smallest defect that counts; None: every one does.
        scale: millimetres per pixel; None: unknown.
        encoder: what makes the features that are compared: a name, or the folder of a vision model.
        resolution: side in pixels to which pictures are scaled for that; None: 224 and 320, both.
        details: 'on' if pictures are also looked at in detail, piece by piece, 'off' if not, 'auto' if they are
            where they are large.
        orientation: 'fixed' if parts lie one way, 'any' if at any angle, 'auto' if the self-test is to find out.
        ignore: the picture whose marked area never shows a defect.
        inspect: the picture whose marked area alone is inspected.
        white: the value that is white in pictures with more than 8 bits; None: there are none, or nobody said it.
        template: the template of all parts; None: they have none, or each has its own.
    """

    false_alarms: Share = 0.05
    missed: Share | None = None
    min_size: SmallestSize | None = None
    scale: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    encoder: Annotated[str, Field(min_length=1, max_length=1000)] = "efficientnet_lite0"
    resolution: Annotated[int, Field(ge=32, le=8192)] | None = None
    details: Details = "auto"
    orientation: Orientation = "auto"
    ignore: ImageRecord | None = None
    inspect: ImageRecord | None = None
    white: Annotated[float, Field(gt=0, le=65535, allow_inf_nan=False)] | None = None
    template: ImageRecord | None = None

    @model_serializer(mode="wrap")
    def _without_what_came_later(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """A product without deep pictures or templates is written as before there were any: its hashes stay."""
        told: dict[str, Any] = write(self)
        return {name: value for name, value in told.items() if name not in _CAME_LATER or value is not None}


class Contents(Record):
    """Parts of a state: what a change took away, or what it put there."""

    good: tuple[GoodRecord, ...] = ()
    defects: tuple[DefectRecord, ...] = ()
    settings: Settings | None = None
    knowledge: tuple[FileRecord, ...] | None = None

    def files(self) -> Iterator[FileRecord]:
        """Every file that is named."""
        yield from self.good
        for defect in self.defects:
            yield defect
            if defect.mask:
                yield defect.mask
        yield from (part.template for part in (*self.good, *self.defects) if part.template)
        if chosen := self.settings:
            yield from (each for each in (chosen.ignore, chosen.inspect, chosen.template) if each)
        yield from self.knowledge or ()


class State(Record):
    """A product at one moment. `format` is raised by every change that an older version could trip over."""

    format: Literal[1] = 1
    name: Label
    revision: Annotated[int, Field(ge=0, le=10**9)]
    changed: datetime
    settings: Settings = Settings()
    knowledge: tuple[FileRecord, ...] = ()
    good: tuple[GoodRecord, ...] = ()
    defects: tuple[DefectRecord, ...] = ()

    @property
    def contents(self) -> Contents:
        """Everything in it."""
        return Contents(good=self.good, defects=self.defects, settings=self.settings, knowledge=self.knowledge)

    def files(self) -> Iterator[FileRecord]:
        """Every file of the product."""
        return self.contents.files()

    @model_validator(mode="after")
    def _one_file_each(self) -> State:
        seen: dict[str, str] = {}
        for record in self.files():
            if seen.setdefault(record.file.casefold(), record.sha256) != record.sha256:
                raise ValueError(f"two files are called '{record.file}'")
        hashes = [record.sha256 for record in (*self.good, *self.defects)]
        if len(set(hashes)) != len(hashes):
            raise ValueError("a picture is named twice")
        if len({PurePosixPath(record.file).parent for record in self.knowledge}) > 1:
            raise ValueError("the knowledge is in several folders")
        return self

    def text(self) -> str:
        """The content of `product.json`: the same state gives the same text."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"

    def content_sha256(self) -> str:
        """Hash of everything that results follow from: not of names, dates and the number of changes."""
        settings = self.settings.model_dump(mode="json")
        for area in {"ignore", "inspect", "template"} & settings.keys():
            settings[area] = settings[area] and settings[area]["sha256"]
        told = {
            "settings": settings,
            "knowledge": sorted((PurePosixPath(each.file).name, each.sha256) for each in self.knowledge),
            "good": sorted((each.sha256, each.view or "", *_uncounted(each)) for each in self.good),
            "defects": sorted(
                (each.sha256, each.type, each.mask.sha256 if each.mask else "", str(each.box or ""))
                for each in self.defects
            ),
        }
        parts = (*self.good, *self.defects)
        if templates := {part.sha256: part.template.sha256 for part in parts if part.template}:
            told["templates"] = sorted(templates.items())
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _uncounted(good: GoodRecord) -> tuple[str, ...]:
    """What the hash holds of a picture that does not count for the limits; nothing of others, as before."""
    return () if good.counts else ("not for the limits",)


class Change(Record):
    """One line of the history.

    Attributes:
        revision: of the state that the change led to; the first is 1.
        time: when, UTC.
        words: what was changed, for people.
        removed, added: what exactly, so that it can be taken back.
    """

    revision: Annotated[int, Field(ge=1, le=10**9)]
    time: datetime
    words: Annotated[str, Field(max_length=2000)]
    removed: Contents = Contents()
    added: Contents = Contents()

    def files(self) -> Iterator[FileRecord]:
        """Every file that the change names."""
        yield from self.removed.files()
        yield from self.added.files()


def difference(before: State, after: State) -> tuple[Contents, Contents]:
    """What a change took away, and what it put there."""

    def part(state: State, other: State) -> Contents:
        good, defects = set(other.good), set(other.defects)
        return Contents(
            good=tuple(each for each in state.good if each not in good),
            defects=tuple(each for each in state.defects if each not in defects),
            settings=state.settings if state.settings != other.settings else None,
            knowledge=state.knowledge if state.knowledge != other.knowledge else None,
        )

    return part(before, after), part(after, before)


def taken_back(state: State, change: Change) -> State:
    """The state before a change that led to this one.

    Raises:
        ValueError: the change did not lead to this state.
    """
    removed, added = change.removed, change.added
    good, defects = set(added.good), set(added.defects)
    if (
        not good <= set(state.good)
        or not defects <= set(state.defects)
        or added.settings not in (None, state.settings)
        or added.knowledge not in (None, state.knowledge)
    ):
        raise ValueError("the change did not lead to this state")
    return ordered(
        State(
            name=state.name,
            revision=state.revision - 1,
            changed=state.changed,
            settings=removed.settings or state.settings,
            knowledge=state.knowledge if removed.knowledge is None else removed.knowledge,
            good=(*(each for each in state.good if each not in good), *removed.good),
            defects=(*(each for each in state.defects if each not in defects), *removed.defects),
        )
    )


def ordered(state: State) -> State:
    """The same state with its lists in the order of the names of their files, and checked."""
    return State(
        **{
            **dict(state),
            "knowledge": tuple(sorted(state.knowledge, key=lambda each: each.file)),
            "good": tuple(sorted(state.good, key=lambda each: each.file)),
            "defects": tuple(sorted(state.defects, key=lambda each: each.file)),
        }
    )
