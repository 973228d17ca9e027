"""Good images that say nothing about what is usual: only what is unusual of them is remembered."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.parts import good, plate, scratched

from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.learning import learn, left_out_again
from reason_iad.expert.normality.level import BUDGET, memory_settings
from reason_iad.expert.normality.likeness import NO_ODDER, ODD
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.normality.spread import left_out_images
from reason_iad.expert.normality.storing import load_expert, save_expert
from reason_iad.images import LoadedImage, load_image

USUAL = 12


def worn(seed: int) -> LoadedImage:
    """A good part with a scratch that does not matter."""
    return load_image(scratched(seed))


def names(images: list[LoadedImage]) -> frozenset[str]:
    return frozenset(image.sha256 for image in images)


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    return Eyes.of(make_encoder("efficientnet_lite0", None), (64, 128))


@pytest.fixture(scope="module")
def plain(eyes: Eyes) -> ProductExpert:
    return learn(good(USUAL), eyes)


@pytest.fixture(scope="module")
def lenient(eyes: Eyes) -> ProductExpert:
    """The same, which knows two worn parts."""
    odd = [worn(50), worn(51)]
    return learn([*good(USUAL), *odd], eyes, exceptions=names(odd))


def test_what_is_usual_does_not_depend_on_them(plain: ProductExpert, lenient: ProductExpert) -> None:
    assert lenient.left_out == plain.left_out and len(plain.left_out) == USUAL
    for name in ("standings", "usual", "threshold", "joined", "weights"):
        assert getattr(lenient, name) == getattr(plain, name), name
    assert lenient.likeness.largest == plain.likeness.largest
    assert torch.equal(lenient.likeness.spread, plain.likeness.spread)


def test_parts_like_them_become_normal_and_other_defects_stay(plain: ProductExpert, lenient: ProductExpert) -> None:
    limit = max(plain.left_out)
    alike, other = worn(60), load_image(scratched(61, at=(30, 20), length=10))
    assert plain.assess(alike).score > limit + 2 > limit > lenient.assess(alike).score
    assert plain.assess(other).score > limit + 1 and lenient.assess(other).score > limit + 1


def test_ordinary_ones_change_less_than_as_plain_memory(plain: ProductExpert, eyes: Eyes) -> None:
    """If all of their patches were compared with, twice as many images would bring every part nearer."""
    more = good(USUAL, 100)
    with_more = learn([*good(USUAL), *more], eyes, exceptions=names(more))
    naive = replace(with_more, levels=tuple(replace(level, explained={}) for level in with_more.levels))
    parts = [load_image(scratched(seed, at=(30, 20), length=10)) for seed in range(200, 206)]
    before, after, worst = (
        np.mean([expert.assess(part).score for part in parts]) for expert in (plain, with_more, naive)
    )
    assert 0 <= before - after < 0.75 * (before - worst)


def test_distances_are_those_of_the_plain_formulas(lenient: ProductExpert, eyes: Eyes) -> None:
    """Patch by patch: which patches of exceptions are compared with, and how far a part is from all."""
    level = lenient.levels[1]
    assert level.bank.entries is not None and set(level.explained) == {"direction", "whitened", "residual"}
    features, _, owners = level.bank.entries
    odd = torch.tensor([level.bank.members[int(owner)].sha256 in level.exceptions for owner in owners])
    look = next(eyes.look([worn(60).pixels])).patches[1]
    found, space = level.distances(look), level.space
    for way in ("direction", "whitened"):
        entries, own = space.directions(features)[way], space.directions(look.features.float())[way]
        far = 1 - (entries @ entries[~odd].T).amax(1) > level.explained[way]
        compared = entries[~odd | far]
        assert int((~odd).sum()) < len(compared) < len(entries)
        torch.testing.assert_close(found[way], (1 - (own @ compared.T).amax(1)).clamp_min(0), atol=1e-5, rtol=1e-4)
    outside = space.outside(features[odd])
    outside = outside[outside.norm(dim=1) > level.explained["residual"]]
    own = space.outside(look.features.float())
    beside = torch.stack([(own - each).norm(dim=1) for each in outside]).amin(0)
    torch.testing.assert_close(found["residual"], torch.minimum(own.norm(dim=1), beside), atol=1e-3, rtol=1e-4)
    assert bool((beside < own.norm(dim=1)).any())


def test_they_are_the_same_after_saving_and_loading(lenient: ProductExpert, eyes: Eyes, tmp_path: Path) -> None:
    save_expert(lenient, tmp_path, "x")
    again, part = load_expert(tmp_path, eyes, "x"), worn(60)
    assert again.exceptions == lenient.exceptions and again.assess(part).score == lenient.assess(part).score


def test_with_fewer_than_three_others_all_images_count(eyes: Eyes) -> None:
    images = good(4)
    assert learn(images, eyes, exceptions=names(images[1:])).exceptions == frozenset()
    assert len(learn(images, eyes, exceptions=names(images[3:])).left_out) == 3


def test_left_out_images_are_measured_without_them_again(
    eyes: Eyes, plain: ProductExpert, lenient: ProductExpert
) -> None:
    """What good parts reach in resembling labelled defects does not depend on exceptions either."""
    images = good(USUAL)
    before = {at: distances for at, _, distances in left_out_again(plain, images)}
    after = {at: distances for at, _, distances in left_out_again(lenient, [*images, worn(50), worn(51)])}
    assert set(after) == set(before) == set(range(USUAL))
    for at, distances in before.items():
        for mine, theirs in zip(distances, after[at], strict=True):
            for way, values in mine.items():
                torch.testing.assert_close(theirs[way], values)


def test_as_wholes_only_unusual_ones_are_compared_with(eyes: Eyes) -> None:
    dark, ordinary = load_image(plate(80, light=0.5)), load_image(plate(81))
    images = [*good(USUAL), dark, ordinary]
    model = learn(images, eyes, exceptions=names([dark, ordinary])).likeness
    assert model.exceptional.tolist()[:USUAL] == [0] * USUAL
    assert model.exceptional.tolist()[USUAL:] == [ODD, NO_ODDER]
    look = next(eyes.look([load_image(plate(82, light=0.5)).pixels])).whole
    without = model.without(USUAL)
    assert model.images == without.images + 1
    assert without.judge(look).distance > model.judge(look).distance


def test_they_have_room_of_their_own_and_others_are_measured_as_before() -> None:
    before, after = memory_settings(100), memory_settings(100, exceptions=7)
    assert after.kept == before.kept and after.budget == BUDGET + 7 * before.kept
    assert memory_settings(10, exceptions=10_000).budget == 2 * BUDGET
    many = [f"{number:03}" for number in range(1000)]
    with_odd = ["odd", *many]
    found = [with_odd[at] for at in left_out_images(with_odd, {"odd"})]
    assert found == [many[at] for at in left_out_images(many)]
