"""Every way of running the model gives the numbers of the model's own forward. Parametrised over the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from PIL import Image

from reason_iad.backbones import FAMILIES, Backbone, load_backbone
from reason_iad.backbones.base import Prefix, SuffixQuery
from reason_iad.backbones.chat import render
from reason_iad.prompt import ImageSlot, build_head, build_prompt, detection_question

BUILDERS = {"qwen2_5_vl": tiny.qwen2_5_vl}


def picture(seed: int, width: int, height: int) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8))


def test_every_family_is_covered_here() -> None:
    assert set(BUILDERS) == set(FAMILIES)


@pytest.fixture(scope="module", params=sorted(FAMILIES))
def backbone(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return load_backbone(str(BUILDERS[request.param](tmp_path_factory.mktemp(request.param))), device="cpu")


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    return [picture(0, 90, 140), picture(1, 168, 100)]


PROMPT = build_prompt(build_head((), 1, "pcb"), detection_question(), latents=True)


@pytest.fixture(scope="module")
def prefix(backbone: Backbone, images: list[Image.Image]) -> Prefix:
    tokens = [backbone.embed_image(image) for image in images]
    return backbone.question(backbone.head(PROMPT, tokens), PROMPT)


def own_inputs(backbone: Any, images: list[Image.Image]) -> dict[str, torch.Tensor]:
    """What the model's own processor would feed: ids with expanded placeholders, pixels, grids, token types."""
    batch = backbone.image_processor(images=images, return_tensors="pt")
    rendered = render(backbone.tokenizer, PROMPT, backbone.image_token)
    placeholder = backbone.tokenizer.convert_tokens_to_ids(backbone.image_token)
    ids: list[int] = []
    for piece in (*rendered.head, *rendered.question):
        if isinstance(piece, ImageSlot):
            ids += [placeholder] * (int(batch["image_grid_thw"][piece.index].prod()) // 4)
        else:
            ids += piece.ids  # type: ignore[union-attr]
    row = torch.tensor([ids])
    return dict(batch) | {"input_ids": row, "mm_token_type_ids": (row == placeholder).int()}


def suffix_rows(backbone: Backbone, count: int, spread: float = 0.1) -> torch.Tensor:
    torch.manual_seed(0)
    rows = torch.cat((backbone.think_embedding().expand(4, -1), backbone.cue(PROMPT)))
    return rows + spread * torch.randn(count, *rows.shape)


def test_prefix_equals_the_models_own_forward(backbone: Any, images: list[Image.Image], prefix: Prefix) -> None:
    inputs = own_inputs(backbone, images)
    assert inputs["input_ids"].shape[1] == prefix.length
    cue = backbone.cue(PROMPT)
    fast = backbone.evaluate(prefix, cue[None], SuffixQuery((len(cue) - 1,))).logits[0, 0]
    rendered = render(backbone.tokenizer, PROMPT, backbone.image_token)
    tail = torch.tensor([rendered.cue.ids])
    inputs["input_ids"] = torch.cat((inputs["input_ids"], tail), 1)
    types = inputs["mm_token_type_ids"]
    inputs["mm_token_type_ids"] = torch.cat((types, torch.zeros_like(tail, dtype=types.dtype)), 1)
    with torch.no_grad():
        own = backbone.model(**inputs).logits[0, -1]
    assert (fast - own).abs().max() < 1e-4
    assert own.std() > 0.1, "the comparison must be able to fail"


def test_explicit_positions_equal_the_models_own(backbone: Any, images: list[Image.Image], prefix: Prefix) -> None:
    inputs = own_inputs(backbone, images)
    own, delta = backbone.model.model.get_rope_index(
        inputs["input_ids"], inputs["mm_token_type_ids"], image_grid_thw=inputs["image_grid_thw"]
    )
    assert torch.equal(own[:, 0], prefix.positions)
    assert prefix.next_position == prefix.length + int(delta)
    assert not torch.equal(own[0, 0], own[1, 0]), "positions must really be three-dimensional"


def test_image_tokens_equal_the_models_own(backbone: Any, images: list[Image.Image]) -> None:
    batch = backbone.image_processor(images=images, return_tensors="pt")
    own = backbone.model.model.get_image_features(batch["pixel_values"], batch["image_grid_thw"]).pooler_output
    for image, rows, grid in zip(images, own, batch["image_grid_thw"], strict=True):
        tokens = backbone.embed_image(image)
        assert (tokens.tokens - rows).abs().max() < 1e-5
        assert (tokens.rows, tokens.columns) == (int(grid[1]) // 2, int(grid[2]) // 2)


def test_image_tokens_map_to_their_places(backbone: Any) -> None:
    """Brightening one cell changes the token at that cell most."""
    base = np.full((168, 168, 3), 90, np.uint8)
    changed = base.copy()
    changed[56:84, 112:140] = 250  # row 2, column 4 of a 6 x 6 grid
    tokens = [backbone.embed_image(Image.fromarray(array)).tokens for array in (base, changed)]
    difference = (tokens[0] - tokens[1]).norm(dim=-1)
    assert divmod(int(difference.argmax()), 6) == (2, 4)


def test_cached_equals_uncached(backbone: Backbone, prefix: Prefix) -> None:
    suffix = suffix_rows(backbone, 3)
    query = SuffixQuery((0, 1, 2, 3, suffix.shape[1] - 1), (0, 1, 2, 3), prefix.images[-1], (0, 2, 3))
    fast = backbone.evaluate(prefix, suffix, query)
    plain = backbone.evaluate_uncached(prefix, suffix, query)
    assert fast.attention is not None
    assert plain.attention is not None
    assert (fast.logits - plain.logits).abs().max() < 1e-4
    assert (fast.attention - plain.attention).abs().max() < 1e-6
    assert (fast.logits[0] - fast.logits[1]).abs().max() > 1e-2, "candidates must differ"


def test_a_batch_equals_its_members(backbone: Backbone, prefix: Prefix) -> None:
    suffix = suffix_rows(backbone, 5)
    query = SuffixQuery((suffix.shape[1] - 1,))
    together = backbone.evaluate(prefix, suffix, query).logits
    alone = torch.cat([backbone.evaluate(prefix, row[None], query).logits for row in suffix])
    assert (together - alone).abs().max() < 1e-4


def test_evaluating_leaves_the_prefix_as_it_was(backbone: Backbone, prefix: Prefix) -> None:
    before = [(key.clone(), value.clone()) for key, value in prefix.layers]
    backbone.evaluate(prefix, suffix_rows(backbone, 2), SuffixQuery((0,)))
    backbone.decode(prefix, backbone.cue(PROMPT), 4)
    for (key, value), (old_key, old_value) in zip(prefix.layers, before, strict=True):
        assert torch.equal(key, old_key)
        assert torch.equal(value, old_value)


def test_extending_equals_one_prompt(backbone: Any, images: list[Image.Image], prefix: Prefix) -> None:
    """Two questions forked from one head give what each gives alone."""
    tokens = [backbone.embed_image(image) for image in images]
    head = backbone.head(PROMPT, tokens)
    other = build_prompt(PROMPT.head, detection_question(), latents=False)
    backbone.question(head, other)
    again = backbone.question(head, PROMPT)
    assert torch.equal(again.layers[-1][0], prefix.layers[-1][0])


def test_gradient_through_the_suffix_equals_the_uncached_one(backbone: Any, prefix: Prefix) -> None:
    suffix = suffix_rows(backbone, 1).requires_grad_(True)
    query = SuffixQuery((suffix.shape[1] - 1,))
    backbone.evaluate(prefix, suffix, query).logits.log_softmax(-1)[..., 65].sum().backward()
    fast = suffix.grad.clone()
    suffix.grad = None
    with torch.enable_grad():
        backbone.evaluate_uncached(prefix, suffix, query).logits.log_softmax(-1)[..., 65].sum().backward()
    assert (fast - suffix.grad).norm() < 1e-4 * suffix.grad.norm()
    assert suffix.grad.norm() > 0


def test_decoding_equals_generating_without_a_cache(backbone: Any, prefix: Prefix) -> None:
    rows = suffix_rows(backbone, 1, spread=0.5)[0]
    decoded = backbone.decode(prefix, rows, 6)
    for token in decoded.tokens:
        logits = backbone.evaluate_uncached(prefix, rows[None], SuffixQuery((len(rows) - 1,))).logits[0, 0]
        assert int(logits.argmax()) == token
        rows = torch.cat((rows, backbone.model.get_input_embeddings()(torch.tensor([token]))))
    assert len(decoded.tokens) > 0


def test_bfloat16_runs(backbone: Any, tmp_path: Path) -> None:
    del backbone
    model = load_backbone(str(tiny.qwen2_5_vl(tmp_path)), device="cpu", dtype="bfloat16")
    head = model.head(PROMPT, [model.embed_image(picture(0, 60, 60)), model.embed_image(picture(1, 60, 60))])
    out = model.evaluate(model.question(head, PROMPT), model.cue(PROMPT)[None], SuffixQuery((0,)))
    assert out.logits.dtype == torch.float32
    assert torch.isfinite(out.logits).all()
