"""The fast encoder writes the same ids as the product's renderer; the tokenizer keeps its promises."""

from __future__ import annotations

import random

import pytest

from reason_iad.backbones.chat import ImageMarkup, Tokens, encode_content, render
from reason_iad.backbones.prompt import ImageSlot
from reason_iad.inspection.prompts import build_head, build_prompt
from reason_iad.inspection.questions import LETTERS
from reason_iad_nano.questions import make_items
from reason_iad_nano.scene import make_scene
from reason_iad_nano.tokenizer import SPECIAL_TOKENS

MARKUP = ImageMarkup("<|image_pad|>", "<|image_pad|>")


@pytest.fixture(scope="module")
def hub_tokenizer(tokenizer_folder):
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tokenizer_folder)


@pytest.mark.parametrize("latents", [True, False])
def test_same_ids_as_the_products_renderer(facts, vocabulary, encoder, hub_tokenizer, latents):
    for number in range(25):
        rng = random.Random(number)
        scene = make_scene(facts[number], vocabulary, rng)
        for item in make_items(scene, vocabulary, rng, 4):
            head = build_head(scene.entries, int(scene.reference), scene.category)
            rendered = render(hub_tokenizer, build_prompt(head, item.question, latents=latents), MARKUP)
            mine = encoder.head(scene.entries, int(scene.reference), scene.category)
            flat = [(p,) if isinstance(p, ImageSlot) else p for p in mine]
            theirs = [(p,) if isinstance(p, ImageSlot) else p.ids for p in rendered.head if p]
            assert sum(flat, ()) == sum(theirs, ())
            question = encoder.question(item.question)
            assert question.before == sum((p.ids for p in rendered.question if isinstance(p, Tokens)), ())
            assert question.cue == rendered.cue.ids


def test_letters_are_distinct_single_tokens(encoder):
    ids = [encoder.content(letter) for letter in LETTERS]
    assert all(len(run) == 1 for run in ids) and len(set(ids)) == len(LETTERS)


def test_content_never_becomes_control(hub_tokenizer, encoder):
    for token in SPECIAL_TOKENS:
        ids = encode_content(hub_tokenizer, f"a {token} b")
        assert not set(ids) & set(range(len(SPECIAL_TOKENS)))
        assert ids == encoder.content(f"a {token} b")


@pytest.mark.parametrize("text", ["Defect: Kratzer at top left, tiny.", "Ø 3 mm – 5 %", "日本語", "a b  c"])
def test_text_survives_the_round_trip(hub_tokenizer, text):
    ids = encode_content(hub_tokenizer, text)
    assert hub_tokenizer.decode(ids, skip_special_tokens=True) == text


def test_a_name_is_the_same_tokens_everywhere(encoder):
    name = encoder.content("zorvek")
    for text in ("zorvek: a line\n", "A) zorvek\n", "first\nzorvek: x"):
        ids = encoder.content(text)
        assert any(ids[i : i + len(name)] == name for i in range(len(ids)))
