"""A memory covers its images within its budget, whatever was added and removed, and survives on disk."""

from __future__ import annotations

import contextlib
import json
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reason_iad.errors import ConfigError, MemoryBankError, OutputError
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.memory import (
    Coverage,
    MemoryBank,
    MemorySettings,
    Points,
    RamShelf,
    averaged,
    greedy_coreset,
    joined,
    load_memory,
    memory_shelf,
    nearest,
    save_memory,
    search,
)
from reason_iad.expert.memory import bank as bank_module
from reason_iad.expert.memory.coreset import Net, separated
from reason_iad.expert.memory.objects import write_object

ENCODER = "e" * 64


def sha(number: int) -> str:
    return f"{number:064x}"


def picture(number: int, side: int = 6, channels: int = 8) -> FeatureMap:
    """A place has its own features, and images differ a little."""
    part = torch.randn(side * side, channels, generator=torch.Generator().manual_seed(0)) * 3
    noise = torch.randn(side * side, channels, generator=torch.Generator().manual_seed(number + 1))
    return FeatureMap(part + noise, side, side)


def bank(*numbers: int, **wanted: object) -> MemoryBank:
    chosen = MemorySettings(**{"budget": 60, "kept": 20, "dimensions": None, **wanted})
    return MemoryBank.empty("test", ENCODER, chosen).with_images((sha(n), picture(n)) for n in numbers)


def scattered(count: int, channels: int = 8, seed: int = 0) -> Points:
    made = torch.Generator().manual_seed(seed)
    return Points(torch.randn(count, channels, generator=made), torch.rand(count, 2, generator=made))


# searching


@pytest.mark.parametrize("radius", [None, 0.2])
def test_searching_is_exact(radius: float | None) -> None:
    queries, entries = scattered(50), scattered(20_000, seed=1)
    found = nearest(queries, entries, radius)
    apart = (queries.features[:, None].double() - entries.features.double()).square().sum(2)
    if radius is not None:
        away = (queries.places[:, None] - entries.places).abs().amax(2) > radius
        apart = apart.masked_fill(away, torch.inf)
    least = apart.min(1)
    assert torch.equal(found.entries, least.indices)
    assert torch.allclose(found.distances.double(), least.values.sqrt(), rtol=1e-5)


