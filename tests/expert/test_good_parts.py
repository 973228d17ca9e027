"""Many good parts are given: an inspection uses those that look most like the part, and says which."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from reason_iad import Inspector, InspectorConfig
from reason_iad.backbones import load_backbone
from reason_iad.errors import ImageError
from reason_iad.expert import good_parts
from reason_iad.expert import nearest as expert_nearest
from reason_iad.expert.cache import Recent
from reason_iad.expert.comparison import Comparison
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.good_parts import Chooser, GoodParts
from reason_iad.expert.nearest import GRID, layout, nearest
from reason_iad.images import load_image
from reason_iad.schema.verdict import SAME
from reason_iad_nano.world import make_sample

FAMILIES = ("gear", "wood", "assembly", "panel")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photographs each of good parts of four products, and one more of a gear."""
    place = tmp_path_factory.mktemp("good")
    for family in FAMILIES:
        drawn = make_sample(3, family=family, defect_probability=0.0, references=2, size=112)
        for number, pixels in enumerate((*drawn.references, drawn.query)):
            Image.fromarray(pixels).save(place / f"{family} {number}.png")
    return place


def given(folder: Path) -> list[Path]:
    return [folder / f"{family} {number}.png" for number in (0, 1) for family in FAMILIES]


def inspector(**config: object) -> Inspector:
    settings = replace(InspectorConfig(method="direct", map_references=2, align=False), **config)  # type: ignore[arg-type]
    return Inspector(load_backbone("nano"), config=settings)


@pytest.mark.parametrize("family", FAMILIES)
def test_of_many_those_that_look_most_like_the_part_are_used(folder: Path, family: str) -> None:
    evidence = inspector().inspect(folder / f"{family} 2.png", references=given(folder)).evidence
    assert [reference.name for reference in evidence.references] == [path.name for path in given(folder)]
    used = {reference.name for reference in evidence.references if reference.used}
    assert used and used <= {f"{family} 0.png", f"{family} 1.png"}, "one that lies quite otherwise may be left out"
    assert evidence.anomaly_map is not None and evidence.anomaly_map.calibrated_on == len(used)


def test_it_is_the_same_as_giving_those_alone(folder: Path) -> None:
    part = folder / "wood 2.png"
    chosen = inspector().inspect(part, references=given(folder))
    alone = [
        inspector().inspect(part, references=[folder / f"wood {a}.png", folder / f"wood {b}.png"])
        for a, b in ((0, 1), (1, 0))
    ]
    assert chosen.probability in [result.probability for result in alone]


def test_what_does_not_look_like_the_part_is_not_used_to_fill_up(folder: Path) -> None:
    many = inspector(map_references=5).inspect(folder / "panel 2.png", references=given(folder)).evidence
    assert {each.name for each in many.references if each.used} == {"panel 0.png", "panel 1.png"}


@pytest.mark.parametrize("most", [2, 8])
def test_the_part_itself_is_no_good_part(folder: Path, most: int) -> None:
    part = folder / "panel 2.png"
    look = inspector(map_references=most)
    without = look.inspect(part, references=[folder / "panel 0.png", folder / "panel 1.png"])
    with_it = look.inspect(part, references=[part, folder / "panel 0.png", folder / "panel 1.png"])
    if most == 8:
        assert with_it.probability == without.probability
    assert [each.used for each in with_it.evidence.references] == [False, True, True]
    assert [each.same for each in with_it.evidence.references] == ["file", None, None]
    assert "'panel 2.png' is the same picture" in (with_it.evidence.same_in_words() or "")
    alone = look.inspect(part, references=[part])
    assert [each.used for each in alone.evidence.references] == [False]
    assert (alone.verdict, alone.caution) == ("review", SAME) and SAME in alone.explanation
    assert alone.versions == without.versions and not alone.evidence.answers


