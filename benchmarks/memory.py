"""What a memory of good images costs: seconds to build, to change and to search it, and megabytes.

    python benchmarks/memory.py [--images 10000] [--entries 100000] [--channels 112] [--budget 10000] [--threads 2]

Features are made up: each place of a part has its own, and images differ from it along a few directions and by a
little noise. Building and changing read and write the kept patches on disk, in a temporary folder (`TMPDIR`);
making up the features is not counted. Memory is by how much the largest size of the process, until a memory is
built, exceeds its size before.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.memory import (
    MemoryBank,
    MemorySettings,
    Points,
    load_memory,
    memory_shelf,
    nearest,
    save_memory,
)

SIDE = 28
PATCHES = SIDE * SIDE
DIRECTIONS = 10
ADDED = 50


Seconds = tuple[float, float]
"""By the clock on the wall, and of all cores together; on a busy machine only the second means something."""


class Clock:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._start = time.perf_counter(), time.process_time()

    def passed(self, less: Seconds = (0.0, 0.0)) -> Seconds:
        """How long it has run, less what does not count."""
        wall, cores = self._start
        return time.perf_counter() - wall - less[0], time.process_time() - cores - less[1]


class Parts:
    """Features of images of one part, made up.

    Attributes:
        seconds: spent on making them up.
    """

    def __init__(self, channels: int) -> None:
        made = torch.Generator().manual_seed(0)
        self.seconds: Seconds = 0.0, 0.0
        self._part = 2 * torch.randn(PATCHES, channels, generator=made)
        self._directions = torch.randn(DIRECTIONS, channels, generator=made)

    def image(self, number: int) -> tuple[str, FeatureMap]:
        """One image: a hash and its features."""
        start = Clock()
        made = torch.Generator().manual_seed(number + 1)
        varied = torch.randn(PATCHES, DIRECTIONS, generator=made) @ self._directions
        noise = torch.randn(self._part.shape, generator=made)
        found = FeatureMap(self._part + 0.3 * varied + 0.1 * noise, SIDE, SIDE)
        wall, cores = start.passed()
        self.seconds = self.seconds[0] + wall, self.seconds[1] + cores
        return f"{number:064x}", found

    def images(self, start: int, count: int) -> Iterator[tuple[str, FeatureMap]]:
        """So many images."""
        return map(self.image, range(start, start + count))


def searching(entries: int, channels: int, rounds: int = 5) -> Seconds:
    """Seconds to search for the patches of one image, the median of some rounds."""
    made = torch.Generator().manual_seed(0)
    queries, memory = (
        Points(torch.randn(count, channels, generator=made), torch.rand(count, 2, generator=made))
        for count in (PATCHES, entries)
    )
    taken = []
    for _ in range(rounds):
        start = Clock()
        nearest(queries, memory)
        taken.append(start.passed())
    return sorted(taken)[rounds // 2]


def megabytes() -> float:
    """The largest size of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1e6 if sys.platform == "darwin" else 1e3)


def changing(images: int, channels: int, settings: MemorySettings, before: float) -> None:
    """Build, add, save, load and remove; print a row for each."""
    parts = Parts(channels)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        memory = MemoryBank.empty("made up", "0", settings, memory_shelf(folder))
        start = Clock()
        memory = memory.with_images(parts.images(0, images))
        row(f"build from {images:,} images", start.passed(parts.seconds), megabytes() - before)
        parts.seconds, start = (0.0, 0.0), Clock()
        memory = memory.with_images(parts.images(images, ADDED))
        row(f"add {ADDED} images", start.passed(parts.seconds))
        start = Clock()
        save_memory(memory, folder)
        row("save", start.passed())
        start = Clock()
        memory = load_memory(folder, "0")
        row("load", start.passed())
        start = Clock()
        memory = memory.without(parts.image(1)[0])
        row("remove an image", start.passed())
        assert memory.entries is not None, "there are images"
        size = sum(path.stat().st_size for path in folder.rglob("*")) / 1e6
        what = f"({len(memory.entries.owners):,} entries; on disk {size:,.0f} MB)"
        print(f"| {what} | | | |", flush=True)


def row(what: str, seconds: Seconds, memory: float | None = None) -> None:
    """Print a row of the table."""
    print(
        f"| {what} | {seconds[0]:.2f} | {seconds[1]:.2f} | {'–' if memory is None else f'{memory:,.0f}'} |",
        flush=True,
    )


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[5000, 10_000], help="Sizes of the built memory.")
    parser.add_argument("--entries", type=int, default=100_000, help="Entries that are searched.")
    parser.add_argument("--channels", type=int, nargs="+", default=[112, 304], help="The first is for building.")
    parser.add_argument("--budget", type=int, default=10_000, help="Entries of the built memory.")
    parser.add_argument("--kept", type=int, default=64, help="Patches of each image that are kept.")
    parser.add_argument("--threads", type=int, default=2, help="Of the computation.")
    told = parser.parse_args()
    torch.set_num_threads(told.threads)
    print("| what | seconds | seconds of cores | MB more |\n|---|---:|---:|---:|")
    before = megabytes()
    for images in told.images:
        changing(images, told.channels[0], MemorySettings(budget=told.budget, kept=told.kept), before)
    for channels in told.channels:
        what = f"search {PATCHES} patches in {told.entries:,} entries of {channels} channels"
        row(what, searching(told.entries, channels))


if __name__ == "__main__":
    main()
