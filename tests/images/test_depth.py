"""More than 8 bits: which value is white, and that compared pictures agree on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.images.image_files import deep_png, png_chunk, tiff

from reason_iad.errors import ImageError
from reason_iad.images import LoadedImage, load_image, same_white, size_by_header

Array = np.ndarray


def ramp(white: int, *layers: int) -> Array:
    """A 64x16 picture from 0 to `white`."""
    row = np.linspace(0, white, 64).round().astype(np.uint16)
    grey = np.tile(row, (16, 1))
    return np.stack([grey] * layers[0], -1) if layers else grey


def values(loaded: LoadedImage) -> Array:
    return np.asarray(loaded.pixels)


def hot(picture: Array) -> Array:
    """With one pixel that is far too bright."""
    picture = picture.copy()
    picture[3, 5] = 65535
    return picture


# One picture


@pytest.mark.parametrize(
    ("highest", "white"), [(700, 1023), (1023, 1023), (3000, 4095), (9000, 16383), (50000, 65535)]
)
@pytest.mark.parametrize("write", [deep_png, tiff], ids=["png", "tiff"])
@pytest.mark.parametrize("layers", [(), (3,)], ids=["grey", "colour"])
def test_white_is_the_smallest_usual_one(highest: int, white: int, write: object, layers: tuple[int, ...]) -> None:
    given = ramp(highest, *layers)
    loaded = load_image(write(given))  # type: ignore[operator]
    expected = np.rint(given * (255 / white))
    assert np.abs(values(loaded) - (expected if layers else expected[..., None])).max() == 0
    assert loaded.white == white
    assert loaded.notes == (f"Values were scaled from 0..{white} to 8 bits.",)


@pytest.mark.parametrize("layers", [(), (3,)], ids=["grey", "colour"])
def test_one_hot_pixel_does_not_darken_the_picture(layers: tuple[int, ...]) -> None:
    plain, odd = load_image(deep_png(ramp(4000, *layers))), load_image(deep_png(hot(ramp(4000, *layers))))
    assert (values(plain) != values(odd)).any(-1).sum() == 1
    assert odd.notes[1] == "Values above 4095 were cut off; the brightest is 65535."


def test_colour_is_not_nearly_black_when_a_camera_leaves_bits_unused(tmp_path: Path) -> None:
    colours = np.zeros((16, 16, 3), np.uint16)
    colours[:] = (4095, 2048, 16)
    for name, data in (("a.png", deep_png(colours)), ("b.tif", tiff(colours))):
        (tmp_path / name).write_bytes(data)
        assert load_image(tmp_path / name).pixels.getpixel((3, 3)) == (255, 128, 1)


def test_opacity_of_16_bits_is_composed_on_white() -> None:
    colours = np.zeros((16, 16, 4), np.uint16)
    colours[:8, :, 3] = 65535
    loaded = load_image(deep_png(colours))
    assert loaded.pixels.getpixel((3, 3)) == (0, 0, 0)
    assert loaded.pixels.getpixel((3, 12)) == (255, 255, 255)
    assert loaded.notes[0] == "Transparent parts were composed on white."
    grey = load_image(deep_png(colours[..., 2:]))
    assert np.array_equal(values(grey), values(loaded))


def test_a_deep_file_that_is_cut_off_is_refused() -> None:
    for data in (deep_png(ramp(4000, 3)), tiff(ramp(4000, 3))):
        with pytest.raises(ImageError, match="damaged or cut off"):
            load_image(data[: len(data) - 200])


# What the file says


@pytest.mark.parametrize("layers", [(), (3,)], ids=["grey", "colour"])
def test_a_png_says_how_many_bits_count(layers: tuple[int, ...]) -> None:
    bits = png_chunk(b"sBIT", bytes([12] * (layers[0] if layers else 1)))
    dark = load_image(deep_png(ramp(900, *layers), bits))
    assert dark.white == 4095
    assert "as the file says" in dark.notes[0]
    assert load_image(deep_png(hot(ramp(900, *layers)), bits)).white == 4095


def test_a_png_that_spreads_its_bits_as_the_standard_says_keeps_them() -> None:
    bits = png_chunk(b"sBIT", b"\x0c")
    assert load_image(deep_png(ramp(4000) << 4, bits)).white == 65535
    assert load_image(deep_png(ramp(200) << 4, bits)).white == 65535


@pytest.mark.parametrize("tag", ["t281", "t341"])
def test_a_tiff_says_its_largest_value(tag: str) -> None:
    assert load_image(tiff(ramp(900), **{tag: 4095})).white == 4095


def test_the_largest_value_of_one_picture_is_not_white() -> None:
    assert load_image(tiff(ramp(900), t281=901)).white == 1023


def test_what_the_user_says_counts_most() -> None:
    data = tiff(ramp(900), t281=4095)
    loaded = load_image(data, white=2000)
    assert loaded.white == 2000
    assert loaded.notes == ("Values were scaled from 0..2000 to 8 bits, as it was set.",)
    assert values(loaded).max() == round(900 * 255 / 2000)


def test_values_above_a_given_white_are_cut_off_and_that_is_said() -> None:
    loaded = load_image(deep_png(ramp(4000)), white=1023)
    assert values(loaded).max() == 255
    assert loaded.notes[1] == "Values above 1023 were cut off; the brightest is 4000."


def test_8_bits_have_no_white(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), (9, 9, 9)).save(tmp_path / "a.png")
    loaded = load_image(tmp_path / "a.png", white=4095)
    assert (loaded.depth, loaded.white, loaded.notes) == (None, None, ())
    assert loaded.pixels.getpixel((3, 3)) == (9, 9, 9)
    assert loaded.key == loaded.sha256


@pytest.mark.parametrize("highest", [255, 4000, 65000])
def test_white_is_zero_is_read_as_viewers_show_it(highest: int) -> None:
    dtype = np.uint8 if highest == 255 else np.uint16
    white = {255: 255, 4000: 4095, 65000: 65535}[highest]
    given = ramp(highest).astype(dtype)
    loaded = load_image(tiff(given, t262=0))
    assert np.abs(values(loaded)[..., 0] - (255 - np.rint(given * (255 / white)))).max() == 0


def test_white_is_zero_of_floats() -> None:
    loaded = load_image(tiff((ramp(100) / 100).astype(np.float32), t262=0))
    assert (values(loaded)[0, 0, 0], values(loaded)[0, -1, 0]) == (255, 0)


# Pictures that are compared


def test_pictures_that_are_compared_have_one_white() -> None:
    dark, bright = load_image(deep_png(ramp(900))), load_image(tiff(ramp(4000)))
    assert (dark.white, bright.white) == (1023, 4095)
    one, other = same_white([dark, bright])
    assert (one.white, other.white) == (4095, 4095)
    assert np.array_equal(values(one)[..., 0], np.rint(ramp(900) * (255 / 4095)))
    assert one.notes == ("Values were scaled from 0..4095 to 8 bits.",)
    assert one.sha256 == dark.sha256
    assert one.key != dark.key


def test_what_one_file_says_counts_for_the_others() -> None:
    said, silent = load_image(tiff(ramp(900), t281=4095)), load_image(tiff(ramp(900)))
    assert [each.white for each in same_white([said, silent])] == [4095, 4095]


def test_a_spark_is_not_lost_when_another_picture_is_brighter() -> None:
    spark = ramp(900)
    spark[3, 5] = 4000
    part, _ = same_white([load_image(tiff(spark)), load_image(tiff(ramp(4000)))])
    assert values(part)[3, 5, 0] == round(4000 * 255 / 4095)


def test_a_hot_pixel_darkens_no_picture_that_is_compared() -> None:
    whites = [each.white for each in same_white([load_image(tiff(hot(ramp(4000)))), load_image(tiff(ramp(3000)))])]
    assert whites == [4095, 4095]


def test_floats_agree() -> None:
    small, large = (load_image(tiff((ramp(100) / 100 * white).astype(np.float32))) for white in (1, 200))
    assert [each.white for each in same_white([small, large])] == [255, 255]


def test_pictures_of_8_bits_stay_as_they_are() -> None:
    shallow = load_image(np.full((16, 16, 3), 90, np.uint8))
    one, _ = same_white([shallow, load_image(tiff(ramp(4000)))])
    assert one is shallow


# Arrays


def test_float_arrays_end_at_one() -> None:
    assert values(load_image(np.full((16, 16), 0.5), white=4095)).max() == 128


def test_the_hash_of_a_deep_array_does_not_depend_on_white() -> None:
    array = ramp(900)
    assert load_image(array).sha256 == load_image(array, white=4095).sha256
    assert load_image(array).sha256 != load_image(array + np.uint16(1)).sha256


def test_a_deep_array_is_copied_not_shared() -> None:
    array = ramp(900)
    loaded = load_image(array)
    array[:] = 0
    (again, _) = same_white([loaded, load_image(ramp(4000))])
    assert values(again).max() == round(900 * 255 / 4095)


# Hostile files


@pytest.mark.parametrize("tag", [258, 262, 274, 277, 281, 338, 339, 341])
@pytest.mark.parametrize("kind", [1, 2, 5, 7, 12, 13])
def test_a_tag_of_another_kind_is_harmless(tag: int, kind: int) -> None:
    data = bytearray(tiff(ramp(4000, 3), t274=1, t281=4095, t338=0, t341=4095))
    at = 10
    while int.from_bytes(data[at : at + 2], "little") != tag:
        at += 12
    data[at + 2 : at + 4] = kind.to_bytes(2, "little")
    try:
        loaded = load_image(bytes(data))
    except ImageError:
        return
    assert loaded.pixels.size == size_by_header(bytes(data), "It")