@pytest.mark.parametrize("most", [2, 8])
def test_another_file_of_the_part_counts_only_where_there_is_no_other_part(folder: Path, most: int) -> None:
    part, copy = folder / "panel 2.png", folder.parent / "copy.bmp"
    Image.open(part).save(copy)
    look = inspector(map_references=most)
    found = look.inspect(part, references=[copy, folder / "panel 0.png", folder / "panel 1.png"])
    assert [each.same for each in found.evidence.references] == ["pixels", None, None]
    assert [each.used for each in found.evidence.references] == [False, True, True]
    alone = look.inspect(part, references=[part, copy])
    assert [each.used for each in alone.evidence.references] == [False, True]
    assert alone.verdict != "review" and alone.caution is None
    assert alone.evidence.same_in_words() == "'panel 2.png' has the same pixels as the part, in another file."


def test_an_answer_says_that_the_good_part_is_the_part(folder: Path) -> None:
    part = folder / "panel 2.png"
    reply = inspector().ask(part, "Is there any defect?", options=("yes", "no"), references=part)
    assert reply.advice is not None and reply.advice.startswith(SAME) and not reply.weighed


def test_a_few_are_all_used_as_given(folder: Path) -> None:
    few = [folder / "gear 0.png", folder / "wood 0.png"]
    evidence = inspector().inspect(folder / "wood 2.png", references=few).evidence
    assert all(reference.used for reference in evidence.references)
    chosen = Chooser(2, None, Recent(1)).choose(load_image(folder / "wood 2.png"), (path for path in few))
    assert [each.name for each in chosen.pictures] == [each.name for each in chosen.images]
    assert chosen.images[0].name == "gear 0.png" and chosen.numbers == (0, 1)


def test_copies_count_once(folder: Path) -> None:
    copies = [folder / "wood 0.png"] * 5 + [folder / "wood 1.png"]
    for most in (2, 8):
        evidence = inspector(map_references=most).inspect(folder / "wood 2.png", references=copies).evidence
        assert evidence.anomaly_map is not None and evidence.anomaly_map.calibrated_on == 2
        assert [each.used for each in evidence.references] == [True, False, False, False, False, True]


def test_many_copies_of_one_are_one(folder: Path) -> None:
    evidence = inspector().inspect(folder / "wood 2.png", references=[folder / "wood 0.png"] * 9).evidence
    assert evidence.anomaly_map is not None and evidence.anomaly_map.calibrated_on == 1
    assert [each.used for each in evidence.references] == [True, *[False] * 8]


def test_a_model_that_cannot_compare_is_shown_the_first(folder: Path) -> None:
    chosen = Chooser(1, None, Recent(1)).choose(load_image(folder / "wood 2.png"), given(folder))
    assert (chosen.numbers, len(chosen.images)) == ((0,), len(given(folder)))


def test_the_same_set_is_the_same_in_whatever_order_it_was_found(folder: Path) -> None:
    wood, gear, panel = (load_image(folder / f"{family} 0.png") for family in ("wood", "gear", "panel"))
    found = GoodParts((wood, gear, panel), (7, 2, 4), ())
    assert found.in_order(3) == [gear, panel, wood] and found.in_order(2) == [gear, wood]


def test_files_are_decoded_once_and_again_when_they_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    plain = good_parts.load_image
    monkeypatch.setattr(
        good_parts, "load_image", lambda source, **how: loaded.append(Path(source).name) or plain(source, **how)
    )
    look = inspector()
    look.inspect(folder / "wood 2.png", references=given(folder))
    assert len(loaded) == len(given(folder)) + 4, "two that are used, and the one most like each of them"
    loaded.clear()
    look.inspect(folder / "panel 2.png", references=given(folder))
    assert sorted(loaded) == ["panel 0.png", "panel 0.png", "panel 1.png", "panel 1.png"]
    loaded.clear()
    os.utime(folder / "gear 0.png", ns=(1, 1))
    look.inspect(folder / "panel 2.png", references=given(folder))
    assert sorted(loaded) == ["gear 0.png", "panel 0.png", "panel 1.png"]


