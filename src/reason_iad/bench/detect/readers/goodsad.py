"""GoodsAD (Zhang et al., RA-L 2024): MVTec's tree with JPEG images and masks named like them, as PNG."""

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


READER = Reader("goodsad", "CATEGORY/train/good, CATEGORY/test/KIND, masks named IMAGE.png", False, _fits, _read)
