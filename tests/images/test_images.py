"""Every kind of bad or unusual image: it works properly, or one sentence says why and what to do."""

from __future__ import annotations

import os
import socket
import struct
import sys
import threading
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from reason_iad.errors import ImageError
from reason_iad.images import IMAGE_SUFFIXES, check_header, find_images, load_image, printable
from reason_iad.images import loading as images

posix = pytest.mark.skipif(os.name == "nt", reason="POSIX file types")


@pytest.fixture
def part() -> Image.Image:
    """A 48x32 test picture: four flat quarters, told apart by their colours."""
    picture = Image.new("RGB", (48, 32), (200, 30, 30))
    draw = ImageDraw.Draw(picture)
    draw.rectangle((24, 0, 47, 15), fill=(30, 200, 30))
    draw.rectangle((0, 16, 23, 31), fill=(30, 30, 200))
    draw.rectangle((24, 16, 47, 31), fill=(120, 120, 120))
    return picture


def refusal(source: object) -> str:
    """The message of the error, checked to be one sentence."""
    with pytest.raises(ImageError) as caught:
        load_image(source)  # type: ignore[arg-type]
    message = str(caught.value)
    assert message.endswith(".")
    assert "\n" not in message
    assert "Traceback" not in message
    return message


def png_header(width: int, height: int) -> bytes:
    """A PNG that promises a size and holds next to nothing."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


# Files that are refused


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert "nowhere.png' does not exist" in refusal(tmp_path / "nowhere.png")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    assert "empty.png' is empty (zero bytes)" in refusal(tmp_path / "empty.png")


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "tif", "gif", "webp", "ppm"])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = tmp_path / f"whole.{suffix}"
    Image.fromarray(noise).save(whole)
    load_image(whole)
    torn = tmp_path / f"torn.{suffix}"
    torn.write_bytes(whole.read_bytes()[: whole.stat().st_size * 6 // 10])
    message = refusal(torn)
    assert f"torn.{suffix}'" in message
    assert "damaged or cut off" in message or "not an image that can be read" in message


@pytest.mark.parametrize("cut", [1, 4, 8, 20, 33, 40])
def test_a_file_cut_in_its_header_is_refused(tmp_path: Path, part: Image.Image, cut: int) -> None:
    part.save(tmp_path / "whole.png")
    (tmp_path / "torn.png").write_bytes((tmp_path / "whole.png").read_bytes()[:cut])
    refusal(tmp_path / "torn.png")


@pytest.mark.parametrize(
    ("size", "reason"),
    [((1, 1), "too small"), ((7, 64), "too small"), ((1, 5000), "too small"), ((8, 5000), "too narrow")],
)
def test_tiny_and_narrow_images_are_refused(tmp_path: Path, size: tuple[int, int], reason: str) -> None:
    Image.new("RGB", size).save(tmp_path / "odd.png")
    message = refusal(tmp_path / "odd.png")
    assert reason in message
    assert f"{size[0]}x{size[1]}" in message


@pytest.mark.parametrize("size", [(8, 8), (8, 1600), (1600, 8)])
def test_the_smallest_and_narrowest_images_allowed_load(tmp_path: Path, size: tuple[int, int]) -> None:
    Image.new("RGB", size).save(tmp_path / "edge.png")
    assert load_image(tmp_path / "edge.png").pixels.size == size


@pytest.mark.parametrize("size", [(20_000, 20_000), (10_001, 10_000), (2**31 - 1, 2**31 - 1)])
def test_a_decompression_bomb_is_refused_from_its_header(
    tmp_path: Path, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bomb.png").write_bytes(png_header(*size))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    message = refusal(tmp_path / "bomb.png")
    assert "bomb.png'" in message
    assert "more than 100 million pixels" in message


def test_a_real_bomb_of_20000_by_20000_is_refused(tmp_path: Path) -> None:
    Image.new("1", (20_000, 20_000)).save(tmp_path / "bomb.png")  # 50 kB on disk
    assert "more than 100 million pixels" in refusal(tmp_path / "bomb.png")


def test_a_header_tells_what_is_no_image_without_decoding_it(tmp_path: Path, part: Image.Image) -> None:
    path = tmp_path / "part.png"
    part.save(path)
    path.write_bytes(path.read_bytes()[:-20])  # the end of the pixels is cut off
    check_header(path)
    path.write_text("no image")
    with pytest.raises(ImageError, match="is not an image that can be read"):
        check_header(path)
    path.write_bytes(b"P6 60000 60000 255\n")
    with pytest.raises(ImageError, match="million pixels"):
        check_header(path)
    with pytest.raises(ImageError, match=r"is a folder|may not be read"):
        check_header(tmp_path)


def test_a_bomb_given_as_an_open_pil_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bomb.png").write_bytes(png_header(12_000, 12_000))
    with pytest.warns(Image.DecompressionBombWarning):
        image = Image.open(tmp_path / "bomb.png")
    assert "more than 100 million pixels" in refusal(image)


@pytest.mark.parametrize("content", [b"not an image", b"\x00" * 4096, b"\xff\xd8\xff"])
def test_a_file_that_is_no_image_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "notes.png").write_bytes(content)
    message = refusal(tmp_path / "notes.png")
    assert "notes.png' is not an image that can be read" in message
    assert "PNG, JPEG" in message


def test_a_format_outside_the_list_is_refused(tmp_path: Path, part: Image.Image) -> None:
    part.save(tmp_path / "part.png", format="PCX")
    assert "is not an image that can be read" in refusal(tmp_path / "part.png")


def test_postscript_never_reaches_an_interpreter(tmp_path: Path) -> None:
    (tmp_path / "evil.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 64\n%%EndComments\n")
    assert "is not an image that can be read" in refusal(tmp_path / "evil.png")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_a_path_through_a_file_is_refused(tmp_path: Path, part: Image.Image) -> None:
    part.save(tmp_path / "part.png")
    assert "a part of its path is a file" in refusal(tmp_path / "part.png" / "inner.png")


def test_a_path_with_a_null_byte_is_refused() -> None:
    assert "cannot be read" in refusal("part\0.png")


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 2**20)
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(2**20 + 1)
    assert "is larger than 1 MiB" in refusal(tmp_path / "huge.png")


@posix
def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    messages: list[str] = []
    reader = threading.Thread(target=lambda: messages.append(refusal(tmp_path / "pipe.png")), daemon=True)
    reader.start()
    reader.join(timeout=5)
    assert not reader.is_alive(), "hangs on a pipe"
    assert "is a pipe or a device" in messages[0]


@posix
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused(device: str) -> None:
    assert "is a pipe or a device" in refusal(device)


@posix
def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # socket paths have a short length limit
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.png")
        assert "socket.png' cannot be read" in refusal("socket.png")


@posix
def test_a_symbolic_link_loop_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "b.png").symlink_to(tmp_path / "a.png")
    assert "leads back to itself" in refusal(tmp_path / "a.png")


@posix
def test_a_file_without_read_permission_is_refused(
    tmp_path: Path, part: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read everything, so root becomes nobody for a moment."""
    part.save(tmp_path / "secret.png")
    (tmp_path / "secret.png").chmod(0)
    monkeypatch.chdir(tmp_path)  # the folders above are closed to nobody
    root = os.geteuid() == 0
    tmp_path.chmod(0o755)
    if root:
        os.seteuid(65534)
    try:
        message = refusal("secret.png")
    finally:
        if root:
            os.seteuid(0)
    assert "'secret.png' may not be read; give yourself read permission." in message


