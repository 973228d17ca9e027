"""Pictures as they are sent: as the body of a request, or as files of a form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from reason_iad.errors import ImageError
from reason_iad.images import printable
from reason_iad.service.faults import Invalid
from reason_iad.service.keeping.pictures import PictureStore, Stored

TOGETHER = 20
"""Pictures that one request may add to a product: they are one change of it."""
MOST_FIELDS, LONGEST_FIELD = 16, 2**16
"""Fields that a form may have beside its files, and bytes that each may have. Nobody reads them."""
TEMPLATE = "template"
"""The field of a form that brings the template of a part."""
MANY_FILES = (
    f"Send up to {TOGETHER} pictures as files of a form: curl -F picture=@a.png -F picture=@b.png. Templates "
    "of parts are further files, with the names of their pictures: -F template=@a.bmp -F template=@b.bmp."
)
FIELDS = "application/x-www-form-urlencoded"
CHANGED = "With curl, send it with --data-binary: -d changes files."
ONE_FILE = (
    "Send the picture as it is, or as a file of a form: curl -F picture=@part.png. The form may have one more, "
    "the template of the part: -F template=@drawing.png."
)


@dataclass(frozen=True, slots=True)
class Sent:
    """The file of a picture that was sent.

    Attributes:
        chunks: its content, in the pieces in which it came. Whoever has taken them may empty the list.
        name: what the sender's file is called; None where that was not said. It never becomes a path.
        template: the content of the part's own template; None: it came without.
        as_fields: whether it came as the fields of a web page do. Curl sends files so, and `-d` changes them.
    """

    chunks: list[bytes]
    name: str | None = None
    template: list[bytes] | None = None
    as_fields: bool = False

    def keep(self, pictures: PictureStore, most: int) -> Kept:
        """Keep what was sent on the disk; it is not in memory any more afterwards.

        Raises:
            ImageError, OutputError: as `PictureStore.take`.
        """
        try:
            picture = pictures.take(self.chunks, most)
        except ImageError as error:
            raise (ImageError(f"{error} {CHANGED}") if self.as_fields else error) from None
        self.chunks.clear()
        if self.template is None:
            return Kept(picture)
        template = pictures.take_template(self.template, most)
        self.template.clear()
        return Kept(picture, template)


@dataclass(frozen=True, slots=True)
class Kept:
    """A picture that was sent, and its template, on the disk."""

    picture: Stored
    template: Stored | None = None


def kept_of(sent: Sequence[Sent], pictures: PictureStore, most: int) -> list[Kept]:
    """Keep several pictures; one that came twice is one.

    Raises:
        ImageError: one cannot be used; of several, it is named.
        OutputError: the disk cannot be written.
    """
    found: dict[str, Kept] = {}
    for each in sent:
        try:
            kept = each.keep(pictures, most)
        except ImageError as error:
            raise (ImageError(f"'{each.name}' cannot be used. {error}") if sent[1:] else error) from None
        found.setdefault(kept.picture.sha256, kept)
    return list(found.values())


async def sent_picture(request: Request) -> Sent:
    """The picture that was sent: the body itself, or a file of a form. The template is the file that is called so.

    Raises:
        Invalid: the form cannot be read, or has not one picture.
    """
    (picture,) = await _sent(request, 1, ONE_FILE)
    return picture


async def sent_pictures(request: Request) -> tuple[Sent, ...]:
    """The pictures that were sent, up to `TOGETHER` in one form; templates belong to the pictures of their names.

    Raises:
        Invalid: the form cannot be read, has no picture or too many, or a template belongs to none of them.
    """
    return await _sent(request, TOGETHER, MANY_FILES)


async def _sent(request: Request, most: int, wanted: str) -> tuple[Sent, ...]:
    kind = request.headers.get("content-type", "").lower()
    if not kind.startswith("multipart/"):
        return (Sent([chunk async for chunk in request.stream()], as_fields=kind.startswith(FIELDS)),)
    try:
        async with request.form(max_files=2 * most, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD) as form:
            given = [(field, each) for field, each in form.multi_items() if isinstance(each, UploadFile)]
            files = [each for field, each in given if field != TEMPLATE]
            templates = [each for field, each in given if field == TEMPLATE]
            own = {_stem(each): each for each in templates}
            if len(files) == 1 and len(templates) == 1:
                own = {_stem(files[0]): templates[0]}
            named = [(each, own.pop(_stem(each), None)) for each in files]
            if not 0 < len(files) <= most or len(templates) > len(files) or own:
                raise Invalid(wanted)
            return tuple(
                [
                    Sent(
                        [await file.read()],
                        _name(file) or None,
                        None if template is None else [await template.read()],
                    )
                    for file, template in named
                ]
            )
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise Invalid(wanted) from None


def _name(file: UploadFile) -> str:
    """What a file is called, without folders."""
    return printable((file.filename or "").replace("\\", "/").rpartition("/")[2])


def _stem(file: UploadFile) -> str:
    """The same without its ending: a template and its picture have it in common."""
    return PurePosixPath(_name(file)).stem


_FILE = {"type": "string", "format": "binary"}
_HOW = "How the part should be; for products whose parts have templates."


def _body(picture: dict[str, Any], template: dict[str, Any]) -> dict[str, Any]:
    form = {"type": "object", "properties": {"picture": picture, "template": template}, "required": ["picture"]}
    content = {"application/octet-stream": {"schema": _FILE}, "multipart/form-data": {"schema": form}}
    return {"requestBody": {"required": True, "content": content}}


PICTURE_BODY = _body(_FILE, {**_FILE, "description": _HOW})
"""What the OpenAPI document says of the body of a request that brings a picture."""
PICTURES_BODY = _body(
    {"type": "array", "items": _FILE, "minItems": 1, "maxItems": TOGETHER},
    {"type": "array", "items": _FILE, "maxItems": TOGETHER, "description": f"{_HOW} Named as the pictures are."},
)
"""The same of one that brings several."""
