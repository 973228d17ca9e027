"""Packed sequences compute what separate ones would, at the positions the model itself would use."""

from __future__ import annotations

import random

import pytest
import torch

from reason_iad.schema import PLACES
from reason_iad_nano.decoder import PackedDecoder
from reason_iad_nano.encoding import IMAGE, STOP, THINK
from reason_iad_nano.packing import PLACE_SLOT, LatentOdds, Packed, collate, pack
from reason_iad_nano.pairs import kind_index
from reason_iad_nano.questions import make_items
from reason_iad_nano.scene import make_scene
from reason_iad_nano.training.heads import KIND_SLOTS

GRID = (3, 4)


def make(facts, vocabulary, indexes, encoder, seed, share=0.5, chain=0.0, extra=None):
    rng = random.Random(seed)
    scene = make_scene(facts, vocabulary, rng, extra=extra)
    items = make_items(scene, vocabulary, rng, 5)
    scene.facts.coverage.flags.writeable = True
    return scene, items, pack(scene, items, encoder, indexes, GRID, rng, LatentOdds(share=share), chain)


def embed(model, packed: Packed, rows, tokens):
    table = model.model.language_model.embed_tokens.weight
    return torch.stack([table[packed.ids[i]] if packed.sources[i] < 0 else tokens[packed.sources[i]] for i in rows])


