"""Every layout becomes the same records, and the guess is the right one or none."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from tests.bench.detect import trees

from reason_iad.bench.detect.readers import READERS, read_dataset
from reason_iad.bench.detect.readers.table import rows
from reason_iad.bench.detect.samples import Dataset, Sample, Saturation
from reason_iad.errors import DatasetError


def by_id(dataset: Dataset) -> dict[str, Sample]:
    return {sample.id: sample for sample in dataset.samples}


@pytest.mark.parametrize("layout", READERS)
def test_every_layout_is_guessed_and_read_alike(layout: str, tmp_path: Path) -> None:
    root = trees.TREES[layout](tmp_path / "set")
    dataset = read_dataset(root)
    assert dataset.layout == layout
    assert read_dataset(root, layout) == dataset
    assert len(by_id(dataset)) == len(dataset.samples)
    assert not dataset.empty
    for sample in dataset.samples:
        assert sample.image.is_file() and root / sample.id == sample.image
        assert (sample.label == 0) == (sample.kind == "good")
        assert bool(sample.masks) == bool(sample.label) and all(mask.is_file() for mask in sample.masks)
        assert sample.split != "train" or sample.label == 0
    assert {(sample.split, sample.label) for sample in dataset.samples} >= {("train", 0), ("test", 0), ("test", 1)}


def test_mvtec_finds_categories_kinds_and_masks(tmp_path: Path) -> None:
    dataset = read_dataset(trees.mvtec(tmp_path))
    assert dataset.categories == ("nut", "tile")
    assert Counter((s.split, s.kind) for s in dataset.samples if s.category == "nut") == {
        ("train", "good"): 3,
        ("test", "good"): 2,
        ("test", "scratch"): 2,
    }
    scratch = by_id(dataset)["tile/test/scratch/001.png"]
    assert scratch.masks == (tmp_path / "tile/ground_truth/scratch/001_mask.png",)


def test_one_category_is_a_set_too(tmp_path: Path) -> None:
    dataset = read_dataset(trees.mvtec(tmp_path) / "nut")
    assert dataset.categories == ("nut",) and "test/scratch/000.png" in by_id(dataset)


def test_a_tree_without_masks_is_read_without(tmp_path: Path) -> None:
    for category in ("a", "b"):
        trees.picture(tmp_path / category / "train/good/0.png")
        trees.picture(tmp_path / category / "test/bad/0.png")
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "mvtec" and not any(sample.masks for sample in dataset.samples)


def test_loco_keeps_kinds_mask_files_and_saturation(tmp_path: Path) -> None:
    samples = by_id(read_dataset(trees.loco(tmp_path)))
    logical = samples["pins/test/logical_anomalies/000.png"]
    assert [mask.name for mask in logical.masks] == ["000.png", "001.png"]
    assert logical.saturation == {250: Saturation(9, False), 251: Saturation(0.5, True)}
    assert samples["pins/validation/good/000.png"].split == "validation"
    (tmp_path / "pins/defects_config.json").write_text('[{"pixel_value": 250}]')
    with pytest.raises(DatasetError, match="saturation_threshold"):
        read_dataset(tmp_path)


def test_saturation_is_at_least_a_pixel_and_at_most_the_defect() -> None:
    assert [Saturation(9, False).area(n) for n in (4, 9, 100)] == [4, 9, 9]
    assert [Saturation(0.25, True).area(n) for n in (1, 7, 100)] == [1, 1, 25]


def test_manifest_brings_templates_and_combined_kinds(tmp_path: Path) -> None:
    samples = by_id(read_dataset(trees.manifest(tmp_path)))
    one, two = samples["board/test/scratch/000.png"], samples["board/test/scratch/001.png"]
    assert (one.kind, two.kind, one.category) == ("scratch", "combined", "board")
    assert one.template == tmp_path / "board/template/s/000.png" and one.template.is_file()
    assert samples["board/train/good/000.png"].template is None


def test_a_folder_splits_its_normal_images_by_name_alone(tmp_path: Path) -> None:
    before = by_id(read_dataset(trees.folder(tmp_path / "plates")))
    assert {sample.category for sample in before.values()} == {"plates"}
    trees.picture(tmp_path / "plates/good/new.png")
    after = by_id(read_dataset(tmp_path / "plates"))
    assert all(after[name].split == sample.split for name, sample in before.items())


def test_a_single_normal_image_is_a_reference(tmp_path: Path) -> None:
    trees.picture(tmp_path / "good/1.png")
    trees.picture(tmp_path / "bad/1.png")
    assert [(s.split, s.kind) for s in read_dataset(tmp_path).samples] == [("test", "bad"), ("train", "good")]


def test_a_flat_folder_needs_a_pattern_that_fits(tmp_path: Path) -> None:
    trees.flat(tmp_path)
    dataset = read_dataset(tmp_path, normal="ok_*")
    assert dataset.layout == "folder" and Counter(s.kind for s in dataset.samples) == {"good": 6, "defect": 1}
    with pytest.raises(DatasetError, match="--normal"):
        read_dataset(tmp_path, "folder")
    with pytest.raises(DatasetError, match="named like 'fine_"):
        read_dataset(tmp_path, normal="fine_*")
    with pytest.raises(DatasetError, match="belongs to the layout 'folder'"):
        read_dataset(tmp_path, "mvtec", normal="ok_*")


def test_masks_of_a_folder_are_no_images_wherever_they_lie(tmp_path: Path) -> None:
    for i in range(4):
        trees.picture(tmp_path / f"good/{i}.png")
    for kind in ("dent", "stain"):
        trees.picture(tmp_path / kind / "0.png", spot=True)
    trees.mask(tmp_path / "Masks/dent/0.png")
    trees.mask(tmp_path / "stain/0_mask.png")
    trees.picture(tmp_path / "stain/lonely_mask.png", spot=True)  # a picture, for all we know
    samples = by_id(read_dataset(tmp_path))
    assert {name: one.masks for name, one in samples.items() if one.label} == {
        "dent/0.png": (tmp_path / "Masks/dent/0.png",),
        "stain/0.png": (tmp_path / "stain/0_mask.png",),
        "stain/lonely_mask.png": (tmp_path / "stain/lonely_mask_mask.png",),
    }
    flat = trees.flat(tmp_path / "flat")
    trees.mask(flat / "ng_0_mask.png")
    marked = [one for one in read_dataset(flat, normal="ok_*").samples if one.label]
    assert [(one.id, one.masks) for one in marked] == [("ng_0.png", (flat / "ng_0_mask.png",))]


def test_a_file_that_lists_the_images_wins_over_folders(tmp_path: Path) -> None:
    trees.manifest(tmp_path)
    assert read_dataset(tmp_path).layout == "csv"
    (tmp_path / "manifest.csv").unlink()
    assert read_dataset(tmp_path).layout == "mvtec"


LEFT = [".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir/000_mask.png", "__MACOSX/._000_mask.png", "notes.txt"]


@pytest.mark.parametrize("layout", [name for name in READERS if name not in ("visa", "csv")])
def test_what_systems_leave_in_a_set_changes_nothing(layout: str, tmp_path: Path) -> None:
    before = read_dataset(trees.TREES[layout](tmp_path / "set"))
    folders = [path for path in (tmp_path / "set").rglob("*") if path.is_dir()]
    if layout == "loco":  # the files beside a mask may be other masks, but those are images
        folders = [path for path in folders if path.parent.parent.name != "ground_truth"]
    for folder in [tmp_path / "set", *folders]:
        for name in LEFT:
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).touch()
    assert read_dataset(tmp_path / "set") == before


def rename(folder: Path, old: str, new: str) -> None:
    for path in sorted(folder.rglob(old), reverse=True):
        path.rename(path.with_name(new))


@pytest.mark.parametrize("name", ["ok", "OK", "Normal", "GOOD"])
@pytest.mark.parametrize("layout", ["mvtec", "goodsad", "loco", "folder"])
def test_good_parts_may_lie_in_a_folder_of_another_name(layout: str, name: str, tmp_path: Path) -> None:
    before = read_dataset(trees.TREES[layout](tmp_path / "set"))
    rename(tmp_path / "set", "good", name)
    after = read_dataset(tmp_path / "set")
    assert after.layout == layout and {one.kind for one in after.samples} == {one.kind for one in before.samples}
    assert Counter((one.split, one.label, one.kind) for one in after.samples) == Counter(
        (one.split, one.label, one.kind) for one in before.samples
    )


def test_each_split_may_name_its_good_parts_in_its_own_way(tmp_path: Path) -> None:
    trees.mvtec(tmp_path, ("nut",))
    rename(tmp_path / "nut/test", "good", "OK")
    labels = {sample.id: sample.label for sample in read_dataset(tmp_path).samples}
    assert labels["nut/train/good/000.png"] == labels["nut/test/OK/000.png"] == 0


def test_a_set_like_btad_is_read(tmp_path: Path) -> None:
    """train/ok, test/ok, test/ko; images and masks as BMP, named alike."""
    for number in range(2):
        trees.picture(tmp_path / f"01/train/ok/{number:04}.bmp")
        trees.picture(tmp_path / f"01/test/ok/{number:04}.bmp")
        trees.picture(tmp_path / f"01/test/ko/{number:04}.bmp", spot=True)
        trees.mask(tmp_path / f"01/ground_truth/ko/{number:04}.bmp")
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "goodsad"
    assert Counter((one.split, one.kind) for one in dataset.samples) == {
        ("train", "good"): 2, ("test", "good"): 2, ("test", "ko"): 2,
    }  # fmt: skip
    assert by_id(dataset)["01/test/ko/0000.bmp"].masks == (tmp_path / "01/ground_truth/ko/0000.bmp",)


@pytest.mark.parametrize("suffix", [".PNG", ".bmp", ".jpg", ".tif"])
@pytest.mark.parametrize(("layout", "mask"), [("mvtec", "000_mask"), ("goodsad", "000"), ("folder", "0")])
def test_a_mask_may_have_the_suffix_of_any_image(layout: str, mask: str, suffix: str, tmp_path: Path) -> None:
    trees.TREES[layout](tmp_path)
    before = next(tmp_path.rglob(f"ground_truth/*/{mask}.png"))
    after = before.with_suffix(suffix)
    before.rename(after)
    masks = [path for one in read_dataset(tmp_path).samples for path in one.masks]
    assert after in masks and before not in masks
    shutil.copy(after, before)
    masks = [path for one in read_dataset(tmp_path).samples for path in one.masks]
    assert before in masks and after not in masks, "a PNG is exact"


def test_what_could_be_two_layouts_is_refused_with_their_names(tmp_path: Path) -> None:
    trees.mvtec(tmp_path)
    trees.mask(tmp_path / "nut/ground_truth/scratch/002.png")  # half MVTec, half GoodsAD
    with pytest.raises(DatasetError, match=r"could be 'mvtec' .* or 'goodsad' .*--layout"):
        read_dataset(tmp_path)
    trees.visa(tmp_path)
    trees.table(tmp_path / "manifest.csv", [["split", "image", "label"]])
    with pytest.raises(DatasetError, match=r"'visa' .* or 'csv'"):
        read_dataset(tmp_path)


def test_a_list_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"1cls\.csv' does not exist; put it there, or choose another --layout"):
        read_dataset(trees.mvtec(tmp_path), "visa")


def test_a_folder_without_images_is_said_to_hold_none(tmp_path: Path) -> None:
    (tmp_path / "nut").mkdir()
    (tmp_path / "nut" / "notes.txt").touch()
    with pytest.raises(DatasetError, match=r"holds no images; check the path\.$"):
        read_dataset(tmp_path)


def test_a_folder_of_no_layout_is_refused_with_all_of_them(tmp_path: Path) -> None:
    trees.flat(tmp_path)
    with pytest.raises(DatasetError, match="no layout that is known") as error:
        read_dataset(tmp_path)
    assert all(name in str(error.value) for name in READERS)
    with pytest.raises(DatasetError, match="holds no image in the layout 'mvtec'"):
        read_dataset(tmp_path, "mvtec")
    with pytest.raises(DatasetError, match="mean 'loco'"):
        read_dataset(tmp_path, "coco")
    with pytest.raises(DatasetError, match="is not a folder"):
        read_dataset(tmp_path / "missing")


def test_the_one_folder_below_that_is_a_set_is_suggested(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "archive/mvtec_anomaly_detection")
    with pytest.raises(DatasetError, match=r"mvtec_anomaly_detection' has one; give that folder"):
        read_dataset(tmp_path / "archive")


def test_folders_without_images_are_remembered(tmp_path: Path) -> None:
    trees.mvtec(tmp_path)
    (tmp_path / "nut/test/dent").mkdir()
    assert read_dataset(tmp_path).empty == (tmp_path / "nut/test/dent",)


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        ([["split", "image"]], "lacks the column label"),
        ([["split", "image", "label"], ["train", "a.png"]], "Line 2 .* not as many values"),
        ([["split", "image", "label"], ["train", "a.png", "maybe"]], "Line 2 .* label 'maybe'"),
        ([["split", "image", "label"], ["dev", "a.png", "0"]], "split 'dev'; it must be one of: train"),
    ],
)
def test_a_bad_row_is_named_by_its_line(rows: list[list[str]], complaint: str, tmp_path: Path) -> None:
    trees.table(tmp_path / "manifest.csv", rows)
    with pytest.raises(DatasetError, match=complaint):
        read_dataset(tmp_path, "csv")


def test_a_cell_may_hold_whatever_is_quoted(tmp_path: Path) -> None:
    trees.picture(tmp_path / "a.png")
    cells = ["split\u2028cell", "two\x0bcolumns", "fi\x1cle", "line\r\nend"]
    for cell in cells:
        trees.table(tmp_path / "manifest.csv", [["split", "image", "label", "note"], ["test", "a.png", 0, cell]])
        (row,) = rows(tmp_path / "manifest.csv", ["image"])
        assert row.values["note"] == cell
    assert read_dataset(tmp_path).layout == "csv"


def test_a_cell_without_end_is_named_by_its_line(tmp_path: Path) -> None:
    endless = "x" * 131_073
    trees.table(tmp_path / "manifest.csv", [["split", "image", "label"], ["test", endless, "0"]])
    with pytest.raises(DatasetError, match=r"Line 2 of '.*manifest\.csv' cannot be read \(field larger"):
        read_dataset(tmp_path)
    trees.table(tmp_path / "manifest.csv", [["split", "image", "label", endless]])
    with pytest.raises(DatasetError, match=r"Line 1 of '.*manifest\.csv' cannot be read \(field larger"):
        read_dataset(tmp_path, "csv")