@pytest.mark.parametrize("radius", [None, 0.3])
def test_many_queries_are_compared_a_few_at_a_time(radius: float | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """So the memory that it takes does not grow with the picture."""
    rng = torch.Generator().manual_seed(0)
    queries, entries = (Points(torch.randn(n, 7, generator=rng), torch.rand(n, 2, generator=rng)) for n in (50, 30))
    together = nearest(queries, entries, radius)
    largest = []
    product = torch.addmm

    def watched(*tensors: torch.Tensor, **options: float) -> torch.Tensor:
        found = product(*tensors, **options)
        largest.append(found.numel())
        return found

    monkeypatch.setattr(torch, "addmm", watched)
    monkeypatch.setattr(search, "QUERIES", 8)
    apart = nearest(queries, entries, radius)
    assert max(largest) == 8 * 30
    assert torch.equal(apart.entries, together.entries)
    assert torch.allclose(apart.distances, together.distances)


def test_what_is_the_same_has_no_distance() -> None:
    far = Points(scattered(900).features + 1000, scattered(900).places)
    assert nearest(far, far).distances.max() == 0


def test_a_query_without_entries_near_its_place_is_compared_with_all() -> None:
    query = Points(torch.zeros(1, 2), torch.tensor([[0.9, 0.9]]))
    entries = Points(torch.tensor([[3.0, 4.0], [6.0, 8.0]]), torch.tensor([[0.1, 0.1], [0.2, 0.1]]))
    assert nearest(query, entries, 0.1).distances.tolist() == [5.0]


# features


def test_patches_are_averaged_over_the_neighbours_that_there_are() -> None:
    found = averaged(FeatureMap(torch.arange(9.0)[:, None], 3, 3))
    assert found.features[:, 0].tolist() == [2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0]


def test_the_two_deepest_maps_are_joined_on_the_finer_grid() -> None:
    maps = [FeatureMap(torch.full((rows * 4, 2), float(rows)), rows, 4) for rows in (8, 6, 3)]
    found = joined(maps)
    assert (found.rows, found.columns) == (6, 4)
    assert found.features.shape == (24, 4) and found.features.unique(dim=0).tolist() == [[6, 6, 3, 3]]
    assert joined(maps[:1]).features.shape == (32, 2)


# choosing


def test_the_reference_takes_what_is_farthest_from_all_it_took() -> None:
    features = scattered(200).features
    taken = greedy_coreset(features, 30, seed=3)
    assert len(set(taken.tolist())) == 30
    for count in range(1, 30):
        apart = torch.cdist(features.double(), features[taken[:count]].double()).amin(1)
        assert apart[taken[count]] == pytest.approx(float(apart.max()), rel=1e-5)


def test_the_reference_takes_no_patch_twice() -> None:
    assert len(greedy_coreset(torch.ones(50, 3).repeat(2, 1), 10)) == 1


@pytest.mark.parametrize("near", [None, 0.3])
def test_thinned_points_are_apart_and_near_all_others(near: float | None) -> None:
    some = scattered(2500, channels=3)
    kept = separated(some, 0.5, near)
    apart = torch.cdist(some.features, some.features[kept])
    if near is not None:
        away = (some.places[:, None] - some.places[kept]).abs().amax(2) > near
        apart = apart.masked_fill(away, torch.inf)
    assert apart.amin(1).max() <= 0.5 + 1e-4
    assert apart[kept].fill_diagonal_(torch.inf).min() >= 0.5 - 1e-4


def test_a_net_covers_a_stream_nearly_as_well_as_the_reference_covers_all_at_once() -> None:
    stream = scattered(4000, channels=6)
    net = Net(300)
    for start in range(0, 4000, 100):
        net.add(stream.at(slice(start, start + 100)), torch.arange(start, start + 100))
        assert len(net.entries.features) <= 300
    assert torch.equal(stream.features[net.carried[0]], net.entries.features)
    apart = nearest(stream, net.entries).distances
    plain = nearest(stream, stream.at(greedy_coreset(stream.features, 300))).distances
    assert len(net.entries.features) >= 270
    assert apart.max() < 1.4 * plain.max() and apart.mean() < 1.05 * plain.mean()


@pytest.mark.parametrize("features", [torch.zeros(40, 3), torch.ones(40, 3) + 1e-7 * torch.randn(40, 3)])
def test_a_net_of_equal_patches_ends(features: torch.Tensor) -> None:
    net = Net(5, near=0.01)
    for seed in range(4):
        net.add(Points(features, scattered(40, seed=seed).places), torch.arange(40))
    assert 1 <= len(net.entries.features) <= 5


# changing


def coverage_of(memory: MemoryBank, numbers: list[int]) -> Coverage:
    return memory.coverage(picture(n) for n in numbers)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 11)), min_size=1, max_size=14),
    st.sampled_from([{}, {"near": 0.2}, {"dimensions": 4}, {"budget": 7}, {"kept": 36, "budget": 500}]),
)
def test_no_sequence_of_changes_makes_the_memory_worse_than_one_built_anew(
    changes: list[tuple[bool, int]], wanted: dict[str, object]
) -> None:
    memory, current = bank(**wanted), list[int]()
    for add, number in changes:
        if add:
            memory = memory.with_images([(sha(number), picture(number))])
            current += [number] if number not in current else []
        elif number in current:
            memory = memory.without(sha(number))
            current.remove(number)
        assert [member.sha256 for member in memory.members] == [sha(n) for n in current]
    if not current:
        assert memory.entries is None
        return
    anew = bank(*sorted(current), **wanted)
    assert memory.entries is not None and set(memory.entries.owners.tolist()) <= set(range(len(current)))
    assert len(memory.entries.owners) <= memory.settings.budget
    for found, built in zip(coverage_of(memory, current), coverage_of(anew, current), strict=True):
        assert found <= 1.05 * built + 1e-6
    features = torch.cat([picture(n).features for n in current]).double()
    assert torch.allclose(memory.statistics.mean.double(), features.mean(0), atol=1e-5)
    assert torch.allclose(memory.statistics.deviation.double(), features.std(0, correction=0), rtol=1e-5)


