"""Pictures in: hostile files become checked RGB pictures, and folders become lists of pictures."""

from __future__ import annotations

from reason_iad.images.depth import Depth, at_white, same_white, white_of
from reason_iad.images.finding import find_images, left_out_words, unread_images
from reason_iad.images.formats import FORMATS
from reason_iad.images.kinds import IMAGE_SUFFIXES, is_image_name, is_litter, is_normal_name
from reason_iad.images.loading import (
    MAX_ASPECT,
    MAX_FILE_BYTES,
    MAX_PIXELS,
    MIN_SIDE,
    check_header,
    deep_of,
    load_image,
    printable,
    size_by_header,
)
from reason_iad.images.masks import REMARKS, Mask, MaskFile, Remark, decode_mask, load_mask
from reason_iad.images.sources import WHOLE, LoadedImage, Picture, as_pictures, at_most
from reason_iad.images.tint import tinted

__all__ = [
    "FORMATS",
    "IMAGE_SUFFIXES",
    "MAX_ASPECT",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "REMARKS",
    "WHOLE",
    "Depth",
    "LoadedImage",
    "Mask",
    "MaskFile",
    "Picture",
    "Remark",
    "as_pictures",
    "at_most",
    "at_white",
    "check_header",
    "decode_mask",
    "deep_of",
    "find_images",
    "is_image_name",
    "is_litter",
    "is_normal_name",
    "left_out_words",
    "load_image",
    "load_mask",
    "printable",
    "same_white",
    "size_by_header",
    "tinted",
    "unread_images",
    "white_of",
]
