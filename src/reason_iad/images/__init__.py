"""Pictures in: hostile files become checked RGB pictures, and folders become lists of pictures."""

from __future__ import annotations

from reason_iad.images.finding import find_images
from reason_iad.images.kinds import IMAGE_SUFFIXES, is_image_name, is_litter, is_normal_name
from reason_iad.images.loading import (
    FORMATS,
    MAX_ASPECT,
    MAX_FILE_BYTES,
    MAX_PIXELS,
    MIN_SIDE,
    check_header,
    load_image,
    printable,
)
from reason_iad.images.masks import REMARKS, Mask, MaskFile, Remark, decode_mask, load_mask
from reason_iad.images.sources import LoadedImage, Picture, as_pictures
from reason_iad.images.tint import tinted

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "MAX_ASPECT",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "REMARKS",
    "LoadedImage",
    "Mask",
    "MaskFile",
    "Picture",
    "Remark",
    "as_pictures",
    "check_header",
    "decode_mask",
    "find_images",
    "is_image_name",
    "is_litter",
    "is_normal_name",
    "load_image",
    "load_mask",
    "printable",
    "tinted",
]