def test_the_order_of_images_does_not_matter() -> None:
    numbers = list(range(20))
    shuffled = random.Random(1).sample(numbers, 20)
    one, other = (bank(*order, budget=150, kept=36) for order in (numbers, shuffled))
    assert torch.equal(one.entries.features, other.entries.features) and one.radius == other.radius


@pytest.mark.parametrize("wanted", [{}, {"near": 0.3}, {"dimensions": 4}])
def test_many_images_are_added_without_a_look_at_the_others(
    monkeypatch: pytest.MonkeyPatch, wanted: dict[str, object]
) -> None:
    monkeypatch.setattr(bank_module, "ANEW", 8)
    memory = bank(*range(60), budget=300, kept=36, **wanted)
    read: list[str] = []
    get = RamShelf.get
    monkeypatch.setattr(RamShelf, "get", lambda self, key, *shape: read.append(key) or get(self, key, *shape))
    for number in range(60, 100):
        memory = memory.with_images([(sha(number), picture(number))])
        assert number > 60 or len(read) == 1, "only the new one"
        assert len(memory.entries.owners) <= 300
        if number % 10 == 9:
            at_once, numbers = bank(*range(number + 1), budget=300, kept=36, **wanted), list(range(number + 1))
            found, built = coverage_of(memory, numbers), coverage_of(at_once, numbers)
            assert found.mean <= 1.05 * built.mean and memory.radius <= 1.05 * at_once.radius
            if "dimensions" not in wanted:  # a projection to so few is no measure of the largest distance
                assert found.largest <= 1.05 * built.largest


def test_kept_patches_are_within_the_radius() -> None:
    memory = bank(*range(20), budget=100, kept=36)
    assert 0.9 * memory.radius < coverage_of(memory, list(range(20))).largest <= memory.radius * (1 + 1e-5)


def test_a_memory_covers_nearly_as_well_as_the_reference() -> None:
    numbers = list(range(30))
    memory = bank(*numbers, budget=200, kept=36)
    features = memory.standard(torch.cat([picture(n).features for n in numbers]))
    every = Points(features, torch.zeros(len(features), 2))
    plain = nearest(every, every.at(greedy_coreset(features, 200))).distances
    found = coverage_of(memory, numbers)
    assert found.mean < 1.1 * float(plain.mean()) and found.largest < 1.5 * float(plain.max())


def test_a_removed_image_leaves_nothing() -> None:
    odd = FeatureMap(picture(1).features + 100, 6, 6)
    memory = bank(0, 1, 2).with_images([(sha(99), odd)])
    before = memory.nearest(odd).distances.max()
    gone = memory.without(sha(99))
    assert gone.nearest(odd).distances.min() > 10 > before
    assert torch.equal(gone.entries.features, bank(0, 1, 2).entries.features)
    assert torch.equal(gone.moments, bank(0, 1, 2).moments)


def test_a_memory_is_a_value() -> None:
    memory = bank(0, 1, 2)
    features = memory.entries.features.clone()
    larger = memory.with_images((sha(n), picture(n)) for n in range(3, 9))
    assert len(memory.members) == 3 and len(larger.members) == 9
    assert torch.equal(memory.entries.features, features)
    assert torch.equal(bank(*range(9)).entries.features, larger.entries.features), (
        "the same settings, the same choice"
    )


def test_the_seed_decides_the_projection() -> None:
    chosen = [bank(*range(9), dimensions=2, seed=seed).entries.features for seed in (0, 0, 1)]
    assert torch.equal(chosen[0], chosen[1]) and not torch.equal(chosen[0], chosen[2])


def test_an_image_is_taken_once() -> None:
    assert len(bank(0, 1, 1, 0).members) == 2


