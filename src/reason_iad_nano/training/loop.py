"""The training loop: stages one after another, each step a pure function of the step number and the weights.

Kill it at any moment and run it again with `resume`: it goes on from the last complete checkpoint, and, counted in
steps, ends with the same weights as a run that was never cut.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from reason_iad.errors import ConfigError
from reason_iad_nano.pairs import PairBatch, pair_batch
from reason_iad_nano.training.budget import Budget, learning_rate
from reason_iad_nano.training.checkpoint import load_optimizer, optimizer_tensors, save_checkpoint
from reason_iad_nano.training.prefetch import Workers
from reason_iad_nano.training.settings import TrainSettings


class Stage(Protocol):
    """What the loop needs from a stage."""

    name: str
    heads: nn.Module

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups with a 'peak' learning rate each, and 'wait', the steps before they learn at all."""
        ...

    def prepare(self, validation: list[PairBatch]) -> None:
        """Once, before the very first step."""
        ...

    def batches(self, workers: Workers, first_step: int) -> Iterator[Any]:
        """Endless batches from `first_step` on."""
        ...

    def loss(self, batch: Any, step: int) -> tuple[Tensor, dict[str, float]]:
        """Loss of one step, and its parts."""
        ...

    def validate(self, batches: list[PairBatch]) -> dict[str, float]:
        """Measures on pairs never trained on."""
        ...


class Log:
    """JSON lines, one per event, appended and flushed."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, **event: Any) -> None:
        """Append one event, and print it."""
        line = json.dumps({k: round(v, 5) if isinstance(v, float) else v for k, v in event.items()})
        with self._path.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)


def autocast(settings: TrainSettings) -> contextlib.AbstractContextManager[Any]:
    """The mixed precision of a run."""
    kind = settings.device.split(":")[0]
    return torch.autocast(kind, torch.bfloat16) if settings.half else contextlib.nullcontext()


def make_optimizer(stage: Stage, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW; vectors (norms, biases) are not decayed."""
    groups = []
    for group in stage.groups():
        for decayed in (True, False):
            parameters = [p for p in group["params"] if (p.ndim > 1) == decayed]
            decay = settings.weight_decay if decayed else 0.0
            kept = {"peak": group["peak"], "wait": group.get("wait", 0), "lr": 0.0, "weight_decay": decay}
            groups.append({"params": parameters, **kept})
    return torch.optim.AdamW(groups, betas=(0.9, 0.98), eps=1e-8)


