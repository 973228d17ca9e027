"""The packaged weights: complete, small, loaded by the hub's classes, and really trained."""

from __future__ import annotations

import json
import re

import pytest

from reason_iad.inspection.fusion import load_fusion
from reason_iad.inspection.questions import LETTERS, detection_question
from reason_iad_nano import weights_path
from reason_iad_nano.metrics import auc

FOLDER = weights_path()
FILES = (
    "README.md",
    "config.json",
    "fusion.json",
    "generation_config.json",
    "model.safetensors",
    "preprocessor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


@pytest.fixture(scope="module")
def backbone():
    from reason_iad.backbones.loading import load_backbone

    return load_backbone("nano")


def test_the_folder_has_the_hubs_layout_and_is_small():
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted(FILES)
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 12e6
    config = json.loads((FOLDER / "config.json").read_text())
    assert config["architectures"] == ["Qwen2_5_VLForConditionalGeneration"]
    assert "chat_template" in json.loads((FOLDER / "tokenizer_config.json").read_text())


def test_the_card_says_what_it_cannot_do():
    card = (FOLDER / "README.md").read_text()
    assert card.startswith("---\nlicense: apache-2.0") and "## What it cannot do" in card and "@" not in card


def test_the_hubs_classes_load_it():
    from transformers import AutoTokenizer, Qwen2_5_VLForConditionalGeneration

    model = Qwen2_5_VLForConditionalGeneration.from_pretrained(FOLDER)
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    assert len(tokenizer) <= model.config.text_config.vocab_size
    assert tokenizer.decode(tokenizer("A crack.")["input_ids"]) == "A crack."


def test_the_map_has_its_say_in_a_verdict():
    fusion = load_fusion(FOLDER)
    assert fusion is not None
    for weights in (fusion.one_reference, fusion.more_references):
        assert weights.model > 0 and weights.map > 0
    for pair in (fusion.place, fusion.size):
        assert pair.model > 0 and pair.map > 0
    assert fusion.type.model > 0 and fusion.type.closer > 0
    assert re.match(r"[1-9]\d\d+ drawn pairs of the validation seeds", fusion.fitted_on), "not those of a trial"


def test_every_letter_is_one_token(backbone):
    assert len(set(backbone.option_tokens(list(LETTERS)))) == len(LETTERS)


def test_it_tells_defective_from_good_parts_it_has_never_seen(backbone):
    from reason_iad_nano.asking import Asked
    from reason_iad_nano.showing import Pairs

    scores, labels = [], []
    for _, facts, images in Pairs(backbone, "new", 60):
        scores.append(Asked(backbone, images).probabilities(detection_question())[0])
        labels.append(facts.defective)
    assert auc(scores, labels) > 0.65
