"""A run that is cut and resumed ends with the same weights as one that was not; what it leaves behind loads."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.nano.conftest import TINY

from reason_iad.errors import ConfigError, ModelError
from reason_iad_nano.encoding import IMAGE
from reason_iad_nano.pairs import SHARP, SOFT_EVERY, ZOOMED_EVERY, ZOOMS, count_at, draw, pair_batch
from reason_iad_nano.texts import TextSetup, joint_batch, reading_batch, text_batch, world_vocabulary
from reason_iad_nano.tokenizer import load_tokenizer
from reason_iad_nano.training.checkpoint import load_checkpoint, newest_checkpoint, save_checkpoint
from reason_iad_nano.training.pool import EXTRAS, GROUP, fill_pool, order_groups, pooled_batches
from reason_iad_nano.training.prefetch import Workers
from reason_iad_nano.training.settings import TrainSettings
from reason_iad_nano.training.train import train

SETTINGS = TrainSettings(
    steps=(3, 3, 3), workers=0, threads=1, shards=2, size=84, sizes=(84, (56, 112)), model=TINY, tower_batch=2,
    batch=2, branches=3, pool=8, reuse=2, half=False, validation_pairs=8,
)  # fmt: skip


def weights(out):
    tensors, _ = load_checkpoint(newest_checkpoint(out / "checkpoints"))
    return {name: t for name, t in tensors.items() if name.startswith("model.")}


def place_tokenizer(out, folder):
    (out / "tokenizer").mkdir(parents=True)
    for file in folder.iterdir():
        (out / "tokenizer" / file.name).write_bytes(file.read_bytes())


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory, tokenizer_folder):
    out = tmp_path_factory.mktemp("unbroken")
    place_tokenizer(out, tokenizer_folder)
    train(out, SETTINGS)
    return out


@pytest.mark.parametrize("cut", [(2, 0, 0), (3, 1, 0), (3, 3, 2)])
def test_resuming_equals_an_unbroken_run(unbroken, tmp_path, tokenizer_folder, cut, monkeypatch):
    from reason_iad_nano.training import loop

    place_tokenizer(tmp_path, tokenizer_folder)
    done = {"tower": 0, "answer": 0, "joint": 0}
    step = loop.Runner._step
    limits = dict(zip(done, cut, strict=True))

    class Killed(BaseException):
        pass

    def cut_short(self, stage, shards, number, progress, optimizer):
        if done[stage.name] == limits[stage.name] and sum(done.values()) == sum(cut):
            raise Killed
        done[stage.name] += 1
        return step(self, stage, shards, number, progress, optimizer)

    monkeypatch.setattr(loop.Runner, "_step", cut_short)
    with pytest.raises(Killed):
        train(tmp_path, replace(SETTINGS, save_every=0.0))
    monkeypatch.undo()
    train(tmp_path, SETTINGS, resume=True)
    expected = weights(unbroken)
    for name, tensor in weights(tmp_path).items():
        assert torch.equal(tensor, expected[name]), name


def test_a_run_ends_with_a_model_that_the_hubs_classes_and_the_product_load(unbroken):
    from PIL import Image
    from transformers import AutoImageProcessor, AutoTokenizer, Qwen2_5_VLForConditionalGeneration

    from reason_iad.backbones.loading import load_backbone

    folder = unbroken / "model"
    AutoTokenizer.from_pretrained(folder)
    processor = AutoImageProcessor.from_pretrained(folder)
    assert Qwen2_5_VLForConditionalGeneration.from_pretrained(folder).config.tie_word_embeddings
    grid = processor(images=[Image.new("RGB", (300, 300))], return_tensors="pt")["image_grid_thw"]
    assert grid.tolist() == [[1, 6, 6]], "the size that validation used"
    backbone = load_backbone(str(folder))
    assert backbone.embed_image(Image.new("RGB", (84, 84))).tokens.shape == (9, TINY.width)
    assert (unbroken / "curves.png").stat().st_size > 1000
    events = [json.loads(line) for line in (unbroken / "log.jsonl").read_text().splitlines()]
    assert {event["stage"] for event in events if event.get("validation")} == {"tower", "answer", "joint"}


@pytest.fixture(scope="module")
def gone_on(unbroken, tmp_path_factory):
    """A run that goes on from the packaged model of another, with the weights at rest until the end."""
    out = tmp_path_factory.mktemp("gone_on")
    train(out, replace(SETTINGS, steps=(0, 2, 0), start=str(unbroken / "model"), heads_first=2))
    return out


def test_a_run_goes_on_from_a_packaged_model_and_its_tokenizer(unbroken, gone_on):
    packaged = {name: t.bfloat16() for name, t in weights(unbroken).items()}
    for name, tensor in weights(gone_on).items():
        assert torch.equal(tensor.bfloat16(), packaged[name]), f"{name} waits until the heads have learnt"
    text = (unbroken / "model" / "tokenizer.json").read_text()
    assert (gone_on / "tokenizer" / "tokenizer.json").read_text() == text


def test_new_heads_learn_first_and_then_the_weights(unbroken, gone_on, tmp_path):
    def heads(out):
        tensors, _ = load_checkpoint(newest_checkpoint(out / "checkpoints"))
        return {name: t for name, t in tensors.items() if name.startswith("heads.decoder")}

    longer = replace(SETTINGS, steps=(0, 4, 0), start=str(unbroken / "model"), heads_first=2)
    train(tmp_path, longer)
    assert any(not torch.equal(tensor, heads(gone_on)[name]) for name, tensor in heads(tmp_path).items())
    moved = [name for name, t in weights(tmp_path).items() if not torch.equal(t, weights(gone_on)[name])]
    assert moved and not any(name.startswith("model.model.visual") for name in moved), "the tower rests"


def test_a_run_that_went_on_from_a_model_resumes_as_such(unbroken, tmp_path):
    begun = replace(SETTINGS, steps=(1, 0, 0), start=str(unbroken / "model"))
    train(tmp_path, begun)
    train(tmp_path, replace(SETTINGS, steps=(1, 1, 0)), resume=True)  # without saying from what
    written = json.loads((tmp_path / "settings.json").read_text())
    assert written["start"] == begun.start and written["heads_first"] == begun.heads_first
    packaged = weights(unbroken)["model.model.language_model.embed_tokens.weight"]
    resumed = weights(tmp_path)["model.model.language_model.embed_tokens.weight"]
    assert torch.allclose(resumed, packaged.bfloat16().float(), atol=1e-6), "its scale is not set anew"
    with pytest.raises(ConfigError, match="was not started from 'nano'"):
        train(tmp_path, replace(SETTINGS, start="nano"), resume=True)


@pytest.mark.parametrize(("start", "says"), [("nano", "another shape"), ("fake", "no packaged nano")])
def test_a_run_does_not_go_on_from_another_kind_of_model(tmp_path, start, says):
    with pytest.raises(ConfigError, match=says):
        train(tmp_path, replace(SETTINGS, start=start))


def test_a_run_is_not_overwritten_by_accident(unbroken):
    with pytest.raises(ConfigError, match="--resume"):
        train(unbroken, SETTINGS)


def test_data_depend_on_the_number_only(tokenizer_folder):
    first, again = pair_batch(5, 2, "train", 84), pair_batch(5, 2, "train", 84)
    assert (first.queries == again.queries).all() and (first.references == again.references).all()
    setup = TextSetup(str(tokenizer_folder), 3, (3, 3))
    texts = [text_batch(first.facts, [0, 1], seed, setup) for seed in (1, 1, 2)]
    assert (texts[0].ids == texts[1].ids).all()
    assert texts[0].ids.shape != texts[2].ids.shape or (texts[0].ids != texts[2].ids).any()


def test_batches_come_in_every_size_with_every_third_image():
    assert [count_at(size, 84, 8) for size in (84, (56, 112), 112, 168)] == [8, 8, 5, 3]
    plain, reference, overlay = (pair_batch(4, 3, "train", 112, extra) for extra in (None, "reference", "overlay"))
    assert plain.extras is None and reference.extras is not None and overlay.extras is not None
    assert reference.extras.shape == overlay.extras.shape == plain.queries.shape == (3, 112, 112, 3)
    assert (reference.queries == overlay.queries).all(), "the third image changes neither of the others"
    assert (reference.extras != reference.references).any() and (overlay.extras != overlay.queries).any()


def test_training_meets_every_third_image(tokenizer_folder):
    assert set(EXTRAS) == {None, "reference", "overlay"}
    pairs, packed = joint_batch(0, 2, "train", 84, 5, TextSetup(str(tokenizer_folder), 3, (6, 6)), "overlay")
    assert pairs.extras is not None and (packed.sources.max(1) >= 18).all(), "its tokens are in every sequence"


def test_one_training_pair_in_three_is_a_crop_and_the_nearest_of_those_are_enlarged():
    size = (84, 112)
    for number in range(0, 3 * ZOOMED_EVERY * len(ZOOMS) * SOFT_EVERY // 2):
        turn = number // ZOOMED_EVERY
        zoom = 1.0 if number % ZOOMED_EVERY else ZOOMS[turn % len(ZOOMS)]
        drawn = draw(number, "train", size)
        assert drawn.query.shape == drawn.references[0].shape == (*size, 3)
        if zoom <= SHARP and (zoom == 1.0 or turn // len(ZOOMS) % SOFT_EVERY):
            assert np.array_equal(drawn.query, draw(number, "train", size, zoom=zoom).query)
        else:
            assert not np.array_equal(drawn.query, draw(number, "train", size, zoom=zoom).query)
    assert np.array_equal(draw(0, "new", size).query, draw(0, "new", size, zoom=1.0).query), "only in training"


def test_purposes_never_share_a_pair():
    batches = [pair_batch(0, 1, purpose, 84).facts[0].seed for purpose in ("train", "validate", "new", "held_out")]
    assert len(set(batches)) == 4


def test_a_run_with_other_targets_is_not_resumed(unbroken, tmp_path, tokenizer_folder):
    place_tokenizer(tmp_path, tokenizer_folder)
    tensors, state = load_checkpoint(newest_checkpoint(unbroken / "checkpoints"))
    older = {name: tensor for name, tensor in tensors.items() if ".extent." not in name}
    assert len(older) < len(tensors)
    save_checkpoint(tmp_path / "checkpoints", 1, older, state)
    with pytest.raises(ConfigError, match="other training targets"):
        train(tmp_path, SETTINGS, resume=True)


def test_a_half_written_checkpoint_is_never_resumed(tmp_path):
    save_checkpoint(tmp_path, 1, {"a": torch.ones(2)}, {"step": 1})
    (tmp_path / ".draft-00000002").mkdir()
    (tmp_path / ".draft-00000002" / "tensors.safetensors").write_bytes(b"cut")
    newest = newest_checkpoint(tmp_path)
    assert newest is not None and newest.name == "checkpoint-00000001"
    (newest / "tensors.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelError, match="cannot be read"):
        load_checkpoint(newest)


POOL = replace(SETTINGS, pool=GROUP * 2 * 9, sizes=(84, (56, 112)), reuse=2, reading=0)


def tokens_of(batch):
    """Stand-in for the tower: every token of a pair is its seed."""
    images = 2 if batch.extras is None else 3
    cells = (batch.queries.shape[1] // 28) ** 2
    seeds = torch.tensor([float(facts.seed % 1009) for facts in batch.facts])
    return seeds[:, None, None].expand(-1, images * cells, 1)


def test_a_pool_has_shelves_of_every_size_with_every_third_image():
    shelves = fill_pool(POOL, Workers(0), 0, tokens_of)
    assert {(shelf.size, shelf.extra) for shelf in shelves} >= {(84, None), ((56, 112), None), (84, "overlay")}
    assert "reference" in {shelf.extra for shelf in shelves}
    assert sum(len(shelf.facts) for shelf in shelves) == POOL.pool
    assert len({facts.seed for shelf in shelves for facts in shelf.facts}) == POOL.pool


def test_every_pair_of_a_pool_is_asked_about_once_per_epoch():
    order = order_groups([16, 8, 24], POOL, 3)
    epoch = len(order) // POOL.reuse
    for start in (0, epoch):
        seen = sorted((shelf, row) for shelf, rows in order[start : start + epoch] for row in rows)
        assert seen == [(shelf, row) for shelf, count in enumerate((16, 8, 24)) for row in range(count)]
    assert order[:epoch] != order[epoch:] and order == order_groups([16, 8, 24], POOL, 3)


def test_pooled_text_is_about_the_pair_whose_tokens_it_comes_with(tokenizer_folder):
    batches = pooled_batches(POOL, Workers(0), 0, TextSetup(str(tokenizer_folder), 3, (6, 6)), tokens_of)
    shelves = fill_pool(POOL, Workers(0), 0, tokens_of)
    coverage = {facts.seed % 1009: facts.coverage for shelf in shelves for facts in shelf.facts}
    thirds = seen = 0
    for _ in range(POOL.pool // POOL.batch):
        tokens, packed = next(batches)
        third = tokens.shape[1] == 3 * packed.coverage.shape[1]
        thirds += third
        shown = packed.sources.max(1) >= 2 * packed.coverage.shape[1]  # a scene may leave it out
        assert third or not shown.any()
        seen += int(shown.sum())
        for row, pair in enumerate(packed.pairs):
            assert (packed.coverage[row] == coverage[int(tokens[pair, 0, 0])]).all()
    assert thirds == POOL.pool // POOL.batch * 2 // 9 and seen


@pytest.mark.parametrize("first", [1, 6, POOL.pool * POOL.reuse // POOL.batch + 3])
@pytest.mark.parametrize("reading", [0, 2])
def test_a_pool_goes_on_where_a_run_was_cut(tokenizer_folder, first, reading):
    setup, settings = TextSetup(str(tokenizer_folder), 3, (6, 6)), replace(POOL, reading=reading)
    through = pooled_batches(settings, Workers(0), 0, setup, tokens_of)
    for _ in range(first):
        next(through)
    tokens, packed = next(through)
    again, resumed = next(pooled_batches(settings, Workers(0), first, setup, tokens_of))
    assert (tokens is None and again is None) or torch.equal(tokens, again)
    assert (packed.ids == resumed.ids).all() and (packed.pairs == resumed.pairs).all()


def test_batches_that_only_read_are_spread_among_those_with_images(tokenizer_folder):
    setup = TextSetup(str(tokenizer_folder), 3, (6, 6))
    for reading, expected in ((0, "iiii"), (2, "iiriir"), (4, "iriririr")):
        batches = pooled_batches(replace(POOL, reading=reading), Workers(0), 0, setup, tokens_of)
        kinds = "".join("r" if next(batches)[0] is None else "i" for _ in range(2 * len(expected)))
        assert kinds == 2 * expected


def test_a_reading_batch_has_no_image_and_finds_every_option_again_in_the_knowledge(tokenizer_folder):
    facts = pair_batch(0, 8, "train", 84).facts
    packed = reading_batch(facts, 3, TextSetup(str(tokenizer_folder), 4, (6, 6)))
    tokenizer = load_tokenizer(tokenizer_folder)
    assert IMAGE not in packed.ids and len(packed.letters) and len(packed.names) == len(packed.lines)

    def before(row, end, mark):
        """The text up to a position, back to the nearest mark before it."""
        text = tokenizer.decode(packed.ids[row, end - 12 : end].tolist(), skip_special_tokens=False)
        return text[text.rfind(mark) + len(mark) :].strip()

    told = {(row, kind): before(row, end, "\n") for row, end, kind in packed.names}
    assert len({int(packed.ids[row, end]) for row, end, _ in packed.names}) == 1, "all of them end with a colon"
    for row, end, _, kind in packed.options:
        assert before(row, end, ")") == told[row, kind]
    known = {text.name for text in world_vocabulary().kinds.values()}
    assert sum(name not in known for name in told.values()) > len(told) / 2, "most names are invented"
    answers = reading_batch(facts, 3, TextSetup(str(tokenizer_folder), 4, (6, 6)))
    assert (answers.ids == packed.ids).all(), "the same seed reads the same"