@posix
def test_a_folder_without_read_permission_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "line" / "closed").mkdir(parents=True)
    (tmp_path / "line" / "a.png").touch()
    (tmp_path / "line" / "closed").chmod(0)
    monkeypatch.chdir(tmp_path)
    root = os.geteuid() == 0
    tmp_path.chmod(0o755)
    if root:
        os.seteuid(65534)
    try:
        with pytest.raises(ImageError, match=r"The folder 'line/closed' cannot be read; check its permissions\."):
            find_images(["line"])
    finally:
        if root:
            os.seteuid(0)
        (tmp_path / "line" / "closed").chmod(0o755)


# Files that work


def test_a_plain_file_loads_as_it_is(tmp_path: Path, part: Image.Image) -> None:
    part.save(tmp_path / "part.png")
    loaded = load_image(str(tmp_path / "part.png"))
    assert (loaded.name, loaded.width, loaded.height, loaded.notes) == ("part.png", 48, 32, ())
    assert loaded.pixels.mode == "RGB"
    assert loaded.pixels.tobytes() == part.tobytes()


def test_the_hash_is_that_of_the_file(tmp_path: Path, part: Image.Image) -> None:
    from hashlib import sha256

    part.save(tmp_path / "part.png")
    assert load_image(tmp_path / "part.png").sha256 == sha256((tmp_path / "part.png").read_bytes()).hexdigest()


