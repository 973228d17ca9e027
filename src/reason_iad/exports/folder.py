"""A folder of exports: files beside one another for each image, and one COCO file for all of them."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from reason_iad.errors import ImageError, OutputError
from reason_iad.exports.coco import CocoImage, coco
from reason_iad.exports.formats import FORMATS
from reason_iad.exports.labelme import labelme
from reason_iad.exports.pictures import mask, overlay
from reason_iad.files import write_atomic
from reason_iad.images import LoadedImage, printable
from reason_iad.schema import Inspection

SUFFIXES = {"overlay": ".overlay.png", "mask": ".mask.png", "labelme": ".labelme.json"}
"""What is added to the whole name of an image. `part.png` and `part.jpg` so have files of their own."""
COCO = "coco.json"


class ExportFolder:
    """Writes exports as results come; only what the COCO file says of each is kept, and no picture.

    An image is named by its path below a root that all images have in common, so that images of the same file name
    in two folders have exports of their own.

    Args:
        folder: where exports go; made when it is needed.
        root: a folder above all images.
        wanted: some of `FORMATS`.
    """

    def __init__(self, folder: Path, root: Path, wanted: Sequence[str] = FORMATS) -> None:
        self._folder, self._root, self._wanted = folder, root, tuple(wanted)
        self._listed: dict[str, CocoImage] = {}

    def add(
        self, inspection: Inspection, path: Path, picture: Callable[[], LoadedImage], *, missing_only: bool = False
    ) -> None:
        """Write the files of one result, and remember it for the COCO file.

        Args:
            inspection: the result.
            path: the image, below the root.
            picture: gives its pixels; asked only if they are needed.
            missing_only: leave files alone that are there, for a result of an earlier run.

        Raises:
            ImageError: the picture cannot be read, or is not the one that was inspected.
            OutputError: a file cannot be written.
        """
        relative = path.relative_to(self._root)
        for name in self._wanted:
            if name == "coco":
                continue
            target = self._folder / relative.with_name(relative.name + SUFFIXES[name])
            if not (missing_only and target.exists()):
                _make_parent(target)
                write_atomic(target, _content(name, inspection, path, target, picture))
        listed = printable(relative.as_posix())
        self._listed[listed] = CocoImage.of(inspection, listed)

    def close(self) -> None:
        """Write the COCO file, if it is wanted.

        Raises:
            OutputError: it cannot be written.
        """
        if "coco" in self._wanted:
            target = self._folder / COCO
            _make_parent(target)
            write_atomic(target, coco(self._listed.values()))


def _content(
    name: str, inspection: Inspection, path: Path, target: Path, picture: Callable[[], LoadedImage]
) -> str | bytes:
    """What stands in a file of a format."""
    if name == "mask":
        return mask(inspection)
    if name == "labelme":
        return labelme(inspection, _seen_from(target.parent, path))
    return overlay(inspection, _checked(picture(), inspection))


def _checked(picture: LoadedImage, inspection: Inspection) -> LoadedImage:
    image = inspection.image
    if (picture.width, picture.height) != (image.width, image.height):
        raise ImageError(
            f"'{picture.name}' has {picture.width}x{picture.height} pixels, but the image inspected had "
            f"{image.width}x{image.height}. Inspect it again."
        )
    return picture


def _seen_from(folder: Path, path: Path) -> str:
    """The path of an image from a folder; its name alone where there is no way, as between two drives."""
    try:
        return printable(Path(os.path.relpath(path, folder)).as_posix())
    except ValueError:
        return printable(path.name)


def _make_parent(target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder '{printable(target.parent)}' cannot be made ({error.strerror}). Choose another folder for "
            "exports."
        ) from None