@pytest.mark.parametrize(("chain", "extra"), [(0.0, None), (0.5, None), (0.0, "reference"), (0.5, "overlay")])
@pytest.mark.parametrize("seed", range(2))
def test_packed_branches_equal_separate_sequences(facts, vocabulary, indexes, encoder, model, seed, chain, extra):
    scene, _, packed = make(facts[seed], vocabulary, indexes, encoder, seed, chain=chain, extra=extra)
    other_scene, _, other = make(facts[seed + 50], vocabulary, indexes, encoder, seed + 50, extra=extra)
    tokens = torch.randn(3 * GRID[0] * GRID[1], 48, generator=torch.Generator().manual_seed(seed))
    batch = collate([packed, other], [scene, other_scene], [0, 1], indexes, GRID)
    length = batch.ids.shape[1]
    padded = torch.zeros(2, length, 48)
    padded[0, : len(packed.ids)] = embed(model, packed, range(len(packed.ids)), tokens)
    with torch.no_grad():
        states = PackedDecoder(model.model.language_model, 1)(
            padded, torch.from_numpy(batch.segments), torch.from_numpy(batch.positions)
        ).states[-1][0]
        for branch in range(1, max(packed.segments) + 1):
            rows = [i for i, segment in enumerate(packed.segments) if segment in (0, branch)]
            positions = torch.tensor([packed.positions[i] for i in rows]).T[:, None]
            alone = model.model.language_model(
                inputs_embeds=embed(model, packed, rows, tokens)[None], position_ids=positions, use_cache=False
            ).last_hidden_state[0]
            torch.testing.assert_close(model.lm_head(states[rows]), model.lm_head(alone), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("extra", [None, "reference", "overlay"])
@pytest.mark.parametrize("seed", range(4))
def test_positions_are_the_models_own(facts, vocabulary, indexes, encoder, model, seed, extra):
    scene, _, packed = make(facts[seed], vocabulary, indexes, encoder, seed, share=0.0, extra=extra)
    rows = [i for i, segment in enumerate(packed.segments) if segment in (0, 2)]
    ids = torch.tensor([[packed.ids[i] for i in rows]])
    images = scene.references + int(scene.extra == "overlay") + 1
    grids = torch.tensor([[1, 2 * GRID[0], 2 * GRID[1]]] * images)
    expected, _ = model.model.get_rope_index(ids, (ids == IMAGE).int(), image_grid_thw=grids)
    assert torch.equal(expected[:, 0], torch.tensor([packed.positions[i] for i in rows]).T)


def test_a_latent_block_is_think_tokens_each_with_its_patches(facts, vocabulary, indexes, encoder):
    _, items, packed = make(facts[0], vocabulary, indexes, encoder, 3, share=1.0)
    count = GRID[0] * GRID[1]
    for branch in range(1, len(items) + 1):
        rows = [i for i, segment in enumerate(packed.segments) if segment == branch]
        block = [i for i in rows if packed.ids[i] == THINK or packed.sources[i] >= 0]
        assert block == list(range(block[0], block[-1] + 1)), "the block is contiguous"
        assert packed.ids[block[0]] == THINK and sum(packed.ids[i] == THINK for i in block) == 4
        assert all(count <= packed.sources[i] < 2 * count for i in block if packed.ids[i] != THINK), "of the query"
        steps = [packed.positions[i][0] for i in rows]
        assert steps == list(range(steps[0], steps[0] + len(steps)))


def test_every_branch_is_supervised_to_its_stop(facts, vocabulary, indexes, encoder):
    _, items, packed = make(facts[1], vocabulary, indexes, encoder, 5)
    assert sum(token == STOP for _, token, _ in packed.targets) == len(items)
    for position, token, _ in packed.targets:
        follows = position + 1 < len(packed.ids) and packed.segments[position + 1] == packed.segments[position]
        assert token == STOP or (follows and packed.ids[position + 1] == token)


def test_option_ends_follow_their_options(facts, vocabulary, indexes, encoder):
    for seed in range(20):
        _, items, packed = make(facts[seed], vocabulary, indexes, encoder, seed)
        assert len(packed.options) == sum(len(item.question.options) for item in items)
        assert all(packed.ids[position] == encoder.line_break for position, _, _ in packed.options)
        assert sum(right for _, right, _ in packed.options) == sum(item.correct is not None for item in items)


def test_an_option_of_a_place_question_stands_for_its_place_and_of_a_type_question_for_its_kind(
    facts, vocabulary, indexes, encoder
):
    seen = set()
    for seed in range(40):
        _, items, packed = make(facts[seed], vocabulary, indexes, encoder, seed)
        ends = iter(packed.options)
        for item in items:
            for number, option in enumerate(item.question.options):
                meaning = next(ends)[2]
                if item.task == "place":
                    assert meaning == PLACE_SLOT + PLACES.index(option.lower().rstrip("."))
                elif item.option_kinds and item.option_kinds[number] is not None:
                    assert meaning == indexes.kinds[item.option_kinds[number]]
                else:
                    assert meaning == -1
                seen.add(item.task)
    assert {"place", "type", "detection"} <= seen


def test_kinds_and_places_share_the_slots_without_meeting():
    assert len(kind_index()) <= PLACE_SLOT
    assert PLACE_SLOT + len(PLACES) == KIND_SLOTS


def test_a_second_question_follows_the_first_answer_as_the_chat_template_writes_it(
    facts, vocabulary, indexes, encoder, tokenizer_folder
):
    from transformers import AutoTokenizer

    hub = AutoTokenizer.from_pretrained(tokenizer_folder)
    again = tuple(hub("<|im_end|>\n<|im_start|>user\n", add_special_tokens=False).input_ids)
    turn = tuple(hub("<|im_end|>\n<|im_start|>assistant\n", add_special_tokens=False).input_ids)
    chained = 0
    for seed in range(30):
        _, items, packed = make(facts[seed], vocabulary, indexes, encoder, seed, share=0.0, chain=0.5)
        questions = iter(items)
        for branch in range(1, max(packed.segments) + 1):
            ids = tuple(t for t, s in zip(packed.ids, packed.segments, strict=True) if s == branch)
            item = next(questions)
            expected = encoder.question(item.question).before + turn + encoder.content(item.answer)
            while len(expected) < len(ids):
                chained += 1
                item = next(questions)
                asked = encoder.question(item.question).before[len(encoder.line) :]
                expected += again + asked + turn + encoder.content(item.answer)
            assert ids == expected
        assert next(questions, None) is None
    assert chained > 20


@pytest.mark.parametrize("extra", ["reference", "overlay"])
def test_a_third_image_has_its_own_tokens_before_the_query(facts, vocabulary, indexes, encoder, extra):
    count = GRID[0] * GRID[1]
    scene, _, packed = make(facts[3], vocabulary, indexes, encoder, 3, share=0.0, extra=extra)
    assert scene.extra == extra
    shown = [source // count for source in packed.sources[::1] if source >= 0]
    order = ([0] if scene.reference else []) + [2, 1]
    assert shown == [image for image in order for _ in range(count)]
    assert packed.sources[packed.query] == count
