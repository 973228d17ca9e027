"""The fake backbone and tiny real ones; the reasoning must not care which.

The two families differ in everything a family can differ in: rotary positions (three axes, one), attention (causal;
sliding windows and images that see themselves whole), embeddings (plain; scaled), markup and template.
"""

from __future__ import annotations

import pytest

from reason_iad.backbones import Backbone, load_backbone


@pytest.fixture(scope="session", params=["fake", "qwen2_5_vl", "gemma3"])
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    if request.param == "fake":
        return load_backbone("fake")
    from tests.backbones import tiny, tiny_tiles

    build = {"qwen2_5_vl": tiny.qwen2_5_vl, "gemma3": tiny_tiles.gemma3}[request.param]
    return load_backbone(str(build(tmp_path_factory.mktemp("reasoning"))), device="cpu")
