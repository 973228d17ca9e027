"""Labelled defects: a corrected miss is found the next time, good parts stay good, and types are stated rightly."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from reason_iad.errors import MemoryBankError
from reason_iad.expert.brushes import draw_defect
from reason_iad.expert.conformal import limits
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.judging import Judgement, judge
from reason_iad.expert.normality.example_learning import Labelled, learn_defects, resemblances
from reason_iad.expert.normality.example_places import boxed, place_of_defect, summary
from reason_iad.expert.normality.example_storing import MANIFEST, Label, load_defects, save_defects
from reason_iad.expert.normality.examples import KnownDefects
from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.learning import learn, left_out_again
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.part_kind import PartKind
from reason_iad.images import LoadedImage, load_image

SIDE = 128
WHEN = datetime(2026, 5, 12, tzinfo=timezone.utc)
Pixels = npt.NDArray[np.uint8]


def plate(seed: int) -> Pixels:
    """A grey plate with a bar across, never twice quite the same."""
    rng = np.random.default_rng(seed)
    light, slope, bar = rng.uniform(110, 130), rng.uniform(0, 20), int(rng.integers(50, 56))
    pixels = light + rng.normal(0, rng.uniform(3, 6), (SIDE, SIDE)) + slope * np.linspace(0, 1, SIDE)
    pixels[bar : bar + 12] += rng.uniform(40, 70)
    for _ in range(int(rng.integers(1, 4))):  # harmless specks
        y, x = rng.integers(4, SIDE - 6, 2)
        pixels[y : y + 2, x : x + 2] += rng.uniform(-40, 40)
    return np.repeat(pixels.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)


def with_defect(pixels: Pixels, kind: str, seed: int, contrast: float = 30) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    drawn = draw_defect(pixels, kind, seed=seed, size=0.015, contrast=contrast)
    assert drawn is not None
    return drawn.picture, drawn.mask


def loaded(pixels: Pixels) -> LoadedImage:
    return load_image(Image.fromarray(pixels))


@pytest.fixture(scope="module")
def good() -> list[LoadedImage]:
    return [loaded(plate(seed)) for seed in range(24)]


@pytest.fixture(scope="module")
def expert(good: list[LoadedImage]) -> ProductExpert:
    return learn(good, Eyes.of(make_encoder("efficientnet_lite0", None), (160,)))


@pytest.fixture(scope="module")
def labelled() -> list[Labelled]:
    found = []
    for kind in ("scratch", "stain"):
        for seed in range(5):
            pixels, mask = with_defect(plate(100 + seed), kind, seed)
            found.append(Labelled(loaded(pixels), kind, WHEN, mask))
    return found


@pytest.fixture(scope="module")
def known(expert: ProductExpert, labelled: list[Labelled], good: list[LoadedImage]) -> KnownDefects:
    return learn_defects(expert, labelled, good)


def kind_of(expert: ProductExpert, known: KnownDefects | None) -> PartKind:
    left_out = expert.left_out if known is None else known.left_out
    return PartKind("plate", "", expert, limits(left_out, 0.05), {}, known=known)


def judged(kind: PartKind, pixels: Pixels) -> Judgement:
    return judge(kind, loaded(pixels))


def missed(expert: ProductExpert) -> tuple[Pixels, npt.NDArray[np.bool_]]:
    """A faint defect that passes."""
    kind = kind_of(expert, None)
    for contrast in (24, 18, 14, 10, 7, 5):
        pixels, mask = with_defect(plate(77), "stain", 3, contrast)
        if judged(kind, pixels).verdict == "pass":
            return pixels, mask
    raise AssertionError("the expert finds everything")


def test_a_corrected_miss_is_found_the_next_time(expert: ProductExpert, good: list[LoadedImage]) -> None:
    pixels, mask = missed(expert)
    kind = kind_of(expert, learn_defects(expert, [Labelled(loaded(pixels), "stain", WHEN, mask)], good))
    noise = np.random.default_rng(5).normal(0, 2, (SIDE, SIDE, 1))
    changed = (np.roll(pixels, 1, axis=1) + noise).clip(0, 255).astype(np.uint8)
    for part in (pixels, changed):
        found = judged(kind, part)
        assert found.verdict == "defect"
        assert found.seen.resemblance > 0
        x, y = (round(each) for each in found.marked[0].centre)
        grown = np.zeros_like(mask)
        rows, columns = np.nonzero(mask)
        grown[max(0, rows.min() - 8) : rows.max() + 9, max(0, columns.min() - 8) : columns.max() + 9] = True
        assert grown[y, x]  # marked at the defect, not where the part differed before


def test_good_parts_are_called_defective_no_more_often_than_was_asked(
    expert: ProductExpert, known: KnownDefects
) -> None:
    assert len(known.left_out) == len(expert.left_out)
    assert all(after >= before for before, after in zip(expert.left_out, known.left_out, strict=True))
    limit = kind_of(expert, known).limits
    assert sum(score >= limit.defect_from for score in known.left_out) <= 0.05 * (len(known.left_out) + 1)
    fresh = [plate(seed) for seed in range(300, 324)]
    before = [judged(kind_of(expert, None), each).verdict for each in fresh].count("defect")
    after = [judged(kind_of(expert, known), each).verdict for each in fresh].count("defect")
    assert after <= before + 2, (before, after)


def test_left_out_images_are_measured_as_when_the_expert_was_learnt(
    expert: ProductExpert, good: list[LoadedImage]
) -> None:
    from reason_iad.expert.normality.area import EVERYWHERE
    from reason_iad.expert.normality.expert import numbers_of

    for at, look, distances in left_out_again(expert, good):
        likeness = expert.likeness.without(at).judge(look.whole)
        numbers = numbers_of(expert.levels, distances, likeness, EVERYWHERE)
        assert expert.score(expert.in_deviations(numbers)) == pytest.approx(expert.left_out[at], abs=1e-4)


def test_resemblance_raises_defects_more_than_good_parts(expert: ProductExpert, known: KnownDefects) -> None:
    def raised(pixels: Pixels) -> float:
        look = next(expert.eyes.look([loaded(pixels).pixels]))
        return known.raised(expert.assess_look(look), look, expert.threshold).resemblance

    defects = [raised(with_defect(plate(200 + seed), "scratch", 40 + seed)[0]) for seed in range(6)]
    fine = [raised(plate(230 + seed)) for seed in range(6)]
    assert np.median(defects) > max(fine)


def test_types_are_stated_and_true(expert: ProductExpert, known: KnownDefects) -> None:
    names, stated = [], []
    for name in ("scratch", "stain"):
        for seed in range(6):
            look = next(expert.eyes.look([loaded(with_defect(plate(400 + seed), name, 60 + seed)[0]).pixels]))
            seen = known.raised(expert.assess_look(look), look, expert.threshold)
            found = known.nearest(summary(known.spaces, look, place_of_defect(seen.excess, None)))
            assert found is not None
            names.append(name)
            stated.append(found.types)
    assert sum(map(bool, stated)) >= 0.6 * len(stated)
    assert sum(name in each for name, each in zip(names, stated, strict=True)) >= 0.75 * sum(map(bool, stated))


def test_a_place_that_looks_like_nothing_known_is_said_to(known: KnownDefects) -> None:
    away = -known.vectors.mean(0)
    found = known.nearest(away / away.norm())
    assert found is not None
    assert found.unlike
    assert found.types == ()


def test_several_types_are_named_where_they_are_as_similar(known: KnownDefects) -> None:
    wide = replace(known, apart=2.0)  # every type is as near as the nearest: with two types this says nothing
    found = wide.nearest(known.vectors[0])
    assert found is not None
    assert not found.unlike
    assert found.types == ()


def test_a_defect_does_not_vouch_for_itself(
    expert: ProductExpert, labelled: list[Labelled], good: list[LoadedImage]
) -> None:
    image = labelled[0].image
    known = learn_defects(expert, [labelled[0], labelled[7]], good)
    look = next(expert.eyes.look([image.pixels]))
    seen = expert.assess_look(look)
    with_it = known.raised(seen, look, expert.threshold)
    without = known.raised(seen, look, expert.threshold, without=image.sha256)
    assert with_it.resemblance > without.resemblance
    nearest = known.nearest(known.vectors[0], without=image.sha256)
    assert nearest is not None
    assert nearest.example.sha256 == labelled[7].image.sha256


def test_areas_that_do_not_count_raise_nothing(
    expert: ProductExpert, known: KnownDefects, labelled: list[Labelled]
) -> None:
    image = labelled[0].image
    look = next(expert.eyes.look([image.pixels]))
    assert labelled[0].marked is not None
    rows, columns = np.nonzero(labelled[0].marked)
    left, top = max(0, int(columns.min()) - 12), max(0, int(rows.min()) - 12)
    around = boxed((left, top, int(columns.max()) + 13, int(rows.max()) + 13), SIDE, SIDE)
    area = expert.area.without(around)
    inside = known.raised(expert.assess_look(look), look, expert.threshold)
    outside = known.raised(expert.assess_look(look, area), look, expert.threshold, area)
    assert outside.resemblance < inside.resemblance


def test_without_mask_or_box_the_place_that_differs_most_is_compared(
    expert: ProductExpert, good: list[LoadedImage]
) -> None:
    pixels, mask = with_defect(plate(50), "stain", 2, 50)
    known = learn_defects(expert, [Labelled(loaded(pixels), "stain", WHEN, None)], good)
    x1, y1, x2, y2 = known.examples[0].box
    rows, columns = np.nonzero(mask)
    assert x1 <= columns.mean() < x2
    assert y1 <= rows.mean() < y2


def test_a_place_is_never_empty() -> None:
    nothing = torch.zeros(4, 4)
    assert place_of_defect(nothing, None).max() > 0
    assert place_of_defect(nothing, np.zeros((8, 8), bool)).max() > 0


def labels(known: KnownDefects) -> list[Label]:
    return [Label(each.sha256, each.name, each.type, each.added) for each in known.examples]


def test_what_is_known_is_the_same_after_saving(known: KnownDefects, tmp_path: Path) -> None:
    save_defects(known, tmp_path, "state")
    again = load_defects(tmp_path, known.spaces, "state", labels(known))
    assert again.examples == known.examples
    assert again.left_out == known.left_out
    assert (again.apart, again.unlike, again.usual) == (known.apart, known.unlike, known.usual)
    assert torch.equal(again.vectors, known.vectors)


@pytest.mark.parametrize("harm", ["other state", "missing", "cut", "owners", "nan", "fewer labels"])
def test_what_does_not_fit_is_refused(known: KnownDefects, tmp_path: Path, harm: str) -> None:
    owners = [replace(each, owners=torch.zeros_like(each.owners)) for each in known.patches]
    bad = replace(known, patches=tuple(owners)) if harm == "owners" else known
    save_defects(bad, tmp_path, "state")
    manifest = tmp_path / MANIFEST
    if harm == "missing":
        next(tmp_path.glob("*.safetensors")).unlink()
    if harm == "cut":
        manifest.write_bytes(manifest.read_bytes()[:50])
    if harm == "nan":
        manifest.write_text(manifest.read_text().replace('"apart": ', '"apart": NaN, "x": '))
    given = labels(known)[: -1 if harm == "fewer labels" else None]
    with pytest.raises(MemoryBankError):
        load_defects(tmp_path, known.spaces, "other" if harm == "other state" else "state", given)


def test_limits_are_of_the_raised_scores(expert: ProductExpert, known: KnownDefects) -> None:
    assert kind_of(expert, known).limits.defect_from >= kind_of(expert, None).limits.defect_from


@pytest.mark.parametrize(("good_images", "defects"), [(10, 28), (20, 12)])
def test_new_good_parts_are_raised_no_more_than_left_out_ones(good_images: int, defects: int) -> None:
    """The limit is the largest of the left-out ones: one in n + 1 new good parts may lie above it."""
    rng, above = np.random.default_rng(0), []
    for _ in range(60):
        usual, joined, raised = resemblances(rng.standard_t(6, (good_images, defects)))
        new = rng.standard_t(6, (50, defects))
        largest = [max(each.of_number(number) for each, number in zip(usual, row, strict=True)) for row in new]
        above.append(np.mean([joined.of_number(each) > max(raised) for each in largest]))
    assert np.mean(above) < 1 / (good_images + 1) + 0.01
