"""What all transformers-based families share: from a prompt to a prefix. Suffixes run in `suffixes.py`.

A family adds how an image becomes tokens and which rotary positions its tokens take; see `qwen2_5_vl.py`. Rotary
positions are always passed explicitly: the models' own fall-backs depend on hidden state and are silently wrong for
suffixes (one-dimensional positions, stale `rope_deltas`).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from reason_iad.backbones.attention import KeyValues
from reason_iad.backbones.base import ImageTokens, Prefix, Span
from reason_iad.backbones.chat import ImageMarkup, Piece, RenderedPrompt, Tokens, encode_content, render
from reason_iad.backbones.prompt import RESERVED, Data, ImageSlot, check_window
from reason_iad.backbones.shared_prefix import SuffixPlan
from reason_iad.backbones.suffixes import SuffixRunner
from reason_iad.errors import ModelError
from reason_iad.features import FeatureMap

if TYPE_CHECKING:
    from PIL import Image

    from reason_iad.backbones.prompt import Part, Prompt
    from reason_iad.schema import ModelVersion

THINK_TOKENS = ("<|think|>", "<think>")
"""Tokens from whose embedding latents start, the first one the tokenizer knows; else the words ' think'."""

LEAST_VOCABULARY = 8192
"""Tokens from which on a model is taken for one that writes: `nano` has 2,048, the smallest others 32,000."""


class TransformersBackbone(SuffixRunner):
    """A frozen transformers model behind the `Backbone` protocol."""

    def __init__(self, model: Any, tokenizer: Any, image_processor: Any, version: ModelVersion) -> None:
        super().__init__(model, tokenizer, version)
        self.image_processor = image_processor
        self.directory: Path | None = None  # `load_backbone` knows it
        weight: torch.Tensor = self._embed.weight
        self.hidden_size = int(weight.shape[1])
        self.writes = int(weight.shape[0]) >= LEAST_VOCABULARY
        scale = float(getattr(self._embed, "embed_scale", 1.0))  # some families scale what they look up
        self.embedding_rms = scale * float(weight.float().pow(2).mean().sqrt())
        # A cache that many threads may use at once.
        self._render: Callable[[Prompt], RenderedPrompt] = lru_cache(maxsize=64)(
            lambda prompt: render(self.tokenizer, prompt, self.markup)
        )

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
    def patch_features(self, image: Image.Image) -> FeatureMap:
        """Patch features of the frozen vision tower."""

    @abstractmethod
    def image_positions(self, start: int, image: ImageTokens) -> tuple[torch.Tensor, int]:
        """Rotary positions (axes, n) of an image that begins at `start`, and the position after it."""

    def image_rows(self, image: ImageTokens) -> torch.Tensor:
        """(m, d) rows that the decoder reads for an image; the first n are its tokens."""
        return image.tokens

    def head_inputs(self, images: Sequence[ImageTokens], spans: Sequence[Span], length: int) -> dict[str, Any]:
        """Further inputs of the decoder for the pass over the head; kept in `Prefix.state`."""
        del images, spans, length
        return {}

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

    def head(self, prompt: Prompt, images: Sequence[ImageTokens], *, reserve: int = RESERVED) -> Prefix:
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
        check_window(self.version.name, length, reserve, self.context_length)
        embeddings, axes = torch.cat(rows), torch.cat(positions, -1)
        ordered = tuple(spans[i] for i in sorted(spans))
        extra = self.head_inputs([images[i] for i in sorted(spans)], ordered, length)
        store = self.new_store()
        with torch.no_grad():
            self._run(embeddings[None], axes[:, None], store, (), unread=self._last.index, **extra)
        state = self.state_after(store, extra or None)
        return Prefix(store.all_layers(), length, at, ordered, embeddings, axes, state)

    def question(self, head: Prefix, prompt: Prompt, *, reserve: int = RESERVED) -> Prefix:
        """The head extended by the question, up to the first latent position or the answer cue."""
        return self._extend(head, self.question_rows(head, prompt, reserve=reserve))

    def question_rows(self, head: Prefix, prompt: Prompt, *, reserve: int = RESERVED) -> torch.Tensor:
        """(Q, d) embeddings of the question, up to the first latent position or the answer cue."""
        ids = [i for tokens in self._render(prompt).question for i in tokens.ids]
        check_window(self.version.name, head.length + len(ids), reserve, self.context_length)
        return self._embed_ids(ids)

    def _extend(self, prefix: Prefix, rows: torch.Tensor) -> Prefix:
        length = prefix.length + len(rows)
        axes = self.text_positions(prefix.next_position, len(rows))
        store = self.new_store(prefix)
        with torch.no_grad():
            self._run(
                rows[None], axes[:, None], store, (), plan=SuffixPlan(prefix.layers, read=(), last=self._last.index)
            )
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


def _ids(piece: Piece) -> tuple[int, ...]:
    if not isinstance(piece, Tokens):
        raise ModelError("The model's chat template puts the think tokens before the inspected image.")
    return piece.ids
