"""DAGM 2007 (Wieler and Hahn): ten textures, each with Train and Test; the masks are in Label.

    Class1/Train/0001.PNG, Class1/Train/Label/Labels.txt, Class1/Train/Label/0009_label.PNG, …

An image is defective if it has a mask, or if Labels.txt says so. A line of that file has a number, 1 if there is a
defect, the image, the same again, and the mask. The masks are coarse ellipses. Defective training images are read
and not used. Source: the description at the Heidelberg Collaboratory for Image Processing, and public loaders.
"""

from __future__ import annotations

from pathlib import Path

from reason_iad.bench.detect.readers.table import list_content
from reason_iad.bench.detect.readers.tree import (
    MaskFolder,
    category_name,
    images_in,
    subfolders,
    unused_note,
    used,
)
from reason_iad.bench.detect.samples import Found, Reader, Sample, Split
from reason_iad.errors import DatasetError
from reason_iad.images import printable
from reason_iad.images.kinds import GOOD

_LABELS, _LIST, _ENDING = "Label", "Labels.txt", "_label"
_SPLITS: tuple[tuple[Split, str], ...] = (("train", "Train"), ("test", "Test"))


def _categories(root: Path) -> list[Path]:
    """Folders of a texture; the folder itself if it is one."""
    return [
        folder
        for folder in (root, *subfolders(root))
        if any((folder / name / _LABELS).is_dir() for _, name in _SPLITS)
    ]


def _fits(root: Path) -> bool:
    return bool(_categories(root))


def _read(root: Path, normal: str | None) -> Found:
    found = Found([], [])
    for folder in _categories(root):
        for split, name in _SPLITS:
            images, labels = images_in(folder / name), folder / name / _LABELS
            if not images:
                found.empty.append(folder / name)
            found.samples.extend(
                _sample(root, folder, image, split, mask) for image, mask in _with_masks(images, labels, root)
            )
    return found._replace(notes=unused_note(found.samples))


def _with_masks(images: list[Path], labels: Path, root: Path) -> list[tuple[Path, Path | None]]:
    """Images, each with its mask if it is defective."""
    masks, listed = MaskFolder(labels), _listed(labels / _LIST, root)
    return [
        (
            image,
            masks.expect(image.stem + _ENDING) if image.stem in listed else masks.find(image.stem + _ENDING),
        )
        for image in images
    ]


def _listed(path: Path, root: Path) -> frozenset[str]:
    """The images that the list calls defective, suffixes aside; none if there is no list."""
    if not path.is_file():
        return frozenset()
    try:
        text = list_content(path, root).decode()
    except UnicodeDecodeError:
        raise DatasetError(f"'{printable(path)}' is no text; copy it again.") from None
    except DatasetError as error:
        raise DatasetError(f"'{printable(path)}' {error}.") from None
    words = [line.split() for line in text.splitlines()]
    return frozenset(Path(line[2]).stem for line in words if len(line) >= 3 and line[1] == "1")


def _sample(root: Path, category: Path, image: Path, split: Split, mask: Path | None) -> Sample:
    return Sample(
        id=image.relative_to(root).as_posix(),
        category=category_name(category),
        split=used(split, 0 if mask is None else 1),
        image=image,
        label=0 if mask is None else 1,
        kind=GOOD if mask is None else "defect",
        masks=() if mask is None else (mask,),
    )


READER = Reader(
    "dagm", "CATEGORY/Train and CATEGORY/Test, masks in Label/IMAGE_label.PNG", False, _fits, _read,
    form="""\
Class1/Train/0001.PNG
Class1/Train/Label/0009_label.PNG   for the defective images only
Class1/Train/Label/Labels.txt
Class1/Test/…                       in the same way
Defective training images are not used.""",
)  # fmt: skip
