"""MVTec AD (Bergmann et al., CVPR 2019), and what is laid out like it: one mask per image, named after it.

MPDD (Jezek et al., ICUMT 2021) and DTD-Synthetic (Aota et al., WACV 2023) are published in this form. Source: the
modules of these sets in open-edge-platform/anomalib and zqhang/AnomalyCLIP.
"""

from __future__ import annotations

from pathlib import Path

from reason_iad.bench.detect.readers.tree import MaskFolder, categories, mask_files, read_tree
from reason_iad.bench.detect.samples import Found, Reader
from reason_iad.images.kinds import MASK_ENDING


def _masks(masks: MaskFolder, image: Path) -> tuple[Path, ...]:
    return (masks.expect(image.stem + MASK_ENDING),)


def _fits(root: Path) -> bool:
    if not categories(root):
        return False
    masks = list(mask_files(root))
    return not masks or any(path.stem.endswith(MASK_ENDING) for path in masks)


def _read(root: Path, normal: str | None) -> Found:
    return read_tree(root, _masks)


READER = Reader(
    "mvtec", "CATEGORY/train/good, CATEGORY/test/KIND, masks named IMAGE_mask.png", False, _fits, _read,
    form="""\
CATEGORY/train/good/000.png
CATEGORY/test/good/000.png
CATEGORY/test/KIND/000.png
CATEGORY/ground_truth/KIND/000_mask.png""",
)  # fmt: skip
