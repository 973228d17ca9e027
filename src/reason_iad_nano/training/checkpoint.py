"""Checkpoints that survive `kill -9`: written beside their name, flushed to disk, then renamed in one step.

Everything is safetensors and JSON. A checkpoint directory either is complete or does not have its final name.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from reason_iad.errors import ModelError

_NAME = re.compile(r"checkpoint-(\d{8})")


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The state of an AdamW optimizer as named tensors."""
    state = optimizer.state_dict()["state"]
    return {f"optimizer.{index}.{key}": value for index, entry in state.items() for key, value in entry.items()}


def load_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Put the tensors of `optimizer_tensors` back; the parameter groups keep their present options."""
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = tensor
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _flush(path: Path) -> None:
    """Force a file or directory to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def save_checkpoint(
    folder: Path, number: int, tensors: dict[str, Tensor], state: dict[str, Any], keep: int = 2
) -> Path:
    """Write checkpoint `number`, then remove all but the newest `keep`.

    Args:
        folder: where checkpoints live.
        number: increasing; the newest complete one is resumed.
        tensors: weights and optimizer state.
        state: anything JSON can hold.
        keep: how many stay.
    """
    folder.mkdir(parents=True, exist_ok=True)
    final, draft = folder / f"checkpoint-{number:08d}", folder / f".draft-{number:08d}"
    for stale in (draft, final):
        shutil.rmtree(stale, ignore_errors=True)
    draft.mkdir()
    save_file(
        {name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()},
        draft / "tensors.safetensors",
    )
    (draft / "state.json").write_text(json.dumps(state))
    for file in draft.iterdir():
        _flush(file)
    draft.rename(final)
    _flush(folder)
    for old in sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def newest_checkpoint(folder: Path) -> Path | None:
    """The newest complete checkpoint, or None."""
    if not folder.is_dir():
        return None
    found = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return found[-1] if found else None


def load_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state of a checkpoint.

    Raises:
        ModelError: the checkpoint cannot be read.
    """
    try:
        return load_file(path / "tensors.safetensors"), json.loads((path / "state.json").read_text())
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError(f"Checkpoint '{path}' cannot be read; delete it to resume from the one before.") from error
