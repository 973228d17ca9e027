"""The world tells the truth: every family with every kind it names, pixel by pixel."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from reason_iad.errors import ConfigError
from reason_iad.nano.world import FAMILIES, KINDS, Sample, contact_sheet, make_sample
from reason_iad.schema import PLACES

PAIRS = [(family.name, kind) for family in FAMILIES.values() for kind in family.defects]
SEVERE = {"scratch", "hole", "contamination", "break", "open circuit", "missing part", "missing wire"}


def digest(sample: Sample) -> str:
    arrays = (sample.query, *sample.references, sample.mask)
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).hexdigest()


def test_the_tables_agree() -> None:
    assert {kind for _, kind in PAIRS} <= set(KINDS)
    assert {kind for _, kind in PAIRS} == set(KINDS), "every kind can be drawn somewhere"
    assert sum(family.held_out for family in FAMILIES.values()) >= 3
    assert sum(kind.held_out for kind in KINDS.values()) >= 2
    for kind in KINDS.values():
        assert all((kind.description, kind.cause, kind.why, kind.action))


@pytest.mark.parametrize(("family", "kind"), PAIRS, ids=lambda value: value.replace(" ", "-"))
def test_every_defect_is_where_it_says(family: str, kind: str) -> None:
    for seed in range(3):
        sample = make_sample(seed, family=family, kind=kind)
        (defect,) = sample.defects
        assert defect.kind == kind
        assert sample.mask.any()
        rows, columns = np.nonzero(sample.mask)
        assert defect.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert defect.mask_area == pytest.approx(sample.mask.mean())
        third = sample.mask.shape[0] / 3
        assert defect.place == PLACES[int(rows.mean() // third) * 3 + int(columns.mean() // third)]
        assert defect.mask_area < 0.3


@pytest.mark.parametrize(("family", "kind"), PAIRS, ids=lambda value: value.replace(" ", "-"))
def test_nothing_changes_outside_the_mask_and_something_inside(family: str, kind: str) -> None:
    """Before the camera: the same part drawn with and without the defect."""
    one = FAMILIES[family]
    for seed in range(20):
        rng = np.random.default_rng(seed)
        design = one.design(rng, 168)
        canvas = one.render(rng, design, 168)
        before = canvas.image.copy()
        mask = one.defects[kind](rng, canvas, design)
        if mask is None:
            assert np.array_equal(canvas.image, before), "no defect, no change"
            continue
        changed = np.abs(canvas.image - before).max(2)
        assert not (changed[~ndimage.binary_dilation(mask, iterations=2)] > 4).any()
        assert changed[mask].mean() > (8 if kind in SEVERE else 3)
        return
    pytest.fail("no part had room for the defect")


def test_a_sample_is_a_function_of_its_arguments() -> None:
    script = (
        "import hashlib\nfrom reason_iad.nano.world import make_sample\n"
        "for seed in (5, 1, 9):\n    s = make_sample(seed)\n"
        "    print(hashlib.sha256(b''.join(a.tobytes() for a in (s.query, *s.references, s.mask))).hexdigest())\n"
    )
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert out.split() == [digest(make_sample(seed)) for seed in (5, 1, 9)]
    assert digest(make_sample(5)) != digest(make_sample(6))


def test_what_is_held_out_is_never_trained_on() -> None:
    samples = [make_sample(seed, size=56, references=0, defect_probability=1.0) for seed in range(300)]
    assert not any(FAMILIES[sample.family].held_out for sample in samples)
    assert not any(KINDS[defect.kind].held_out for sample in samples for defect in sample.defects)
    apart = [make_sample(seed, size=56, references=0, split="held_out") for seed in range(40)]
    assert all(FAMILIES[sample.family].held_out for sample in apart)


def test_labels_are_balanced_and_most_defects_come_alone() -> None:
    samples = [make_sample(seed, size=56, references=0) for seed in range(600)]
    defective = [sample for sample in samples if sample.defects]
    assert 0.42 < len(defective) / len(samples) < 0.58
    assert np.mean([len(sample.defects) == 1 for sample in defective]) > 0.85
    assert 0.5 < np.mean([sample.aligned for sample in samples]) < 0.8
    assert {sample.family for sample in samples} == {f.name for f in FAMILIES.values() if not f.held_out}


def test_defects_come_in_all_sizes() -> None:
    samples = [make_sample(seed, defect_probability=1.0, references=0) for seed in range(200)]
    areas = [defect.mask_area for sample in samples for defect in sample.defects]
    assert min(areas) < 0.001
    assert max(areas) > 0.03
    assert {d.severity for s in samples for d in s.defects} == {"minor", "major", "critical"}


@pytest.mark.parametrize("size", [56, 168, 224, 448])
def test_any_size(size: int) -> None:
    sample = make_sample(3, size=size, references=2, kind="spur", family="pcb")
    assert sample.query.shape == sample.references[1].shape == (size, size, 3)
    assert sample.query.dtype == np.uint8
    assert sample.mask.shape == (size, size)


def test_good_parts_of_one_design_differ_like_photographs() -> None:
    sample = make_sample(11, family="assembly", defect_probability=0.0, references=2)
    assert not sample.mask.any()
    difference = np.abs(sample.references[0].astype(int) - sample.references[1])
    assert 0.5 < difference.mean() < 40


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"family": "spoon"}, "Unknown family 'spoon'"),
        ({"family": "pcb", "kind": "dent"}, "has no 'dent'"),
        ({"size": 20}, "at least 56"),
    ],
)
def test_wrong_arguments_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        make_sample(0, **options)  # type: ignore[arg-type]


def test_a_contact_sheet_can_be_looked_at(tmp_path: Path) -> None:
    path = contact_sheet([make_sample(seed, size=56) for seed in range(5)], tmp_path / "sheet.png", columns=2)
    assert Image.open(path).size == (2 * 3 * 56, 3 * 56)
