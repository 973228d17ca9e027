"""Every kind of problem is found before a run, once, by name; and what is left out is said."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image
from tests.bench.detect import trees

from reason_iad.bench.detect.masks import read_truth
from reason_iad.bench.detect.problems import KINDS, WARNINGS, Checked, References, check, without_errors
from reason_iad.bench.detect.readers import read_dataset
from reason_iad.errors import DatasetError


def checked(root: Path, references: References = "train", shots: int | None = None, **options: str) -> Checked:
    return check(read_dataset(root, **options), references, shots)


def found(root: Path, references: References = "train", shots: int | None = None) -> list[tuple[str, str]]:
    return [(problem.kind, problem.where) for problem in checked(root, references, shots).problems]


@pytest.mark.parametrize("layout", trees.TREES)
def test_a_set_in_order_has_no_problem(layout: str, tmp_path: Path) -> None:
    assert found(trees.TREES[layout](tmp_path)) == []


BAD = "nut/test/scratch/000.png"
MASK = "nut/ground_truth/scratch/000_mask.png"
NORMAL = "nut/test/good/000.png"


def _copy(source: str, target: str) -> Callable[[Path], object]:
    return lambda root: shutil.copy(root / source, root / target)


def _link_outside(root: Path) -> None:
    outside = trees.picture(root.parent / "elsewhere.png")
    (root / NORMAL).unlink()
    (root / NORMAL).symlink_to(outside)


def _link_to_itself(root: Path) -> None:
    (root / NORMAL).unlink()
    (root / NORMAL).symlink_to(root / NORMAL)


def _inverted(path: Path) -> None:
    with Image.open(path) as image:
        turned = Image.eval(image, lambda value: 255 - value)
    turned.save(path)


def _no_good(split: str) -> Callable[[Path], None]:
    def empty(root: Path) -> None:
        for path in (root / "nut" / split / "good").iterdir():
            path.unlink()

    return empty


def _ragged(root: Path) -> None:
    """A mask as a JPEG whose noise is regions of its own if all that is not black counts."""
    trees.mask(root / MASK, size=(24, 20), box=(2, 2, 7, 7))
    with Image.open(root / MASK) as image:
        image.save((root / MASK).with_suffix(".jpg"), quality=30)
    (root / MASK).unlink()


def _resaved(root: Path) -> None:
    """A mask that was a JPEG once, as a PNG."""
    _ragged(root)
    with Image.open((root / MASK).with_suffix(".jpg")) as image:
        image.save(root / MASK)
    (root / MASK).with_suffix(".jpg").unlink()


def _see_through(root: Path) -> None:
    """White everywhere, with the defect in the transparency."""
    with Image.open(root / MASK) as image:
        drawn = image.convert("L")
    white = Image.new("RGB", drawn.size, "white")
    white.putalpha(drawn)
    white.save(root / MASK)


def _rotated(root: Path) -> None:
    """An image that EXIF turns on its side, with the mask as it is stored."""
    exif = Image.Exif()
    exif[274] = 6
    with Image.open(root / BAD) as image:
        image.save(root / BAD, exif=exif)


SPOILED: dict[str, tuple[str, str, Callable[[Path], object]]] = {
    "link outside": ("outside", NORMAL, _link_outside),
    "link to itself": ("outside", NORMAL, _link_to_itself),
    "text": ("unreadable", NORMAL, lambda root: (root / NORMAL).write_text("not an image")),
    "tiny image": ("unreadable", "nut/train/good/000.png",
                   lambda root: trees.picture(root / "nut/train/good/000.png", size=(24, 5))),
    "empty file": ("unreadable", NORMAL, lambda root: (root / NORMAL).write_bytes(b"")),
    "no mask": ("missing-mask", BAD, lambda root: (root / MASK).unlink()),
    "mask of another size": ("bad-mask", BAD, lambda root: trees.mask(root / MASK, size=(20, 24))),
    "rotated image": ("bad-mask", BAD, _rotated),
    "mask is text": ("bad-mask", BAD, lambda root: (root / MASK).write_text("not a mask")),
    "empty mask": ("empty-mask", BAD, lambda root: trees.mask(root / MASK, value=0)),
    "mask is a JPEG": ("lossy-mask", BAD, _ragged),
    "mask was a JPEG": ("grey-mask", BAD, _resaved),
    "mask is transparent": ("alpha-mask", BAD, _see_through),
    "mask of everything": ("whole-mask", BAD, lambda root: trees.mask(root / MASK, box=(0, 0, 24, 20))),
    "mask is inverted": ("inverted-mask", BAD, lambda root: _inverted(root / MASK)),
    "mask of normal": ("mask-of-normal", NORMAL, lambda root: trees.mask(root / MASK.replace("scratch", "good"))),
    "train and test": ("two-splits", NORMAL, _copy(NORMAL, "nut/train/good/9.png")),
    "good and bad": ("two-labels", NORMAL, _copy(BAD, NORMAL)),
    "two categories": ("two-categories", NORMAL, _copy(NORMAL, "tile/test/good/000.png")),
    "copy": ("duplicate", NORMAL, _copy(NORMAL, "nut/test/good/9.png")),
    "bad reference": ("abnormal-reference", "nut/train/dent/0.png",
                      lambda root: trees.picture(root / "nut/train/dent/0.png") and
                      trees.mask(root / "nut/ground_truth/dent/0_mask.png")),
    "no reference": ("no-normal", "nut", _no_good("train")),
    "empty kind": ("empty-class", "nut/test/dent", lambda root: (root / "nut/test/dent").mkdir()),
    "no normal test": ("no-normal-test", "nut", _no_good("test")),
    "no abnormal test": ("empty-class", "nut", lambda root: shutil.rmtree(root / "nut/test/scratch")),
    "no masks": ("no-masks", "nut", lambda root: shutil.rmtree(root / "nut/ground_truth")),
}  # fmt: skip


@pytest.mark.parametrize("case", SPOILED)
def test_what_is_wrong_is_found(case: str, tmp_path: Path) -> None:
    kind, where, spoil = SPOILED[case]
    root = trees.mvtec(tmp_path / "set")
    spoil(root)
    problems = found(root)
    assert (kind, where) in problems
    assert {name for name, _ in problems} <= {kind, "empty-class"}  # nothing else is claimed


def test_kinds_that_need_another_set_are_found(tmp_path: Path) -> None:
    root = trees.manifest(tmp_path)
    index = root / "manifest.csv"
    lines = index.read_text().splitlines()
    index.write_text("\n".join([*lines, lines[1]]))
    assert ("listed-twice", "board/test/good/000.png") in found(root)
    index.write_text("\n".join(line.replace("board/template/g/000.png", "") for line in lines))
    assert found(root, "template") == [("no-template", "board/test/good/000.png")]
    assert found(root, "train", shots=9) == [("few-normals", "board")]
    (root / "board/template/s/000.png").unlink()
    assert ("unreadable", "board/test/scratch/000.png") in found(root)
    inside = f"board/../../{root.name}/board/train/good/000.png"  # in the folder, but a map of it would not be
    paths = ["../outside.png", "/etc/hostname", inside, f"{root}/board/train/good/000.png", "a\0b.png"]
    index.write_text("split,image,label\n" + "".join(f"train,{path},0\n" for path in paths))
    assert sorted(where for kind, where in found(root) if kind == "outside") == sorted(paths)


def test_every_kind_has_a_test() -> None:
    assert {kind for kind, _, _ in SPOILED.values()} | {
        "listed-twice",
        "no-template",
        "few-normals",
    } == KINDS.keys()
    assert KINDS.keys() >= WARNINGS


def test_masks_of_loco_need_the_values_that_are_configured(tmp_path: Path) -> None:
    root = trees.loco(tmp_path)
    trees.mask(root / "pins/ground_truth/logical_anomalies/000/000.png", 7)
    (problem,) = checked(root).problems
    assert problem.kind == "bad-mask" and "holds the values 7" in problem.message and "250, 251" in problem.message


def test_what_is_remarkable_about_masks_is_said_once_per_kind(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path)
    masks = sorted(root.glob("*/ground_truth/scratch/*.png"))
    for path in masks:
        _inverted(path)
    (problem,) = checked(root).problems
    assert (problem.kind, problem.severity, problem.where) == ("inverted-mask", "warning", BAD)
    assert f"'{MASK}' marks all but a place" in problem.message and problem.message.endswith("holds for 3 more")


def test_a_mask_of_the_image_before_it_was_turned_is_to_be_turned(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path)
    _rotated(root)
    (problem,) = checked(root).problems
    assert "24x20 pixels, its image 20x24" in problem.message and "Turn the mask" in problem.message
    assert "scale the mask" not in problem.message


def test_the_noise_of_a_jpeg_is_no_region(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path)
    _ragged(root)
    (bad,) = (sample for sample in read_dataset(root).samples if sample.id == BAD)
    truth = read_truth(bad, trees.SIZE)
    assert len(truth.regions) == 1 and truth.mask.sum() == 25


def test_a_set_without_normal_test_images_is_refused(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path)
    _no_good("test")(root)
    (problem,) = (problem for problem in checked(root).problems if problem.severity == "error")
    assert (problem.kind, problem.where) == ("no-normal-test", "nut") and "no normal test image" in problem.message
    assert without_errors(checked(root)).dataset.categories == ("tile",)
    (root / NORMAL).parent.rmdir()
    assert ("no-normal-test", "nut") in found(root, "none")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="file names are text here")
def test_a_name_that_is_no_text_is_refused(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path)
    (root / NORMAL).rename(root / "nut/test/good" / os.fsdecode(b"\xff.png"))
    (problem,) = checked(root).problems
    assert problem.kind == "outside" and "not UTF-8" in str(problem)
    str(problem).encode()


def test_what_a_run_does_not_use_is_not_looked_at(tmp_path: Path) -> None:
    root = trees.manifest(tmp_path)
    for path in (root / "board/train/good").iterdir():
        path.write_text("not an image")
    assert {kind for kind, _ in found(root)} == {"unreadable"}
    assert found(root, "template") == found(root, "none") == []
    shutil.rmtree(root / "board/train")
    (root / "manifest.csv").unlink()
    assert found(root, "none") == [] and found(root) == [("no-normal", "board")]


@pytest.mark.timeout(20)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path)
    (root / NORMAL).unlink()
    os.mkfifo(root / NORMAL)
    assert ("unreadable", NORMAL) in found(root)


def test_the_list_has_errors_first_and_names_files(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path)
    (root / "nut/test/dent").mkdir()
    (root / MASK).unlink()
    lines = [str(problem) for problem in checked(root).problems]
    assert [line.split()[0] for line in lines] == ["error", "warning"]
    assert BAD in lines[0] and MASK in lines[0]


def test_errors_cost_their_images_and_nothing_else(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path)
    (root / MASK).unlink()
    shutil.copy(root / NORMAL, root / "nut/train/good/9.png")
    rest = without_errors(checked(root))
    assert rest.left_out == (BAD, "nut/train/good/9.png")  # the test image stays, its copy among references goes
    assert len(rest.dataset.samples) == len(read_dataset(root).samples) - 2
    assert not any(problem.severity == "error" for problem in check(rest.dataset).problems)


def test_a_category_without_references_goes_as_a_whole(tmp_path: Path) -> None:
    root = trees.mvtec(tmp_path)
    for path in (root / "nut/train/good").iterdir():
        path.write_text("not an image")
    rest = without_errors(checked(root))
    assert rest.dataset.categories == ("tile",) and BAD in rest.left_out
    for path in (root / "tile/train/good").iterdir():
        path.write_text("not an image")
    with pytest.raises(DatasetError, match="left to judge"):
        without_errors(checked(root))


def test_the_hash_of_a_set_is_that_of_its_content(tmp_path: Path) -> None:
    one, other = trees.mvtec(tmp_path / "a"), tmp_path / "b"
    shutil.copytree(one, other)
    before = checked(one).sha256()
    assert checked(other).sha256() == before
    trees.mask(other / MASK, box=(0, 0, 3, 3))
    assert checked(other).sha256() != before
    shutil.copy(one / MASK, other / MASK)
    assert checked(other).sha256() == before
    (other / "nut/test/scratch").rename(other / "nut/test/dent")
    (other / "nut/ground_truth/scratch").rename(other / "nut/ground_truth/dent")
    assert checked(other).sha256() != before
