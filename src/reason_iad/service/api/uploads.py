"""Pictures as they are sent: as the body of a request, or as the file of a form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException

from reason_iad.images import printable
from reason_iad.service.faults import Invalid

MOST_FIELDS, LONGEST_FIELD = 16, 2**16
"""Fields that a form may have beside its file, and bytes that each may have. Nobody reads them."""
ONE_FILE = "Send the picture as it is, or as the only file of a form: curl -F picture=@part.png."


@dataclass(frozen=True, slots=True)
class Sent:
    """The file of a picture that was sent.

    Attributes:
        chunks: its content, in the pieces in which it came. Whoever has taken them may empty the list.
        name: what the sender's file is called; None where that was not said. It never becomes a path.
    """

    chunks: list[bytes]
    name: str | None = None


async def sent_picture(request: Request) -> Sent:
    """The picture that was sent: the body itself, or the only file of a form.

    Raises:
        Invalid: the form cannot be read, or has not one file.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/"):
        return Sent([chunk async for chunk in request.stream()])
    try:
        async with request.form(max_files=1, max_fields=MOST_FIELDS, max_part_size=LONGEST_FIELD) as form:
            files = [each for _, each in form.multi_items() if isinstance(each, UploadFile)]
            if len(files) != 1:
                raise Invalid(ONE_FILE)
            name = (files[0].filename or "").replace("\\", "/").rpartition("/")[2]
            return Sent([await files[0].read()], printable(name) or None)
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
                    "properties": {"picture": {"type": "string", "format": "binary"}},
                    "required": ["picture"],
                }
            },
        },
    }
}
"""What the OpenAPI document says of the body of a request that brings a picture."""