class Runner:
    """Runs one stage to its end.

    Args:
        out: directory of the run.
        settings: the run.
        model: the whole model; a stage trains a part of it.
    """

    def __init__(self, out: Path, settings: TrainSettings, model: nn.Module, workers: Workers) -> None:
        self.out, self.settings, self.model, self.workers = out, settings, model, workers
        self.log = Log(out / "log.jsonl")
        self._threads = ThreadPoolExecutor(settings.shards)
        self._validation: list[PairBatch] | None = None

    def validation(self) -> list[PairBatch]:
        """The fixed validation pairs, drawn once."""
        if self._validation is None:
            count, size = min(64, self.settings.validation_pairs), self.settings.size
            runs = [(n, count, "validate", size) for n in range(0, self.settings.validation_pairs, count)]
            self._validation = list(self.workers.map(pair_batch, runs))
        return self._validation

    def save(self, stage: Stage, index: int, step: int, budget: Budget, optimizer: torch.optim.Optimizer) -> None:
        """Checkpoint the whole state of the run."""
        tensors = {
            f"model.{name}": value for name, value in self.model.state_dict().items() if name != "lm_head.weight"
        }
        tensors |= {f"heads.{name}": value for name, value in stage.heads.state_dict().items()}
        tensors |= optimizer_tensors(optimizer)
        state = {"stage": index, "step": step, "seconds": budget.seconds(), "settings": asdict(self.settings)}
        save_checkpoint(self.out / "checkpoints", index * 10_000_000 + step, tensors, state)

    def restore(self, stage: Stage, tensors: dict[str, Tensor], optimizer: torch.optim.Optimizer) -> None:
        """Put a checkpoint of this very stage back.

        Raises:
            ConfigError: its heads are those of another version.
        """
        heads = {name.removeprefix("heads."): t for name, t in tensors.items() if name.startswith("heads.")}
        try:
            stage.heads.load_state_dict(heads)
        except RuntimeError as error:
            raise ConfigError(
                f"The run in '{self.out}' has other training targets than this version; "
                "go on with the version that began it, or choose another directory."
            ) from error
        load_optimizer(optimizer, tensors)

    def run(
        self, stage: Stage, index: int, budget: Budget, step: int = 0, tensors: dict[str, Tensor] | None = None
    ) -> None:
        """Train one stage until its budget is spent.

        Args:
            stage: what to train.
            index: its number, which orders checkpoints.
            budget: its time or steps.
            step: first step (when resuming).
            tensors: the checkpoint to go on from, if it is of this stage.
        """
        stage.heads.to(self.settings.device)
        optimizer = make_optimizer(stage, self.settings)
        if tensors is not None:
            self.restore(stage, tensors, optimizer)
        validation = self.validation()
        if step == 0:
            stage.prepare(validation)
        shards = self.settings.shards
        batches = stage.batches(self.workers, step * shards)
        saved = measured = time.monotonic()
        while (progress := budget.progress(step)) < 1.0:
            parts = self._step(stage, list(itertools.islice(batches, shards)), step, progress, optimizer)
            step += 1
            if step % 50 == 0 or step == 1:
                self.log.write(stage=stage.name, step=step, progress=progress, seconds=budget.seconds(), **parts)
            if time.monotonic() - saved > self.settings.save_every:
                self.save(stage, index, step, budget, optimizer)
                saved = time.monotonic()
            if time.monotonic() - measured > self.settings.validate_every:
                self.measure(stage, step, validation)
                measured = time.monotonic()
        self.measure(stage, step, validation)
        self.save(stage, index, step, budget, optimizer)

    def _step(
        self, stage: Stage, shards: list[Any], step: int, progress: float, optimizer: torch.optim.Optimizer
    ) -> dict[str, float]:
        """One update from the mean gradient of the shards."""
        factor = learning_rate(progress, step)
        for group in optimizer.param_groups:
            wait = group["wait"]
            group["lr"] = group["peak"] * (learning_rate(progress, step - wait) if step >= wait else 0.0)
        parameters = [p for group in optimizer.param_groups for p in group["params"]]

        def gradient(index: int) -> tuple[tuple[Tensor | None, ...], dict[str, float]]:
            with autocast(self.settings):  # autocast is a property of the thread
                loss, parts = stage.loss(shards[index], step * len(shards) + index)
            return torch.autograd.grad(loss, parameters, allow_unused=True), {"loss": float(loss.detach()), **parts}

        results = list(self._threads.map(gradient, range(len(shards))))
        for parameter, *grads in zip(parameters, *(result[0] for result in results), strict=True):
            present = [grad for grad in grads if grad is not None]
            parameter.grad = sum(present[1:], present[0]).div_(len(shards)) if present else None
        norm = float(nn.utils.clip_grad_norm_(parameters, self.settings.clip))
        if math.isfinite(norm):
            optimizer.step()
        names = dict.fromkeys(name for _, parts in results for name in parts)
        means = {n: sum(p.get(n, 0.0) for _, p in results) / sum(n in p for _, p in results) for n in names}
        return {"norm": norm, "factor": factor, **means}

    def measure(self, stage: Stage, step: int, validation: list[PairBatch]) -> None:
        """Validate and log."""
        with autocast(self.settings):
            self.log.write(stage=stage.name, step=step, validation=True, **stage.validate(validation))
