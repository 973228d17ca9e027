"""Compiled steps give the same numbers, and a machine that cannot compile says so."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from tests.backbones.cases import PROMPT, picture, suffix_rows

from reason_iad.backbones import load_backbone
from reason_iad.backbones.base import SuffixQuery
from reason_iad.errors import ModelError


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not (shutil.which("g++") or shutil.which("clang++")), reason="needs a C++ compiler")
def test_compiled_steps_equal_plain_ones(
    qwen_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache"))
    short = shutil.copytree(qwen_directory, tmp_path / "one-layer")  # compiling takes seconds per layer
    config = json.loads((short / "config.json").read_text())
    config["text_config"] |= {"num_hidden_layers": 1, "layer_types": ["full_attention"]}
    (short / "config.json").write_text(json.dumps(config))
    plain: Any = load_backbone(str(short), device="cpu")
    fast: Any = load_backbone(str(short), device="cpu", compile_steps=True)
    head = plain.head(PROMPT, [plain.embed_image(picture(seed, 60, 60)) for seed in (0, 1)])
    suffix = suffix_rows(plain, 2)
    query = SuffixQuery((0, 3, suffix.shape[1] - 1), (0, 3), head.images[-1])
    expected, found = plain.evaluate(head, suffix, query), fast.evaluate(head, suffix, query)
    assert (found.logits - expected.logits).abs().max() < 1e-4
    assert (found.attention - expected.attention).abs().max() < 1e-6
    again = fast.evaluate(head, suffix.flip(0), query)
    assert (again.logits.flip(0) - expected.logits).abs().max() < 1e-4


@pytest.mark.parametrize("named", [None, "no-such-compiler"])
def test_without_a_compiler_one_sentence_says_so(
    qwen_directory: Path, named: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if named is None:
        monkeypatch.delenv("CXX", raising=False)
        monkeypatch.setenv("PATH", str(tmp_path))
    else:
        monkeypatch.setenv("CXX", named)
    with pytest.raises(ModelError, match="needs a C\\+\\+ compiler"):
        load_backbone(str(qwen_directory), device="cpu", compile_steps=True)
