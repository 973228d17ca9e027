"""What was seen of good images is kept: when one joins, only it is looked at, and what is learnt is the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from tests.expert.normality.test_turning import upright

from reason_iad.expert.encoders import make_encoder
from reason_iad.expert.normality.expert import ProductExpert
from reason_iad.expert.normality.learning import learn
from reason_iad.expert.normality.looks import Eyes
from reason_iad.expert.normality.sightings import NOTHING, Sightings
from reason_iad.expert.normality.turning import Orientation
from reason_iad.expert.normality.where import Where, learn_where
from reason_iad.images import LoadedImage, load_image

AT = Image.new("RGB", (160, 160), (90, 90, 90))


class Counting:
    """An encoder that counts the pictures that it is shown."""

    def __init__(self, encoder: Any) -> None:
        self._encoder, self.shown = encoder, 0
        self.name, self.sha256 = encoder.name, encoder.sha256

    def encode(self, pictures: Sequence[Image.Image]) -> Any:
        self.shown += len(pictures)
        return self._encoder.encode(pictures)


class Kept(Sequence[LoadedImage]):
    """Images with names, of which it is counted which were loaded."""

    def __init__(self, pictures: Sequence[Image.Image]) -> None:
        self._images, self.loaded = [load_image(picture) for picture in pictures], set[int]()

    def name(self, number: int) -> str:
        return self._images[number].sha256

    def __len__(self) -> int:
        return len(self._images)

    def __getitem__(self, number: Any) -> Any:
        self.loaded.add(number)
        return self._images[number]


@pytest.fixture(scope="module")
def network() -> Any:
    return make_encoder("efficientnet_lite0", None)


def taught(
    network: Any, good: Kept, sightings: Sightings, orientation: Orientation = "auto"
) -> tuple[ProductExpert, Where, int]:
    """What is learnt of images, and how many pictures were shown to the network for it."""
    eyes = Eyes.of(network, (64, 96))
    counting = [Counting(encoder) for encoder in eyes.encoders]
    expert = learn(good, replace(eyes, encoders=tuple(counting)), orientation=orientation, sightings=sightings)
    fine = Counting(eyes.encoders[-1])
    where = learn_where(good, fine, one_way=True, steps=expert.turning.steps, sightings=sightings)
    return expert, where, fine.shown + sum(each.shown for each in counting)


def same(one: ProductExpert, other: ProductExpert) -> bool:
    """Whether two experts judge alike, to the last digit."""
    banks = zip(one.levels, other.levels, strict=True)
    return (
        one.left_out == other.left_out
        and one.turning == other.turning
        and torch.equal(one.likeness.turned, other.likeness.turned)
        and one.likeness.light == other.likeness.light
        and all(torch.equal(a.bank.entries.features, b.bank.entries.features) for a, b in banks)  # type: ignore[union-attr]
    )


@pytest.mark.parametrize("orientation", ["auto", "any"])
def test_only_a_new_image_is_looked_at(tmp_path: Path, network: Any, orientation: Orientation) -> None:
    pictures = [upright(seed) for seed in range(9 if orientation == "auto" else 6)]
    first, _, shown = taught(network, Kept(pictures[:-1]), Sightings(tmp_path, "so"), orientation)
    assert shown >= 3 * (len(pictures) - 1)

    more = Kept(pictures)
    by_then, where, shown = taught(network, more, Sightings(tmp_path, "so"), orientation)
    anew, where_anew, all_shown = taught(network, Kept(pictures), NOTHING, orientation)
    assert same(by_then, anew)
    assert torch.equal(where.values(AT), where_anew.values(AT))
    assert len(by_then.left_out) == len(first.left_out) + 1
    if orientation == "any":
        assert more.loaded == {5}
        assert shown == 3 * by_then.turning.steps < all_shown

    again = Kept(pictures)
    _, _, shown = taught(network, again, Sightings(tmp_path, "so"), orientation)
    assert shown == 0 and not again.loaded


def test_what_was_seen_of_an_image_that_left_is_forgotten(tmp_path: Path, network: Any) -> None:
    good = Kept([upright(seed) for seed in range(4)])
    taught(network, good, Sightings(tmp_path, "so"))
    names = {good.name(number) for number in range(4)}
    assert {path.stem for path in tmp_path.rglob("*.safetensors")} == names
    taught(network, Kept([upright(seed) for seed in range(3)]), Sightings(tmp_path, "so"))
    assert {path.stem for path in tmp_path.rglob("*.safetensors")} == names - {good.name(3)}


def test_what_was_seen_in_another_way_is_not_used(tmp_path: Path, network: Any) -> None:
    good = Kept([upright(seed) for seed in range(3)])
    _, _, first = taught(network, good, Sightings(tmp_path, "so"))
    rooms = {path.name for path in tmp_path.iterdir()}
    _, _, again = taught(network, good, Sightings(tmp_path, "otherwise"))
    assert again == first
    assert len(rooms) == len(list(tmp_path.iterdir())) and not rooms & {path.name for path in tmp_path.iterdir()}


def _cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def _flipped(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


@pytest.mark.parametrize("damage", [_cut, _flipped, lambda _: b"", lambda _: b"pickle"])
def test_a_damaged_file_is_not_believed(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    sightings = Sightings(tmp_path, "so")
    sightings.put("looks", "a" * 64, {"numbers": torch.arange(20.0)})
    assert sightings.get("looks", "a" * 64) is not None
    (path,) = tmp_path.rglob("*.safetensors")
    path.write_bytes(damage(path.read_bytes()))
    assert sightings.get("looks", "a" * 64) is None


def test_what_does_not_fit_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reason_iad.expert.normality.sightings.MOST_BYTES", 100)
    sightings = Sightings(tmp_path, "so")
    large: Mapping[str, torch.Tensor] = {"numbers": torch.zeros(20)}
    for image in ("a" * 64, "b" * 64):
        sightings.put("looks", image, large)
    assert sightings.get("looks", "a" * 64) is not None
    assert sightings.get("looks", "b" * 64) is None
