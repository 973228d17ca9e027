"""One tiny random model per session."""

from __future__ import annotations

from pathlib import Path

import pytest

import tiny
from reason_iad.backbones import Backbone, load_backbone


@pytest.fixture(scope="session")
def qwen_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.qwen2_5_vl(tmp_path_factory.mktemp("models") / "tiny-qwen2.5-vl")


@pytest.fixture(scope="session")
def qwen(qwen_directory: Path) -> Backbone:
    return load_backbone(str(qwen_directory), device="cpu")
