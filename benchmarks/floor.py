"""The floor of an inspection: the operations and bytes that no implementation of the same model can avoid.

Operations are those of the matrix products (2 per multiply-add), bytes are weights and cached keys and values, each
read once per pass. Divided by what this machine reaches on one large matrix product and one large copy, they give
times below which nothing can go; the distance to the measured times is overhead.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

DECODED = 16


@dataclass(frozen=True, slots=True)
class Work:
    """Operations and bytes of a phase."""

    operations: float
    bytes: float

    def __add__(self, other: Work) -> Work:
        return Work(self.operations + other.operations, self.bytes + other.bytes)

    def __mul__(self, times: float) -> Work:
        return Work(self.operations * times, self.bytes * times)


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine reaches: operations and bytes per second."""

    operations: float
    bytes: float

    def seconds(self, work: Work) -> float:
        """Least time for a phase: computing and reading overlap perfectly."""
        return max(work.operations / self.operations, work.bytes / self.bytes)


def linear_parameters(module: nn.Module) -> int:
    """Weights that every token is multiplied with."""
    return sum(m.weight.numel() for m in module.modules() if isinstance(m, nn.Linear))


def phases(model: Any, text: int, image_tokens: int, latents: int, cue: int, steps: int) -> dict[str, Work]:
    """Work of one inspection with one question and one candidate, by phase.

    Args:
        model: a Qwen2.5-VL.
        text: text tokens of the prefix.
        image_tokens: tokens of the one image; the tower sees four patches for each.
        latents, cue: rows of the suffix.
        steps: each looks once and scores once.
    """
    decoder, tower = model.model.language_model, model.model.visual
    size = next(model.parameters()).element_size()
    weights = linear_parameters(decoder)
    cell = decoder.config.num_hidden_layers * decoder.config.hidden_size
    kept = 2 * decoder.config.num_hidden_layers * decoder.config.num_key_value_heads
    kept *= decoder.config.hidden_size // decoder.config.num_attention_heads
    vocabulary = model.lm_head.weight.numel()
    length, patches = text + image_tokens, 4 * image_tokens

    def run(rows: int, past: int, read: int) -> Work:
        """Some rows on a cached past, with logits at `read` of them. Causal attention among the rows."""
        attended = rows * past + rows * (rows + 1) / 2
        operations = 2 * rows * weights + 4 * attended * cell + 2 * read * vocabulary
        return Work(operations, size * (weights + (vocabulary if read else 0) + kept * (past + rows)))

    tower_weights, merger = linear_parameters(tower.blocks), linear_parameters(tower.merger)
    window = sum(
        patches if index in tower.fullatt_block_indexes else min(patches, tower.config.window_size**2 // 14**2)
        for index in range(len(tower.blocks))
    )
    operations = 2 * patches * (tower_weights + merger / 4) + 4 * patches * window * tower.config.hidden_size
    suffix = latents + cue
    return {
        "vision": Work(operations, size * (tower_weights + merger)),
        "prefill": run(length, 0, 0),
        "steps": (run(suffix, length, 0) + run(suffix, length, latents + 1)) * steps,
        "decode": run(suffix, length, 1) + run(1, length + suffix, 1) * (DECODED - 1),
    }


def _best(action: Callable[[], object], device: torch.device, repeats: int = 7) -> float:
    def timed() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    timed()
    return statistics.median(sorted(timed() for _ in range(repeats))[:3])


def measure_machine(device: torch.device, dtype: torch.dtype, model: nn.Module) -> Machine:
    """Operations per second of a large matrix product, bytes per second of reading as much as the weights again.

    A small model stays in the cache between two passes, so what counts is how fast that is read.
    """
    n = 8192 if device.type == "cuda" else 1024
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    floats = min(sum(p.numel() * p.element_size() for p in model.parameters()) // 4, 1 << 30)
    block = torch.zeros(floats, device=device, dtype=torch.float32)
    product, reading = _best(lambda: a @ b, device), _best(block.sum, device)
    return Machine(2 * n**3 / product, block.numel() * 4 / reading)
