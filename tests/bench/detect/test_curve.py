"""The fast metrics against the slow exact ones and against scikit-learn, on random and on degenerate pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from reason_iad.bench.detect.curve import Areas, areas, reasons
from reason_iad.bench.detect.exact import exact_areas
from reason_iad.bench.detect.regions import Region, components, weights
from reason_iad.bench.detect.tally import Tally

Picture = tuple[NDArray[np.float32], NDArray[np.bool_]]

_CLOSE = 1e-6
_FEW_TIES = st.floats(-1, 1, width=32)
_MANY_TIES = st.sampled_from([0.0, 0.25, 0.5, 1.0])


def _picture(draw: st.DrawFn) -> Picture:
    shape = draw(hnp.array_shapes(min_dims=2, max_dims=2, max_side=7))
    values = draw(st.sampled_from([_FEW_TIES, _MANY_TIES]))
    return draw(hnp.arrays(np.float32, shape, elements=values)), draw(hnp.arrays(np.bool_, shape))


pictures = st.lists(st.composite(_picture)(), min_size=1, max_size=4)


def fast(images: Sequence[Picture], regions: Sequence[Sequence[Region]], limit: int = 2**22) -> Areas:
    with Tally(limit) as tally:
        for (scores, mask), found in zip(images, regions, strict=True):
            tally.add(scores, mask, weights(scores, found))
        return areas(tally)


def slow(images: Sequence[Picture], regions: Sequence[Sequence[Region]]) -> Areas:
    return exact_areas([scores for scores, _ in images], [mask for _, mask in images], regions)


def by_components(images: Sequence[Picture]) -> list[list[Region]]:
    return [components(mask) for _, mask in images]


def assert_same(one: Areas, other: Areas) -> None:
    for name in ("auroc", "ap", "f1_max", "f1_threshold"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=_CLOSE), name
    for limit, value in one.aupro.items():
        assert value == pytest.approx(other.aupro[limit], abs=_CLOSE), limit


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(images=pictures, limit=st.sampled_from([1, 3, 10, 2**22]))
def test_fast_is_exact_whatever_fits_into_memory(images: list[Picture], limit: int) -> None:
    regions = by_components(images)
    one, other = fast(images, regions, limit), slow(images, regions)
    # two thresholds may share the best F1 but for rounding
    for name in ("auroc", "ap", "f1_max"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=_CLOSE), name
    for cut, value in one.aupro.items():
        assert value == pytest.approx(other.aupro[cut], abs=_CLOSE), cut


@settings(max_examples=60, deadline=None)
@given(images=pictures, saturation=st.integers(1, 6))
def test_saturated_overlapping_regions_are_exact(images: list[Picture], saturation: int) -> None:
    regions = []
    for _, mask in images:
        inside = np.flatnonzero(mask)
        halves = [part for part in (inside, inside[::2]) if len(part)]  # the second lies over the first
        regions.append([Region(part, min(saturation, len(part))) for part in halves])
    one, other = fast(images, regions), slow(images, regions)
    for cut, value in one.aupro.items():
        assert value == pytest.approx(other.aupro[cut], abs=_CLOSE), cut


@settings(max_examples=60, deadline=None)
@given(images=pictures)
def test_agrees_with_scikit_learn(images: list[Picture]) -> None:
    sklearn = pytest.importorskip("sklearn.metrics")
    scores = np.concatenate([one.ravel() for one, _ in images])
    truth = np.concatenate([mask.ravel() for _, mask in images])
    found = fast(images, by_components(images))
    if truth.any():
        assert found.ap == pytest.approx(sklearn.average_precision_score(truth, scores), abs=_CLOSE)
        precision, recall, _ = sklearn.precision_recall_curve(truth, scores)
        best = np.max(2 * precision * recall / np.maximum(precision + recall, 1e-30))
        assert found.f1_max == pytest.approx(best, abs=_CLOSE)
    if truth.any() and not truth.all():
        assert found.auroc == pytest.approx(sklearn.roc_auc_score(truth, scores), abs=_CLOSE)


def _image(scores: Any, mask: Any) -> Picture:
    return np.asarray(scores, dtype=np.float32), np.asarray(mask, dtype=bool)


def _both(*images: Picture) -> Areas:
    regions = by_components(images)
    one = fast(images, regions)
    assert_same(one, slow(images, regions))
    return one


def test_a_perfect_map_scores_one_everywhere() -> None:
    found = _both(_image([[0, 1], [0, 2]], [[0, 1], [0, 1]]))
    assert (found.auroc, found.ap, found.f1_max, found.f1_threshold) == (1, 1, 1, 1)
    assert found.aupro == {0.3: 1, 0.05: 1}


def test_constant_scores_are_a_coin_toss() -> None:
    found = _both(_image(np.zeros((2, 5)), [[1, 0, 0, 0, 0], [0, 0, 0, 0, 1]]))
    assert found.auroc == 0.5
    assert found.ap == pytest.approx(0.2)
    assert found.aupro == {0.3: pytest.approx(0.15), 0.05: pytest.approx(0.025)}  # the diagonal


def test_all_normal_leaves_nothing_to_find() -> None:
    found = _both(_image([[1, 2]], [[0, 0]]))
    assert found == Areas(None, None, None, None, {0.3: None, 0.05: None})


def test_all_abnormal_has_no_false_alarms_to_count() -> None:
    found = _both(_image([[1, 2]], [[1, 1]]))
    assert found == Areas(None, 1.0, 1.0, 1.0, {0.3: None, 0.05: None})


def test_no_image_at_all_defines_nothing() -> None:
    found = fast([], [])
    assert found == slow([], []) == Areas(None, None, None, None, {0.3: None, 0.05: None})


def test_one_pixel_counts_like_a_large_region() -> None:
    scores = np.zeros((10, 10))
    mask = np.zeros((10, 10), bool)
    mask[0, 0], mask[4:8, 4:8] = True, True  # a pixel in the corner and a block of 16
    scores[4:8, 4:8] = 1
    found = _both(_image(scores, mask))
    assert found.ap is not None and found.ap > 0.9
    assert found.aupro[0.3] == pytest.approx(0.5 + 0.5 * 0.15)  # half of the regions, then the diagonal


def test_regions_touch_by_corners_and_end_at_borders() -> None:
    mask = np.array([[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1]], bool)
    assert sorted(len(region.pixels) for region in components(mask)) == [1, 2, 2, 2]
    assert components(np.zeros((3, 3), bool)) == []


def test_weights_of_a_region_add_up_to_one() -> None:
    mask = np.zeros((4, 4), bool)
    mask[:2] = True
    scores = np.arange(16, dtype=np.float32).reshape(4, 4)
    assert weights(scores, components(mask)).sum() == pytest.approx(1)
    saturated = weights(scores, [Region(np.flatnonzero(mask), 2)])
    assert saturated[1].tolist() == [0, 0, 0.5, 0.5] and saturated[0].sum() == 0  # the two highest scored


def test_what_is_undefined_says_why() -> None:
    def why(scores: list[float], mask: list[int], regions: bool = True) -> dict[str, str]:
        image, abnormal = _image([scores], [mask])
        with Tally() as tally:
            tally.add(image, abnormal, weights(image, components(abnormal)) if regions else None)
            found = areas(tally)
            missing = {name for name in ("auroc", "ap", "f1_max") if getattr(found, name) is None}
            missing |= {"aupro"} if None in found.aupro.values() else set()
            said = reasons(tally)
            assert missing == said.keys() - {"f1_threshold"}
            return said

    assert why([1, 2], [0, 1]) == {}
    assert why([1, 2], [0, 0])["auroc"] == "nothing is abnormal"
    assert why([1, 2], [1, 1]) == {"auroc": "nothing is normal", "aupro": "nothing is normal"}
    assert why([1, 2], [0, 1], regions=False) == {"aupro": "there is no defect region"}
