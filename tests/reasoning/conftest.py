"""The fake backbone and a tiny real one; the reasoning must not care which."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reason_iad.backbones import Backbone, load_backbone

sys.path.insert(0, str(Path(__file__).parent.parent / "backbones"))


@pytest.fixture(scope="session", params=["fake", "qwen2_5_vl"])
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    if request.param == "fake":
        return load_backbone("fake")
    import tiny

    return load_backbone(str(tiny.qwen2_5_vl(tmp_path_factory.mktemp("reasoning"))), device="cpu")
