"""Many good parts are given: an inspection uses those that look most like the part, and says which."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import reason_iad.workbench as workbench
from reason_iad import Inspector, InspectorConfig
from reason_iad.backbones import load_backbone
from reason_iad.backbones.base import PatchFeatures
from reason_iad.errors import ImageError
from reason_iad.expert.nearest import GRID, layout, nearest
from reason_iad.nano.world import make_sample

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
    assert used == {f"{family} 0.png", f"{family} 1.png"}
    assert evidence.anomaly_map is not None and evidence.anomaly_map.calibrated_on == 2


def test_it_is_the_same_as_giving_those_alone_best_first(folder: Path) -> None:
    part = folder / "wood 2.png"
    chosen = inspector().inspect(part, references=given(folder))
    alone = [
        inspector().inspect(part, references=[folder / f"wood {a}.png", folder / f"wood {b}.png"])
        for a, b in ((0, 1), (1, 0))
    ]
    assert chosen.probability in [result.probability for result in alone]
    shuffled = inspector().inspect(part, references=[*reversed(given(folder))])
    assert shuffled.probability == chosen.probability, "in which order they are given does not matter"


def test_a_few_are_all_used_as_given(folder: Path) -> None:
    few = [folder / "gear 0.png", folder / "wood 0.png"]
    evidence = inspector().inspect(folder / "wood 2.png", references=few).evidence
    assert all(reference.used for reference in evidence.references)
    look = workbench.Workbench(
        load_backbone("fake"), None, InspectorConfig(method="direct", map_references=2), None
    )
    used, named = look.good_parts(workbench.load_image(folder / "wood 2.png"), few)
    assert [each.name for each in used] == [each.name for each in named] == ["gear 0.png", "wood 0.png"]


def test_copies_count_once(folder: Path) -> None:
    copies = [folder / "wood 0.png"] * 5 + [folder / "gear 0.png"]
    evidence = inspector().inspect(folder / "wood 2.png", references=copies).evidence
    assert evidence.anomaly_map is not None and evidence.anomaly_map.calibrated_on == 2
    assert len(evidence.references) == 6 and all(reference.used for reference in evidence.references)


def test_files_are_decoded_once_and_again_when_they_change(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded: list[str] = []
    plain = workbench.load_image
    monkeypatch.setattr(workbench, "load_image", lambda source: loaded.append(Path(source).name) or plain(source))
    look = inspector()
    look.inspect(folder / "wood 2.png", references=given(folder))
    assert len(loaded) == len(given(folder)) + 2
    loaded.clear()
    look.inspect(folder / "gear 2.png", references=given(folder))
    assert sorted(loaded) == ["gear 0.png", "gear 1.png"]
    loaded.clear()
    os.utime(folder / "panel 0.png", ns=(1, 1))
    look.inspect(folder / "gear 2.png", references=given(folder))
    assert sorted(loaded) == ["gear 0.png", "gear 1.png", "panel 0.png"]


def test_pictures_without_a_file_may_be_many_too(folder: Path) -> None:
    pictures = [Image.open(path) for path in given(folder)]
    by_file = inspector().inspect(folder / "wood 2.png", references=given(folder)).evidence.references
    by_picture = inspector().inspect(folder / "wood 2.png", references=pictures).evidence.references
    assert [each.used for each in by_file] == [each.used for each in by_picture]


def test_one_that_cannot_be_read_is_named(folder: Path) -> None:
    with pytest.raises(ImageError, match=r"gone\.png"):
        inspector().inspect(folder / "wood 2.png", references=[*given(folder), folder / "gone.png"])


def test_a_layout_says_what_lies_where_on_any_grid() -> None:
    rng = np.random.default_rng(0)

    def features(rows: int, columns: int, left: int, right: int) -> PatchFeatures:
        kinds = torch.eye(4)
        grid = torch.stack([kinds[left if c < columns / 2 else right] for _ in range(rows) for c in range(columns)])
        return PatchFeatures(grid + torch.from_numpy(rng.normal(0, 0.01, grid.shape)), rows, columns)

    part = layout(features(24, 24, 0, 1))
    assert part.shape == (GRID * GRID, 4) and part.dtype == torch.float16
    others = [layout(each) for each in (features(24, 24, 1, 0), features(8, 30, 0, 1), features(24, 24, 0, 2))]
    assert nearest(part, others) == [1, 2, 0]
    assert nearest(part, [part, others[0], part]) == [0, 2, 1], "equal ones as given"
