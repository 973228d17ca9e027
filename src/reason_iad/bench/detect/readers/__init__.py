"""Layouts of detection sets: which there are, and which one a folder has."""

from __future__ import annotations

from pathlib import Path
from textwrap import indent

from reason_iad.bench.detect.readers.lists import NEEDS, require_none
from reason_iad.bench.detect.readers.tree import is_image, subfolders
from reason_iad.bench.detect.samples import Dataset, Reader
from reason_iad.errors import DatasetError
from reason_iad.images import printable
from reason_iad.registry import BuiltIn, Registry

_HERE = "reason_iad.bench.detect.readers"
READERS: Registry[Reader] = Registry(
    "layout",
    {
        "mvtec": BuiltIn(f"{_HERE}.mvtec:READER", "MVTec AD, MPDD, DTD-Synthetic: masks named IMAGE_mask"),
        "goodsad": BuiltIn(f"{_HERE}.goodsad:READER", "GoodsAD, BTAD: as MVTec AD, with masks named as the images"),
        "loco": BuiltIn(f"{_HERE}.loco:READER", "MVTec LOCO AD: a folder of masks per image, defects_config.json"),
        "mvtec2": BuiltIn(f"{_HERE}.mvtec2:READER", "MVTec AD 2: the part test_public"),
        "visa": BuiltIn(f"{_HERE}.visa:READER", "VisA: split_csv/1cls.csv lists the images, or the folders alone"),
        "realiad": BuiltIn(f"{_HERE}.realiad:READER", "Real-IAD: realiad_jsons lists the images"),
        "ksdd": BuiltIn(f"{_HERE}.ksdd:READER", "KolektorSDD: a folder per part, IMAGE_label beside each image"),
        "ksdd2": BuiltIn(f"{_HERE}.ksdd2:READER", "KolektorSDD2: train and test, IMAGE_GT beside each image"),
        "dagm": BuiltIn(f"{_HERE}.dagm:READER", "DAGM 2007: CATEGORY/Train and Test, masks in Label"),
        "folder": BuiltIn(f"{_HERE}.folder:READER", "good/ beside one folder per kind of defect, or a flat folder"),
        "csv": BuiltIn(f"{_HERE}.manifest:READER", "a table manifest.csv lists the images"),
    },
    DatasetError,
)
"""Layout to reader. All of them are loaded when a layout is guessed."""

_MOST = 100
"""So many folders in one that has no layout are looked into."""
_SEE = "'--layout help' shows what each layout looks like"


def read_dataset(root: str | Path, layout: str | None = None, normal: str | None = None) -> Dataset:
    """Read a detection set. No image is opened; masks are, where nothing else says which image is good.

    Args:
        root: its folder.
        layout: one of `READERS`; None: guessed.
        normal: file name pattern ('ok_*') of the normal images of a flat folder.

    Raises:
        DatasetError: the folder is missing, its layout is unknown or could be several, there is no image, or a file
            looks like the list of the set and cannot be read.
    """
    root = Path(root)
    if not root.is_dir():
        raise DatasetError(f"The dataset '{printable(root)}' is not a folder; check the path.")
    if normal is not None:
        layout = layout or "folder"
    try:
        layout, reader = (layout, READERS.get(layout)) if layout is not None else _guess(root)
        if normal is not None and layout != "folder":
            raise DatasetError("A pattern of normal files belongs to the layout 'folder' only.")
        with READERS.running(layout):
            found = reader.read(root, normal)
    except OSError as error:
        raise DatasetError(
            f"The dataset '{printable(root)}' cannot be read: {error.strerror} ('{error.filename}')."
        ) from error
    if not found.samples:
        raise DatasetError(
            f"'{printable(root)}' holds no image in the layout '{reader.name}' ({reader.shape}); "
            f"check the folder, or choose another layout. {_SEE}."
        )
    samples = sorted(found.samples, key=lambda sample: (sample.category, sample.id))
    return Dataset(root, reader.name, tuple(samples), tuple(sorted(found.empty)), found.notes)


def described() -> str:
    """Every layout with the sets that are published in it, and what such a folder looks like."""
    readers = READERS.load_all()
    what = READERS.describe()
    forms = [f"{name}: {what[name]}\n{indent(each.form or each.shape, '    ')}" for name, each in readers.items()]
    return "\n\n".join([*forms, f"Any other set: {NEEDS[0].lower()}{NEEDS[1:]}.\n"])


def guess_layout(root: Path) -> Reader:
    """The one layout that a folder has.

    Raises:
        DatasetError: there is no image, no such layout, or more than one; the message names the candidates.
    """
    return _guess(root)[1]


def _guess(root: Path) -> tuple[str, Reader]:
    """The name of that layout in the registry, and its reader."""
    readers = READERS.load_all()
    fitting = {name: reader for name, reader in readers.items() if _fits(name, reader, root)}
    lists = {name: reader for name, reader in fitting.items() if reader.index}
    if not lists:
        require_none(root)
    candidates = lists or fitting
    if len(candidates) == 1:
        return next(iter(candidates.items()))
    if candidates:
        names = " or ".join(f"'{reader.name}' ({reader.shape})" for reader in candidates.values())
        raise DatasetError(f"The layout of '{printable(root)}' could be {names}; choose one with --layout.")
    if not any(is_image(path) for path in root.rglob("*")):
        raise DatasetError(f"'{printable(root)}' holds no images; check the path.")
    inside = [path for path in subfolders(root)[:_MOST] if any(_fits(*each, path) for each in readers.items())]
    below = f" '{printable(inside[0])}' has one; give that folder." if len(inside) == 1 else ""
    raise DatasetError(
        f"'{printable(root)}' has no layout that is known ({', '.join(readers)}).{below} {_SEE}. {NEEDS}; "
        "or choose one with --layout."
    )


def _fits(name: str, reader: Reader, root: Path) -> bool:
    with READERS.running(name):
        return reader.fits(root)