def test_the_content_decides_not_the_suffix(tmp_path: Path, part: Image.Image) -> None:
    part.save(tmp_path / "part.png", format="BMP")
    assert load_image(tmp_path / "part.png").pixels.tobytes() == part.tobytes()


@pytest.mark.parametrize("name", ["two words.png", "деталь №1.png", "部品 検査.png", "pièce.PNG", "قطعة.png"])
def test_spaces_and_other_scripts_in_a_path(tmp_path: Path, part: Image.Image, name: str) -> None:
    folder = tmp_path / "линия 3"
    folder.mkdir()
    part.save(folder / name)
    assert load_image(folder / name).name == name


@pytest.mark.skipif(sys.platform != "linux", reason="byte file names")
def test_a_file_name_that_is_not_text_stays_printable(tmp_path: Path, part: Image.Image) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xff\x1b[31m\n.png"))
    part.save(path)
    loaded = load_image(path)
    loaded.name.encode("utf-8")
    assert loaded.name.isprintable()
    path.write_bytes(b"x")
    refusal(path).encode("utf-8")


@pytest.mark.parametrize("orientation", range(2, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_rotation_is_applied(tmp_path: Path, part: Image.Image, orientation: int, suffix: str) -> None:
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"jpg": {"quality": 95, "subsampling": 0}, "webp": {"lossless": True}}.get(suffix, {})
    part.transpose(undo[orientation]).save(tmp_path / f"turned.{suffix}", exif=exif, **options)
    loaded = load_image(tmp_path / f"turned.{suffix}")
    assert (loaded.width, loaded.height) == (48, 32)
    difference = np.abs(np.asarray(loaded.pixels, int) - np.asarray(part, int))
    assert np.median(difference) <= 3


def test_malformed_exif_does_not_cost_the_picture(tmp_path: Path, part: Image.Image) -> None:
    part.save(tmp_path / "odd.jpg", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff" + b"\x01\x12\0\x03\xff" * 9)
    assert load_image(tmp_path / "odd.jpg").pixels.size == (48, 32)


def test_a_broken_icc_profile_is_harmless(tmp_path: Path, part: Image.Image) -> None:
    part.save(tmp_path / "icc.png", icc_profile=b"garbage" * 100)
    assert load_image(tmp_path / "icc.png").pixels.tobytes() == part.tobytes()


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "press.tif")
    assert load_image(tmp_path / "press.tif").pixels.getpixel((8, 8)) == (255, 0, 0)
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "press.jpg", quality=95)
    red, green, blue = load_image(tmp_path / "press.jpg").pixels.getpixel((8, 8))  # type: ignore[misc]
    assert red > 245
    assert max(green, blue) < 10


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_is_composed_on_white(tmp_path: Path, mode: str) -> None:
    black = (0,) * (len(mode) - 1)
    image = Image.new(mode, (16, 16), (*black, 255))
    image.paste((*black, 0), (0, 0, 8, 16))
    image.paste((*black, 128), (0, 0, 8, 8))
    image.save(tmp_path / "alpha.png")
    loaded = load_image(tmp_path / "alpha.png")
    assert loaded.pixels.getpixel((12, 12)) == (0, 0, 0)
    assert loaded.pixels.getpixel((4, 12)) == (255, 255, 255)
    assert loaded.pixels.getpixel((4, 4)) == (127, 127, 127)
    assert "composed on white" in loaded.notes[0]


def test_an_opaque_palette_keeps_its_colours(tmp_path: Path, part: Image.Image) -> None:
    part.quantize(8, dither=Image.Dither.NONE).save(tmp_path / "palette.png")
    assert load_image(tmp_path / "palette.png").pixels.getpixel((30, 4)) == (30, 200, 30)


def test_a_transparent_palette_is_composed_on_white(tmp_path: Path) -> None:
    image = Image.new("P", (16, 16), 0)
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.paste(1, (8, 0, 16, 16))
    image.save(tmp_path / "palette.png", transparency=0)
    loaded = load_image(tmp_path / "palette.png")
    assert loaded.pixels.getpixel((2, 2)) == (255, 255, 255)
    assert loaded.pixels.getpixel((12, 2)) == (0, 0, 255)


def test_one_bit_becomes_black_and_white(tmp_path: Path) -> None:
    image = Image.new("1", (16, 16), 0)
    image.paste(1, (8, 0, 16, 16))
    image.save(tmp_path / "bits.png")
    loaded = load_image(tmp_path / "bits.png").pixels
    assert (loaded.getpixel((2, 2)), loaded.getpixel((12, 2))) == ((0, 0, 0), (255, 255, 255))


@pytest.mark.parametrize("suffix", ["png", "tif", "pgm"])
def test_16_bit_greys_are_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (16, 1))
    Image.fromarray(ramp).save(tmp_path / f"deep.{suffix}")
    loaded = load_image(tmp_path / f"deep.{suffix}")
    values = np.asarray(loaded.pixels)[0, :, 0]
    assert np.array_equal(values, np.rint(ramp[0] / 257).astype(np.uint8))
    assert "0..65535" in loaded.notes[0]


