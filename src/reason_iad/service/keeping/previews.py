"""Pictures as browsers can show them: upright, with 8 bits, and no larger than the page needs."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Literal

from reason_iad.errors import ImageError
from reason_iad.images import load_image
from reason_iad.service.faults import Missing

Size = Literal["small", "large"]
SIDES: dict[Size, int] = {"small": 240, "large": 1600}
"""Pixels of the longer side at most: in a strip or a list, and on its own."""
MEDIA_TYPE = "image/jpeg"


def preview(path: Path, size: Size) -> bytes:
    """A picture as JPEG. It is never enlarged.

    Raises:
        Missing: the picture is not kept any more.
        ImageError: it cannot be read.
    """
    if not path.is_file():
        raise Missing("The picture is not kept any more.")
    try:
        image = load_image(path).pixels.copy()
    except ImageError:
        raise ImageError("The picture cannot be shown, because it cannot be read.") from None
    image.thumbnail((SIDES[size], SIDES[size]), reducing_gap=2.0)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=88)
    return out.getvalue()
