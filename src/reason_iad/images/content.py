"""What a file is that cannot be read as a picture: said by its content, so that the message can say what to do."""

from __future__ import annotations

from typing import Any, BinaryIO

_SAVE = "save it as PNG, TIFF or JPEG"
_CAMERA = f"is a raw camera file; develop it, or {_SAVE}"
_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\x4f\xff\x51", f"is a JPEG 2000 image, which cannot be read; {_SAVE}"),
    (b"\0\0\0\x0cjP  ", f"is a JPEG 2000 image, which cannot be read; {_SAVE}"),
    (b"\xff\x0a", f"is a JPEG XL image, which cannot be read; {_SAVE}"),
    (b"\0\0\0\x0cJXL ", f"is a JPEG XL image, which cannot be read; {_SAVE}"),
    (b"FUJIFILMCCD-RAW", _CAMERA),
    (b"IIU\0", _CAMERA),
    (b"IIRO", _CAMERA),
    (b"IIRS", _CAMERA),
    (b"MMOR", _CAMERA),
    (b"FOVb", _CAMERA),
    (b"8BPS", f"is a Photoshop document, which cannot be read; {_SAVE}"),
    (b"%PDF", f"is a PDF document; {_SAVE}"),
    (b"v/1\x01", f"is an OpenEXR image, which cannot be read; {_SAVE}"),
    (b"#?RADIANCE", f"is a Radiance HDR image, which cannot be read; {_SAVE}"),
    (b"\x93NUMPY", "is a NumPy array; load it with NumPy and give the array, or save it as PNG"),
    (b"PK\x03\x04", "is a ZIP archive; unpack it first"),
    (b"\x1f\x8b", "is compressed with gzip; unpack it first"),
    (b"\x89HDF", f"is an HDF5 file, which cannot be read; {_SAVE}"),
    (b"<?xml", f"is an XML file, no image; {_SAVE}"),
    (b"<svg", f"is an SVG drawing; {_SAVE}"),
    (b"<!doctype html", "is a web page, not the image itself; download the image again"),
    (b"<html", "is a web page, not the image itself; download the image again"),
)
"""How content begins (letters in lower case where it is text), and what it is."""
_HEIC = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_AVIF = frozenset({b"avif", b"avis"})
_LFS = b"version https://git-lfs.github.com/spec/"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLES, _FORMAT = 258, 259, 262, 277, 339
_WHERE = (273, 324)
"""Tags without which there is no picture: where its pixels are."""
_SENSOR = frozenset({32803, 34892})
"""How a TIFF says that it holds what a sensor gave, not a picture."""
_KINDS = {1: "whole-number", 2: "signed whole-number", 3: "float", 5: "complex", 6: "complex"}
_BEGINNING = 4096
"""Bytes that are looked at."""


def named(file: BinaryIO) -> str | None:
    """What a file is, as the end of a sentence with what to do; None if it is not known."""
    file.seek(0)
    data = file.read(_BEGINNING)
    start = data[:32]
    if start.startswith(_LFS[:32]):
        return "is a Git LFS pointer, not the image itself; run 'git lfs pull' to get the image"
    if data[4:8] == b"ftyp":
        return _in_boxes(data[8:12], data[16:64])
    for known, said in _STARTS:
        if start.startswith(known) or start.lstrip().lower().startswith(known):
            return said
    if data[128:132] == b"DICM":
        return f"is a DICOM file, which cannot be read; {_SAVE}"
    if start.startswith(_TIFF):
        return _of_tiff(file, data)
    return None


def _in_boxes(brand: bytes, others: bytes) -> str:
    """What is in the boxes that HEIC, AVIF, raw files and films share."""
    if brand in _AVIF or b"avif" in others:
        return "is an AVIF image, which this installation of Pillow cannot read; update Pillow, or save it as PNG"
    if brand in _HEIC:
        return 'is a HEIC image; install what reads it (pip install "reason-iad[heic]"), or save it as PNG or JPEG'
    if brand == b"crx ":
        return _CAMERA
    if brand in (b"jp2 ", b"jpx "):
        return f"is a JPEG 2000 image, which cannot be read; {_SAVE}"
    return "is a film, no image; save one picture of it as PNG"


def _of_tiff(file: BinaryIO, start: bytes) -> str | None:
    """What kind of pixels the first picture of a TIFF has, which Pillow does not take."""
    from PIL import TiffImagePlugin

    try:
        large = 43 in start[2:4]
        tags: Any = TiffImagePlugin.ImageFileDirectory_v2(start[: 16 if large else 8])
        file.seek(tags.next)
        tags.load(file)
        photometric, samples = int(tags.get(_PHOTOMETRIC, 1)), int(tags.get(_SAMPLES, 1))
        bits, kind = int(max(tags.get(_BITS, (1,)))), int(max(tags.get(_FORMAT, (1,))))
        compression = int(tags.get(_COMPRESSION, 1))
        whole = any(tag in tags for tag in _WHERE)
    except Exception:  # hostile bytes; any failure means that nothing is known
        return None
    if not whole:
        return None
    if photometric in _SENSOR or start[8:10] == b"CR":
        return _CAMERA
    colours = "grey" if samples == 1 else "colour" if samples in (3, 4) else f"{samples}-channel"
    if kind == 3 and samples == 1 and bits == 64:
        return "is a grey TIFF with 64-bit float values; save it as 32-bit float or 16-bit TIFF"
    if kind != 1 or bits > 16:
        values = _KINDS.get(kind, "unknown")
        return f"is a {colours} TIFF with {bits}-bit {values} values; save it as 8-bit or 16-bit TIFF"
    return (
        f"is a {colours} TIFF of {bits} bits with compression {compression}, which cannot be read; save it as "
        "8-bit or 16-bit TIFF without compression"
    )