def test_12_bit_values_in_16_bits_are_not_black(tmp_path: Path) -> None:
    ramp = np.tile(np.linspace(0, 4095, 64).astype(np.uint16), (16, 1))
    Image.fromarray(ramp).save(tmp_path / "camera.tif")
    loaded = load_image(tmp_path / "camera.tif")
    assert loaded.pixels.getpixel((63, 0)) == (255, 255, 255)
    assert "0..4095" in loaded.notes[0]


def test_16_bit_colours_are_scaled_not_clipped(tmp_path: Path) -> None:
    rows = np.zeros((16, 16, 3), ">u2")
    rows[..., 0], rows[..., 1], rows[..., 2] = 65535, 32768, 256
    raw = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", 16, 16, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    (tmp_path / "deep.png").write_bytes(png)
    assert load_image(tmp_path / "deep.png").pixels.getpixel((4, 4)) == (255, 128, 1)


@pytest.mark.parametrize(("white", "scale"), [(1.0, 255), (255.0, 1), (60000.0, 255 / 65535)])
def test_float_tiff_is_scaled_by_its_range(tmp_path: Path, white: float, scale: float) -> None:
    ramp = np.tile(np.linspace(0, white, 64, dtype=np.float32), (16, 1))
    Image.fromarray(ramp).save(tmp_path / "float.tif")
    values = np.asarray(load_image(tmp_path / "float.tif").pixels)[0, :, 0]
    assert np.abs(values - ramp[0] * scale).max() <= 0.51


@pytest.mark.parametrize(
    ("value", "reason"), [(np.nan, "NaN"), (np.inf, "NaN"), (-1, "values from"), (1e9, "values")]
)
def test_float_tiff_with_impossible_values_is_refused(tmp_path: Path, value: float, reason: str) -> None:
    pixels = np.zeros((16, 16), np.float32)
    pixels[3, 3] = value
    Image.fromarray(pixels).save(tmp_path / "float.tif")
    assert reason in refusal(tmp_path / "float.tif")


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_of_an_animation_the_first_frame_counts(tmp_path: Path, suffix: str) -> None:
    first, second = Image.new("RGB", (16, 16), (255, 0, 0)), Image.new("RGB", (16, 16), (0, 0, 255))
    options = {"lossless": True} if suffix == "webp" else {}
    first.save(tmp_path / f"film.{suffix}", save_all=True, append_images=[second], **options)
    loaded = load_image(tmp_path / f"film.{suffix}")
    assert loaded.pixels.getpixel((8, 8)) == (255, 0, 0)
    assert loaded.notes == ("Only the first of 2 pages was used.",)


def test_a_colour_mode_without_a_way_to_rgb_is_refused() -> None:
    assert "colour mode La" in refusal(Image.new("La", (16, 16)))


# PIL images and arrays


def test_a_pil_image_is_copied_not_shared(part: Image.Image) -> None:
    loaded = load_image(part)
    part.putpixel((0, 0), (1, 2, 3))
    assert loaded.pixels.getpixel((0, 0)) == (200, 30, 30)
    assert loaded.name == "image"


def test_an_opened_pil_image_keeps_its_file_name(tmp_path: Path, part: Image.Image) -> None:
    part.save(tmp_path / "part.png")
    with Image.open(tmp_path / "part.png") as image:
        assert load_image(image).name == "part.png"


def test_the_same_pixels_have_the_same_hash_however_they_come(part: Image.Image) -> None:
    array = np.asarray(part)
    hashes = {
        load_image(part).sha256,
        load_image(array).sha256,
        load_image((array / 255).astype(np.float32)).sha256,
    }
    assert len(hashes) == 1


def test_the_hash_of_an_array_depends_on_its_shape() -> None:
    wide, high = np.zeros((16, 32, 3), np.uint8), np.zeros((32, 16, 3), np.uint8)
    assert load_image(wide).sha256 != load_image(high).sha256


