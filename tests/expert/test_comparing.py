"""Any detector can make a verdict: its map is held against what it says of good parts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.outside import install

from reason_iad import Inspector, InspectorConfig
from reason_iad.backbones.fake import FakeBackbone
from reason_iad.errors import ConfigError
from reason_iad.expert.cache import ReferenceCache
from reason_iad.expert.detectors.base import Detection
from reason_iad.expert.detectors.comparing import compare_by
from reason_iad.expert.encoders.tower import TowerEncoder
from reason_iad.expert.suspicion import spot, standing_out, what_is_usual
from reason_iad.images import LoadedImage, load_image
from reason_iad.inspection.conditions import Conditions


@dataclass(frozen=True)
class Darkness:
    """Says how much darker than the darkest normal image each cell is."""

    name: str = "darkness"
    statistic: str = "score: largest; map: grey levels below the darkest normal image"
    offset: float = 0.0

    def fit(self, normals: list[LoadedImage]) -> FittedDarkness:
        return FittedDarkness(np.min([grey(normal) for normal in normals], axis=0), self.offset)


@dataclass(frozen=True)
class FittedDarkness:
    darkest: np.ndarray
    offset: float

    def score(self, image: LoadedImage) -> Detection:
        values = np.maximum(self.darkest - grey(image), 0) / 255 + self.offset
        return Detection(float(values.max()), values.astype(np.float32))


def grey(image: LoadedImage) -> np.ndarray:
    return np.asarray(image.pixels.convert("L").resize((16, 16), Image.Resampling.BOX), np.float32)


def plate(seed: int, hole: bool = False) -> LoadedImage:
    grain = np.random.default_rng(seed).normal(150, 8, (96, 96, 3)).clip(0, 255).astype(np.uint8)
    picture = Image.fromarray(grain)
    if hole:
        ImageDraw.Draw(picture).ellipse((66, 18, 84, 36), fill=(10, 10, 10))
    return load_image(picture)


@pytest.mark.parametrize("count", [1, 4])
def test_what_stands_out_is_what_the_detector_sees(count: int) -> None:
    good, cache = [plate(seed) for seed in range(count)], ReferenceCache()
    broken = compare_by(Darkness(), plate(9, hole=True), good, cache)
    fine = compare_by(Darkness(), plate(9), good, cache)
    assert standing_out(broken) > standing_out(fine) and broken.calibrated_on == count
    x, y = spot(broken)
    assert 0.65 < x < 0.9 and 0.15 < y < 0.4, "the hole"
    if count > 1:
        assert what_is_usual(broken) == "references" and broken.values.max() == 1
        assert broken.gate_passed and not fine.gate_passed


def test_what_is_usual_is_found_once_for_a_set_of_good_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    fitted: list[int] = []
    plain = Darkness.fit
    monkeypatch.setattr(Darkness, "fit", lambda self, normals: fitted.append(len(normals)) or plain(self, normals))
    good, cache = [plate(seed) for seed in range(3)], ReferenceCache()
    for seed in (7, 8):
        compare_by(Darkness(), plate(seed), good, cache)
    assert fitted == [2, 2, 2, 3], "each left out once, and all once"


def test_a_map_below_zero_is_refused() -> None:
    with pytest.raises(ConfigError, match="'darkness' gives values below 0"):
        compare_by(Darkness(offset=-1.0), plate(1), [plate(0)], ReferenceCache())


def test_an_inspection_uses_the_detector_that_its_configuration_names() -> None:
    pictures = plate(9, hole=True).pixels, [plate(seed).pixels for seed in range(3)]
    built_in, by_name = (
        Inspector(FakeBackbone(), config=InspectorConfig(method="direct", detector=name, check_picture=False))
        .inspect(pictures[0], references=pictures[1])
        .evidence.anomaly_map
        for name in (None, "distance")
    )
    assert built_in is not None and by_name is not None and by_name.calibrated_on == 3
    with pytest.raises(ConfigError, match="no detector 'nonesuch'"):
        Inspector(FakeBackbone(), config=InspectorConfig(detector="nonesuch"))


def test_older_results_can_be_continued_without_a_detector() -> None:
    plain = InspectorConfig()
    assert InspectorConfig(detector="distance").sha256() != plain.sha256()


def test_the_built_in_comparison_has_a_name_too() -> None:
    pictures = plate(9, hole=True).pixels, [plate(seed).pixels for seed in range(3)]
    plain, named = (
        Inspector(FakeBackbone(), config=InspectorConfig(method="direct", detector=name, check_picture=False))
        .inspect(pictures[0], references=pictures[1])
        .evidence.anomaly_map
        for name in (None, "suspicion")
    )
    assert named == plain


def test_a_result_names_the_encoder_that_compared() -> None:
    class Other(TowerEncoder):
        def __init__(self, model: FakeBackbone) -> None:
            super().__init__(model)
            self.sha256 = "other features"

    tower = Inspector(FakeBackbone()).inspect(plate(1).pixels, references=[plate(2).pixels])
    setup = Inspector(FakeBackbone())._setup
    assert setup.comparison is not None
    other = replace(setup, comparison=replace(setup.comparison, encoder=Other(FakeBackbone())))
    assert other.version.encoder_sha256 == "other features" != tower.versions.model.encoder_sha256
    versions = tower.versions.model_copy(update={"model": other.version})
    again = tower.model_copy(update={"versions": versions})
    assert Conditions.of(tower).differences(Conditions.of(again)) == ["another encoder"]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.full((4, 4), np.nan), "a map in which some values are no finite numbers"),
        (np.zeros((4, 4, 1)), r"a map of shape \(4, 4, 1\) and type float64 instead of rows and columns"),
        (np.zeros((0, 4)), r"a map of shape \(0, 4\)"),
        (np.full((2, 2), "dark"), r"a map of shape \(2, 2\) and type <U4"),
        (None, r"a map of shape \(\)"),
    ],
)
def test_a_map_that_is_none_is_refused(values: Any, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FittedDarkness, "score", lambda self, image: Detection(1.0, values))
    with pytest.raises(ConfigError, match=f"The detector 'darkness' gives {said}.*choose another"):
        compare_by(Darkness(), plate(1), [plate(0)], ReferenceCache())


FAILING = """
class Detector:
    name = statistic = "acme"
    def fit(self, normals):
        raise ZeroDivisionError("no parts")
def make(encoder):
    return Detector()
"""


def test_a_detector_of_another_package_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = {"reason_iad.detectors": "acme = acme_detector:make"}
    install(monkeypatch, tmp_path / "site", "acme-parts", {"acme_detector": FAILING}, lines)
    inspector = Inspector(FakeBackbone(), config=InspectorConfig(method="direct", detector="acme"))
    with pytest.raises(ConfigError, match=r"detector 'acme' of the package 'acme-parts' failed .*no parts"):
        inspector.inspect(plate(0), references=[plate(1)])
