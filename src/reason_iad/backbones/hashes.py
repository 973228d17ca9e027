"""Hashes of a model directory: of everything that answers, and of the part that decides patch features.

They are separate so that each thing made with a model stays valid as long as what made it is the same. Weights of
the late fusion (`fusion.json`) belong to neither: they have a hash of their own (`inspection/fusion.py`).
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

DOWNLOADED = ("*.json", "*.safetensors", "*.jinja", "merges.txt", "vocab.json")
"""Files that make a model directory."""
FITTED = frozenset({"fusion.json"})
"""Files that lie in a model directory and are no part of the model."""
TOWER_PARTS = frozenset({"visual", "vision_tower", "vision_model", "multi_modal_projector", "connector"})
"""Parts of the name of a tensor, between dots, that say it belongs to the vision tower or the projector."""
_NOT_SEEN = frozenset({"text_config", "transformers_version"})
"""Entries of config.json that do not decide what the tower gives."""


def model_sha256(directory: Path) -> str:
    """SHA-256 over every byte that decides what a model answers: weights, configuration, tokenizer, templates."""
    digest = hashlib.sha256()
    for path in sorted(file for pattern in DOWNLOADED for file in directory.glob(pattern)):
        if path.name in FITTED:
            continue
        digest.update(f"{path.name}:{path.stat().st_size}".encode())
        with path.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


def encoder_sha256(directory: Path) -> str:
    """SHA-256 over what decides patch features.

    That is the tensors of the vision tower and the projector, their part of the configuration, and how a picture is
    prepared. It does not depend on how the tensors are spread over files. '' if the directory has no vision tower.
    """
    import torch
    from safetensors import safe_open

    where: dict[str, Path] = {}
    for file in sorted(directory.glob("*.safetensors")):
        with safe_open(str(file), framework="pt") as tensors:
            where |= {name: file for name in tensors.keys() if TOWER_PARTS & set(name.split("."))}  # noqa: SIM118
    if not where:
        return ""
    digest = hashlib.sha256()
    for name in sorted(where):  # one tensor in memory at a time
        with safe_open(str(where[name]), framework="pt") as tensors:
            tensor = tensors.get_tensor(name)
        digest.update(f"{name}:{tensor.dtype}:{tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    config = _read(directory / "config.json")
    seen = {name: value for name, value in config.items() if name not in _NOT_SEEN}
    prepared = _read(directory / "processor_config.json").get("image_processor")
    parts = (seen, _read(directory / "preprocessor_config.json"), prepared)
    digest.update(json.dumps(parts, sort_keys=True).encode())
    return digest.hexdigest()


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}
