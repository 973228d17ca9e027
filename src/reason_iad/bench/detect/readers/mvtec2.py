"""MVTec AD 2 (Heckler-Kram et al., 2025): the public test images, with the masks in a folder among them.

The parts test_private and test_private_mixed are published without labels and cannot be measured on. The images of
'validation' are read and not used. Source: the description of the set in open-edge-platform/anomalib.
"""

from __future__ import annotations

from pathlib import Path

from reason_iad.bench.detect.readers.tree import MaskFolder, category_name, images_in, normal_folders, subfolders
from reason_iad.bench.detect.samples import Found, Reader, Sample, Split
from reason_iad.errors import DatasetError
from reason_iad.images import is_normal_name, printable
from reason_iad.images.kinds import GOOD, MASK_ENDING, is_mask_folder

PUBLIC, PRIVATE = "test_public", "test_private"


def _categories(root: Path) -> list[Path]:
    """Folders of a category, whichever of its test parts is there; the folder itself if it is one."""
    return [
        folder
        for folder in (root, *subfolders(root))
        if (folder / PUBLIC).is_dir() or (_private(folder) and normal_folders(folder / "train"))
    ]


def _private(folder: Path) -> list[Path]:
    return [path for path in subfolders(folder) if path.name.startswith(PRIVATE)]


def _fits(root: Path) -> bool:
    return root.resolve().name.startswith(PRIVATE) or bool(_categories(root))


def _read(root: Path, normal: str | None) -> Found:
    categories = _categories(root)
    public = [folder for folder in categories if (folder / PUBLIC).is_dir()]
    if not public and _fits(root):
        raise DatasetError(
            f"'{printable(root)}' holds images of '{PRIVATE}' without labels, so nothing can be measured on them. "
            f"Get the part '{PUBLIC}', and give the folder that it lies in."
        )
    notes: tuple[str, ...] = ()
    if any(map(_private, categories)):
        notes = (f"The parts '{PRIVATE}…' were left out, because they are published without labels.",)
    found = Found([], [], notes)
    splits: tuple[tuple[Split, str], ...] = (("train", "train"), ("validation", "validation"), ("test", PUBLIC))
    for folder in public:
        for split, name in splits:
            for kind in subfolders(folder / name):
                if not is_mask_folder(kind.name):
                    _add(found, root, folder, kind, split)
    return found


def _add(found: Found, root: Path, category: Path, kind: Path, split: Split) -> None:
    """The images of one folder."""
    images, good = images_in(kind), is_normal_name(kind.name)
    if not images:
        found.empty.append(kind)
    place = next((path for path in subfolders(kind.parent) if is_mask_folder(path.name)), None)
    masks = None if good or place is None else MaskFolder(place / kind.name)
    found.samples.extend(
        Sample(
            id=image.relative_to(root).as_posix(),
            category=category_name(category),
            split=split,
            image=image,
            label=0 if good else 1,
            kind=GOOD if good else kind.name,
            masks=() if masks is None else (masks.expect(image.stem + MASK_ENDING),),
        )
        for image in images
    )


READER = Reader(
    "mvtec2", "CATEGORY/train/good, CATEGORY/test_public/KIND, with the masks in test_public", False, _fits, _read,
    form="""\
CATEGORY/train/good/000_regular.png
CATEGORY/validation/good/000_regular.png                   read and not used
CATEGORY/test_public/good/000_regular.png
CATEGORY/test_public/bad/000_regular.png
CATEGORY/test_public/ground_truth/bad/000_regular_mask.png
The private parts have no labels and are left out.""",
)  # fmt: skip
