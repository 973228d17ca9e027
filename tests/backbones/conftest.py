"""Tiny random models, one of each family; a chat-completions server per test.

A test that takes `backbone` (or `prefix`, `case`, `directory`) runs once per family of the registry.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from tests.backbones import tiny
from tests.backbones.cases import CASES, PROMPT, Case, picture
from tests.backbones.chat_server import ChatServer

from reason_iad.backbones import Backbone, load_backbone
from reason_iad.backbones.base import Prefix


@pytest.fixture(scope="session")
def qwen_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.qwen2_5_vl(tmp_path_factory.mktemp("models") / "tiny-qwen2.5-vl")


@pytest.fixture(scope="session")
def qwen(qwen_directory: Path) -> Backbone:
    return load_backbone(str(qwen_directory), device="cpu")


@pytest.fixture(scope="module", params=sorted(CASES))
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def case(family: str) -> Case:
    return CASES[family]


@pytest.fixture(scope="session")
def saved() -> dict[str, Path]:
    """Where each family's model was saved, as far as it was needed."""
    return {}


@pytest.fixture(scope="module")
def directory(family: str, case: Case, saved: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    if family not in saved:
        saved[family] = case.build(tmp_path_factory.mktemp(family))
    return saved[family]


@pytest.fixture(scope="module")
def backbone(directory: Path) -> Backbone:
    return load_backbone(str(directory), device="cpu")


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    return [picture(0, 90, 140), picture(1, 168, 100)]


@pytest.fixture(scope="module")
def prefix(backbone: Backbone, images: list[Image.Image]) -> Prefix:
    tokens = [backbone.embed_image(image) for image in images]
    return backbone.question(backbone.head(PROMPT, tokens), PROMPT)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    """A chat-completions server, and an environment that knows of no other."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with ChatServer() as running:
        yield running
