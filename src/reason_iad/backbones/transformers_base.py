"""What all transformers-based families share: prefix, suffix evaluation, decoding, and the uncached reference.

A family adds how an image becomes tokens and which rotary positions its tokens take; see `qwen2_5_vl.py`. Rotary
positions are always passed explicitly: the models' own fall-backs depend on hidden state and are silently wrong for
suffixes (one-dimensional positions, stale `rope_deltas`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from reason_iad.backbones import attention
from reason_iad.backbones.attention import KeyValues, SuffixPlan
from reason_iad.backbones.base import (
    Decoded,
    ImageTokens,
    PatchFeatures,
    Prefix,
    Span,
    SuffixOutput,
    SuffixQuery,
)
from reason_iad.backbones.chat import ImageMarkup, Piece, RenderedPrompt, Tokens, encode_content, render
from reason_iad.errors import ModelError, PromptError
from reason_iad.prompt import Data, ImageSlot

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.prompt import Part, Prompt
    from reason_iad.schema import ModelVersion

RESERVED = 192
"""Positions that every prompt leaves free: four latents with 16 patches each, the cue, and a written answer."""
THINK_TOKENS = ("<|think|>", "<think>")
"""Tokens from whose embedding latents start, the first one the tokenizer knows; else the words ' think'."""

TURN_ENDS = ("<|im_end|>", "<|endoftext|>", "<end_of_turn>", "<end_of_utterance>", "<|eot_id|>", "<|user|>")
"""Tokens that end an answer, as far as the tokenizer knows them, beside those the model names itself."""


class TransformersBackbone(ABC):
    """A frozen transformers model behind the `Backbone` protocol."""

    def __init__(self, model: Any, tokenizer: Any, image_processor: Any, version: ModelVersion) -> None:
        attention.register()
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.image_processor = image_processor
        self.version = version
        self.device: torch.device = next(model.parameters()).device
        self._embed: torch.nn.Module = model.get_input_embeddings()
        weight: torch.Tensor = self._embed.weight
        self.hidden_size = int(weight.shape[1])
        scale = float(getattr(self._embed, "embed_scale", 1.0))  # some families scale what they look up
        self.embedding_rms = scale * float(weight.float().pow(2).mean().sqrt())
        self.context_length = int(model.config.get_text_config().max_position_embeddings)
        self._rendered: dict[Prompt, RenderedPrompt] = {}
        self._use_suffix_attention()

    # -- what a family adds -----------------------------------------------------------------------------------

    model_class: str
    """Name of the transformers class."""

    image_token: str
    """The token that stands for one patch of an image in the model's own input."""

    answer_prefix = ""
    """What the model writes between the answer cue and an answer letter."""

    @classmethod
    def unsupported(cls, text: dict[str, Any]) -> str | None:
        """Why a model of the family cannot be supported exactly, from the text part of its config, or None."""
        del text
        return None

    @property
    def markup(self) -> ImageMarkup:
        """What the chat template writes for an image, and what the model's processor makes of it."""
        return ImageMarkup(self.image_token, self.image_token)

    @abstractmethod
    def embed_image(self, image: Image.Image) -> ImageTokens:
        """Run the vision tower and the projector once."""

    @abstractmethod
    def patch_features(self, image: Image.Image) -> PatchFeatures:
        """Patch features of the frozen vision tower."""

    @abstractmethod
    def image_positions(self, start: int, image: ImageTokens) -> tuple[torch.Tensor, int]:
        """Rotary positions (axes, n) of an image that begins at `start`, and the position after it."""

    @abstractmethod
    def text_positions(self, start: int, length: int) -> torch.Tensor:
        """Rotary positions (axes, length) of text that begins at `start`."""

    @property
    def decoder(self) -> Any:
        """The decoder stack: embeddings in, hidden states out."""
        return self.model.model.language_model

    @property
    def attention_layers(self) -> tuple[int, ...]:
        """Decoder layers that have attention."""
        return tuple(range(int(self.model.config.get_text_config().num_hidden_layers)))

    def image_rows(self, image: ImageTokens) -> torch.Tensor:
        """(m, d) rows that the decoder reads for an image; the first n are its tokens."""
        return image.tokens

    def head_inputs(self, images: Sequence[ImageTokens], spans: Sequence[Span], length: int) -> dict[str, Any]:
        """Further inputs of the decoder for the pass over the head; kept in `Prefix.state`."""
        del images, spans, length
        return {}

    def plain_inputs(self, prefix: Prefix, length: int) -> dict[str, Any]:
        """The same for the model's own attention over `length` tokens that begin with the prefix."""
        del prefix, length
        return {}

    def new_store(self, prefix: Prefix | None = None, batch: int = 1) -> KeyValues:
        """A store for the tokens of a prompt, or for those that follow a prefix."""
        del prefix, batch
        return KeyValues()

    def state_after(self, store: KeyValues, state: Any) -> Any:
        """`Prefix.state` after more tokens; `state` is the one before them, or the inputs of the head."""
        del store
        return state

    # -- text --------------------------------------------------------------------------------------------------

    def count_tokens(self, text: str) -> int:
        """Number of tokens of a text as content."""
        return len(encode_content(self.tokenizer, text))

    def embed_text(self, parts: Sequence[Part]) -> torch.Tensor:
        """(T, d) embeddings of content text."""
        ids = [i for part in parts if isinstance(part, Data) for i in encode_content(self.tokenizer, part.text)]
        return self._embed_ids(ids)

    def cue(self, prompt: Prompt) -> torch.Tensor:
        """(C, d) embeddings from the end of the latents to the start of the answer."""
        return self._embed_ids(self._render(prompt).cue.ids)

    def think_embedding(self) -> torch.Tensor:
        """(d,) embedding from which latents start."""
        for token in THINK_TOKENS:
            if (index := self._token_id(token)) is not None:
                return self._embed_ids([index])[0]
        return self._embed_ids(encode_content(self.tokenizer, " think")).mean(0)

    def option_tokens(self, letters: Sequence[str]) -> list[int]:
        """First token of each answer letter right after the cue."""
        firsts = [encode_content(self.tokenizer, self.answer_prefix + letter)[0] for letter in letters]
        if len(set(firsts)) != len(firsts):
            raise ModelError(
                f"The tokenizer of '{self.version.name}' gives two answer letters the same token; "
                "use fewer options or another model."
            )
        return firsts

    # -- prefix ------------------------------------------------------------------------------------------------

    def head(self, prompt: Prompt, images: Sequence[ImageTokens]) -> Prefix:
        """Everything up to and including the query image."""
        rows: list[torch.Tensor] = []
        positions: list[torch.Tensor] = []
        spans: dict[int, Span] = {}
        at = length = 0
        for piece in self._render(prompt).head:
            if isinstance(piece, ImageSlot):
                image = images[piece.index]
                rows.append(self.image_rows(image))
                axes, after = self.image_positions(at, image)
                spans[piece.index] = Span(length, length + len(image.tokens))
            else:
                rows.append(self._embed_ids(_ids(piece)))
                axes, after = self.text_positions(at, len(rows[-1])), at + len(rows[-1])
            positions.append(axes)
            at, length = after, length + len(rows[-1])
        self._check_window(length)
        embeddings, axes = torch.cat(rows), torch.cat(positions, -1)
        ordered = tuple(spans[i] for i in sorted(spans))
        extra = self.head_inputs([images[i] for i in sorted(spans)], ordered, length)
        store = self.new_store()
        with torch.no_grad():
            self._run(embeddings[None], axes, store, **extra)
        state = self.state_after(store, extra or None)
        return Prefix(store.all_layers(), length, at, ordered, embeddings, axes, state)

    def question(self, head: Prefix, prompt: Prompt) -> Prefix:
        """The head extended by the question, up to the first latent position or the answer cue."""
        return self._extend(head, self.question_rows(head, prompt))

    def question_rows(self, head: Prefix, prompt: Prompt) -> torch.Tensor:
        """(Q, d) embeddings of the question, up to the first latent position or the answer cue."""
        ids = [i for tokens in self._render(prompt).question for i in tokens.ids]
        self._check_window(head.length + len(ids))
        return self._embed_ids(ids)

    def _extend(self, prefix: Prefix, rows: torch.Tensor) -> Prefix:
        length = prefix.length + len(rows)
        axes = self.text_positions(prefix.next_position, len(rows))
        store = self.new_store(prefix)
        with torch.no_grad():
            self._run(rows[None], axes, store, plan=SuffixPlan(prefix.layers))
        layers = tuple(
            (torch.cat((key, more_key), -2), torch.cat((value, more_value), -2))
            for (key, value), (more_key, more_value) in zip(prefix.layers, store.all_layers(), strict=True)
        )
        return Prefix(
            layers,
            length,
            prefix.next_position + len(rows),
            prefix.images,
            torch.cat((prefix.embeddings, rows)),
            torch.cat((prefix.positions, axes), -1),
            self.state_after(store, prefix.state),
        )

    # -- suffix ------------------------------------------------------------------------------------------------

    def evaluate(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery) -> SuffixOutput:
        """Evaluate B suffixes on one shared prefix."""
        plan = SuffixPlan(prefix.layers)
        if query.attention_at and query.image is not None:
            plan.rows, plan.image = query.attention_at, (query.image.start, query.image.stop)
            plan.capture_layers, plan.heads = self._capture_layers(query), self._capture_heads(query)
        axes = self.text_positions(prefix.next_position, suffix.shape[1])
        with nullcontext() if suffix.requires_grad else torch.no_grad():
            hidden = self._run(suffix, axes, self.new_store(prefix, len(suffix)), plan=plan)
            logits = self.model.lm_head(hidden[:, list(query.logits_at)]).float()
        return SuffixOutput(logits, plan.mean_attention())

    def evaluate_uncached(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery) -> SuffixOutput:
        """The same numbers from one full forward per candidate, by the model's own eager attention."""
        axes = torch.cat((prefix.positions, self.text_positions(prefix.next_position, suffix.shape[1])), -1)
        logits, rows = [], []
        extra = self.plain_inputs(prefix, axes.shape[1])
        self.model.set_attn_implementation({"text_config": "eager"})
        try:
            for candidate in suffix:
                out = self.decoder(
                    inputs_embeds=torch.cat((prefix.embeddings, candidate))[None],
                    position_ids=_position_ids(axes, 1),
                    use_cache=False,
                    output_attentions=True,
                    **extra,
                )
                states = out.last_hidden_state[0, prefix.length :]
                logits.append(self.model.lm_head(states[list(query.logits_at)]).float())
                if query.attention_at and query.image is not None:
                    at = [prefix.length + i for i in query.attention_at]
                    layers = [self.attention_layers.index(i) for i in sorted(self._capture_layers(query))]
                    chosen = [out.attentions[i][0].float() for i in layers]
                    heads = self._capture_heads(query)
                    full = torch.stack(chosen)[:, slice(None) if heads is None else list(heads)].mean(
                        (0, 1)
                    )  # (S, S)
                    rows.append(full[at, query.image.start : query.image.stop])
        finally:
            self._use_suffix_attention()
        return SuffixOutput(torch.stack(logits), torch.stack(rows) if rows else None)

    def decode(self, prefix: Prefix, suffix: torch.Tensor, max_new_tokens: int) -> Decoded:
        """Greedy decoding from the state (prefix, suffix)."""
        plan, store = SuffixPlan(prefix.layers), self.new_store(prefix)
        stops = self._stop_ids()
        rows, at = suffix, prefix.next_position
        tokens: list[int] = []
        first: torch.Tensor | None = None
        room = min(max_new_tokens, self.context_length - prefix.length - len(suffix))
        with torch.no_grad():
            for _ in range(room):
                hidden = self._run(rows[None], self.text_positions(at, len(rows)), store, plan=plan)
                logits = self.model.lm_head(hidden[0, -1]).float()
                first = logits if first is None else first
                token = int(logits.argmax())
                if token in stops:
                    break
                tokens.append(token)
                at, rows = at + len(rows), self._embed_ids([token])
        if first is None:
            raise PromptError("The prompt leaves no room for an answer; use fewer references or less knowledge.")
        text = self.tokenizer.decode(tokens, skip_special_tokens=True).strip()
        return Decoded(text, tuple(tokens), first)

    # -- inside ------------------------------------------------------------------------------------------------

    def _run(self, rows: torch.Tensor, axes: torch.Tensor, store: KeyValues, **extra: Any) -> torch.Tensor:
        """Hidden states (B, T, d) of embeddings (B, T, d) at rotary positions (axes, T)."""
        out = self.decoder(
            inputs_embeds=rows,
            position_ids=_position_ids(axes, len(rows)),
            attention_mask=None,  # causality lives in the attention function
            past_key_values=store,
            use_cache=True,
            **extra,
        )
        hidden: torch.Tensor = out.last_hidden_state
        return hidden

    def _use_suffix_attention(self) -> None:
        self.model.set_attn_implementation({"text_config": attention.NAME, "vision_config": "sdpa"})

    def _capture_layers(self, query: SuffixQuery) -> frozenset[int]:
        there = self.attention_layers
        chosen = frozenset(there[len(there) // 2 :] if query.layers is None else query.layers)
        if not chosen or not chosen <= frozenset(there):
            raise ModelError(
                f"attention_layers {sorted(chosen)} are not among the model's layers with attention, "
                f"{', '.join(map(str, there))}."
            )
        return chosen

    def _capture_heads(self, query: SuffixQuery) -> tuple[int, ...] | None:
        count = int(self.model.config.get_text_config().num_attention_heads)
        if query.heads is not None and not (query.heads and all(0 <= head < count for head in query.heads)):
            raise ModelError(
                f"attention_heads {list(query.heads)} are not among the model's heads 0 to {count - 1}."
            )
        return query.heads

    def _render(self, prompt: Prompt) -> RenderedPrompt:
        if prompt not in self._rendered:
            if len(self._rendered) > 64:
                self._rendered.clear()
            self._rendered[prompt] = render(self.tokenizer, prompt, self.markup)
        return self._rendered[prompt]

    def _embed_ids(self, ids: Sequence[int]) -> torch.Tensor:
        with torch.no_grad():
            rows: torch.Tensor = self._embed(torch.tensor(list(ids), dtype=torch.long, device=self.device))
        return rows

    def _stop_ids(self) -> frozenset[int]:
        eos = self.model.generation_config.eos_token_id
        ids = [*(eos if isinstance(eos, list) else [eos]), self.tokenizer.eos_token_id]
        return frozenset(i for i in (*ids, *map(self._token_id, TURN_ENDS)) if i is not None)

    def _token_id(self, token: str) -> int | None:
        """Id of a token of the vocabulary, None if there is no such token."""
        index = self.tokenizer.convert_tokens_to_ids(token)
        return None if index is None or index == self.tokenizer.unk_token_id else int(index)

    def _check_window(self, length: int) -> None:
        if length + RESERVED > self.context_length:
            raise PromptError(
                f"The prompt has {length} tokens, but '{self.version.name}' reads at most {self.context_length}, "
                f"{RESERVED} of them for the answer; "
                "use fewer references, less knowledge or a shorter question."
            )


def _ids(piece: Piece) -> tuple[int, ...]:
    if not isinstance(piece, Tokens):
        raise ModelError("The model's chat template puts the think tokens before the inspected image.")
    return piece.ids


def _position_ids(axes: torch.Tensor, batch: int) -> torch.Tensor:
    """Rotary positions as the decoders take them: (B, T) where there is one axis, else (axes, B, T)."""
    return axes.expand(batch, -1) if len(axes) == 1 else axes[:, None].expand(-1, batch, -1)


def weight_files(directory: Path) -> list[Path]:
    """The safetensors files of a model directory, sorted."""
    return sorted(directory.glob("*.safetensors"))
