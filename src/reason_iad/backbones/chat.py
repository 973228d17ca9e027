"""From a typed prompt to token ids, without ever letting content become control.

The chat template of the model is rendered once with private-use sentinels in place of every content part; what
lies between the sentinels is control text written by the model's makers. Content is tokenised on its own with
special tokens split into ordinary ones, so `<|im_end|>` in a document is seven harmless pieces of text.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reason_iad.backbones.prompt import Data, ImageSlot, LatentSlot, Part, Prompt
from reason_iad.errors import ModelError

_OPEN, _CLOSE = "\ue000", "\ue001"
_SENTINEL = re.compile(f"{_OPEN}(\\d+){_CLOSE}")
_TOKENIZING = threading.Lock()
"""Held while one text is tokenised: a fast tokenizer keeps in itself whether it splits control tokens."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """A run of token ids."""

    ids: tuple[int, ...]


Piece = Tokens | ImageSlot | LatentSlot


@dataclass(frozen=True, slots=True)
class ImageMarkup:
    """How an image is written.

    Attributes:
        written: what the chat template writes for it.
        expanded: what the model's own processor puts in its place, with `token` once where the image's rows go.
        token: the placeholder of one row.
        inline: write the image where it stands in the text, past a template that would move it to the front.
    """

    written: str
    token: str
    expanded: str = ""
    inline: bool = False


@dataclass(frozen=True, slots=True)
class RenderedPrompt:
    """A prompt as pieces, split where caching needs it.

    Attributes:
        head: up to and including the query image and its closing markup.
        question: up to the first latent position.
        cue: everything after the latents, up to the first token of the answer.
    """

    head: tuple[Piece, ...]
    question: tuple[Tokens, ...]
    cue: Tokens


def encode_content(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of content: control tokens in it are split into ordinary pieces.

    Tokenizers split only what is marked special. Other added tokens (`<tool_call>`, `</think>`) are control to the
    model all the same, so text is cut inside them and its pieces are encoded on their own.
    """
    clean = text.replace(_OPEN, " ").replace(_CLOSE, " ")
    ids: list[int] = []
    for piece in _cut(clean, _added_tokens(tokenizer)):
        ids += _encode(tokenizer, piece, split=True)
    return tuple(ids)


def _added_tokens(tokenizer: Any) -> list[str]:
    """Texts of the added tokens that the tokenizer would not split by itself."""
    added = tokenizer.added_tokens_decoder.values()
    return [str(token.content) for token in added if not token.special and len(token.content) > 1]


def _cut(text: str, tokens: list[str]) -> list[str]:
    """The text in pieces, cut after the first character of every added token in it."""
    if not any(token in text for token in tokens):
        return [text]
    inside = "|".join(f"(?<={re.escape(token[0])})(?={re.escape(token[1:])})" for token in tokens)
    return [piece for piece in re.split(inside, text) if piece]


def encode_control(tokenizer: Any, text: str) -> tuple[int, ...]:
    """Token ids of the chat template's own text: control tokens count."""
    return tuple(_encode(tokenizer, text, split=False))


def decode_text(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of token ids, without control tokens and without white space around it."""
    with _TOKENIZING:
        return str(tokenizer.decode(list(ids), skip_special_tokens=True)).strip()


def _encode(tokenizer: Any, text: str, *, split: bool) -> list[int]:
    """Token ids of a text; with `split`, control tokens in it become ordinary pieces."""
    with _TOKENIZING:
        ids: list[int] = tokenizer(text, add_special_tokens=False, split_special_tokens=split)["input_ids"]
    return ids


def _template_text(tokenizer: Any, system: str, contents: Sequence[Part], markup: ImageMarkup) -> str:
    """The chat template rendered with a sentinel for each content part, images as the processor writes them."""
    user: list[dict[str, str]] = []
    for i, part in enumerate(contents):
        if isinstance(part, ImageSlot) and not markup.inline:
            user.append({"type": "image"})
            continue
        text = markup.written if isinstance(part, ImageSlot) else f"{_OPEN}{i}{_CLOSE}"
        if user and user[-1]["type"] == "text":  # one item: some templates put a newline before each
            user[-1]["text"] += text
        else:
            user.append({"type": "text", "text": text})
    messages = [
        {"role": "system", "content": [{"type": "text", "text": system}]},
        {"role": "user", "content": user},
    ]
    # Templates of thinking models open a thought unless told not to; the others ignore the option.
    rendered = tokenizer.apply_chat_template(
        messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
    )
    return str(rendered).replace(markup.written, markup.expanded or markup.token)


def render(tokenizer: Any, prompt: Prompt, markup: ImageMarkup) -> RenderedPrompt:
    """Token ids of a prompt, with slots for images and latents.

    Args:
        tokenizer: a fast tokenizer with a chat template.
        prompt: the typed prompt.
        markup: how the model writes an image.

    Raises:
        ModelError: the template drops or reorders parts.
    """
    parts = [*prompt.head, *prompt.tail]
    text = _template_text(tokenizer, prompt.system, parts, markup)
    pieces: list[Piece] = []
    images = iter([part for part in parts if isinstance(part, ImageSlot)])
    seen: list[int] = []
    cursor = 0

    def control(chunk: str) -> None:
        runs = chunk.split(markup.token)
        for position, run in enumerate(runs):
            if position:
                slot = next(images, None)
                if slot is None:
                    raise ModelError("The model's chat template writes more images than the prompt has.")
                pieces.append(slot)
            if run:
                pieces.append(Tokens(encode_control(tokenizer, run)))

    for match in _SENTINEL.finditer(text):
        control(text[cursor : match.start()])
        index = int(match.group(1))
        seen.append(index)
        part = parts[index]
        pieces.append(Tokens(encode_content(tokenizer, part.text)) if isinstance(part, Data) else part)
        cursor = match.end()
    control(text[cursor:])
    expected = [i for i, part in enumerate(parts) if not isinstance(part, ImageSlot)]
    if seen != expected or next(images, None) is not None:
        raise ModelError("The model's chat template drops or reorders parts of the prompt; it cannot be used.")
    return _split(pieces, bool(prompt.tail) and isinstance(prompt.tail[-1], LatentSlot))


def _split(pieces: list[Piece], latents: bool) -> RenderedPrompt:
    """Cut after the markup that closes the query image, and at the latents (or before the answer cue)."""
    last_image = max(i for i, piece in enumerate(pieces) if isinstance(piece, ImageSlot))
    head_end = last_image + 2  # the closing markup of the image belongs to the head
    if latents:
        cut = next(i for i, piece in enumerate(pieces) if isinstance(piece, LatentSlot))
        question, rest = pieces[head_end:cut], pieces[cut + 1 :]
    else:
        question, rest = pieces[head_end:-1], pieces[-1:]
    cue = tuple(i for piece in rest if isinstance(piece, Tokens) for i in piece.ids)
    return RenderedPrompt(
        tuple(pieces[:head_end]), tuple(p for p in question if isinstance(p, Tokens)), Tokens(cue)
    )
