"""What MVTec-like trees share: CATEGORY/train/good, CATEGORY/test/KIND, CATEGORY/ground_truth/KIND."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

from reason_iad.bench.detect.inventory import leads_outside
from reason_iad.bench.detect.samples import Found, Sample, Saturation, Split
from reason_iad.images import is_image_name, is_litter, is_normal_name
from reason_iad.images.kinds import GOOD, MASK_FOLDER, mask_stems


class MaskFolder:
    """The masks of one kind: files named after their images, in any format that images may have.

    Args:
        path: the folder; it may be missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._files: dict[str, list[Path]] = {}
        for file in images_in(path):
            self._files.setdefault(file.stem, []).append(file)

    def find(self, *stems: str) -> Path | None:
        """The mask with the first of these names, suffixes aside, for which there is one; of several, the PNG."""
        for stem in stems:
            if files := self._files.get(stem):
                return min(files, key=lambda file: (file.suffix != ".png", file.suffix))
        return None

    def expect(self, *stems: str) -> Path:
        """The same, or where the mask should be."""
        return self.find(*stems) or self.path / f"{stems[0]}.png"


def half_of(images: Sequence[Path]) -> frozenset[Path]:
    """About half of the images, at least one, picked by a hash of their names.

    Adding an image moves no other one from one half to the other.
    """

    def digest(image: Path) -> bytes:
        return hashlib.sha256(image.name.encode("utf-8", "surrogateescape")).digest()

    return frozenset(image for image in images if digest(image)[0] % 2 == 0) or frozenset(
        sorted(images, key=digest)[:1]
    )


def used(split: Split, label: Literal[0, 1]) -> Split:
    """The split of an image of a set that brings defective training images: those are read, and not used."""
    return "validation" if split == "train" and label else split


def unused_note(samples: Iterable[Sample]) -> tuple[str, ...]:
    """The sentence that tells how many images `used` set aside, if any."""
    count = sum(sample.split == "validation" and sample.label == 1 for sample in samples)
    images = "1 defective training image is" if count == 1 else f"{count} defective training images are"
    return (f"{images} not used, because only good images can be compared with.",) if count else ()


FindMasks = Callable[[MaskFolder, Path], tuple[Path, ...]]
"""From the masks of a kind and an image, the image's mask files, whether they exist or not."""
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
        has_masks = (folder / MASK_FOLDER).is_dir()
        saturation = configure(folder)
        for split, kind in _kinds(folder):
            images = images_in(kind)
            if not images:
                found.empty.append(kind)
            good = is_normal_name(kind.name)
            masks = MaskFolder(folder / MASK_FOLDER / kind.name)
            find = _stray_mask if good else find_masks
            found.samples.extend(
                Sample(
                    id=image.relative_to(root).as_posix(),
                    category=category_name(folder),
                    split=split,
                    image=image,
                    label=0 if good else 1,
                    kind=GOOD if good else kind.name,
                    masks=find(masks, image) if has_masks else (),
                    saturation=saturation,
                )
                for image in images
            )
    return found


def _stray_mask(masks: MaskFolder, image: Path) -> tuple[Path, ...]:
    """The mask of a normal image, which some exports write (empty, one hopes)."""
    found = masks.find(*mask_stems(image))
    return () if found is None else (found,)


def marks(mask: Path, root: Path) -> Literal[0, 1]:
    """1 if a mask marks anything; also if it cannot be read, or leads out of the folder, which is reported then."""
    from reason_iad.bench.detect.masks import marks_something

    if leads_outside(mask, root):
        return 1
    return 0 if marks_something(mask) is False else 1


def images_in(folder: Path) -> list[Path]:
    """Image files directly in a folder, by suffix, sorted; none if it is missing."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if is_image(path))


def is_image(path: Path) -> bool:
    """Whether a file is named like an image; a link that leads nowhere counts, to be reported."""
    return is_image_name(path.name) and not path.is_dir()


def subfolders(folder: Path) -> list[Path]:
    """The folders in a folder, without litter, sorted; none if it is missing."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if path.is_dir() and not is_litter(path.name))


def normal_folders(folder: Path) -> list[Path]:
    """The folders of good parts in a folder, sorted."""
    return [path for path in subfolders(folder) if is_normal_name(path.name)]


def category_name(folder: Path) -> str:
    """Name of a category's folder, also if it was given as '.'."""
    return folder.name or folder.resolve().name


def mask_files(root: Path) -> Iterator[Path]:
    """What is two levels below the mask folders of a tree: masks, or folders where an image has several."""
    for category in categories(root):
        for kind in subfolders(category / MASK_FOLDER):
            yield from sorted([*images_in(kind), *subfolders(kind)])


def _is_category(folder: Path) -> bool:
    masks = (folder / MASK_FOLDER).is_dir()
    return (folder / "test").is_dir() and (masks or bool(normal_folders(folder / "train")))


def _kinds(category: Path) -> Iterator[tuple[Split, Path]]:
    splits: tuple[Split, ...] = ("train", "validation", "test")
    for split in splits:
        for kind in subfolders(category / split):
            yield split, kind
