"""What latent reasoning needs from a model, and nothing else.

A backbone turns a prompt into a prefix (keys and values, computed once), evaluates suffixes of raw embeddings on
that prefix (latent think tokens, injected patches, answer cue), and decodes text from a state. The reasoning room
knows this protocol and tensors; only the files beside this one know a model family.

Symbols: B candidates, T suffix length, L latents, P prefix length, n image tokens, d hidden size, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from reason_iad.backbones.prompt import RESERVED

if TYPE_CHECKING:
    from pathlib import Path

    import torch
    from PIL import Image

    from reason_iad.backbones.prompt import Part, Prompt
    from reason_iad.features import FeatureMap
    from reason_iad.schema import ModelVersion


@dataclass(frozen=True, slots=True)
class ImageTokens:
    """One image after the vision tower and the projector.

    Attributes:
        tokens: (n, d), exactly the rows the decoder reads.
        rows, columns: grid of the tokens over the whole image; n = rows * columns, row-major.
        extra: what the decoder of a family reads beside them (deep-stack features, line ends).
    """

    tokens: torch.Tensor
    rows: int
    columns: int
    extra: Any = None


class Span(NamedTuple):
    """Half-open range of positions in a prefix."""

    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Prefix:
    """A prompt up to some position, as keys and values. Immutable: extending makes a new one.

    Attributes:
        layers: per decoder layer, keys and values, each (1, key-value heads, P, head size).
        length: P.
        next_position: rotary position of the first token after it (on all axes).
        images: for each image, the range of its tokens.
        embeddings: (P, d) input embeddings, kept for the uncached reference.
        positions: (axes, P) rotary positions, kept for the uncached reference.
        state: what a family needs beside keys and values (recurrent states, deep-stack features).
    """

    layers: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    length: int
    next_position: int
    images: tuple[Span, ...]
    embeddings: torch.Tensor
    positions: torch.Tensor
    state: Any = None


@dataclass(frozen=True, slots=True)
class SuffixQuery:
    """Which outputs of a suffix are wanted; nothing else is computed.

    Attributes:
        logits_at: suffix positions whose next-token logits are read.
        attention_at: suffix positions whose attention over the image tokens is read (empty: none).
        image: prefix range of those image tokens.
        layers: decoder layers to average the attention over; None: the upper half.
        heads: heads of those layers to average over; None: all.
    """

    logits_at: tuple[int, ...]
    attention_at: tuple[int, ...] = ()
    image: Span | None = None
    layers: tuple[int, ...] | None = None
    heads: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class SuffixOutput:
    """What a suffix evaluation returns.

    Attributes:
        logits: (B, len(logits_at), V), float32.
        attention: (B, len(attention_at), n), mean over layers and heads, float32; None if not asked for.
            Rows sum to the share of attention that falls on the image, so to at most 1.
    """

    logits: torch.Tensor
    attention: torch.Tensor | None = None


@dataclass(frozen=True, slots=True)
class Decoded:
    """Generated text.

    Attributes:
        text: without control tokens.
        tokens: the ids, without the stop token.
        first_logits: (V,) of the first generated position: shows from which state decoding started.
    """

    text: str
    tokens: tuple[int, ...]
    first_logits: torch.Tensor = field(repr=False)


@runtime_checkable
class Backbone(Protocol):
    """A frozen multimodal LLM, as latent reasoning sees it. All tensors live on its device."""

    version: ModelVersion
    hidden_size: int
    context_length: int
    embedding_rms: float
    """Root mean square of the token embeddings: the unit of the noise scale (METHOD section 2)."""
    writes: bool
    """Whether it answers free questions in words. A small model only completes sentences that it has learnt."""
    directory: Path | None
    """Where its files lie, and those of its expert beside them; None for a model without files."""

    def embed_image(self, image: Image.Image) -> ImageTokens:
        """Run the vision tower and the projector once.

        Raises:
            ImageError: the image cannot be resized into what the tower accepts.
        """
        ...

    def patch_features(self, image: Image.Image) -> FeatureMap:
        """What the vision tower gives the decoder, per patch; others use it as an `Encoder` (`TowerEncoder`)."""
        ...

    def count_tokens(self, text: str) -> int:
        """Number of tokens of a text as content."""
        ...

    def head(self, prompt: Prompt, images: Sequence[ImageTokens], *, reserve: int = RESERVED) -> Prefix:
        """Everything up to and including the query image: computed once for all questions of an image.

        Args:
            prompt: its head is run; its tail is the question's.
            images: tokens of the pictures, in the order of the prompt's slots.
            reserve: positions that must stay free after it, checked before anything runs. `head` does not count
                the question; `question` and `question_rows` do, so there the reserve is what follows the question:
                think tokens with their patches, the answer cue, and the tokens to be written (one for options).

        Raises:
            PromptError: it does not fit the context window.
        """
        ...

    def question(self, head: Prefix, prompt: Prompt, *, reserve: int = RESERVED) -> Prefix:
        """The head extended by the question, up to the first latent position (or the answer cue).

        Raises:
            PromptError: it does not fit the context window.
        """
        ...

    def question_rows(self, head: Prefix, prompt: Prompt, *, reserve: int = RESERVED) -> torch.Tensor:
        """(Q, d) embeddings by which `question` extends the head; as the start of a suffix they do the same.

        Raises:
            PromptError: it does not fit the context window.
        """
        ...

    def cue(self, prompt: Prompt) -> torch.Tensor:
        """(C, d) embeddings of what follows the latents: end of the user turn and start of the answer."""
        ...

    def embed_text(self, parts: Sequence[Part]) -> torch.Tensor:
        """(T, d) embeddings of content text."""
        ...

    def think_embedding(self) -> torch.Tensor:
        """(d,) embedding from which latents start (METHOD section 2)."""
        ...

    def option_tokens(self, letters: Sequence[str]) -> list[int]:
        """First token of each answer letter right after the cue.

        Raises:
            ModelError: two letters share their first token.
        """
        ...

    def evaluate(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery) -> SuffixOutput:
        """Evaluate B suffixes on one shared prefix, without copying the prefix.

        Args:
            prefix: computed once.
            suffix: (B, T, d). If it requires grad, so do the outputs.
            query: what to read.
        """
        ...

    def evaluate_uncached(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery) -> SuffixOutput:
        """The same numbers from one plain full forward per candidate: slow, obviously right (METHOD section 6)."""
        ...

    def decode(self, prefix: Prefix, suffix: torch.Tensor, max_new_tokens: int) -> Decoded:
        """Greedy decoding that continues from the state (prefix, suffix (T, d)).

        Raises:
            PromptError: there is no room for a single token.
        """
        ...


@runtime_checkable
class ChatModel(Protocol):
    """A multimodal model that only talks: text and images in, text out.

    Enough for the methods without think tokens. There are no embeddings to feed it, no attention and no patch
    features to read from it, which is why it is a protocol beside `Backbone` and not a part of it.
    """

    version: ModelVersion
    context_length: int

    def count_tokens(self, text: str) -> int:
        """Number of tokens of a text, or an estimate that is rather too high."""
        ...

    def encode_image(self, image: Image.Image) -> str:
        """An image in the form in which it is sent: made once, used for every question."""
        ...

    def choose(
        self, prompt: Prompt, images: Sequence[str], letters: Sequence[str], thoughts: str | None = None
    ) -> list[float]:
        """Distribution over the option letters of a question; sums to 1.

        Args:
            prompt: with the question and its options.
            images: encoded, in the order of the prompt's slots.
            letters: of the options.
            thoughts: what the model wrote about this prompt before, if it was asked to think aloud.

        Raises:
            ModelError: there is no answer, or none of the letters.
        """
        ...

    def write(self, prompt: Prompt, images: Sequence[str], max_tokens: int) -> str:
        """Text of at most so many tokens, as deterministic as the model can be.

        Raises:
            ModelError: there is no answer, or no text in it.
        """
        ...
