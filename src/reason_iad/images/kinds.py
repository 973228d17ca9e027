"""What the names of files and folders mean, the same for everything that reads folders: images, masks, good parts.

Names are judged here and nowhere else. Nothing is opened; what a file really holds is found out when it is loaded.
"""

from __future__ import annotations

from pathlib import PurePath

from reason_iad.images.formats import OPTIONAL_SUFFIXES, UNREAD_SUFFIXES

IMAGE_SUFFIXES = OPTIONAL_SUFFIXES | frozenset(
    {
        ".png",
        ".apng",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".bmp",
        ".tif",
        ".tiff",
        ".webp",
        ".gif",
        ".ppm",
        ".pgm",
        ".pbm",
        ".pnm",
    }
)
"""Suffixes (lower case) by which images and masks are found in folders. Decoding goes by content, not by suffix."""

GOOD = "good"
"""The kind of every normal image, as MVTec's folders call it."""

NORMAL_NAMES = frozenset({GOOD, "ok", "normal"})
"""Names (lower case) of folders and labels of images that show good parts."""

ABNORMAL_NAMES = frozenset({"abnormal", "anomaly", "bad", "defect", "defective", "ko", "ng", "nok"})
"""Names (lower case) of folders and labels of images that show defective parts, whatever the defect."""

SPLITS = {"train": "train", "training": "train", "validation": "validation", "val": "validation", "test": "test"}
"""Name (lower case) of a part of a data set, and which part it is."""

MASK_FOLDER = "ground_truth"
"""Name of the folder of masks, beside the folders of images."""

MASK_FOLDERS = (MASK_FOLDER, "masks")
"""All names that such a folder may have among pictures that people sorted themselves."""

MASK_ENDING = "_mask"
"""What the name of a mask may have behind the name of its image, before the suffix."""

_LITTER = frozenset(
    {
        # Windows
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "$recycle.bin",
        "recycler",
        "system volume information",
        # macOS; the others of its names begin with a dot
        "__macosx",
        "icon\r",
        "network trash folder",
        "temporary items",
        # network storage (Synology, QNAP)
        "@eadir",
        "@tmp",
        "@recycle",
        "@recently-snapshot",
        "#recycle",
        "#snapshot",
        # Linux
        "lost+found",
    }
)
"""Names (lower case) of files and folders that systems and file managers leave between those of people."""


def is_litter(name: str) -> bool:
    """Whether a file or a folder of this name is hidden, or is left by a system: thumbnails, deleted files."""
    return name.startswith(".") or name.lower() in _LITTER


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for an image, or for a mask, when a folder is searched."""
    return PurePath(name).suffix.lower() in IMAGE_SUFFIXES and not is_litter(name)


def is_unread_name(name: str) -> bool:
    """Whether a file of this name is an image of a format that cannot be read, such as HEIC or a raw file."""
    return PurePath(name).suffix.lower() in UNREAD_SUFFIXES and not is_litter(name)


def is_normal_name(name: str) -> bool:
    """Whether a folder of this name holds good parts: 'good', 'OK', 'Normal'."""
    return name.lower() in NORMAL_NAMES


def is_abnormal_name(name: str) -> bool:
    """Whether a folder of this name holds defective parts of no certain kind: 'bad', 'NG', 'Defect'."""
    return name.lower() in ABNORMAL_NAMES


def mask_stems(image: PurePath) -> tuple[str, str]:
    """The names that a mask of an image may have, suffixes aside."""
    return f"{image.stem}{MASK_ENDING}", image.stem


def is_mask_folder(name: str) -> bool:
    """Whether a folder of this name holds masks: 'masks', 'Ground_Truth'."""
    return name.lower() in MASK_FOLDERS
