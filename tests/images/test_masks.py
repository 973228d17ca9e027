"""What a mask marks is decided in one place, whatever the file: palettes, JPEG, transparency, inverted masks."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from reason_iad.errors import ImageError
from reason_iad.images import Mask, decode_mask, load_mask

SPOT = np.zeros((24, 32), bool)
SPOT[9:17, 9:17] = True
WHITE = np.where(SPOT, 255, 0).astype(np.uint8)


def decoded(image: Image.Image, form: str = "PNG", **options: object) -> Mask:
    file = io.BytesIO()
    image.save(file, form, **options)
    return decode_mask(file.getvalue(), "The mask 'a'", (32, 24))


def palette(colours: list[int], indices: NDArray[np.uint8]) -> Image.Image:
    image = Image.fromarray(indices, "P")
    image.putpalette(colours)
    return image


@pytest.mark.parametrize("mode", ["1", "L", "RGB", "I;16", "I", "F", "CMYK", "LA", "RGBA"])
def test_what_is_not_black_is_marked_in_every_mode(mode: str) -> None:
    small = Image.fromarray(np.where(SPOT, 3, 0).astype(np.uint8 if mode != "I;16" else np.uint16))
    image = small if mode == "I;16" else (small if mode != "1" else Image.fromarray(WHITE)).convert(mode)
    mask = decoded(image, "TIFF")
    assert (mask.marked == SPOT).all() and mask.remarks == ()


def test_a_palette_counts_by_its_colours() -> None:
    indices = SPOT.astype(np.uint8)
    swapped = decoded(palette([200, 0, 0, 0, 0, 0], 1 - indices))  # number 0 is red, number 1 is black
    assert (swapped.marked == SPOT).all() and swapped.remarks == ()
    assert (decoded(palette([0, 0, 0, 0, 0, 128], indices)).marked == SPOT).all()
    twice_black = decoded(palette([0, 0, 0, 0, 0, 0, 255, 255, 255], indices * 2 + (1 - indices)))
    assert (twice_black.marked == SPOT).all(), "number 1 is black as well"


@pytest.mark.parametrize(("form", "options"), [("JPEG", {"quality": 40}), ("WEBP", {"quality": 30}),
                                               ("TIFF", {"compression": "jpeg", "quality": 40})])  # fmt: skip
def test_noise_of_lossy_files_marks_nothing(form: str, options: dict[str, object]) -> None:
    raw = np.asarray(Image.open(_file(Image.fromarray(WHITE).convert("RGB"), form, **options)))
    assert ((raw.max(axis=2) > 0) != SPOT).any(), "there is noise"
    mask = decoded(Image.fromarray(WHITE).convert("RGB"), form, **options)
    assert (mask.marked == SPOT).all() and mask.remarks == ("lossy",)


def test_greys_of_a_mask_that_was_a_jpeg_or_was_scaled_mark_nothing() -> None:
    resaved = decoded(Image.open(_file(Image.fromarray(WHITE), "JPEG", quality=40)))
    assert (resaved.marked == SPOT).all() and resaved.remarks == ("grey",)
    small = Image.fromarray(WHITE).resize((17, 13), Image.Resampling.BICUBIC)
    scaled = decoded(small.resize((32, 24), Image.Resampling.BICUBIC).convert("RGB"))
    assert scaled.remarks == ("grey",) and abs(scaled.marked.sum() - SPOT.sum()) < 24


def test_numbers_of_kinds_and_colours_are_no_greys() -> None:
    kinds = np.zeros((24, 32), np.uint8)
    kinds[2:22, 2:18] = np.repeat(np.arange(1, 9, dtype=np.uint8) * 31, 2)
    assert (decoded(Image.fromarray(kinds)).marked == (kinds > 0)).all()
    deep = Image.fromarray(np.arange(24 * 32, dtype=np.uint16).reshape(24, 32))  # a number for each place
    cut_out = np.zeros((24, 32, 3), np.uint8)
    cut_out[SPOT] = np.random.default_rng(0).integers(1, 256, (64, 3))  # the defect as in the picture
    for image, marked in ((deep, 24 * 32 - 1), (Image.fromarray(cut_out), 64)):
        mask = decoded(image)
        assert mask.marked.sum() == marked and "grey" not in mask.remarks


def test_a_lossless_webp_is_exact() -> None:
    mask = decoded(Image.fromarray(np.where(SPOT, 3, 0).astype(np.uint8)), "WEBP", lossless=True, exact=True)
    assert (mask.marked == SPOT).all() and mask.remarks == ()


def test_transparency_counts_where_the_colours_say_nothing() -> None:
    for colour in (0, 255):
        pixels = np.dstack([np.full((24, 32, 3), colour, np.uint8), WHITE])
        mask = decoded(Image.fromarray(pixels))
        assert (mask.marked == SPOT).all() and mask.remarks == ("alpha",)
    red = np.zeros((24, 32, 4), np.uint8)
    red[..., :3], red[..., 3] = 255, 255
    red[~SPOT] = (255, 255, 255, 0)  # white that nobody sees
    assert (decoded(Image.fromarray(red)).marked == SPOT).all()


def test_colours_count_where_they_say_something() -> None:
    elsewhere = np.where(np.roll(SPOT, 5), 0, 255).astype(np.uint8)
    mask = decoded(Image.fromarray(np.dstack([WHITE, WHITE, WHITE, elsewhere])))
    assert (mask.marked == SPOT).all() and mask.remarks == ()


def test_a_deep_mask_may_name_a_transparent_value() -> None:
    deep = Image.fromarray(np.where(SPOT, 300, 0).astype(np.uint16))
    assert (decoded(deep, transparency=0).marked == SPOT).all()


def test_a_mask_that_marks_too_much_is_remarked() -> None:
    assert decoded(Image.new("L", (32, 24), 255)).remarks == ("whole",)
    inverted = decoded(Image.fromarray(255 - WHITE))
    assert (inverted.marked == ~SPOT).all() and inverted.remarks == ("inverted",)
    large = np.zeros((24, 32), np.uint8)
    large[2:, 2:] = 255  # most of the picture, but two of its edges are free
    assert decoded(Image.fromarray(large)).remarks == ()
    assert decoded(Image.new("L", (32, 24), 0)).remarks == ()


def test_a_mask_on_its_side_is_to_be_turned_not_scaled(tmp_path: Path) -> None:
    path = tmp_path / "mask.png"
    Image.fromarray(WHITE).save(path)
    with pytest.raises(ImageError, match=r"is 32x24 pixels, its image 24x32: .*EXIF.* Turn the mask"):
        load_mask(path, size=(24, 32))
    with pytest.raises(ImageError, match=r"is 32x24 pixels, its image 64x48; scale the mask"):
        load_mask(path, size=(64, 48))
    found = load_mask(path, size=(32, 24))
    assert (found.mask.marked == SPOT).all() and len(found.sha256) == 64


@pytest.mark.parametrize("form", ["TIFF", "JPEG", "PNG", "WEBP"])
def test_a_mask_is_turned_as_its_own_file_says(form: str) -> None:
    exif = Image.Exif()
    exif[274] = 6
    file = _file(Image.fromarray(np.rot90(WHITE)), form, exif=exif)  # lies on its side, and says so
    assert (decode_mask(file.getvalue(), "The mask 'a'", (32, 24)).marked == SPOT).all()
    with pytest.raises(ImageError, match="32x24 pixels, its image 24x32: it lies on its side"):
        decode_mask(file.getvalue(), "The mask 'a'", (24, 32))


@pytest.mark.parametrize("deep", [False, True])
def test_black_is_what_the_file_shows_black(deep: bool) -> None:
    kind, white = (np.uint16, 65535) if deep else (np.uint8, 255)
    file = _file(Image.fromarray(np.where(SPOT, 0, white).astype(kind)), "TIFF")
    shown = decode_mask(_as_white_is_zero(file.getvalue()), "The mask 'a'", (32, 24))
    assert (shown.marked == SPOT).all()


def _as_white_is_zero(content: bytes) -> bytes:
    """A TIFF with the same values, in which 0 is white."""
    entry = struct.pack("<HHI", 262, 3, 1)  # PhotometricInterpretation, a short
    place = content.index(entry) + len(entry)
    return content[:place] + struct.pack("<H", 0) + content[place + 2 :]


def test_a_file_that_is_no_mask_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_text("no image")
    with pytest.raises(ImageError, match=r"The mask '.*a\.png' cannot be read; export it again as PNG"):
        load_mask(tmp_path / "a.png")
    with pytest.raises(ImageError, match=r"The area '.*b\.png' cannot be read \(No such file"):
        load_mask(tmp_path / "b.png", "area")
    with pytest.raises(ImageError, match="is no ordinary file"):
        load_mask(tmp_path)


def _file(image: Image.Image, form: str, **options: object) -> io.BytesIO:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file
