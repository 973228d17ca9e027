"""Sets are read as they are published: each tree is drawn from its description, which the reader's module names."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from tests.bench.detect import trees

from reason_iad.bench.detect.problems import check
from reason_iad.bench.detect.readers import READERS, described, read_dataset
from reason_iad.bench.detect.samples import Dataset
from reason_iad.errors import DatasetError


def counts(dataset: Dataset) -> dict[tuple[str, str, str], int]:
    return Counter((one.category, one.split, one.kind) for one in dataset.samples)


def test_mpdd_and_dtd_synthetic_are_laid_out_as_mvtec_ad(tmp_path: Path) -> None:
    for category, kind in (("bracket_black", "hole"), ("Woven_001", "bad")):
        trees.picture(tmp_path / category / "train/good/000.png")
        trees.picture(tmp_path / category / "test/good/000.png")
        trees.picture(tmp_path / category / "test" / kind / "000.png", spot=True)
        trees.mask(tmp_path / category / "ground_truth" / kind / "000_mask.png")
    dataset = read_dataset(tmp_path)
    assert dataset.layout == "mvtec" and not check(dataset).problems
    assert counts(dataset)["bracket_black", "test", "hole"] == counts(dataset)["Woven_001", "test", "bad"] == 1


def test_btad_has_folders_ok_and_ko_and_three_kinds_of_files(tmp_path: Path) -> None:
    for category, image, mask in (("01", "bmp", "png"), ("02", "png", "png"), ("03", "bmp", "bmp")):
        for i in range(2):
            trees.picture(tmp_path / category / f"train/ok/{i:04}.{image}")
            trees.picture(tmp_path / category / f"test/ok/{i:04}.{image}")
        trees.picture(tmp_path / category / f"test/ko/0000.{image}", spot=True)
        trees.mask(tmp_path / category / f"ground_truth/ko/0000.{mask}")
    dataset = read_dataset(tmp_path)
    assert dataset.categories == ("01", "02", "03") and not check(dataset).problems
    assert counts(dataset)["03", "test", "ko"] == 1 and counts(dataset)["03", "test", "good"] == 2


def test_visa_is_read_without_its_list(tmp_path: Path) -> None:
    listed = read_dataset(trees.visa(tmp_path))
    dataset = read_dataset(trees.visa_folders(tmp_path))
    assert dataset.layout == "visa" and {one.id for one in dataset.samples} == {one.id for one in listed.samples}
    assert {one.id: one.masks for one in dataset.samples} == {one.id: one.masks for one in listed.samples}
    assert {one.split for one in dataset.samples if not one.label} == {"train", "test"}
    assert "half of the normal images are references" in dataset.notes[0] and not listed.notes
    (tmp_path / "candle/Data/Images/Normal").rename(tmp_path / "candle/Data/Images/ok")
    assert counts(read_dataset(tmp_path)) == counts(dataset)
    (tmp_path / "candle/image_anno.csv").write_text("image,label,mask\n")
    assert read_dataset(tmp_path / "candle").categories == ("candle",)


def test_a_list_of_visa_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    trees.visa(tmp_path)
    (tmp_path / "split_csv/1cls.csv").write_text("object,split\n")
    with pytest.raises(DatasetError, match=r"1cls\.csv' lacks the column label, image, mask"):
        read_dataset(tmp_path)


def test_mvtec_ad_2_has_its_masks_among_the_public_test_images(tmp_path: Path) -> None:
    dataset = read_dataset(trees.mvtec2(tmp_path))
    assert counts(dataset) == {
        ("can", "train", "good"): 3, ("can", "validation", "good"): 1,
        ("can", "test", "good"): 2, ("can", "test", "bad"): 2,
    }  # fmt: skip
    assert "test_private" in dataset.notes[0] and "without labels" in dataset.notes[0]
    assert read_dataset(tmp_path / "can").categories == ("can",)


def test_images_without_labels_are_refused_plainly(tmp_path: Path) -> None:
    trees.mvtec2(tmp_path)
    with pytest.raises(DatasetError, match=r"without labels, so nothing can be measured.*test_public"):
        read_dataset(tmp_path / "can/test_private")
    (tmp_path / "can/test_public").rename(tmp_path / "elsewhere")
    with pytest.raises(DatasetError, match="without labels, so nothing can be measured"):
        read_dataset(tmp_path / "can")


def test_real_iad_goes_by_the_list_of_its_own_name(tmp_path: Path) -> None:
    dataset = read_dataset(trees.realiad(tmp_path))
    assert counts(dataset) == {
        ("audiojack", "train", "good"): 3, ("audiojack", "test", "good"): 2, ("audiojack", "test", "BX"): 2,
        ("audiojack", "validation", "BX"): 1,
    }  # fmt: skip
    assert "'realiad_256', as 'realiad_jsons/realiad_jsons' lists them" in dataset.notes[0]
    assert dataset.notes[1] == (
        "1 defective training image is not used, because only good images can be compared with."
    )
    assert not check(dataset).problems
    (tmp_path / "realiad_512").mkdir()
    with pytest.raises(DatasetError, match=r"in one resolution .* It holds realiad_256, realiad_512"):
        read_dataset(tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no list of Real-IAD"),
        ("[]", "is no list of Real-IAD"),
        ('{"meta": {"normal_class": "OK"}, "train": [{"image_path": 1}]}', r"train\.0\.category: Field required"),
    ],
)
def test_a_list_of_real_iad_that_cannot_be_read_is_named(text: str, said: str, tmp_path: Path) -> None:
    trees.realiad(tmp_path)
    (tmp_path / "realiad_jsons/realiad_jsons/audiojack.json").write_text(text)
    with pytest.raises(DatasetError, match=said):
        read_dataset(tmp_path)


def test_a_path_of_real_iad_that_leads_out_is_not_opened(tmp_path: Path) -> None:
    trees.realiad(tmp_path)
    path = tmp_path / "realiad_jsons/realiad_jsons/audiojack.json"
    listed = json.loads(path.read_text())
    listed["test"][0]["image_path"] = "../../../secret.png"
    path.write_text(json.dumps(listed))
    assert "outside" in {problem.kind for problem in check(read_dataset(tmp_path)).problems}


def test_kolektor_sdd_has_no_part_on_both_sides(tmp_path: Path) -> None:
    dataset = read_dataset(trees.ksdd(tmp_path / "KolektorSDD"))
    assert dataset.categories == ("KolektorSDD",) and sum(one.label for one in dataset.samples) == 2
    good = [one for one in dataset.samples if not one.label]
    sides = {split: {one.image.parent for one in good if one.split == split} for split in ("train", "test")}
    assert all(sides.values()) and not sides["train"] & sides["test"]
    assert "about half of its parts" in dataset.notes[0]


@pytest.mark.parametrize("layout", ["ksdd", "ksdd2"])
def test_a_mask_that_is_missing_or_broken_makes_no_image_good(layout: str, tmp_path: Path) -> None:
    trees.TREES[layout](tmp_path)
    dataset = read_dataset(tmp_path)
    good, other = [one for one in dataset.samples if not one.label][:2]
    ending = {"ksdd": "_label.bmp", "ksdd2": "_GT.png"}[layout]
    good.image.with_name(good.image.stem + ending).unlink()
    other.image.with_name(other.image.stem + ending).write_text("no image")
    problems = {problem.where: problem.kind for problem in check(read_dataset(tmp_path)).problems}
    assert problems[good.id] == "missing-mask" and problems[other.id] == "bad-mask"


def test_kolektor_sdd_2_leaves_defective_training_images_aside(tmp_path: Path) -> None:
    dataset = read_dataset(trees.ksdd2(tmp_path / "set"))
    assert counts(dataset) == {
        ("set", "train", "good"): 4, ("set", "validation", "defect"): 1,
        ("set", "test", "good"): 2, ("set", "test", "defect"): 2,
    }  # fmt: skip
    assert "1 defective training image is not used" in dataset.notes[0]


def test_dagm_goes_by_masks_and_by_its_list(tmp_path: Path) -> None:
    dataset = read_dataset(trees.dagm(tmp_path))
    assert counts(dataset) == {
        ("Class1", "train", "good"): 4, ("Class1", "validation", "defect"): 1,
        ("Class1", "test", "good"): 2, ("Class1", "test", "defect"): 2,
    }  # fmt: skip
    (tmp_path / "Class1/Test/Label/0003_label.PNG").unlink()
    (problem,) = check(read_dataset(tmp_path)).problems
    assert (problem.kind, problem.where) == ("missing-mask", "Class1/Test/0003.PNG")


def test_each_layout_says_what_it_looks_like() -> None:
    text = described()
    for name in READERS:
        assert f"\n{name}: " in f"\n{text}"
    for published in (
        "BTAD",
        "MPDD",
        "DTD-Synthetic",
        "KolektorSDD2",
        "DAGM 2007",
        "Real-IAD",
        "MVTec AD 2",
        "VisA",
    ):
        assert published in text
    assert "CATEGORY/ground_truth/KIND/000_mask.png" in text and "write a file manifest.csv" in text
    assert max(map(len, text.splitlines()[:-2])) <= 100
