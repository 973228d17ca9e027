"""Several views of a part in one product: told apart, and each judged by what is usual of itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from tests.parts import plate, scratched

from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.normality.storing import load_expert, save_expert
from reason_iad.expert.normality.views import LEAST, find_views
from reason_iad.images import LoadedImage, load_image


def clouds(*counts: int, apart: float = 40.0) -> torch.Tensor:
    """Embeddings in clouds that lie apart."""
    chance = torch.Generator().manual_seed(0)
    return torch.cat([torch.randn(count, 30, generator=chance) + apart * at for at, count in enumerate(counts)])


def back(seed: int) -> np.ndarray:
    """(96, 128, 3) the other side of the plate: rough, and never twice the same."""
    chance = np.random.default_rng(seed)
    coarse = chance.integers(70, 185, (12, 16, 3)).astype(np.uint8)
    picture = cv2.resize(coarse, (128, 96), interpolation=cv2.INTER_NEAREST)
    cv2.circle(picture, (64, 48), 20, (90, 60, 30), 3)
    return picture


@pytest.fixture(scope="module")
def good() -> list[LoadedImage]:
    front = [plate(seed) for seed in range(LEAST)]
    return [load_image(picture) for picture in (*front, *(back(seed) for seed in range(LEAST + 2)))]


@pytest.fixture(scope="module")
def expert(good: list[LoadedImage]) -> ProductExpert:
    return learn(good, Eyes.of(make_encoder("efficientnet_lite0", None), (96,)), orientation="fixed")


def test_views_are_told_apart_only_where_they_clearly_are() -> None:
    assert find_views(clouds(25, 30)).bincount().tolist() == [25, 30]
    assert find_views(clouds(25, 30, 21)).bincount().tolist() == [25, 30, 21]
    for one in (clouds(60), clouds(30, 30, apart=0.5), clouds(40, 3), clouds(LEAST - 1, 40), clouds(5, 5)):
        assert not find_views(one).any()


def test_each_view_is_judged_by_what_is_usual_of_itself(expert: ProductExpert) -> None:
    views = expert.likeness.views.tolist()
    assert views == [views[0]] * LEAST + [1 - views[0]] * (LEAST + 2)
    assert "The good pictures show 2 views." in expert.in_words()[-1]
    for of_view in (expert.left_out[:LEAST], expert.left_out[LEAST:]):
        assert abs(float(np.median(of_view))) < 0.7
    seen = expert.assess(load_image(back(900)))
    assert seen.likeness.view == views[-1] and seen.likeness.reason is None
    assert seen.score < max(expert.left_out[LEAST:]) + 2


def test_a_defect_of_the_plain_view_is_told_better_than_by_what_is_usual_of_both(expert: ProductExpert) -> None:
    together = replace(expert, of_views=())
    bad = [load_image(scratched(500 + seed, length=14)) for seed in range(4)]

    def margin(by: ProductExpert) -> float:
        return min(by.assess(image).numbers["96 residual largest"] for image in bad)

    assert margin(expert) > 1.1 * margin(together)
    usual, of_both = (each["96 direction mean"] for each in (expert.of_views[0], expert.standings))
    assert usual.spread < of_both.spread / 2


def test_views_are_the_same_after_saving(expert: ProductExpert, tmp_path: Path) -> None:
    save_expert(expert, tmp_path, "these images")
    again = load_expert(tmp_path, expert.eyes, "these images")
    assert torch.equal(again.likeness.views, expert.likeness.views)
    for picture in (back(901), plate(902)):
        one, other = (each.assess(load_image(picture)) for each in (expert, again))
        assert one.score == pytest.approx(other.score, abs=1e-4) and one.likeness == other.likeness


def test_an_image_that_is_left_out_leaves_the_others_their_views(expert: ProductExpert) -> None:
    without = expert.likeness.without(0)
    assert torch.equal(without.views, expert.likeness.views[1:])
