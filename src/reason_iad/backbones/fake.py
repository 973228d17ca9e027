"""A first-class fake: a tiny random attention model with the whole protocol, without transformers or weights.

One attention layer and tied output embeddings, seeded. It sees images (as coloured cells) and reads text (as
bytes); its answers depend on both, so everything around the model can be tested with it. Its verdicts mean nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from reason_iad.backbones.base import Decoded, ImageTokens, Prefix, Span, SuffixOutput, SuffixQuery
from reason_iad.backbones.prompt import RESERVED, Data, ImageSlot, LatentSlot, check_window
from reason_iad.errors import PromptError
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.schema import ModelVersion

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from reason_iad.backbones.prompt import Part, Prompt

_VOCABULARY = 258  # bytes, end of turn, think token
_END, _THINK = 256, 257


class FakeBackbone:
    """See the module's description. Satisfies the `Backbone` protocol."""

    def __init__(self, hidden_size: int = 16, context_length: int = 4096, seed: int = 0) -> None:
        draw = torch.Generator().manual_seed(seed)
        self.hidden_size, self.context_length = hidden_size, context_length
        self.directory: Path | None = None
        self._table = torch.randn(_VOCABULARY, hidden_size, generator=draw)
        self._query, self._key, self._value = (
            torch.randn(hidden_size, hidden_size, generator=draw) / hidden_size**0.5 for _ in range(3)
        )
        self._pixel = torch.randn(3, hidden_size, generator=draw)
        self.embedding_rms = float(self._table.pow(2).mean().sqrt())
        self.version = ModelVersion(name="fake", family="fake", sha256="0" * 64, device="cpu", dtype="float32")

    def embed_image(self, image: Image.Image) -> ImageTokens:
        """A 6 x 6 grid of mean colours, projected."""
        return ImageTokens(self._cells(image, 6) @ self._pixel, 6, 6)

    def patch_features(self, image: Image.Image) -> FeatureMap:
        """A 12 x 12 grid of mean colours, projected."""
        return FeatureMap(self._cells(image, 12) @ self._pixel, 12, 12)

    def count_tokens(self, text: str) -> int:
        """One token per byte."""
        return len(text.encode())

    def head(self, prompt: Prompt, images: Sequence[ImageTokens], *, reserve: int = RESERVED) -> Prefix:
        """System, knowledge and images."""
        rows = [self._bytes(prompt.system)]
        spans: dict[int, Span] = {}
        for part in prompt.head:
            if isinstance(part, ImageSlot):
                at = sum(map(len, rows))
                rows.append(images[part.index].tokens)
                spans[part.index] = Span(at, at + len(rows[-1]))
            elif isinstance(part, Data):
                rows.append(self._bytes(part.text))
        return self._prefix(torch.cat(rows), tuple(spans[i] for i in sorted(spans)), reserve)

    def question(self, head: Prefix, prompt: Prompt, *, reserve: int = RESERVED) -> Prefix:
        """The head and the question."""
        rows = self.question_rows(head, prompt, reserve=reserve)
        return self._prefix(torch.cat((head.embeddings, rows)), head.images, reserve)

    def question_rows(self, head: Prefix, prompt: Prompt, *, reserve: int = RESERVED) -> torch.Tensor:
        """The bytes of the question."""
        rows = self.embed_text(prompt.tail)
        check_window(self.version.name, head.length + len(rows), reserve, self.context_length)
        return rows

    def cue(self, prompt: Prompt) -> torch.Tensor:
        """End of turn."""
        del prompt
        return self._table[[_END]]

    def embed_text(self, parts: Sequence[Part]) -> torch.Tensor:
        """(T, d), one row per byte."""
        text = "".join(part.text for part in parts if not isinstance(part, ImageSlot | LatentSlot))
        return self._bytes(text)

    def think_embedding(self) -> torch.Tensor:
        """(d,)."""
        return self._table[_THINK]

    def option_tokens(self, letters: Sequence[str]) -> list[int]:
        """The bytes themselves."""
        return [letter.encode()[0] for letter in letters]

    def evaluate(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery) -> SuffixOutput:
        """Causal attention over [prefix | suffix] in one batch."""
        states, attention = self._attend(prefix, suffix)
        rows = None
        if query.attention_at and query.image is not None:
            rows = attention[:, list(query.attention_at), query.image.start : query.image.stop]
        return SuffixOutput(self._logits(states[:, list(query.logits_at)]), rows)

    def evaluate_uncached(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery) -> SuffixOutput:
        """The same, one candidate at a time."""
        outs = [self.evaluate(prefix, candidate[None], query) for candidate in suffix]
        rows = [out.attention for out in outs if out.attention is not None]
        return SuffixOutput(torch.cat([out.logits for out in outs]), torch.cat(rows) if rows else None)

    def decode(self, prefix: Prefix, suffix: torch.Tensor, max_new_tokens: int) -> Decoded:
        """Greedy bytes."""
        tokens: list[int] = []
        first: torch.Tensor | None = None
        for _ in range(max_new_tokens):
            logits = self._logits(self._attend(prefix, suffix[None])[0][0, -1])
            first = logits if first is None else first
            token = int(logits.argmax())
            if token >= _END:
                break
            tokens.append(token)
            suffix = torch.cat((suffix, self._table[[token]]))
        if first is None:
            raise PromptError("max_new_tokens is 0; ask for at least one token.")
        return Decoded(bytes(tokens).decode("utf-8", "replace"), tuple(tokens), first)

    def evaluate_many(
        self, prefixes: Sequence[Prefix], suffixes: Sequence[torch.Tensor], queries: Sequence[SuffixQuery]
    ) -> list[SuffixOutput]:
        """One after another."""
        return [self.evaluate(*each) for each in zip(prefixes, suffixes, queries, strict=True)]

    def decode_many(
        self, prefixes: Sequence[Prefix], suffixes: Sequence[torch.Tensor], max_new_tokens: int
    ) -> list[Decoded]:
        """One after another."""
        return [
            self.decode(prefix, suffix, max_new_tokens) for prefix, suffix in zip(prefixes, suffixes, strict=True)
        ]

    def _attend(self, prefix: Prefix, suffix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """States (B, T, d) and attention (B, T, P + T)."""
        batch, length, _ = suffix.shape
        rows = torch.cat((prefix.embeddings.expand(batch, -1, -1), suffix), 1)
        keys, values = rows @ self._key, torch.tanh(rows @ self._value)
        scores = (suffix @ self._query) @ keys.transpose(1, 2) / self.hidden_size**0.5
        future = torch.ones(length, rows.shape[1], dtype=torch.bool).triu(prefix.length + 1)
        attention = scores.masked_fill(future, float("-inf")).softmax(-1)
        return suffix + attention @ values, attention

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = states @ self._table.T / self.hidden_size**0.5
        return logits

    def _prefix(self, rows: torch.Tensor, images: tuple[Span, ...], reserve: int) -> Prefix:
        check_window(self.version.name, len(rows), reserve, self.context_length)
        return Prefix((), len(rows), len(rows), images, rows, torch.arange(len(rows))[None])

    def _bytes(self, text: str) -> torch.Tensor:
        return self._table[list(text.encode())]

    @staticmethod
    def _cells(image: Image.Image, side: int) -> torch.Tensor:
        small = np.asarray(image.convert("RGB").resize((side, side)), dtype=np.float32)
        return torch.from_numpy(small.reshape(-1, 3) / 255 - 0.5)
