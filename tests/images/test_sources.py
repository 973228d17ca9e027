"""What may be given as a picture and as several; anything else is refused in one sentence."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reason_iad import Inspector, InspectorConfig
from reason_iad.errors import ImageError
from reason_iad.images import as_pictures, load_image
from reason_iad.images import loading as images


def test_bytes_are_the_same_image_as_the_file(make_image: Callable[..., Path]) -> None:
    path = make_image("part.png")
    data = path.read_bytes()
    file = load_image(path)
    for source in (data, bytearray(data), memoryview(data)):
        loaded = load_image(source)
        assert loaded.sha256 == file.sha256 == hashlib.sha256(data).hexdigest()
        assert loaded.pixels.tobytes() == file.pixels.tobytes()
        assert (loaded.name, loaded.width, loaded.notes) == ("image", 32, ())


def test_bytes_meet_the_limits_of_a_file(make_image: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    for data, said in (
        (b"", "empty"),
        (b"no image", "not an image that can be read"),
        (b"\x89PNG", "not an image"),
    ):
        with pytest.raises(ImageError, match=f"The image given as bytes is {said}"):
            load_image(data)
    small = io.BytesIO()
    Image.new("RGB", (4, 40)).save(small, "PNG")
    with pytest.raises(ImageError, match="4x40 pixels, too small"):
        load_image(small.getvalue())
    whole = make_image().read_bytes()
    with pytest.raises(ImageError, match="damaged or cut off"):
        load_image(whole[: len(whole) // 2])
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 100)
    with pytest.raises(ImageError, match="larger than"):
        load_image(whole)


def test_what_is_loaded_is_not_loaded_again(make_image: Callable[..., Path]) -> None:
    loaded = load_image(make_image())
    assert load_image(loaded) is loaded


def test_one_picture_alone_is_a_list_of_one(make_image: Callable[..., Path]) -> None:
    path = make_image()
    array = np.zeros((16, 16, 3), np.uint8)
    for one in ("good.png", path, path.read_bytes(), Image.open(path), array, load_image(path)):
        (found,) = as_pictures(one)
        assert found is one


def test_several_pictures_keep_their_order() -> None:
    names = ["b.png", "a.png"]
    for several in (names, tuple(names), iter(names), (name for name in names)):
        assert as_pictures(several) == ("b.png", "a.png")
    assert as_pictures(()) == as_pictures(None) == ()
    stack = np.arange(2 * 16 * 16 * 3, dtype=np.uint8).reshape(2, 16, 16, 3)
    assert [each.tolist() for each in as_pictures(stack)] == stack.tolist()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (3, "The references were given as an int; give one picture or a list: a path, a PIL image"),
        ({"a": "good.png"}, "were given as a dict"),
        ({"good.png"}, "were given as a set"),
        (io.BytesIO(b"x"), "were given as a BytesIO"),
        (["good.png", None], "Number 2 of the references is None; give a path"),
        ([["good.png"]], "Number 1 of the references is a list"),
    ],
)
def test_anything_else_is_refused_in_one_sentence(value: object, said: str) -> None:
    with pytest.raises(ImageError) as error:
        as_pictures(value)  # type: ignore[arg-type]
    assert said in str(error.value) and str(error.value).count(". ") == 0


def test_an_inspection_takes_pictures_in_any_form(make_image: Callable[..., Path]) -> None:
    inspector = Inspector.from_pretrained("fake", config=InspectorConfig("direct", explanation_tokens=4))
    part, good = make_image("part.png", 90), make_image("good.png", 120)
    expected = inspector.inspect(part, references=[good])
    for form in (str, Path.read_bytes, Image.open, lambda path: np.asarray(Image.open(path))):
        found = inspector.inspect(form(part), references=form(good))
        assert found.probability == expected.probability
        assert len(found.evidence.references) == 1
    assert len(inspector.ask(part, "What is it?", references=str(good)).evidence.references) == 1
    with pytest.raises(ImageError, match="The references were given as an int"):
        inspector.inspect(part, references=3)  # type: ignore[arg-type]
    with pytest.raises(ImageError, match="The image was given as None"):
        inspector.ask(None, "What is it?")  # type: ignore[arg-type]