def test_a_replaced_file_is_another_even_with_its_old_time_and_size(folder: Path, tmp_path: Path) -> None:
    for path in given(folder):
        Image.open(path).save(tmp_path / f"{path.stem}.bmp")
    files, look = [tmp_path / f"{path.stem}.bmp" for path in given(folder)], inspector()
    look.inspect(folder / "wood 2.png", references=files)
    replaced, state = tmp_path / "wood 0.bmp", (tmp_path / "wood 0.bmp").stat()
    replaced.write_bytes((tmp_path / "assembly 1.bmp").read_bytes())
    os.utime(replaced, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert replaced.stat().st_size == state.st_size
    after = look.inspect(folder / "wood 2.png", references=files)
    fresh = inspector().inspect(folder / "wood 2.png", references=files)
    assert after.evidence.references == fresh.evidence.references and after.probability == fresh.probability


def test_a_file_replaced_while_it_is_chosen_is_looked_at_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in given(folder):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    files, look = [tmp_path / path.name for path in given(folder)], inspector()._setup.chooser
    image = load_image(folder / "wood 2.png")
    nearest_plain = expert_nearest.nearest

    def replacing(*args: Any) -> list[int]:
        (tmp_path / "wood 0.png").write_bytes((folder / "gear 0.png").read_bytes())
        return nearest_plain(*args)

    monkeypatch.setattr(expert_nearest, "nearest", replacing)
    chosen = look.choose(image, files)
    assert chosen.pictures and all(
        picture.sha256 == chosen.images[at].sha256
        for at, picture in zip(chosen.numbers, chosen.pictures, strict=True)
    )


def test_pictures_without_a_file_may_be_many_too(folder: Path) -> None:
    pictures = [Image.open(path) for path in given(folder)]
    by_file = inspector().inspect(folder / "wood 2.png", references=given(folder)).evidence.references
    by_picture = inspector().inspect(folder / "wood 2.png", references=pictures).evidence.references
    assert [each.used for each in by_file] == [each.used for each in by_picture]


def test_one_that_cannot_be_read_is_named(folder: Path) -> None:
    for gone in (folder / "gone.png", "gone.png\0"):
        with pytest.raises(ImageError, match=r"gone\.png"):
            inspector().inspect(folder / "wood 2.png", references=[*given(folder), gone])


def test_a_layout_says_what_lies_where_on_any_grid() -> None:
    rng = np.random.default_rng(0)

    def features(rows: int, columns: int, left: int, right: int) -> FeatureMap:
        kinds = torch.eye(4)
        grid = torch.stack([kinds[left if c < columns / 2 else right] for _ in range(rows) for c in range(columns)])
        return FeatureMap(grid + torch.from_numpy(rng.normal(0, 0.01, grid.shape)), rows, columns)

    part = layout(features(24, 24, 0, 1))
    assert part.shape == (GRID * GRID, 4) and part.dtype == torch.float16
    others = [layout(each) for each in (features(24, 24, 1, 0), features(8, 30, 0, 1), features(24, 24, 0, 2))]
    assert nearest(part, others, 8) == [1], "the others are of another kind"
    assert nearest(part, others[::2], 8) == [1, 0] and nearest(part, others[::2], 1) == [1]
    assert nearest(part, [part, others[1], part], 2) == [0, 2], "equal ones as given"


def test_what_is_usual_is_measured_as_the_part_is_compared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    look = inspector()
    chosen = look._setup.chooser.choose(load_image(folder / "wood 2.png"), given(folder))
    assert len(chosen.alike) == len(chosen.numbers) == 2
    for at, alike in zip(chosen.numbers, chosen.alike, strict=True):
        assert at not in alike and {given(folder)[number].stem.split()[0] for number in alike} == {"wood"}
    apart: list[str] = []
    plain = Comparison.apart
    monkeypatch.setattr(
        Comparison, "apart", lambda self, good, peers: apart.append(good.name) or plain(self, good, peers)
    )
    first = look.inspect(folder / "wood 2.png", references=given(folder))
    assert sorted(apart) == ["wood 0.png", "wood 1.png"], "each with those most like it"
    again = look.inspect(folder / "wood 2.png", references=given(folder))
    assert len(apart) == 2 and again.probability == first.probability, "and once"
    few = inspector().inspect(folder / "wood 2.png", references=[folder / "wood 0.png", folder / "wood 1.png"])
    assert few.evidence.anomaly_map is not None and first.evidence.anomaly_map is not None
    assert few.evidence.anomaly_map.values == first.evidence.anomaly_map.values, "of two alike, each is the other's"
