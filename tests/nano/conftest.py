"""A tiny nano: the real class with random weights, and a tokenizer trained on the spot."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from reason_iad_nano.architecture import NanoConfig, build_model
from reason_iad_nano.corpus import corpus, made_up_facts
from reason_iad_nano.encoding import Encoder
from reason_iad_nano.facts import Facts
from reason_iad_nano.packing import Indexes
from reason_iad_nano.pairs import family_index, kind_index
from reason_iad_nano.scene import Vocabulary
from reason_iad_nano.texts import world_vocabulary
from reason_iad_nano.tokenizer import SPECIAL, load_tokenizer, save_tokenizer, train_tokenizer

TINY = NanoConfig(
    vocab_size=1200, vision_width=32, vision_depth=1, vision_heads=2, vision_mlp=48,
    width=48, depth=2, heads=2, key_value_heads=1, mlp=64, mrope_section=(1,) * 12, context=2048,
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The workshop is a package of its own, which few people change: its tests are among the slow ones."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def vocabulary() -> Vocabulary:
    return world_vocabulary()


@pytest.fixture(scope="session")
def indexes() -> Indexes:
    return Indexes(kind_index(), family_index())


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory, vocabulary: Vocabulary) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    texts = corpus(vocabulary, tuple(family_index()), scenes=300)
    save_tokenizer(train_tokenizer(texts, TINY.vocab_size), folder, TINY.context)
    return folder


@pytest.fixture(scope="session")
def encoder(tokenizer_folder: Path) -> Encoder:
    return Encoder(load_tokenizer(tokenizer_folder))


@pytest.fixture(scope="session")
def model():  # type: ignore[no-untyped-def]
    import torch

    torch.manual_seed(0)
    return build_model(TINY, SPECIAL).eval()


@pytest.fixture
def facts(vocabulary: Vocabulary) -> list[Facts]:
    rng = random.Random(7)
    return [made_up_facts(vocabulary, tuple(family_index()), rng) for _ in range(200)]
