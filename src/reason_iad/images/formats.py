"""Which formats can be read here. Some depend on how Pillow was built, or on an extra."""

from __future__ import annotations

from importlib.util import find_spec

HEIF = "HEIF"
"""Pillow's name of HEIC images."""

HAS_AVIF = find_spec("PIL._avif") is not None
HAS_HEIC = find_spec("pillow_heif") is not None
"""The extra 'heic'."""

FORMATS = (
    *("PNG", "JPEG", "BMP", "TIFF", "WEBP", "GIF", "PPM"),
    *(("AVIF",) if HAS_AVIF else ()),
    *((HEIF,) if HAS_HEIC else ()),
)
"""Pillow's names of the formats that may be decoded; a hostile file reaches no other decoder."""

OPTIONAL_SUFFIXES = frozenset({".avif"} if HAS_AVIF else ()) | frozenset({".heic", ".heif"} if HAS_HEIC else ())
"""Suffixes (lower case) of the formats that can be read in some installations only."""

UNREAD_SUFFIXES = (
    frozenset(
        {
            # what telephones and the web use
            ".heic", ".heif", ".hif", ".avif", ".jxl", ".svg",
            # JPEG 2000
            ".jp2", ".j2k", ".jpf", ".jpx", ".jpm", ".j2c", ".jpc",
            # raw files of cameras
            ".dng", ".cr2", ".cr3", ".crw", ".nef", ".nrw", ".arw", ".sr2", ".raf", ".orf", ".rw2", ".pef", ".srw",
            ".x3f", ".raw", ".3fr", ".iiq",
            # what other programs use
            ".psd", ".exr", ".hdr", ".dcm", ".dicom", ".tga", ".pcx", ".pfm", ".pam", ".eps", ".xcf",
        }
    )
    - OPTIONAL_SUFFIXES
)  # fmt: skip
"""Suffixes (lower case) of images that cannot be read: found in a folder, they are left out, and that is said."""


def register() -> None:
    """Let Pillow know the formats of extras; quick after the first time."""
    if HAS_HEIC:
        from PIL import Image
        from pillow_heif import register_heif_opener

        if HEIF not in Image.OPEN:
            register_heif_opener(thumbnails=False)
