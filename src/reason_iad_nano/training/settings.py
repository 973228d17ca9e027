"""Every choice of a training run, in one place; written beside the checkpoints."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from reason_iad.errors import ConfigError
from reason_iad_nano.architecture import CELL, NanoConfig
from reason_iad_nano.world.types import Size, sides


@dataclass(frozen=True, slots=True)
class TrainSettings:
    """A run. The packaged weights came from several, told in their card.

    Attributes:
        minutes: trained time of the whole run, across resumes.
        steps: steps per stage instead of minutes (tests, exactly repeatable runs).
        device: 'cpu' or 'cuda'.
        workers: processes that make data; 0 makes it in the training process.
        shards: threads that each compute the gradient of a batch; an update takes the mean. On a CPU that others
            use too, two shards with one thread each are far faster than one with two: nothing waits inside an op.
        size: pixels each way of validation and of what the packaged model is shown, a multiple of 28.
        sizes: pixels each way, or (height, width), of training pairs, in turn; multiples of 28. Photographs are
            shown with about as many pixels as size x size, whatever their shape.
        shares: share of the minutes for the stages 'tower', 'answer' and 'joint'.
        start: 'nano' or a model directory to go on from; None: from nothing.
        heads_first: steps of the stages 'tower' and 'answer' in which only new heads learn, going on from a model.
    """

    minutes: float = 60.0
    steps: tuple[int, int, int] | None = None
    device: str = "cpu"
    workers: int = 1
    threads: int | None = None
    shards: int = 2
    seed: int = 0
    start: str | None = None
    heads_first: int = 150
    size: int = 168
    sizes: tuple[Size, ...] = (
        168,
        (84, 252),
        168,
        (168, 140),
        224,
        (252, 84),
        168,
        (112, 224),
        336,
        (224, 112),
        448,
    )
    model: NanoConfig = field(default_factory=NanoConfig)
    shares: tuple[float, float, float] = (0.24, 0.43, 0.33)
    tower_batch: int = 16
    tower_rate: float = 1.5e-3
    batch: int = 8
    reading: int = 2  # batches without images among every four with them, in the answer stage
    branches: int = 6
    rate: float = 1.2e-3
    joint_tower_rate: float = 2e-4
    weight_decay: float = 0.05
    clip: float = 1.0
    pool: int = 4096  # pairs whose image tokens are kept and asked about again
    reuse: int = 3  # how often each of them is asked about, with fresh text
    half: bool = True  # bfloat16 autocast
    compile: bool = False
    save_every: float = 120.0  # seconds between checkpoints
    validate_every: float = 420.0  # seconds between measurements
    validation_pairs: int = 256

    def __post_init__(self) -> None:
        checks: dict[str, Any] = {
            "minutes must be above 0": self.minutes > 0,
            "device must be 'cpu' or 'cuda'": self.device.split(":")[0] in ("cpu", "cuda"),
            "workers must not be negative": self.workers >= 0,
            f"sizes must be multiples of {CELL}": all(
                s >= CELL and s % CELL == 0 for one in (self.size, *self.sizes) for s in sides(one)
            ),
            "sizes must name at least one": bool(self.sizes),
            "heads_first must not be negative": self.heads_first >= 0,
            "reading must not be negative": self.reading >= 0,
            "pool must be a multiple of four batches": self.pool % (4 * self.batch) == 0,
        }
        for message, holds in checks.items():
            if not holds:
                raise ConfigError(f"Training option out of range: {message}.")
