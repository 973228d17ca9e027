"""Layouts of detection sets: which there are, and which one a folder has."""

from __future__ import annotations

from pathlib import Path

from reason_iad.bench.detect.readers.tree import is_image
from reason_iad.bench.detect.samples import Dataset, Reader
from reason_iad.errors import DatasetError
from reason_iad.images import printable
from reason_iad.registry import BuiltIn, Registry

_HERE = "reason_iad.bench.detect.readers"
READERS: Registry[Reader] = Registry(
    "layout",
    {
        "mvtec": BuiltIn(f"{_HERE}.mvtec:READER", "MVTec AD: CATEGORY/train/good and CATEGORY/test/KIND"),
        "visa": BuiltIn(f"{_HERE}.visa:READER", "VisA: split_csv/1cls.csv lists the images"),
        "loco": BuiltIn(f"{_HERE}.loco:READER", "MVTec LOCO AD: a folder of masks per image, defects_config.json"),
        "goodsad": BuiltIn(f"{_HERE}.goodsad:READER", "GoodsAD: as MVTec AD, with masks named as the images"),
        "folder": BuiltIn(f"{_HERE}.folder:READER", "good/ beside one folder per kind of defect, or a flat folder"),
        "csv": BuiltIn(f"{_HERE}.manifest:READER", "a table manifest.csv lists the images"),
    },
    DatasetError,
)
"""Layout to reader. All of them are loaded when a layout is guessed."""


def read_dataset(root: str | Path, layout: str | None = None, normal: str | None = None) -> Dataset:
    """Read a detection set; no image is opened.

    Args:
        root: its folder.
        layout: one of `READERS`; None: guessed.
        normal: file name pattern ('ok_*') of the normal images of a flat folder.

    Raises:
        DatasetError: the folder is missing, its layout is unknown or could be several, or there is no image.
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"The dataset '{printable(root)}' is not a folder; check the path.")
    if normal is not None:
        layout = layout or "folder"
    layout, reader = (layout, READERS.get(layout)) if layout is not None else _guess(root)
    if normal is not None and layout != "folder":
        raise DatasetError("A pattern of normal files belongs to the layout 'folder' only.")
    try:
        with READERS.running(layout):
            found = reader.read(root, normal)
    except OSError as error:
        raise DatasetError(
            f"The dataset '{printable(root)}' cannot be read: {error.strerror} ('{error.filename}')."
        ) from error
    if not found.samples:
        raise DatasetError(
            f"'{printable(root)}' holds no image in the layout '{reader.name}' ({reader.shape}); "
            "check the folder, or choose another layout."
        )
    samples = sorted(found.samples, key=lambda sample: (sample.category, sample.id))
    return Dataset(root, reader.name, tuple(samples), tuple(sorted(found.empty)))


def guess_layout(root: Path) -> Reader:
    """The one layout that a folder has.

    Raises:
        DatasetError: there is no image, no such layout, or more than one; the message names the candidates.
    """
    return _guess(root)[1]


def _guess(root: Path) -> tuple[str, Reader]:
    """The name of that layout in the registry, and its reader."""
    readers = READERS.load_all()
    for index in (True, False):
        fitting = [name for name, reader in readers.items() if reader.index is index and _fits(name, reader, root)]
        if len(fitting) == 1:
            return fitting[0], readers[fitting[0]]
        if fitting:
            names = " or ".join(f"'{readers[name].name}' ({readers[name].shape})" for name in fitting)
            raise DatasetError(f"The layout of '{printable(root)}' could be {names}; choose one with --layout.")
    if not any(is_image(path) for path in root.rglob("*")):
        raise DatasetError(f"'{printable(root)}' holds no images; check the path.")
    known = "; ".join(f"{reader.name}: {reader.shape}" for reader in readers.values())
    raise DatasetError(f"'{printable(root)}' has no layout that is known ({known}); choose one with --layout.")


def _fits(name: str, reader: Reader, root: Path) -> bool:
    with READERS.running(name):
        return reader.fits(root)
