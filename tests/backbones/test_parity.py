"""Every way of running the model gives the numbers of the model's own forward. Parametrised over the registry."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from tests.backbones.cases import CASES, PROMPT, Case, picture, suffix_rows

from reason_iad.backbones import FAMILIES, Backbone, load_backbone
from reason_iad.backbones.base import Prefix, SuffixQuery
from reason_iad.backbones.chat import render
from reason_iad.backbones.prompt import ImageSlot
from reason_iad.errors import ModelError
from reason_iad.inspection.prompts import build_prompt
from reason_iad.inspection.questions import detection_question


def test_every_family_is_covered_here() -> None:
    assert {name.partition("-")[0] for name in CASES} == set(FAMILIES)


def own_inputs(case: Case, backbone: Any, images: list[Image.Image], tail: tuple[int, ...]) -> dict[str, Any]:
    """What the model's own processor would feed: ids with one placeholder per image row, pixels, token types."""
    pixels = case.pixels(backbone, images)
    counts = [len(rows) for rows in case.features(backbone, pixels)]
    rendered = render(backbone.tokenizer, PROMPT, backbone.markup)
    placeholder = backbone.tokenizer.convert_tokens_to_ids(backbone.image_token)
    ids: list[int] = []
    for piece in (*rendered.head, *rendered.question):
        ids += [placeholder] * counts[piece.index] if isinstance(piece, ImageSlot) else piece.ids  # type: ignore
    row = torch.tensor([[*ids, *tail]])
    types = {} if case.types is None else {case.types: (row == placeholder).int()}
    return pixels | types | {"input_ids": row}


def test_prefix_equals_the_models_own_forward(
    case: Case, backbone: Any, images: list[Image.Image], prefix: Prefix
) -> None:
    cue = backbone.cue(PROMPT)
    inputs = own_inputs(case, backbone, images, render(backbone.tokenizer, PROMPT, backbone.markup).cue.ids)
    assert inputs["input_ids"].shape[1] == prefix.length + len(cue)
    fast = backbone.evaluate(prefix, cue[None], SuffixQuery((len(cue) - 1,))).logits[0, 0]
    backbone.model.set_attn_implementation("eager")
    with torch.no_grad():
        own = backbone.model(**inputs).logits[0, -1]
        other = backbone.model(**inputs | case.pixels(backbone, images[::-1])).logits[0, -1]
    backbone._use_suffix_attention()
    assert (fast - own).abs().max() < 1e-4
    assert own.std() > 0.1, "the comparison must be able to fail"
    assert (own - other).abs().max() > 1e-3, "the images must matter"


def test_explicit_positions_equal_the_models_own(
    case: Case, backbone: Any, images: list[Image.Image], prefix: Prefix
) -> None:
    seen: list[torch.Tensor] = []

    def read(_: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        seen.append(kwargs["position_ids"] if "position_ids" in kwargs else args[1])

    hook = backbone.decoder.rotary_emb.register_forward_pre_hook(read, with_kwargs=True)
    backbone.model(**own_inputs(case, backbone, images, (65,)))
    hook.remove()
    own = seen[0].reshape(-1, prefix.length + 1)
    assert torch.equal(own[:, :-1], prefix.positions)
    assert (own[:, -1] == prefix.next_position).all()
    if len(own) > 1:
        assert not torch.equal(own[0], own[1]), "positions must really be three-dimensional"


def test_image_tokens_equal_the_models_own(case: Case, backbone: Any, images: list[Image.Image]) -> None:
    own = case.features(backbone, case.pixels(backbone, images))
    for image, rows in zip(images, own, strict=True):
        tokens = backbone.embed_image(image)
        assert tokens.rows * tokens.columns == len(tokens.tokens)
        assert (backbone.image_rows(tokens) - rows).abs().max() < 1e-5


def test_image_tokens_map_to_their_places(case: Case, backbone: Any) -> None:
    """Brightening one cell changes the token at that cell most."""
    cell = case.side // 6
    base = np.full((case.side, case.side, 3), 90, np.uint8)
    changed = base.copy()
    changed[2 * cell : 3 * cell, 4 * cell : 5 * cell] = 250  # row 2, column 4
    tokens = [backbone.embed_image(Image.fromarray(array)) for array in (base, changed)]
    assert (tokens[0].rows, tokens[0].columns) == (6, 6)
    difference = (tokens[0].tokens - tokens[1].tokens).norm(dim=-1)
    assert divmod(int(difference.argmax()), 6) == (2, 4)


def test_the_unit_of_the_noise_is_that_of_the_embeddings_read(backbone: Any) -> None:
    look_up = backbone.model.get_input_embeddings()
    rows = look_up(torch.arange(look_up.num_embeddings))
    assert backbone.embedding_rms == pytest.approx(float(rows.pow(2).mean().sqrt()), rel=1e-4)


def test_patch_features_cover_the_image(case: Case, backbone: Any) -> None:
    seen = backbone.patch_features(picture(0, case.side, case.side))
    assert seen.features.dtype == torch.float32
    assert len(seen.features) == seen.rows * seen.columns
    assert seen.rows == seen.columns


def test_cached_equals_uncached(backbone: Any, prefix: Prefix) -> None:
    suffix = suffix_rows(backbone, 3)
    layers = (backbone.attention_layers[0], *backbone.attention_layers[-2:])
    query = SuffixQuery((0, 1, 2, 3, suffix.shape[1] - 1), (0, 1, 2, 3), prefix.images[-1], layers)
    fast = backbone.evaluate(prefix, suffix, query)
    plain = backbone.evaluate_uncached(prefix, suffix, query)
    assert fast.attention is not None
    assert plain.attention is not None
    assert (fast.logits - plain.logits).abs().max() < 1e-4
    assert (fast.attention - plain.attention).abs().max() < 1e-6
    assert (fast.logits[0] - fast.logits[1]).abs().max() > 1e-2, "candidates must differ"


def test_chosen_heads_equal_the_uncached_ones(backbone: Backbone, prefix: Prefix) -> None:
    suffix, at = suffix_rows(backbone, 2), (0, 1)
    alone = [SuffixQuery((), at, prefix.images[-1], heads=(head,)) for head in (0, 1)]
    seen = [backbone.evaluate(prefix, suffix, query).attention for query in alone]
    plain = [backbone.evaluate_uncached(prefix, suffix, query).attention for query in alone]
    for fast, slow in zip(seen, plain, strict=True):
        assert (fast - slow).abs().max() < 1e-6
    assert (seen[0] - seen[1]).abs().max() > 1e-5, "heads must differ"
    with pytest.raises(ModelError, match="attention_heads"):
        backbone.evaluate(prefix, suffix, SuffixQuery((), at, prefix.images[-1], heads=(99,)))


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


def test_bfloat16_runs(directory: Path) -> None:
    model = load_backbone(str(directory), device="cpu", dtype="bfloat16")
    head = model.head(PROMPT, [model.embed_image(picture(0, 60, 60)), model.embed_image(picture(1, 60, 60))])
    cue = model.cue(PROMPT).expand(2, -1, -1)
    out = model.evaluate(model.question(head, PROMPT), cue, SuffixQuery((0,)))
    assert out.logits.dtype == torch.float32
    assert torch.isfinite(out.logits).all()
