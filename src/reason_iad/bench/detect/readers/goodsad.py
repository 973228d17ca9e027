"""GoodsAD (Zhang et al., RA-L 2024): MVTec's tree with JPEG images and masks named like them, as PNG.

BTAD (Mishra et al., ISIE 2021) has this form, too, with the folders 'ok' and 'ko'. Its images and masks are PNG or
BMP files. Source: the module of this set in open-edge-platform/anomalib.
"""

from __future__ import annotations

from pathlib import Path

from reason_iad.bench.detect.readers.tree import MaskFolder, categories, mask_files, read_tree
from reason_iad.bench.detect.samples import Found, Reader
from reason_iad.images.kinds import MASK_ENDING


def _masks(masks: MaskFolder, image: Path) -> tuple[Path, ...]:
    return (masks.expect(image.stem),)


def _fits(root: Path) -> bool:
    masks = list(mask_files(root)) if categories(root) else []
    return any(path.is_file() and not path.stem.endswith(MASK_ENDING) for path in masks)


def _read(root: Path, normal: str | None) -> Found:
    return read_tree(root, _masks)


READER = Reader(
    "goodsad", "CATEGORY/train/good, CATEGORY/test/KIND, masks named IMAGE.png", False, _fits, _read,
    form="""\
CATEGORY/train/good/000.jpg         also: ok, normal
CATEGORY/test/good/000.jpg
CATEGORY/test/KIND/000.jpg
CATEGORY/ground_truth/KIND/000.png""",
)  # fmt: skip
