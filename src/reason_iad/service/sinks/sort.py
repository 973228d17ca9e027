"""Sorting: the picture of each part is copied into a folder that is called like its outcome.

A file is called by the number of the inspection and the hash of the picture, never by what people call the part.
Numbers alone repeat after a restore, and a file would take the place of another one. To have pictures moved instead
of copied, let the source delete what it has taken: then = "delete".
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from PIL import Image

from reason_iad.errors import OutputError
from reason_iad.files import replacing
from reason_iad.images import FORMATS
from reason_iad.service.options import Place
from reason_iad.service.sinks.base import Message, SinkTable

OUTCOMES = ("pass", "defect", "review", "unjudged", "failed")
SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif", "PPM": ".ppm"}
"""Endings of files, where they are not the name of the format."""
BLOCK = 2**20
DIGITS = 12
"""Of the hash of a picture, in the name of its file."""


class SortTable(SinkTable):
    """The table of a sorted folder.

    Attributes:
        folder: in which a folder for each outcome is made.
    """

    kind: Literal["sort"]
    folder: Place

    def open(self) -> Sort:
        """The sink."""
        return Sort(self.folder)


class Sort:
    """Copies pictures.

    Args:
        folder: in which a folder for each outcome is made.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def send(self, message: Message, picture: Path) -> None:
        """Copy the picture of a part."""
        if message.outcome not in OUTCOMES:
            raise OutputError("The outcome has no folder.")
        try:
            source = picture.open("rb")
        except FileNotFoundError:
            return  # it is not kept any more, and never will be again
        except OSError as error:
            raise OutputError(f"The picture cannot be read ({error.strerror}).") from None
        with source:
            target = (
                self._folder
                / message.outcome
                / f"{message.inspection:09d}-{message.picture[:DIGITS]}{_suffix(picture)}"
            )
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"The folder of the sink cannot be made ({error.strerror}).") from None
            with replacing(target) as copy:
                while block := source.read(BLOCK):
                    copy.write(block)

    def close(self) -> None:
        """Nothing is held."""


def _suffix(picture: Path) -> str:
    """The ending that fits what the file is."""
    try:
        with Image.open(picture, formats=FORMATS) as opened:
            form = str(opened.format)
    except (OSError, ValueError, SyntaxError):
        return ".img"
    return SUFFIXES.get(form, f".{form.lower()}")
