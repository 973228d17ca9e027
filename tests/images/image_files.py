"""Image files that Pillow cannot write: PNG and TIFF with any bits, tags and chunks."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def deep_png(values: np.ndarray, before: bytes = b"", after: bytes = b"") -> bytes:
    """A PNG of 16 bits: (H, W) grey, or (H, W, 2, 3 or 4), with more chunks before and after the pixels."""
    colour_type = 0 if values.ndim == 2 else {2: 4, 3: 2, 4: 6}[values.shape[2]]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour_type, 0, 0, 0)
    pixels = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + before + pixels + after + png_chunk(b"IEND", b"")


def tiff(values: np.ndarray, **tags: Any) -> bytes:
    """An uncompressed little-endian TIFF; `tags` are named 't' and the number, as 16-bit numbers."""
    layers = 1 if values.ndim == 2 else values.shape[2]
    bits, kind = values.dtype.itemsize * 8, {"u": 1, "i": 2, "f": 3}[values.dtype.kind]
    given = {int(name[1:]): value for name, value in tags.items()}
    entries: dict[int, tuple[int, ...]] = {
        256: (values.shape[1],), 257: (values.shape[0],), 258: (bits,) * layers, 259: (1,),
        262: (2 if layers > 2 else 1,), 273: (0,), 277: (layers,), 278: (values.shape[0],), 279: (values.nbytes,),
        339: (kind,) * layers,
    }  # fmt: skip
    entries |= {tag: value if isinstance(value, tuple) else (value,) for tag, value in given.items()}
    entries[279] = (values.nbytes,)
    at = 8 + 2 + 12 * len(entries) + 4
    body, directory = b"", b""
    spare = {tag: struct.pack(f"<{len(value)}H", *value) for tag, value in entries.items() if len(value) > 2}
    pixels = at + sum(map(len, spare.values()))
    for tag, value in sorted(entries.items()):
        if tag in (273, 279):
            packed, kind = struct.pack("<I", pixels if tag == 273 else value[0]), 4
        elif tag in spare:
            packed, kind = struct.pack("<I", at + len(body)), 3
            body += spare[tag]
        else:
            packed, kind = struct.pack(f"<{len(value)}H", *value).ljust(4, b"\0"), 3
        directory += struct.pack("<HHI", tag, kind, len(value)) + packed
    head = b"II*\0" + struct.pack("<IH", 8, len(entries)) + directory + b"\0\0\0\0"
    return head + body + values.astype(values.dtype.newbyteorder("<")).tobytes()
