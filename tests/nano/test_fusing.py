"""Weights are found again where they are known, and fitted through the product's own inspection."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression

from reason_iad import Inspector, InspectorConfig
from reason_iad.cli import main
from reason_iad.errors import ConfigError, ModelError
from reason_iad.expert import AnomalyMap
from reason_iad.expert.suspicion import standing_out
from reason_iad.inspection.fusion import (
    FILE,
    DetectionWeights,
    Floors,
    LateFusion,
    PlaceWeights,
    SizeWeights,
    TypeWeights,
    load_fusion,
    log_odds,
)
from reason_iad.schema import PLACES
from reason_iad_nano.evaluate import evaluate, fused
from reason_iad_nano.fusing import (
    PENALTY,
    fit_detection,
    fit_floors,
    fit_places,
    fit_sizes,
    fit_types,
)
from reason_iad_nano.package import package_model
from reason_iad_nano.pairs import draw
from reason_iad_nano.weighables import DRAWN_SIZES, Places, Sizes, Types, Weighable, weighables

TRUE = (-1.5, 0.8, 0.5, 1.2)


def drawn_from_known_weights(count: int, seed: int = 0) -> list[Weighable]:
    rng, pairs = np.random.default_rng(seed), []
    for _ in range(count):
        distances = torch.from_numpy(rng.uniform(0.05, 0.15, (6, 6))).float()
        distances[tuple(rng.integers(0, 6, 2))] += float(rng.exponential(0.5))
        model, closer = rng.uniform(0.02, 0.98, 2).tolist()
        found = AnomalyMap(distances.clamp(max=1), distances, 0.1, gate_passed=False, area=0.0, calibrated_on=1)
        odds = TRUE[0] + TRUE[1] * log_odds(model) + TRUE[2] * log_odds(closer) + TRUE[3] * standing_out(found)
        defective = bool(rng.random() < 1 / (1 + math.exp(-odds)))
        places = tuple(rng.dirichlet(np.ones(9)).tolist())
        truth = int(torch.argmax(distances))
        place = 3 * (truth // 6 // 2) + truth % 6 // 2
        pairs.append(Weighable(found, defective, model, closer, (Places(places, tuple(range(9)), place),)))
    return pairs


def test_the_weights_that_made_the_data_are_found() -> None:
    weights = fit_detection(drawn_from_known_weights(6000))
    assert (weights.bias, weights.model, weights.closer, weights.map) == pytest.approx(TRUE, abs=0.15)


def test_they_are_those_of_a_plain_logistic_regression() -> None:
    pairs = drawn_from_known_weights(300)
    rows = [(log_odds(pair.model), log_odds(pair.closer), standing_out(pair.found)) for pair in pairs]
    plain = LogisticRegression(C=1 / (PENALTY * len(pairs)), tol=1e-9, max_iter=1000)
    plain.fit(rows, [pair.defective for pair in pairs])
    weights = fit_detection(pairs)
    assert (weights.model, weights.closer, weights.map) == pytest.approx(tuple(plain.coef_[0]), abs=2e-3)
    assert weights.bias == pytest.approx(plain.intercept_[0], abs=2e-3)


def test_a_side_that_misleads_is_not_turned_round() -> None:
    pairs = [
        replace(pair, model=1 - pair.model, closer=0.5, defective=pair.model > 0.5)
        for pair in drawn_from_known_weights(200)
    ]
    assert fit_detection(pairs).model == 0.0


def test_the_side_that_knows_the_place_gets_the_weight() -> None:
    pairs = drawn_from_known_weights(300)
    weights = fit_places(pairs)
    assert weights.map > 1 > weights.model
    oracle = [
        replace(pair, places=(replace(one, model=tuple(0.9 if i == one.right else 0.0125 for i in range(9))),))
        for pair in pairs
        for one in pair.places
    ]
    assert fit_places(oracle).model > weights.model


def test_the_look_that_knows_the_type_gets_the_weight() -> None:
    rng = np.random.default_rng(0)

    def pair(sure: float) -> Weighable:
        right = int(rng.integers(4))
        near = tuple(sure if option == right else (1 - sure) / 3 for option in range(4))
        one = drawn_from_known_weights(1)[0]
        return replace(one, types=Types(tuple(rng.dirichlet(np.ones(4)).tolist()), near, right))

    weights = fit_types([pair(0.6) for _ in range(200)])
    assert weights.closer > 1 > weights.model
    assert weights.described == 0.0, "never seen, so not weighed"


def test_what_changed_gets_the_weight_where_it_tells_the_type() -> None:
    rng = np.random.default_rng(0)

    def pair(told: bool) -> Weighable:
        right = int(rng.integers(4))
        guesses = [tuple(rng.dirichlet(np.ones(4)).tolist()) for _ in range(2)]
        read = tuple(0.7 if option == right else 0.1 for option in range(4)) if told else None
        types = Types(guesses[0], guesses[1], right, read)
        return replace(drawn_from_known_weights(1)[0], types=types)

    weights = fit_types([pair(number % 2 == 0) for number in range(200)])
    assert weights.described > 1 > max(weights.model, weights.closer)


def test_the_map_gets_the_weight_where_it_knows_the_size() -> None:
    rng, ranges = np.random.default_rng(0), ((0.0, 0.002), (0.002, 0.01), (0.01, 0.05), (0.05, 1.0))

    def pair() -> Weighable:
        right = int(rng.integers(4))
        pixels = np.zeros((100, 100), np.float32)
        pixels.reshape(-1)[3000 : 3000 + (10, 50, 200, 900)[right]] = 70.0
        one = drawn_from_known_weights(1)[0]
        sizes = Sizes(tuple(rng.dirichlet(np.ones(4)).tolist()), ranges, right)
        return replace(one, found=replace(one.found, pixels=pixels), sizes=sizes)

    weights = fit_sizes([pair() for _ in range(200)])
    assert weights.map > 1 > weights.model


def test_the_true_name_is_above_the_floor_in_all_but_a_thirtieth_of_new_defects() -> None:
    believes = DetectionWeights(bias=5.0, model=1.0, closer=1.0, map=1.0)
    fusion = LateFusion(
        one_reference=believes, more_references=believes, place=PlaceWeights(model=1.0, map=0.0),
        type=TypeWeights(model=1.0, closer=0.0), size=SizeWeights(model=1.0, map=1.0), floors=Floors(),
        fitted_on="nothing",
    )  # fmt: skip
    rng = np.random.default_rng(3)

    def pair() -> Weighable:
        one = drawn_from_known_weights(1, int(rng.integers(1 << 30)))[0]
        likely = rng.dirichlet(np.ones(5) / 2)
        types = Types(tuple(likely.tolist()), tuple(likely.tolist()), int(rng.choice(5, p=likely)))
        places = replace(one.places[0], right=int(rng.choice(9, p=one.places[0].model)))
        return replace(one, defective=True, model=0.9, closer=0.9, places=(places,), named=types)

    pairs = [pair() for _ in range(1500)]
    floors = fit_floors([(fusion, pairs[:250]), (fusion, pairs[250:500])])
    assert floors.size is None and floors.type is not None and floors.place is not None, "no size could be told"
    types = [one.named.model[one.named.right] >= floors.type for one in pairs[500:] if one.named]
    places = [one.places[0].model[one.places[0].right] >= floors.place for one in pairs[500:]]
    for kept in (types, places):
        assert 0.93 < np.mean(kept) < 0.99


def test_missed_defects_say_nothing_about_explanations() -> None:
    blind = DetectionWeights(bias=-50.0, model=1.0, closer=1.0, map=1.0)
    fusion = LateFusion(
        one_reference=blind, more_references=blind, place=PlaceWeights(model=1.0, map=0.0),
        type=TypeWeights(model=1.0, closer=0.0), size=SizeWeights(model=1.0, map=1.0), floors=Floors(),
        fitted_on="nothing",
    )  # fmt: skip
    assert fit_floors([(fusion, drawn_from_known_weights(400))]) == Floors()


@pytest.mark.parametrize("count", [0, 5])
def test_too_few_pairs_are_refused(count: int) -> None:
    with pytest.raises(ConfigError, match="too few"):
        fit_detection(drawn_from_known_weights(40)[:count])
    with pytest.raises(ConfigError, match="too few"):
        fit_places(drawn_from_known_weights(40)[:count])
    with pytest.raises(ConfigError, match="too few"):
        fit_types(drawn_from_known_weights(40)[:count])
    with pytest.raises(ConfigError, match="too few"):
        fit_sizes(drawn_from_known_weights(40)[:count])


def test_one_kind_only_is_refused() -> None:
    good = [pair for pair in drawn_from_known_weights(100) if not pair.defective]
    with pytest.raises(ConfigError, match="too few"):
        fit_detection(good)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, model, tokenizer_folder):
    return package_model(model, tokenizer_folder, tmp_path_factory.mktemp("nano") / "model", 84, "card\n")


@pytest.mark.slow
def test_fuse_writes_weights_that_inspections_then_use(folder, tmp_path, make_image):
    part, good = make_image("part.png", 90), make_image("good.png", 120)
    alone = Inspector.from_pretrained(str(folder), config=InspectorConfig(method="direct"))
    before = alone.inspect(part, references=[good])
    assert before.evidence.fusion is None
    (folder / FILE).write_text("broken")  # what the error tells to do must mend it
    with pytest.raises(ModelError, match="nano fuse"):
        Inspector.from_pretrained(str(folder))
    done = CliRunner().invoke(main, ["nano", "fuse", "--model", str(folder), "--n", "18"])
    assert done.exit_code == 0, done.output
    fusion = load_fusion(folder)
    assert fusion is not None and "18 drawn pairs" in fusion.fitted_on
    after = Inspector.from_pretrained(str(folder), config=InspectorConfig(method="direct")).inspect(
        part, references=[good]
    )
    hashes = [(each.sha256, each.fusion_sha256) for each in (before.versions.model, after.versions.model)]
    assert hashes[0][0] == hashes[1][0] and hashes[0][1] is None and hashes[1][1], "weights have their own hash"
    weighed = after.evidence.fusion
    assert weighed is not None and weighed.usual == "median"
    assert weighed.model_probability == pytest.approx(before.probability)
    odds = fusion.one_reference.bias + fusion.one_reference.model * log_odds(before.probability)
    assert weighed.closer_probability is not None
    odds += fusion.one_reference.closer * log_odds(weighed.closer_probability)
    odds += fusion.one_reference.map * weighed.standing_out
    assert after.probability == pytest.approx(1 / (1 + math.exp(-odds)))
    off = InspectorConfig(method="direct", fuse=False)
    switched = Inspector.from_pretrained(str(folder), config=off).inspect(part, references=[good])
    assert switched.probability == before.probability and switched.evidence.fusion is None
    without = Inspector.from_pretrained(str(folder), config=InspectorConfig(method="direct")).inspect(part)
    assert without.evidence.fusion is None, "there is no map to weigh without a reference"
    (table,) = evaluate(str(folder), ("fused",), 4)
    assert {name for name, _, _ in table.rows} >= {
        "detection, new seeds, model alone: defective parts", "detection, new seeds, weighed: good parts",
    }  # fmt: skip
    assert any("every stated fact true" in name for name, _, _ in table.rows)
    assert any(note.startswith("Explanations, new seeds, of defects") for note in table.notes)
    (folder / FILE).unlink()


def test_a_model_without_weights_says_so(folder):
    from reason_iad.backbones.loading import load_backbone

    table = fused(load_backbone(str(folder)), 4)
    assert not table.rows and "nano fuse" in table.notes[0]


def test_fuse_refuses_what_is_no_directory():
    done = CliRunner().invoke(main, ["nano", "fuse", "--model", "owner/name"])
    assert done.exit_code == 2 and "no model directory 'owner/name'" in done.output


def test_pairs_are_those_of_their_seeds(folder):
    from reason_iad.backbones.loading import load_backbone

    pairs = list(weighables(load_backbone(str(folder)), "validate", 6, 4))
    samples = [draw(number, "validate", DRAWN_SIZES[number % len(DRAWN_SIZES)], 4) for number in range(6)]
    assert [pair.defective for pair in pairs] == [bool(sample.defects) for sample in samples]
    assert [PLACES[pair.places[0].right] if pair.places else None for pair in pairs] == [
        max(sample.defects, key=lambda defect: defect.mask_area).place if sample.defects else None
        for sample in samples
    ]
    assert all(bool(pair.places) == pair.defective for pair in pairs)
    nine, four = next(pair.places for pair in pairs if pair.places)
    assert all((pair.sizes is not None) == pair.defective for pair in pairs)
    assert all((pair.named is not None) == pair.defective for pair in pairs), "every drawn part knows two types"
    assert len(nine.model) == 9 and len(four.model) == 4 and four.options[four.right] == nine.right
    assert all(pair.found.calibrated_on > 1 and (pair.found.normal_pixels or 0) > 0 for pair in pairs)
