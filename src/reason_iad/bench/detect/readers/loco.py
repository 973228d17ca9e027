"""MVTec LOCO AD (Bergmann et al., IJCV 2022): logical and structural anomalies, several masks per image.

The masks of test/KIND/007.png are all the files in ground_truth/KIND/007/; each is one region, its pixel value says
what defect it is, and `defects_config.json` how much of such a defect has to be found.
"""

from __future__ import annotations

import json
from pathlib import Path

from reason_iad.bench.detect.readers.tree import MaskFolder, categories, images_in, mask_files, read_tree
from reason_iad.bench.detect.samples import Found, Reader, Saturation
from reason_iad.errors import DatasetError
from reason_iad.images import printable

CONFIG = "defects_config.json"


def _masks(masks: MaskFolder, image: Path) -> tuple[Path, ...]:
    parts = masks.path / image.stem
    return tuple(images_in(parts)) or (parts,)  # the folder itself stands for what is missing


def _configure(category: Path) -> dict[int, Saturation]:
    path = category / CONFIG
    try:
        defects = json.loads(path.read_text(encoding="utf-8"))
        return {
            int(defect["pixel_value"]): Saturation(
                float(defect["saturation_threshold"]), bool(defect["relative_saturation"])
            )
            for defect in defects
        }
    except OSError as error:
        raise DatasetError(
            f"'{printable(path)}' cannot be read ({error.strerror}); without it the layout 'loco' has no regions."
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"'{printable(path)}' is not a list of defects with 'pixel_value', 'saturation_threshold' and "
            f"'relative_saturation' ({error}); copy it again from the original."
        ) from error


def _fits(root: Path) -> bool:
    configured = any((folder / CONFIG).is_file() for folder in categories(root))
    return configured or any(path.is_dir() for path in mask_files(root))


def _read(root: Path, normal: str | None) -> Found:
    return read_tree(root, _masks, _configure)


READER = Reader(
    "loco", "CATEGORY/{train,validation,test}/KIND, a folder of masks per image, defects_config.json",
    False, _fits, _read,
    form="""\
CATEGORY/train/good/000.png
CATEGORY/validation/good/000.png            read and not used
CATEGORY/test/good/000.png
CATEGORY/test/KIND/000.png
CATEGORY/ground_truth/KIND/000/000.png      one mask per region
CATEGORY/defects_config.json                how much of a region must be found""",
)  # fmt: skip
