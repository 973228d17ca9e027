"""From nothing to a packaged model: tokenizer, tower, answers, all together, package."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from reason_iad.errors import ConfigError
from reason_iad_nano.architecture import build_model
from reason_iad_nano.corpus import corpus
from reason_iad_nano.package import package_model
from reason_iad_nano.pairs import family_index
from reason_iad_nano.texts import world_vocabulary
from reason_iad_nano.tokenizer import SPECIAL, save_tokenizer, train_tokenizer
from reason_iad_nano.training.answer_stage import AnswerStage
from reason_iad_nano.training.budget import Budget
from reason_iad_nano.training.checkpoint import load_checkpoint, newest_checkpoint
from reason_iad_nano.training.curves import draw_curves
from reason_iad_nano.training.loop import Runner, Stage
from reason_iad_nano.training.prefetch import Workers
from reason_iad_nano.training.settings import TrainSettings
from reason_iad_nano.training.starting import start_from
from reason_iad_nano.training.tower_stage import TowerStage

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLForConditionalGeneration


def load_weights(model: Qwen2_5_VLForConditionalGeneration, tensors: dict[str, Any]) -> None:
    """Put the model's tensors of a checkpoint into the model."""
    state = {name.removeprefix("model."): t for name, t in tensors.items() if name.startswith("model.")}
    missing, unexpected = model.load_state_dict(state, strict=False)
    if unexpected or set(missing) - {"lm_head.weight"}:
        raise ConfigError("The checkpoint belongs to a model of another shape; resume with the same options.")


def train(out: Path, settings: TrainSettings, *, resume: bool = False) -> Path:
    """Train, or go on training, in a directory.

    Args:
        out: directory of the run: log, checkpoints, and at the end the packaged model in `model/`.
        settings: the run.
        resume: go on from the newest checkpoint of `out`.

    Returns:
        The directory of the packaged model.

    Raises:
        ConfigError: the directory holds a run and `resume` is off.
    """
    newest = newest_checkpoint(out / "checkpoints")
    if newest is not None and not resume:
        raise ConfigError(
            f"'{out}' holds a training run; pass --resume to go on with it, or choose another directory."
        )
    if resume:
        settings = _as_begun(out, settings)
    out.mkdir(parents=True, exist_ok=True)
    (out / "settings.json").write_text(json.dumps(asdict(settings), indent=1))
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    torch.manual_seed(settings.seed)
    model = build_model(settings.model, SPECIAL)
    tensors, state = (
        load_checkpoint(newest) if newest is not None else ({}, {"stage": 0, "step": 0, "seconds": 0.0})
    )
    if tensors:
        load_weights(model, tensors)
    elif settings.start is not None:
        start_from(settings.start, model, out / "tokenizer")
    torch.nn.Module.to(model, settings.device)
    with Workers(settings.workers) as workers:
        runner = Runner(out, settings, model, workers)
        stage: Stage | None = None
        for index, name in enumerate(("tower", "answer", "joint")):
            if index < state["stage"]:
                continue
            here = index == state["stage"] and bool(tensors)
            budget = Budget(
                settings.minutes * settings.shares[index],
                settings.steps[index] if settings.steps else None,
                state["seconds"] if here else 0.0,
            )
            torch.manual_seed(settings.seed + 1 + index)
            previous, stage = stage, _stage(name, model, settings, out)
            if previous is not None:
                inherit_heads(stage.heads, previous.heads)
            runner.run(stage, index, budget, state["step"] if here else 0, tensors if here else None)
    draw_curves(out / "log.jsonl", out / "curves.png")
    return package_model(model, out / "tokenizer", out / "model", settings.size)


def _as_begun(out: Path, settings: TrainSettings) -> TrainSettings:
    """The settings with what the run was begun from: what went on from a model does not resume as if from nothing.

    Raises:
        ConfigError: another model to start from is asked for.
    """
    try:
        begun = json.loads((out / "settings.json").read_text())
        start, heads_first = begun["start"], begun["heads_first"]
    except (OSError, ValueError, KeyError):
        return settings
    if settings.start not in (None, start):
        raise ConfigError(f"The run in '{out}' was not started from '{settings.start}'; resume it without --start.")
    return replace(settings, start=start, heads_first=heads_first)


def inherit_heads(heads: nn.Module, previous: nn.Module) -> None:
    """The heads of the stage before go on."""
    if isinstance(previous, nn.ModuleDict):
        heads.load_state_dict(previous.state_dict())
    else:
        heads.get_submodule("tower").load_state_dict(previous.state_dict())


def make_tokenizer(folder: Path, vocab_size: int, context: int, scenes: int = 6000) -> None:
    """Train the tokenizer, once per run: resuming must not change ids."""
    if not (folder / "tokenizer.json").exists():
        texts = corpus(world_vocabulary(), tuple(family_index()), scenes)
        save_tokenizer(train_tokenizer(texts, vocab_size), folder, context)


def _stage(name: str, model: Qwen2_5_VLForConditionalGeneration, settings: TrainSettings, out: Path) -> Stage:
    """The stage of that name."""
    if name == "tower":
        return TowerStage(model, settings)
    make_tokenizer(out / "tokenizer", settings.model.vocab_size, settings.model.context)
    return AnswerStage(model, settings, str(out / "tokenizer"), joint=name == "joint")