@pytest.mark.parametrize("shape", [(16, 24), (16, 24, 1), (16, 24, 3), (16, 24, 4)])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64", ">u2"])
def test_arrays_of_every_kind_load(shape: tuple[int, ...], dtype: str) -> None:
    white = {"u": np.iinfo(dtype).max if dtype != "float16" and "u" in dtype else 1}.get("u", 1)
    array = np.full(shape, white, dtype)
    array[:, :12] = 0
    if len(shape) == 3 and shape[2] == 4:
        array[..., 3] = white
    loaded = load_image(array)
    assert (loaded.name, loaded.width, loaded.height) == ("array", 24, 16)
    assert loaded.pixels.getpixel((2, 2)) == (0, 0, 0)
    assert loaded.pixels.getpixel((20, 2)) == (255, 255, 255)


def test_a_strided_array_loads() -> None:
    array = np.arange(64 * 64 * 3, dtype=np.uint8).reshape(64, 64, 3)[::2, ::-2]
    assert np.array_equal(np.asarray(load_image(array).pixels), array)


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((16, 16), np.int64), "dtype int64"),
        (np.zeros((16, 16), bool), "dtype bool"),
        (np.zeros((16, 16), complex), "dtype complex128"),
        (np.zeros((16, 16), object), "dtype object"),
        (np.zeros(16, np.uint8), "shape (16,)"),
        (np.zeros((3, 16, 16), np.uint8), "shape (3, 16, 16)"),
        (np.zeros((1, 16, 16, 3), np.uint8), "shape (1, 16, 16, 3)"),
        (np.zeros((0, 16, 3), np.uint8), "too small"),
        (np.zeros((1, 1), np.uint8), "too small"),
        (np.full((16, 16), np.nan), "NaN"),
        (np.full((16, 16), np.inf), "above 1"),
        (np.full((16, 16), 1.5), "above 1"),
        (np.full((16, 16), -0.5), "values from -0.5"),
    ],
)
def test_arrays_that_are_no_image_are_refused(array: np.ndarray, reason: str) -> None:
    assert reason in refusal(array)


@pytest.mark.parametrize("source", [None, 7, {}, ["part.png"]])
def test_other_types_are_refused(source: object) -> None:
    assert "give a path, a PIL image, a NumPy array, or the bytes of an image file" in refusal(source)


# Finding images


def test_a_folder_is_searched_in_order_without_hidden_files(tmp_path: Path, part: Image.Image) -> None:
    for name in ["b.PNG", "a.jpg", "notes.txt", ".hidden.png", "sub/c.tiff", "sub/c_mask.png", ".git/d.png"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in find_images([tmp_path])]
    assert names == ["a.jpg", "b.PNG", "sub/c.tiff", "sub/c_mask.png"]


@posix
def test_links_to_folders_are_not_followed_but_links_to_files_are(tmp_path: Path) -> None:
    (tmp_path / "line").mkdir()
    (tmp_path / "line" / "a.png").touch()
    (tmp_path / "line" / "loop").symlink_to(tmp_path / "line", target_is_directory=True)
    (tmp_path / "line" / "b.png").symlink_to(tmp_path / "line" / "a.png")
    assert [path.name for path in find_images([tmp_path / "line"])] == ["a.png", "b.png"]


def test_files_keep_their_order_and_come_once(tmp_path: Path) -> None:
    for name in ["a.png", "b.png"]:
        (tmp_path / name).touch()
    found = find_images([str(tmp_path / "b.png"), tmp_path, tmp_path / "x" / ".." / "b.png"])
    assert [path.name for path in found] == ["b.png", "a.png"]


def test_a_file_is_kept_whatever_it_is_so_that_the_loader_can_say_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "data.raw").touch()
    assert find_images([tmp_path / "data.raw", tmp_path / "missing.png"]) == [
        tmp_path / "data.raw",
        tmp_path / "missing.png",
    ]


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(ImageError, match=r"holds no image; put files there that end in one of: .*\.png"):
        find_images([tmp_path])


def test_every_suffix_found_can_be_decoded(tmp_path: Path, part: Image.Image) -> None:
    Image.init()
    for suffix in IMAGE_SUFFIXES:
        assert Image.registered_extensions()[suffix] in images.FORMATS


def test_printable_removes_terminal_control() -> None:
    assert printable("a\x1b[31mb\n.png") == "a�[31mb�.png"
