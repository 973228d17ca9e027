"""What an expert learns from good images, and what it says of others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.parts import good, plate, scratched

from reason_iad.errors import ConfigError, MemoryBankError
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.area import Area
from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.level import Level
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.normality.space import Space
from reason_iad.expert.normality.storing import load_expert, save_expert
from reason_iad.images import LoadedImage, load_image

SIZES = (64, 128)


@pytest.fixture(scope="module")
def eyes() -> Eyes:
    return Eyes.of(make_encoder("efficientnet_lite0", None), SIZES)


@pytest.fixture(scope="module")
def expert(eyes: Eyes) -> ProductExpert:
    return learn(good(8), eyes)


def test_a_good_part_is_usual_and_a_defect_stands_out_where_it_is(expert: ProductExpert) -> None:
    fine = expert.assess(load_image(plate(100)))
    bad = expert.assess(load_image(scratched(101)))
    assert fine.likeness.reason is None and bad.likeness.reason is None
    assert fine.score < max(expert.left_out) + 2
    assert bad.score > max(expert.left_out) + 2
    row, column = divmod(int(bad.excess.argmax()), bad.excess.shape[1])
    x, y = (column + 0.5) / bad.excess.shape[1] * 128, (row + 0.5) / bad.excess.shape[0] * 96
    assert 80 < x < 120 and 50 < y < 86


def test_scores_of_left_out_good_images_are_centred_and_comparable_with_new_ones(expert: ProductExpert) -> None:
    assert len(expert.left_out) == 8
    assert abs(float(np.median(expert.left_out))) < 1e-6
    new = [expert.assess(load_image(plate(seed))).score for seed in range(200, 206)]
    assert min(expert.left_out) - 3 < float(np.median(new)) < max(expert.left_out) + 1


@pytest.mark.parametrize(
    ("name", "picture"),
    [
        ("white", np.full((96, 128, 3), 255, np.uint8)),
        ("black", np.zeros((96, 128, 3), np.uint8)),
        ("noise", np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)),
        ("dark", plate(300, light=0.25)),
        ("covered", np.where(np.arange(128)[None, :, None] < 64, plate(300), 20).astype(np.uint8)),
    ],
)
def test_what_does_not_show_the_part_cannot_be_judged(
    expert: ProductExpert, name: str, picture: np.ndarray
) -> None:
    assert expert.assess(load_image(picture)).likeness.reason is not None, name


def test_a_part_that_always_lies_one_way_is_told_when_it_is_mirrored(expert: ProductExpert) -> None:
    flipped = load_image(np.ascontiguousarray(plate(300)[::-1, ::-1]))
    assert len(expert.likeness.turned)
    assert expert.assess(flipped).likeness.reason == "turned"


def test_an_ignored_area_neither_counts_nor_is_marked(eyes: Eyes) -> None:
    counts = np.ones((96, 128), bool)
    counts[48:, 70:] = False
    expert = learn(good(8), eyes, area=Area(counts))
    seen = expert.assess(load_image(scratched(101)))
    assert seen.score < max(expert.left_out) + 2.5
    rows, columns = seen.excess.shape
    assert float(seen.excess[rows * 5 // 8 :, columns * 3 // 4 :].abs().max()) == 0


def test_a_copy_counts_once_and_the_order_of_images_does_not_matter(eyes: Eyes, expert: ProductExpert) -> None:
    images = good(8)
    again = learn([*reversed(images), images[0]], eyes)
    picture = load_image(scratched(101))
    assert again.assess(picture).score == pytest.approx(expert.assess(picture).score, abs=1e-3)


def test_one_good_image_is_enough_and_it_is_said_that_copies_stood_in(eyes: Eyes) -> None:
    expert = learn(good(1), eyes)
    assert expert.stood_in
    assert expert.assess(load_image(scratched(101))).score > expert.assess(load_image(plate(0))).score
    assert expert.assess(load_image(np.full((96, 128, 3), 255, np.uint8))).likeness.reason is not None


def test_without_a_good_image_nothing_is_learnt(eyes: Eyes) -> None:
    with pytest.raises(ConfigError, match="at least one"):
        learn([], eyes)


def test_each_left_out_image_is_scored_by_an_expert_that_never_saw_it(eyes: Eyes, expert: ProductExpert) -> None:
    """Against the plain way: learn again without the image."""
    images = good(8)
    level = expert.levels[1]
    without = level.without({images[3].sha256})
    plain = learn([image for number, image in enumerate(images) if number != 3], eyes).levels[1]
    look = next(eyes.look([images[3].pixels]))
    for way, found in without.distances(look.patches[1]).items():
        torch.testing.assert_close(found, plain.distances(look.patches[1])[way], atol=1e-3, rtol=1e-3)


def test_distances_are_those_of_the_plain_formulas(expert: ProductExpert, eyes: Eyes) -> None:
    level = expert.levels[0]
    assert level.bank.entries is not None
    entries = level.bank.entries.features
    queries = next(eyes.look([load_image(scratched(101)).pixels])).patches[0].features
    found = level.distances(next(eyes.look([load_image(scratched(101)).pixels])).patches[0])
    mean, deviation = entries.mean(0), entries.std(0, correction=0)
    deviation = torch.where(deviation <= 1e-6 * deviation.max(), torch.ones_like(deviation), deviation)
    a, b = (queries - mean) / deviation, (entries - mean) / deviation
    cosines = torch.nn.functional.cosine_similarity(a[:, None], b[None], dim=2)
    torch.testing.assert_close(found["direction"], 1 - cosines.amax(1), atol=1e-4, rtol=1e-3)
    variances, axes = torch.linalg.eigh((b.T @ b / len(b)).double())
    share = variances.flip(0).clamp_min(0).cumsum(0) / variances.clamp_min(0).sum()
    inside = int((share < 0.99).sum()) + 1
    outside = axes.flip(1)[:, inside:].float()
    torch.testing.assert_close(found["residual"], (a @ outside).norm(dim=1), atol=2e-2, rtol=2e-2)


def test_a_subspace_of_identical_patches_does_no_harm() -> None:
    space = Space.of(torch.ones(10, 4))
    assert bool(space.residual(torch.ones(3, 4)).isfinite().all())


def test_an_expert_is_the_same_after_saving_and_loading(expert: ProductExpert, eyes: Eyes, tmp_path: Path) -> None:
    save_expert(expert, tmp_path / "expert", "these images")
    again = load_expert(tmp_path / "expert", eyes, "these images")
    for picture in (plate(100), scratched(101), np.zeros((96, 128, 3), np.uint8)):
        one, other = (each.assess(load_image(picture)) for each in (expert, again))
        assert one.score == pytest.approx(other.score, abs=1e-5)
        assert one.likeness == other.likeness
        torch.testing.assert_close(one.values, other.values)
    assert again.left_out == expert.left_out


@pytest.mark.parametrize("harm", ["other images", "no manifest", "broken manifest", "broken wholes", "other eyes"])
def test_what_was_learnt_is_not_used_where_it_does_not_fit(
    expert: ProductExpert, eyes: Eyes, tmp_path: Path, harm: str
) -> None:
    save_expert(expert, tmp_path, "these images")
    wanted, with_eyes = "these images", eyes
    if harm == "other images":
        wanted = "others"
    elif harm == "no manifest":
        (tmp_path / "expert.json").unlink()
    elif harm == "broken manifest":
        (tmp_path / "expert.json").write_text(
            (tmp_path / "expert.json").read_text().replace('"format": 4', '"format": 9')
        )
    elif harm == "broken wholes":
        file = next((tmp_path / "wholes").iterdir())
        file.write_bytes(file.read_bytes()[:-4] + b"abcd")
    else:
        with_eyes = replace(eyes, sizes=(64, 96))
    with pytest.raises(MemoryBankError):
        load_expert(tmp_path, with_eyes, wanted)


def test_a_memory_beyond_its_budget_is_thinned_and_still_left_out_rightly(
    eyes: Eyes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reason_iad.expert.normality.level.BUDGET", 100)
    expert = learn(good(6), eyes)
    assert any(level.bank.thinned for level in expert.levels)
    assert expert.assess(load_image(scratched(101))).score > max(expert.left_out)


def test_threads_that_share_an_expert_get_the_same_results(expert: ProductExpert) -> None:
    from concurrent.futures import ThreadPoolExecutor

    pictures: list[LoadedImage] = [load_image(scratched(400 + seed)) for seed in range(6)]
    alone = [expert.assess(picture).score for picture in pictures]
    with ThreadPoolExecutor(3) as pool:
        shared = list(pool.map(lambda picture: expert.assess(picture).score, pictures))
    assert shared == alone


def test_an_area_in_which_no_patch_would_count_is_the_whole_picture() -> None:
    assert bool(Area(np.zeros((4, 4), bool)).cells(3, 3).all())


def test_levels_of_an_encoder_of_one_size_are_one(eyes: Eyes) -> None:
    class Fixed:
        name, sha256 = "fixed", "0" * 64

        def encode(self, images: list[object]) -> list[tuple[object, ...]]:
            return eyes.encoders[0].encode(images)  # type: ignore[arg-type]

    one = Eyes.of(Fixed())  # type: ignore[arg-type]
    assert one.sizes == (None,)
    expert = learn(good(4), one)
    assert isinstance(expert.levels[0], Level)
    assert all(name.startswith(("full", "whole")) for name in expert.standings)
