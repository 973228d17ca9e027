"""What MVTec-like trees share: CATEGORY/train/good, CATEGORY/test/KIND, CATEGORY/ground_truth/KIND."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from reason_iad.bench.detect.samples import GOOD, Found, Sample, Saturation, Split
from reason_iad.images import IMAGE_SUFFIXES

MASKS = "ground_truth"

FindMasks = Callable[[Path, Path], tuple[Path, ...]]
"""From the folder of a kind's masks and an image, the image's mask files, whether they exist or not."""
Configure = Callable[[Path], dict[int, Saturation] | None]
"""From the folder of a category, how its defects saturate."""


def categories(root: Path) -> list[Path]:
    """Folders that hold 'test' beside 'train/good' or masks; the folder itself if it is one category."""
    if _is_category(root):
        return [root]
    return [folder for folder in subfolders(root) if _is_category(folder)]


def read_tree(root: Path, find_masks: FindMasks, configure: Configure = lambda folder: None) -> Found:
    """The images of all categories.

    Args:
        root: the folder of the set, or of one category.
        find_masks: where the masks of an abnormal image are; asked if the category has masks at all.
        configure: how the defects of a category saturate.
    """
    found = Found([], [])
    for folder in categories(root):
        has_masks = (folder / MASKS).is_dir()
        saturation = configure(folder)
        for split, kind in _kinds(folder):
            images = images_in(kind)
            if not images:
                found.empty.append(kind)
            for image in images:
                good = kind.name == GOOD
                masks = find_masks(folder / MASKS / kind.name, image) if has_masks and not good else ()
                found.samples.append(
                    Sample(
                        id=image.relative_to(root).as_posix(),
                        category=category_name(folder),
                        split=split,
                        image=image,
                        label=0 if good else 1,
                        kind=kind.name,
                        masks=masks or (stray_mask(folder, image) if good and has_masks else ()),
                        saturation=saturation,
                    )
                )
    return found


def stray_mask(category: Path, image: Path) -> tuple[Path, ...]:
    """The mask of a normal image, which some exports write (empty, one hopes)."""
    candidates = (category / MASKS / GOOD / name for name in (f"{image.stem}_mask.png", f"{image.stem}.png"))
    return tuple(path for path in candidates if path.is_file())


def images_in(folder: Path) -> list[Path]:
    """Image files directly in a folder, by suffix, sorted; none if it is missing."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_image(path))


def is_image(path: Path) -> bool:
    """Whether a visible file has the suffix of an image; a link that leads nowhere counts, to be reported."""
    visible = not path.name.startswith(".") and path.suffix.lower() in IMAGE_SUFFIXES
    return visible and not path.is_dir()


def subfolders(folder: Path) -> list[Path]:
    """Visible folders in a folder, sorted; none if it is missing."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def category_name(folder: Path) -> str:
    """Name of a category's folder, also if it was given as '.'."""
    return folder.name or folder.resolve().name


def mask_files(root: Path) -> Iterator[Path]:
    """Everything two levels below the mask folders of a tree: files, or folders where an image has several."""
    for category in categories(root):
        for kind in subfolders(category / MASKS):
            yield from sorted(kind.iterdir())


def _is_category(folder: Path) -> bool:
    return (folder / "test").is_dir() and ((folder / "train" / GOOD).is_dir() or (folder / MASKS).is_dir())


def _kinds(category: Path) -> Iterator[tuple[Split, Path]]:
    splits: tuple[Split, ...] = ("train", "validation", "test")
    for split in splits:
        for kind in subfolders(category / split):
            yield split, kind
