"""Pictures as they are sent: as the body of a request, or as files of a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from reason_iad.images import printable
from reason_iad.service.faults import Invalid
from reason_iad.service.keeping.pictures import PictureStore, Stored

MOST_FIELDS, LONGEST_FIELD = 16, 2**16
"""Fields that a form may have beside its files, and bytes that each may have. Nobody reads them."""
TEMPLATE = "template"
"""The field of a form that brings the template of a part."""
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
    """

    chunks: list[bytes]
    name: str | None = None
    template: list[bytes] | None = None

    def keep(self, pictures: PictureStore, most: int) -> Kept:
        """Keep what was sent on the disk; it is not in memory any more afterwards.

        Raises:
            ImageError, OutputError: as `PictureStore.take`.
        """
        picture = pictures.take(self.chunks, most)
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


async def sent_picture(request: Request) -> Sent:
    """The picture that was sent: the body itself, or a file of a form. The template is the file that is called so.

    Raises:
        Invalid: the form cannot be read, or has not one picture.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        return Sent([chunk async for chunk in request.stream()])
    try:
        async with request.form(max_files=2, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD) as form:
            given = [(field, each) for field, each in form.multi_items() if isinstance(each, UploadFile)]
            files = [each for field, each in given if field != TEMPLATE]
            templates = [[await each.read()] for field, each in given if field == TEMPLATE]
            if len(files) != 1 or len(templates) > 1:
                raise Invalid(ONE_FILE)
            name = (files[0].filename or "").replace("\\", "/").rpartition("/")[2]
            return Sent([await files[0].read()], printable(name) or None, *templates)
    except HTTPException as error:
        if error.status_code != 400:
            raise
        raise Invalid(ONE_FILE) from None


PICTURE_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "picture": {"type": "string", "format": "binary"},
                        "template": {
                            "type": "string",
                            "format": "binary",
                            "description": "How the part should be; for products whose parts have templates.",
                        },
                    },
                    "required": ["picture"],
                }
            },
        },
    }
}
"""What the OpenAPI document says of the body of a request that brings a picture."""
