"""What is particular to one family: markup, templates, refusals, windows and blocks."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from tests.backbones import tiny, tiny_tiles

from reason_iad.backbones import FAMILIES, Backbone, load_backbone
from reason_iad.backbones.attention import suffix_attention, visible
from reason_iad.backbones.chat import Tokens, render
from reason_iad.backbones.gemma3 import Gemma3
from reason_iad.backbones.idefics3 import Idefics3, SmolVLM
from reason_iad.backbones.internvl import InternVL
from reason_iad.backbones.loading import REFUSED
from reason_iad.errors import ModelError
from reason_iad.inspection.prompts import build_head, build_prompt
from reason_iad.inspection.questions import detection_question

PROMPT = build_prompt(build_head((), 1, "pcb"), detection_question(), latents=True)


@pytest.fixture(scope="module")
def llava(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_backbone(str(tiny_tiles.llava_onevision(tmp_path_factory.mktemp("llava"))), device="cpu")


@pytest.fixture(scope="module")
def idefics_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_tiles.idefics3(tmp_path_factory.mktemp("idefics"))


def text_of(backbone: Any) -> str:
    """The prompt as text, with [i] where image i goes."""
    rendered = render(backbone.tokenizer, PROMPT, backbone.markup)
    pieces = (*rendered.head, *rendered.question, rendered.cue)
    return "".join(
        backbone.tokenizer.decode(piece.ids) if isinstance(piece, Tokens) else f"[{piece.index}]"  # type: ignore
        for piece in pieces
    )


# -- what the processors write ---------------------------------------------------------------------


def internvl_markup() -> str:
    from transformers.models.internvl.processing_internvl import InternVLProcessor

    own = SimpleNamespace(
        start_image_token="<img>", end_image_token="</img>", image_token="<IMG_CONTEXT>", image_seq_length=1
    )
    return InternVLProcessor.replace_image_token(own, {"num_patches": [1]}, 0)  # type: ignore[arg-type]


def idefics_markup() -> str:
    from transformers.models.idefics3.processing_idefics3 import Idefics3Processor

    own = SimpleNamespace(
        fake_image_token="<fake_token_around_image>", global_image_tag="<global-img>", image_token="<image>",
        image_seq_len=1,
    )  # fmt: skip
    return Idefics3Processor.replace_image_token(own, {"rows": [[0]], "cols": [[0]]}, 0)  # type: ignore[arg-type]


def smolvlm_markup() -> str:
    from transformers.models.smolvlm.processing_smolvlm import get_image_prompt_string

    return get_image_prompt_string(0, 0, 1, "<fake_token_around_image>", "<image>", "<global-img>")


def gemma_markup() -> str:
    from transformers.models.gemma3.processing_gemma3 import Gemma3Processor

    tokenizer = tiny.byte_tokenizer()
    tokenizer.boi_token, tokenizer.eoi_token = "<start_of_image>", "<end_of_image>"
    tokenizer.boi_token_id, tokenizer.image_token = 0, "<image_soft_token>"
    own = SimpleNamespace()
    with contextlib.suppress(TypeError):  # it goes on to check its parts
        Gemma3Processor.__init__(own, None, tokenizer, image_seq_length=1)  # type: ignore[arg-type]
    return str(own.full_image_sequence)


@pytest.mark.parametrize(
    ("family", "own"),
    [(InternVL, internvl_markup), (Idefics3, idefics_markup), (SmolVLM, smolvlm_markup), (Gemma3, gemma_markup)],
)
def test_the_markup_of_an_image_is_the_processors(family: Any, own: Callable[[], str]) -> None:
    assert family.markup.fget(family).expanded == own()


def test_llava_images_stand_where_they_are_written(llava: Backbone) -> None:
    assert "Good: [0]\nInspected: [1]\nIs there" in text_of(llava)


def test_a_thinking_model_is_told_to_answer(tmp_path: Path) -> None:
    backbone = load_backbone(str(tiny.glm4v(tmp_path)), device="cpu")
    assert text_of(backbone).endswith("<|assistant|>\n<think></think>\n")


# -- templates and letters -------------------------------------------------------------------------


def test_the_processors_template_goes_first(idefics_directory: Path) -> None:
    backbone: Any = load_backbone(str(idefics_directory), device="cpu")
    expected = "Inspected: <fake_token_around_image><global-img>[1]<fake_token_around_image>\n"
    assert expected in text_of(backbone)
    assert text_of(backbone).endswith("<end_of_utterance>\nassistant:")


def test_letters_are_read_after_the_space(idefics_directory: Path) -> None:
    backbone: Any = load_backbone(str(idefics_directory), device="cpu")
    assert backbone.tokenizer.convert_ids_to_tokens(backbone.option_tokens("AB")) == ["\u0120A", "\u0120B"]


def test_a_model_without_a_template_is_refused(tmp_path: Path) -> None:
    directory = tiny_tiles.smolvlm(tmp_path)
    (directory / "chat_template.json").unlink()
    with pytest.raises(ModelError, match="no chat template"):
        load_backbone(str(directory), device="cpu")


def test_an_image_processor_within_the_processor_is_found(tmp_path: Path) -> None:
    directory = tiny_tiles.internvl(tmp_path)
    pixels = json.loads((directory / "preprocessor_config.json").read_text())
    (directory / "processor_config.json").write_text(json.dumps({"image_processor": pixels}))
    (directory / "preprocessor_config.json").unlink()
    assert load_backbone(str(directory), device="cpu").version.family == "internvl"


def test_ordinary_text_does_not_end_an_answer(llava: Any) -> None:
    special = set(llava.tokenizer.all_special_ids)
    assert llava._stop_ids() <= special


# -- refusals --------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", sorted(REFUSED))
def test_a_refused_family_says_why(family: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": family}))
    with pytest.raises(ModelError, match="cannot be supported: its"):
        load_backbone(str(tmp_path), device="cpu")
    assert family not in FAMILIES


def test_every_family_is_documented() -> None:
    text = (Path(__file__).parents[2] / "docs" / "backbones.md").read_text(encoding="utf-8")
    assert [name for name in (*FAMILIES, *REFUSED) if f"`{name}`" not in text] == []


@pytest.mark.parametrize(
    ("build", "change", "said"),
    [
        (tiny_tiles.internvl, {"model_type": "gpt_oss"}, "text model is of type 'gpt_oss'"),
        (tiny_tiles.gemma3, {"use_bidirectional_attention": True}, "both directions"),
    ],
)
def test_a_text_model_that_is_not_exact_is_refused(
    build: Callable[[Path], Path], change: dict[str, Any], said: str, tmp_path: Path
) -> None:
    directory = build(tmp_path)
    config = json.loads((directory / "config.json").read_text())
    config["text_config"] |= change
    (directory / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=said):
        load_backbone(str(directory), device="cpu")


@pytest.mark.parametrize("name", ["s_aux", "softcap"])
def test_attention_that_is_not_applied_is_refused(name: str) -> None:
    heads = torch.zeros(1, 1, 2, 4)
    with pytest.raises(ModelError, match=name):
        suffix_attention(torch.nn.Identity(), heads, heads, heads, None, **{name: 1.0})


# -- windows and blocks ----------------------------------------------------------------------------


def test_a_block_sees_itself_whole_and_the_window_limits_it() -> None:
    seen = visible(5, torch.device("cpu"), window=2, blocks=((1, 4),)).int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0],
        [1, 1, 1, 1, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 1, 1, 0],
        [0, 0, 0, 1, 1],
    ]
