"""The world tells the truth: every family with every kind it names, pixel by pixel."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy import ndimage

from reason_iad.errors import ConfigError
from reason_iad.expert.brushes.types import Canvas
from reason_iad.expert.template import pixel_differences
from reason_iad.schema import PLACES
from reason_iad_nano.world import FAMILIES, KINDS, Sample, contact_sheet, make_sample
from reason_iad_nano.world.overlay import draw_overlay, simulate_map
from reason_iad_nano.world.sampling import LEAST_CHANGE
from reason_iad_nano.world.surfaces import _border, _hairlines, granular
from reason_iad_nano.world.surfaces import worn as worn_texture

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
        "import hashlib\nfrom reason_iad_nano.world import make_sample\n"
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


@pytest.mark.parametrize("window", [(84, 252), (252, 84), (168, 140)])
def test_a_window_of_any_shape_shows_the_truth_about_itself(window: tuple[int, int]) -> None:
    seen = 0
    for seed in range(40):
        sample = make_sample(seed, size=window, defect_probability=1.0)
        assert sample.query.shape == sample.references[0].shape == (*window, 3)
        assert sample.mask.shape == window and sample.mask.any() == bool(sample.defects)
        if len(sample.defects) == 1:
            (defect,) = sample.defects
            rows, columns = np.nonzero(sample.mask)
            place = int(rows.mean() * 3 / window[0]) * 3 + int(columns.mean() * 3 / window[1])
            assert defect.place == PLACES[place]
            assert defect.mask_area == pytest.approx(sample.mask.mean())
            seen += 1
    assert seen > 15, "most windows are laid so that they show the defect"


def test_kinds_that_rarely_fit_are_not_rare() -> None:
    kinds = Counter(d.kind for seed in range(150) for d in make_sample(seed, family="pcb", references=0).defects)
    assert set(kinds) == set(FAMILIES["pcb"].defects)
    assert min(kinds.values()) > max(kinds.values()) / 4, kinds


def test_marks_of_use_differ_from_part_to_part_and_are_no_defects() -> None:
    design = {"base": np.full(3, 120.0), "p": np.full(8, 0.5), "wear": 0.3, "seed": 1}
    plain, unlike = design | {"wear": 1.0}, 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        assert 0 < np.abs(_hairlines(rng, 168, 14.0)).max(initial=0.1) <= 14 < LEAST_CHANGE
        one, other = _border(rng, 168, seed / 60), _border(rng, 168, seed / 60)
        assert not one[14:-14, 14:-14].any() and not other[14:-14, 14:-14].any()
        unlike += int((one != other).any())
    assert unlike > 20
    worn, clean = (worn_texture(granular)(np.random.default_rng(0), one, 168) for one in (design, plain))
    assert (worn != clean).any()
    assert (granular(np.random.default_rng(0), plain, 168) == clean).all()


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


def test_marks_of_a_design_are_on_every_part_and_are_no_defect() -> None:
    featured = [
        sample for sample in (make_sample(seed, defect_probability=0.0) for seed in range(150)) if sample.featured
    ]
    assert 0.2 < len(featured) / 150 < 0.4
    for sample in featured:
        assert not sample.mask.any() and not sample.defects


def test_a_mark_of_a_design_lies_at_the_same_place_on_query_and_reference() -> None:
    for seed in range(400):
        sample = make_sample(seed, family="glass", defect_probability=0.0)
        if sample.featured and sample.aligned:
            smooth = [
                picture.astype(float).mean(2) - ndimage.gaussian_filter(picture.astype(float).mean(2), 6)
                for picture in (sample.query, sample.references[0])
            ]
            peaks = [np.abs(ndimage.gaussian_filter(field, 1))[8:-8, 8:-8] for field in smooth]
            assert np.corrcoef(peaks[0].ravel(), peaks[1].ravel())[0, 1] > 0.3
            return
    raise AssertionError("no aligned glass pane with marks")


def test_compositions_are_drawn_more_often_than_other_families() -> None:
    names = [make_sample(seed, size=56, references=0).family for seed in range(600)]
    expected = sum(f.weight for f in FAMILIES.values() if f.weight > 1) / sum(
        family.weight for family in FAMILIES.values() if not family.held_out
    )
    assert np.mean([FAMILIES[name].weight > 1 for name in names]) == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize("family", ["assembly", "panel", "flange"])
def test_a_changed_component_leaves_what_else_is_on_the_part(family: str) -> None:
    one = FAMILIES[family]
    for seed in range(12):
        rng = np.random.default_rng(seed)
        design = one.design(rng, 168)
        canvas = one.render(rng, design, 168)
        scratched = one.defects["scratch"](rng, canvas, design)
        before = canvas.image.copy()
        changed = one.defects["missing part"](rng, canvas, design)
        if scratched is None or changed is None:
            continue
        assert (canvas.image[~changed] == before[~changed]).all()


def test_a_crop_is_a_window_of_a_larger_picture() -> None:
    samples = [make_sample(seed, zoom=1.7, defect_probability=1.0) for seed in range(60)]
    assert all(sample.query.shape == (168, 168, 3) == sample.references[0].shape for sample in samples)
    defective = [sample for sample in samples if sample.defects]
    assert len(defective) / 60 > 0.6, "most crops show a defect"
    for sample in defective:
        assert sample.mask.any() and max(defect.box[2] for defect in sample.defects) <= 168
    with pytest.raises(ConfigError, match="zoom"):
        make_sample(0, zoom=0.5)


def test_views_come_every_way_up() -> None:
    """A gear's teeth say nothing, but a label's bars do: they stand upright and lie."""
    upright = []
    for seed in range(40):
        query = make_sample(seed, family="label", defect_probability=0.0, references=0).query.astype(float).mean(2)
        upright.append(np.abs(np.diff(query, axis=1)).mean() > np.abs(np.diff(query, axis=0)).mean())
    assert 0.2 < np.mean(upright) < 0.8


def test_simulated_maps_are_right_weak_noisy_or_wrong() -> None:
    samples = [make_sample(seed, defect_probability=0.5, references=0) for seed in range(150)]
    right, wrong, faint = 0, 0, 0
    for sample in samples:
        heat = simulate_map(sample)
        assert heat.shape == sample.mask.shape and heat.min() >= 0 and heat.max() <= 1
        hot = heat > 0.5 * max(float(heat.max()), 1e-6)
        if not sample.defects:
            right += not heat.any()
            wrong += bool(heat.any())
        elif (hot & ndimage.binary_dilation(sample.mask, iterations=8)).any():
            right += 1
            faint += heat.max() < 0.5
        else:
            wrong += 1
    assert right > 2 * wrong > 10 and faint > 5


def test_an_overlay_tints_the_query_where_the_map_speaks_and_nowhere_else() -> None:
    samples = (make_sample(seed, family="fabric", kind="hole", references=0) for seed in range(50))
    sample = next(sample for sample in samples if simulate_map(sample).max() > 0.6)
    heat, drawn = simulate_map(sample), draw_overlay(sample)
    assert (drawn[heat == 0] == sample.query[heat == 0]).all()
    hot = heat > 0.6
    assert drawn[hot][:, 0].mean() > sample.query[hot][:, 0].mean() + 40


def test_no_defect_is_named_that_cannot_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """Too faint, or too small: the part stays as it was, and is good."""
    leather = FAMILIES["leather"]

    def dab(side: int, change: float) -> dict[str, Any]:
        def draw(_: np.random.Generator, canvas: Canvas, design: object) -> npt.NDArray[np.bool_]:
            pixels = np.zeros(canvas.image.shape[:2], bool)
            pixels[80 : 80 + side, 80 : 80 + side] = True
            canvas.image[pixels] += change * np.where(canvas.image[pixels] > 128, -1, 1)
            return pixels

        return {"crack": draw}

    for side, change, shows in ((12, 60.0, True), (12, 8.0, False), (3, 60.0, False)):
        monkeypatch.setitem(FAMILIES, "leather", replace(leather, defects=dab(side, change)))
        samples = [make_sample(seed, family="leather", defect_probability=1.0) for seed in range(8)]
        assert all(bool(sample.defects) == shows for sample in samples), (side, change)
        assert all(sample.mask.any() == shows for sample in samples)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_good_parts_with_marks_differ_no_more_than_others(family: str) -> None:
    """A mark that lies elsewhere on the reference would be a defect that is called none."""
    most: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(5_000_000, 5_000_070):
        sample = make_sample(seed, size=112, family=family, split="all", defect_probability=0.0)
        difference = pixel_differences(sample.query, sample.references[:1])
        if sample.aligned and difference is not None:
            most[sample.featured].append(float(difference.max()))
    if most[True]:
        assert np.quantile(most[True], 0.8) < np.quantile(most[False], 0.8) + 30