def test_images_are_not_held(tmp_path: Path) -> None:
    """Only the budget and one image are: earlier features are gone when the next are made."""
    import weakref

    alive: list[weakref.ref[torch.Tensor]] = []

    def stream():
        for number in range(20):
            made = picture(number)
            alive.append(weakref.ref(made.features))
            yield sha(number), made
            del made
            assert sum(ref() is not None for ref in alive) <= 1

    memory = MemoryBank.empty("test", ENCODER, MemorySettings(budget=50, kept=20), memory_shelf(tmp_path))
    assert len(memory.with_images(stream()).entries.owners) <= 50


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: bank(0).with_images([(sha(9), FeatureMap(torch.ones(4, 3), 2, 2))]), "3 channels"),
        (lambda: bank(0).with_images([(sha(9), FeatureMap(torch.full((4, 8), torch.nan), 2, 2))]), "not finite"),
        (lambda: bank(0).with_images([("../9", picture(9))]), "no SHA-256"),
        (lambda: bank(0).without(sha(9)), "not in the memory"),
        (lambda: bank().nearest(picture(0)), "no image"),
        (lambda: bank(budget=0), "budget is 0"),
        (lambda: bank(near=2.0), "near is 2"),
    ],
)
def test_mistakes_are_told(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        make()


# on disk


def test_a_saved_memory_is_the_same_and_can_be_changed(tmp_path: Path) -> None:
    memory = bank(*range(5), near=0.3)
    save_memory(memory, tmp_path)
    again = load_memory(tmp_path, ENCODER)
    assert again.members == memory.members and again.settings == memory.settings and again.radius == memory.radius
    for one, other in zip(again.entries, memory.entries, strict=True):
        assert torch.equal(one, other)
    assert torch.equal(again.nearest(picture(7)).distances, memory.nearest(picture(7)).distances)
    larger = again.with_images([(sha(6), picture(6))]).without(sha(2))
    assert torch.equal(larger.entries.features, bank(0, 1, 3, 4, 6, near=0.3).entries.features)
    save_memory(larger, tmp_path)
    assert len(load_memory(tmp_path, ENCODER).members) == 5
    named = {member.key for member in larger.members}
    files = {path.stem for path in (tmp_path / "files").iterdir()}
    assert named < files and len(files) == 6, "what is no longer named is removed"


def test_an_empty_memory_can_be_saved(tmp_path: Path) -> None:
    save_memory(bank(0).without(sha(0)), tmp_path)
    assert load_memory(tmp_path, ENCODER).entries is None
    assert not list((tmp_path / "files").glob("*"))


def test_another_encoder_is_refused(tmp_path: Path) -> None:
    save_memory(bank(0), tmp_path)
    with pytest.raises(MemoryBankError, match="another encoder"):
        load_memory(tmp_path, "f" * 64)


def test_no_memory_is_told(tmp_path: Path) -> None:
    with pytest.raises(MemoryBankError, match="There is no memory"):
        load_memory(tmp_path, ENCODER)


def changed(**values: object) -> Callable[[dict], None]:
    return lambda manifest: manifest.update(values)


def of_image(**values: object) -> Callable[[dict], None]:
    return lambda manifest: manifest["images"][0].update(values)


@pytest.mark.parametrize(
    "change",
    [
        changed(format=2),
        changed(entries="../../../etc/passwd"),
        changed(entries="/" + "a" * 63),
        changed(entries="a" * 64),
        changed(entries=None),
        changed(entry_count=10**8),
        changed(entry_count=10**12),
        changed(entry_count=59),
        changed(entry_count=0),
        changed(channels=65_536),
        changed(channels=-1),
        changed(radius=float("nan")),
        changed(near=-1.0),
        changed(mean=[1.0]),
        changed(mean=[float("nan")] * 8),
        changed(deviation=[0.5] * 8),
        changed(images=[]),
        changed(surprise=1),
        of_image(key="../" + "a" * 61),
        of_image(sha256=sha(1)),
        of_image(patches=1),
        of_image(kept=10**9),
        lambda manifest: manifest["settings"].update(budget=10**12),
        lambda manifest: manifest["settings"].update(seed="0"),
        lambda manifest: manifest.pop("encoder"),
    ],
)
def test_a_hostile_manifest_is_refused(tmp_path: Path, change: Callable[[dict], None]) -> None:
    save_memory(bank(*range(4)), tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    change(manifest)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(MemoryBankError, match="anew"):
        load_memory(tmp_path, ENCODER)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"\xff\xfe", b"null"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(content)
    with pytest.raises(MemoryBankError, match="anew"):
        load_memory(tmp_path, ENCODER)


def swapped(folder: Path, **tensors: torch.Tensor) -> None:
    """Put other tensors in the place of the entries, under their right hash."""
    from safetensors.torch import load_file

    manifest = json.loads((folder / "manifest.json").read_text())
    found = load_file(folder / "files" / f"{manifest['entries']}.safetensors")
    manifest["entries"] = write_object(folder / "files", {**found, **tensors})
    (folder / "manifest.json").write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    "tensors",
    [
        {"features": torch.full((60, 8), torch.nan)},
        {"features": torch.full((60, 8), torch.inf)},
        {"features": torch.zeros(60, 8, dtype=torch.int32)},
        {"features": torch.zeros(8, 60)},
        {"owners": torch.full((60,), 4)},
        {"owners": torch.full((60,), -1)},
        {"places": torch.full((60, 2), 2.0)},
        {"moments": torch.full((4, 2, 8), -1.0)},
        {"scale": torch.zeros(2, 8)},
        {"more": torch.zeros(1)},
    ],
)
def test_hostile_tensors_are_refused(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    memory = bank(*range(4), budget=60, kept=15)
    assert len(memory.entries.owners) == 60
    save_memory(memory, tmp_path)
    swapped(tmp_path, **tensors)
    with pytest.raises(MemoryBankError, match="anew"):
        load_memory(tmp_path, ENCODER)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    memory = save_memory(bank(*range(4)), tmp_path)
    for path in (tmp_path / "files").iterdir():
        content = bytearray(path.read_bytes())
        content[-5] ^= 1
        path.write_bytes(content)
    with pytest.raises(MemoryBankError, match="damaged"):
        load_memory(tmp_path, ENCODER)
    with pytest.raises(MemoryBankError, match="damaged"):
        memory.without(sha(1))


@pytest.mark.parametrize("written", range(4))
def test_a_change_is_there_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: int
) -> None:
    """The disk is full after so many files."""
    old = save_memory(bank(*range(3)), tmp_path)
    left, replacing = [written], Path.replace

    def replace(self: Path, target: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return replacing(self, target)

    monkeypatch.setattr(Path, "replace", replace)
    with contextlib.suppress(OutputError):
        save_memory(old.with_images([(sha(7), picture(7))]).without(sha(0)), tmp_path)
    monkeypatch.undo()
    memory = load_memory(tmp_path, ENCODER)
    assert [int(member.sha256, 16) for member in memory.members] == ([0, 1, 2] if written < 3 else [1, 2, 7])
    assert len(memory.without(sha(1)).members) == 2, "all files are there"
    assert not list(tmp_path.rglob("*.tmp"))


WRITER = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from tests.expert.test_memory import ENCODER, bank, picture, sha
from reason_iad.expert.memory import load_memory, save_memory

folder = Path(sys.argv[1])
save_memory(bank(*range(4)), folder)
print("ready", flush=True)
for number in range(4, 10_000):
    memory = load_memory(folder, ENCODER)
    added = memory.with_images([(sha(number), picture(number))])
    save_memory(added.without(memory.members[0].sha256), folder)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs kill -9")
def test_a_memory_survives_being_killed(tmp_path: Path) -> None:
    words = [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parents[2])]
    for wait in (0.05, 0.13):
        writer = subprocess.Popen(words, stdout=subprocess.PIPE)
        assert writer.stdout is not None and writer.stdout.readline()
        time.sleep(wait)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        memory = load_memory(tmp_path, ENCODER)
        assert len(memory.members) == 4
        assert len(memory.without(memory.members[0].sha256).members) == 3, "all files are there"
