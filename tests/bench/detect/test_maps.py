"""Maps made elsewhere: found by name, read as they are, refused by name."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.bench.detect import trees

from reason_iad.bench.detect.maps import find_maps, read_map, resized
from reason_iad.bench.detect.samples import Sample
from reason_iad.errors import DatasetError


def sample(name: str) -> Sample:
    return Sample(name, "nut", "test", Path(name), 0, "good")


VALUES = np.array([[0.5, 1.0, 2.0], [3.0, 4.0, 250.0]], np.float32)


def _write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, VALUES)
    return path


def test_float_maps_keep_their_values(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES[None].astype(np.float64))
    np.save(tmp_path / "b.npy", VALUES[:, :, None].astype(np.float16))
    Image.fromarray(VALUES).save(tmp_path / "c.tiff")
    for name in ("a.npy", "b.npy", "c.tiff"):
        values = read_map(tmp_path / name)
        assert values.dtype == np.float32 and values.tolist() == VALUES.tolist(), name


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_grey_pictures_are_maps(kind: type[np.generic], tmp_path: Path) -> None:
    levels = np.array([[0, 7], [200, np.iinfo(kind).max]], kind)  # type: ignore[type-var]
    Image.fromarray(levels).save(tmp_path / "a.png")
    assert read_map(tmp_path / "a.png").tolist() == levels.tolist()


def test_what_is_no_map_is_refused_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "nan.npy", np.array([[0.0, np.nan]]))
    np.save(tmp_path / "inf.npy", np.array([[0.0, np.inf]]))
    np.save(tmp_path / "big.npy", np.array([[0.0, 1e39]]))
    np.save(tmp_path / "cube.npy", np.zeros((2, 3, 4)))
    np.save(tmp_path / "empty.npy", np.zeros((0, 4)))
    np.save(tmp_path / "words.npy", np.array([["a"]]))
    np.save(tmp_path / "objects.npy", np.array([[None]]), allow_pickle=True)
    (tmp_path / "text.npy").write_text("no array")
    (tmp_path / "text.png").write_text("no picture")
    Image.new("RGB", (4, 4)).save(tmp_path / "heat.png")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(DatasetError, match=path.name):
            read_map(path)
    with pytest.raises(DatasetError, match="not colours"):
        read_map(tmp_path / "heat.png")


def _claim(path: Path, shape: tuple[int, ...], kind: str = "<f8") -> Path:
    """An array file whose header claims a shape, with 64 bytes after it."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
        file.write(bytes(64))
    return path


@pytest.mark.parametrize("side", [12_000, 30_000])  # Pillow refuses the second by itself, with an error of its own
def test_absurdly_large_pictures_are_refused_from_their_header(side: int, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"'.*huge\.png' has more than 100 million values"):
        read_map(trees.header(tmp_path / "huge.png", side))


def test_an_array_gets_no_memory_for_what_its_header_claims(tmp_path: Path) -> None:
    complaints = {
        (10_000_000, 1_000_000): "more than 100 million values",  # 72 TiB
        (2**62, 2**62): "more than 100 million values",
        (-4, -4): r"must be \(H, W\) numbers",
        (4, 1000, 1000): r"must be \(H, W\) numbers",
        (9000, 9000): "is cut off",
    }
    for shape, complaint in complaints.items():
        tracemalloc.start()
        with pytest.raises(DatasetError, match=rf"'.*a\.npy'.* {complaint}"):
            read_map(_claim(tmp_path / "a.npy", shape))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 2**20, shape
    with pytest.raises(DatasetError, match="type object"):
        read_map(_claim(tmp_path / "a.npy", (2, 2), "|O"))


def test_a_header_that_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    whole = _write(tmp_path / "a.npy").read_bytes()
    for content in (b"", whole[:9], whole[:40], whole.replace(b"'shape'", b"'shame'"), whole.replace(b"(2", b"((")):
        (tmp_path / "a.npy").write_bytes(content)
        with pytest.raises(DatasetError, match=r"'.*a\.npy' cannot be read \(it is damaged or no map\)"):
            read_map(tmp_path / "a.npy")
    np.lib.format.write_array((tmp_path / "a.npy").open("wb"), VALUES, version=(2, 0))
    assert read_map(tmp_path / "a.npy").tolist() == VALUES.tolist()


def test_a_map_lies_where_its_image_lies(tmp_path: Path) -> None:
    plain = _write(tmp_path / "nut/test/good/0.npy")
    whole = _write(tmp_path / "nut/test/bad/0.jpg.npy")
    assert find_maps(tmp_path, [sample("nut/test/good/0.png"), sample("nut/test/bad/0.jpg")]) == {
        "nut/test/good/0.png": plain,
        "nut/test/bad/0.jpg": whole,
    }


def test_missing_and_doubtful_maps_are_named(tmp_path: Path) -> None:
    _write(tmp_path / "good/0.npy")
    with pytest.raises(DatasetError, match=r"1 of 2 images have no map .*\(good/1.png\)"):
        find_maps(tmp_path, [sample("good/0.png"), sample("good/1.png")])
    with pytest.raises(DatasetError, match=r"would be the map of 'good/0.jpg' and of 'good/0.png'"):
        find_maps(tmp_path, [sample("good/0.jpg"), sample("good/0.png")])
    Image.fromarray(VALUES).save(tmp_path / "good/0.tiff")
    with pytest.raises(DatasetError, match="more than one map"):
        find_maps(tmp_path, [sample("good/0.png")])


def test_enlarging_interpolates_between_pixel_centres() -> None:
    torch = pytest.importorskip("torch")
    values = np.random.default_rng(0).random((5, 7), dtype=np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(values)[None, None], size=(40, 33), mode="bilinear", align_corners=False
    )
    assert np.allclose(resized(values, (33, 40)), expected[0, 0].numpy(), atol=1e-6)
    assert resized(values, (7, 5)) is values
