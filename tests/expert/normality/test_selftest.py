"""Drawn defects: what is drawn, what an expert says of it that never saw the picture, and what follows."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.parts import good, plate

from reason_iad.errors import ConfigError
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.area import Area
from reason_iad.expert.normality.drawing import FAMILIES, draw, hits, plan
from reason_iad.expert.normality.expert import Assessment, ProductExpert
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes, Look
from reason_iad.expert.normality.selftest import SelfTest, load_self_test, save_self_test, self_test, tuned
from reason_iad.expert.normality.statistics import prior
from reason_iad.images import load_image

COUNT = 20


@pytest.fixture(scope="module")
def expert() -> ProductExpert:
    return learn(good(8), Eyes.of(make_encoder("efficientnet_lite0", None), (64, 96)))


@pytest.fixture(scope="module")
def tested(expert: ProductExpert) -> SelfTest:
    return self_test(expert, good(8), count=COUNT, seed=3)


def test_families_pictures_and_sizes_are_spread_evenly() -> None:
    wanted = plan(range(6), 48, 5)
    assert set(Counter(each.family for each in wanted).values()) == {12}
    assert set(Counter(each.image for each in wanted).values()) == {8}
    for name, family in FAMILIES.items():
        shares = sorted(each.share for each in wanted if each.family == name)
        steps = np.log(np.array(shares) / family.shares[0]) / np.log(family.shares[1] / family.shares[0]) * 12
        assert np.floor(steps).tolist() == list(range(12)), "one in each step"
    assert wanted == plan(range(6), 48, 5) != plan(range(6), 48, 6)


def test_a_drawn_defect_changes_its_mask_and_nothing_else() -> None:
    image = load_image(plate(1))
    for drawn in draw(image, plan([0], 8, 0)):
        changed = (np.asarray(drawn.picture) != np.asarray(image.pixels)).any(2)
        assert changed.any() and not (changed & ~drawn.mask).any()
        rows, columns = np.nonzero(drawn.mask)
        apart = max(np.ptp(rows), np.ptp(columns)) + 1
        assert apart - 1 <= drawn.length <= 1.5 * apart + 1 and drawn.area == drawn.mask.sum()


def test_on_a_large_picture_a_defect_is_enlarged() -> None:
    image = load_image(plate(1))
    large = load_image(np.asarray(image.pixels.resize((512, 384))))
    (small,), (drawn,) = (list(draw(each, plan([0], 1, 4), size=111)) for each in (image, large))
    assert drawn.scale == pytest.approx(4, rel=0.05) and drawn.picture.size == (512, 384)
    assert drawn.length == pytest.approx(4 * small.length, rel=0.25)
    changed = (np.asarray(drawn.picture) != np.asarray(large.pixels)).any(2)
    assert 0.5 * drawn.area < changed.sum() < 3 * drawn.area


def test_nothing_is_drawn_where_nothing_counts() -> None:
    counts = np.zeros((96, 128), bool)
    counts[:, 64:] = True
    drawn = list(draw(load_image(plate(1)), plan([0], 12, 0), Area(counts)))
    assert drawn and not any(each.mask[:, :64].any() for each in drawn)


def test_a_spot_hits_a_mask_near_it() -> None:
    mask = np.zeros((50, 100), bool)
    mask[10:20, 60:80] = True
    assert hits(mask, (0.7, 0.3), 0.0) and hits(mask, (0.815, 0.3), 0.02)
    assert not hits(mask, (0.9, 0.3), 0.02)


def test_larger_and_clearer_defects_are_found(expert: ProductExpert, tested: SelfTest) -> None:
    assert len(tested.trials) >= COUNT - 4 and tested.images == 8
    large = [trial for trial in tested.trials if trial.area > 0.02 * 96 * 128]
    assert sum(trial.found for trial in large) > 0.8 * len(large) > 2
    assert any(trial.marked for trial in tested.trials) and not all(trial.marked for trial in tested.trials)
    assert tested.limit == pytest.approx(max(expert.left_out)), "8 pictures are enough for 1 false alarm in 9"
    assert all(trial.found or trial.score < tested.limit for trial in tested.trials)
    assert max(tested.separates.values()) > 0.7


def test_the_same_seed_gives_the_same_self_test(expert: ProductExpert, tested: SelfTest) -> None:
    images = good(8)
    seen: list[int] = []
    again = self_test(
        expert, [*images, images[0]], count=COUNT, seed=3, progress=lambda _, done, __: seen.append(done)
    )
    assert again == tested and seen[-1] == COUNT and seen == sorted(seen)


def test_a_picture_is_not_compared_with_itself(expert: ProductExpert, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[ProductExpert] = []
    real = ProductExpert.assess_look

    def watched(self: ProductExpert, look: Look) -> Assessment:
        compared.append(self)
        return real(self, look)

    monkeypatch.setattr(ProductExpert, "assess_look", watched)
    done = self_test(expert, good(8), count=8)
    for trial, used in zip(done.trials, compared, strict=True):
        level = used.levels[0].bank
        owners = {level.members[int(at)].sha256 for at in level.entries.owners.unique()}  # type: ignore[union-attr]
        assert trial.image not in owners and len(owners) == 7
        assert len(used.likeness.embeddings) == 7


def test_what_separates_better_counts_more_and_labelled_defects_decide_more_than_drawn_ones(
    expert: ProductExpert, tested: SelfTest
) -> None:
    weights = {name: weight / prior(name) for name, weight in tested.weights.items()}
    order = sorted(weights, key=weights.__getitem__)
    assert order == sorted(weights, key=lambda name: (max(tested.separates[name], 0.55), order.index(name)))
    assert max(weights.values()) < 2 * min(weights.values()), "drawn defects are heard, and no more"
    assert set(tested.weights) == set(expert.weights)
    favourite = "96 direction mean"
    labelled = [{name: 9.0 if name == favourite else 0.0 for name in expert.standings}] * 5
    done = self_test(expert, good(8), count=8, labelled=labelled)
    weights = {name: weight / prior(name) for name, weight in done.weights.items()}
    assert max(weights, key=weights.__getitem__) == favourite
    changed = tuned(expert, done)
    assert changed.score(labelled[0]) > expert.score(labelled[0])
    assert changed.left_out != expert.left_out and abs(float(np.median(changed.left_out))) < 1e-6
    few = self_test(expert, good(8), count=8, labelled=labelled[:2])
    assert few.weights == self_test(expert, good(8), count=8).weights, "two are too few"


def test_it_says_from_which_length_on_defects_are_found(tested: SelfTest) -> None:
    limits = tested.detection()
    assert set(limits) == set(FAMILIES)
    for family, limit in limits.items():
        mine = [trial for trial in tested.trials if trial.family == family]
        assert sorted(trial.length for trial in mine) == [trial.size for trial in limit.trials]
        assert limit.found == sum(trial.found for trial in mine)


def test_with_too_few_or_other_pictures_it_says_what_to_do(expert: ProductExpert) -> None:
    few = learn(good(2), expert.eyes)
    with pytest.raises(ConfigError, match="at least 3 different good pictures; add more"):
        self_test(few, good(2))
    with pytest.raises(ConfigError, match="not the good pictures that the expert learnt from"):
        self_test(expert, [load_image(plate(seed)) for seed in range(900, 908)], count=4)
    nowhere = replace(expert, area=Area(np.zeros((96, 128), bool)))
    with pytest.raises(ConfigError, match="check the areas to inspect and to ignore"):
        self_test(nowhere, good(8), count=4)


def test_what_is_kept_is_read_only_for_what_it_was_made_for(tested: SelfTest, tmp_path: Path) -> None:
    path = tmp_path / "selftest.json"
    assert load_self_test(path, "a") is None
    save_self_test(tested, path, "a")
    assert load_self_test(path, "a") == tested
    assert load_self_test(path, "b") is None
    path.write_text(path.read_text().replace('"found":true', '"found":"maybe"', 1))
    assert load_self_test(path, "a") is None
    path.write_bytes(b"\xff{")
    assert load_self_test(path, "a") is None
