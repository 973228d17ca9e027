"""Parts of a known kind: the comparison decides, the model explains."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.parts import plate, save, scratched

from reason_iad import Inspector
from reason_iad.backbones.fake import FakeBackbone
from reason_iad.config import InspectorConfig
from reason_iad.expert.conformal import limits
from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.part_kind import PartKind
from reason_iad.images import load_image
from reason_iad.inspection.by_product import PartInspector
from reason_iad.inspection.conditions import Conditions
from reason_iad.schema.verdict import SAME

CONFIG = InspectorConfig(method="direct")


@pytest.fixture(scope="module")
def kind(tmp_path_factory: pytest.TempPathFactory) -> PartKind:
    folder = tmp_path_factory.mktemp("good")
    for seed in range(8):
        save(plate(seed), folder / f"{seed}.png")
    files = sorted(folder.iterdir())
    images = [load_image(file) for file in files]
    expert = learn(images, Eyes.of(make_encoder("efficientnet_lite0", None), (64, 128)))
    by_hash = {image.sha256: file for image, file in zip(images, files, strict=True)}
    return PartKind("plate", "0" * 64, expert, limits(expert.left_out, 0.2), by_hash, mm_per_px=0.5)


class Model:
    """Opens an inspector, and counts how often it is asked to."""

    def __init__(self) -> None:
        self.opened = 0

    def __call__(self) -> Inspector:
        self.opened += 1
        return Inspector(FakeBackbone(), config=CONFIG)


def test_the_comparison_alone_passes_good_parts_and_finds_defects_with_their_place(kind: PartKind) -> None:
    inspector = PartInspector(kind)
    fine, bad = inspector.inspect(plate(100)), inspector.inspect(scratched(101))
    assert (fine.verdict, bad.verdict) == ("pass", "defect")
    assert fine.probability < 0.5 < bad.probability
    assert fine.region is None and not fine.findings
    assert bad.region is not None and bad.region.place in ("middle right", "bottom right")
    assert bad.findings[0].box == bad.region.box
    assert bad.findings[0].length_mm == pytest.approx(bad.findings[0].length_px * 0.5)
    assert "score" in bad.explanation and bad.method == "detect"
    assert bad.versions.model.name == "no language model"
    assert bad.evidence.product is not None and not bad.evidence.product.model_asked


@pytest.mark.parametrize("model", [True, False])
def test_a_picture_of_something_else_cannot_be_judged_and_no_model_is_asked(kind: PartKind, *, model: bool) -> None:
    opened = Model()
    inspector = PartInspector(kind, opened if model else None, always=True, config=CONFIG)
    result = inspector.inspect(np.zeros((96, 128, 3), np.uint8))
    assert result.verdict == "unjudged"
    assert result.unjudged is not None and result.unjudged.endswith(".")
    assert result.region is None and opened.opened == 0


def test_the_model_is_loaded_once_when_there_is_a_defect_and_never_for_a_pass(kind: PartKind) -> None:
    model = Model()
    inspector = PartInspector(kind, model, config=CONFIG)
    assert inspector.inspect(plate(100)).verdict == "pass"
    assert model.opened == 0
    bad = inspector.inspect(scratched(101))
    assert bad.verdict == "defect" and model.opened == 1
    assert bad.evidence.product is not None and bad.evidence.product.model_asked
    assert bad.evidence.answer("explanation") is not None
    assert bad.versions.model.name == "fake"
    inspector.inspect(scratched(102))
    assert model.opened == 1


def test_without_the_cascade_the_model_is_asked_about_every_part_that_can_be_judged(kind: PartKind) -> None:
    model = Model()
    result = PartInspector(kind, model, always=True, config=CONFIG).inspect(plate(100))
    assert result.verdict == "pass" and model.opened == 1
    assert result.evidence.product is not None and result.evidence.product.model_asked


def test_the_model_does_not_move_what_the_comparison_marked(kind: PartKind) -> None:
    alone = PartInspector(kind).inspect(scratched(101))
    told = PartInspector(kind, Model(), config=CONFIG).inspect(scratched(101))
    assert alone.region == told.region
    assert [each.box for each in alone.findings] == [each.box for each in told.findings]
    assert alone.probability == told.probability


def test_the_good_images_shown_to_the_model_are_those_most_like_the_part(kind: PartKind) -> None:
    result = PartInspector(kind, Model(), config=CONFIG).inspect(scratched(3))  # a scratch on the good image 3
    first = result.evidence.references[0]
    assert kind.good[first.sha256].name == "3.png"


def test_results_with_and_without_the_model_belong_into_one_log(kind: PartKind) -> None:
    inspector = PartInspector(kind, Model(), config=CONFIG)
    fine, bad = (Conditions.of(inspector.inspect(picture)) for picture in (plate(100), scratched(101)))
    assert not fine.differences(bad)


def test_results_of_another_product_do_not(kind: PartKind) -> None:
    other = PartKind("other", "1" * 64, kind.expert, kind.limits, kind.good)
    one, two = (Conditions.of(PartInspector(each).inspect(plate(100))) for each in (kind, other))
    assert one.differences(two)


def test_regions_below_the_smallest_size_do_not_count(kind: PartKind) -> None:
    large = PartKind("plate", kind.sha256, kind.expert, kind.limits, kind.good, least_px=1000)
    assert PartInspector(kind).inspect(scratched(101)).verdict == "defect"
    result = PartInspector(large).inspect(scratched(101))
    before, after = (each.evidence.product for each in (PartInspector(kind).inspect(scratched(101)), result))
    assert result.verdict in ("pass", "review")
    assert before is not None and after is not None and after.score < before.score


def test_threads_that_share_an_inspector_open_one_model_and_get_the_same(kind: PartKind) -> None:
    model = Model()
    inspector = PartInspector(kind, model, config=CONFIG)
    pictures = [scratched(101 + seed) for seed in range(4)]
    alone = [inspector.inspect(picture).model_dump(exclude={"timings_ms"}) for picture in pictures]
    fresh = PartInspector(kind, model, config=CONFIG)
    with ThreadPoolExecutor(4) as pool:
        shared = list(pool.map(lambda p: fresh.inspect(p).model_dump(exclude={"timings_ms"}), pictures))
    assert shared == alone and model.opened == 2


def test_too_few_good_images_hand_what_is_beyond_them_to_a_person(kind: PartKind) -> None:
    few = PartKind("plate", kind.sha256, kind.expert, limits(kind.expert.left_out, 0.01), kind.good)
    result = PartInspector(few).inspect(scratched(101))
    assert result.verdict == "review"
    assert result.evidence.product is not None and result.evidence.product.defect_from is None
    assert "99" in result.evidence.product.promise  # how many would be enough


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_a_good_image_of_the_product_is_compared_with_the_others(
    kind: PartKind, tmp_path: Path, suffix: str
) -> None:
    """Also if it comes as another file: compared with itself, every part would pass."""
    sha256, path = next(iter(kind.good.items()))
    part = tmp_path / f"part{suffix}"
    if suffix == ".png":
        part.write_bytes(path.read_bytes())
    else:
        Image.open(path).save(part)
    seen = PartInspector(kind).inspect(part).evidence.product
    assert seen is not None and seen.left_out == path.name and seen.good_images == len(kind.good) - 1
    assert "left out of the comparison" in (seen.same_in_words() or "")
    among = kind.assess(next(kind.expert.eyes.look([load_image(path).pixels]))).score
    assert among < min(kind.left_out) <= seen.score, "as if it had never been there"
    others = kind.without(sha256)
    assert others is not None and sha256 not in [each.sha256 for each in others.expert.levels[0].bank.members]
    other = PartInspector(kind).inspect(plate(100)).evidence.product
    assert other is not None and other.left_out is None and other.good_images == len(kind.good)


def test_the_only_good_image_of_a_product_is_not_compared_with_itself(tmp_path: Path) -> None:
    path = tmp_path / "only.png"
    save(plate(0), path)
    expert = learn([load_image(path)], Eyes.of(make_encoder("efficientnet_lite0", None), (64, 128)))
    only = PartKind("plate", "0", expert, limits(expert.left_out, 0.2), {load_image(path).sha256: path})
    model = Model()
    found = PartInspector(only, model, config=CONFIG).inspect(path)
    assert (found.verdict, found.caution) == ("review", SAME) and not model.opened
    assert found.nothing_is_known and found.explanation.startswith(SAME)
    assert PartInspector(only).inspect(plate(100)).caution is None
