"""A first-class fake: a tiny random attention model with the whole protocol, without transformers or weights.

One attention layer and tied output embeddings, seeded. It sees images (as coloured cells) and reads text (as
bytes); its answers depend on both, so everything around the model can be tested with it. Its verdicts mean nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from reason_iad.backbones.base import Decoded, ImageTokens, Prefix, Span, SuffixOutput, SuffixQuery
from reason_iad.backbones.prompt import RESERVED, Data, ImageSlot, LatentSlot, check_window
from reason_iad.backbones.scripted import Script
from reason_iad.errors import PromptError
from reason_iad.features import FeatureMap
from reason_iad.schema import ModelVersion

if TYPE_CHECKING:
    from pathlib import Path

    from PIL import Image

    from reason_iad.backbones.prompt import Part, Prompt

_VOCABULARY = 258  # bytes, end of turn, think token
_END, _THINK = 256, 257
_SURE = 50.0
"""What a scripted answer is ahead of all others, as a logit."""


class FakeBackbone:
    """See the module's description. Satisfies the `Backbone` protocol.

    With `answers` it says what it is told to, so that you can test what you build around an inspection:

        model = FakeBackbone(
            answers={
                "detection": "Yes",
                "type": "scratch",
                "place": "top left",
                "explanation": "A thin line.",
                "colour": "red",
            }
        )
        Inspector(model).ask("part.png", "Which colour is it?", options=["red", "blue"])

    Args:
        hidden_size: d.
        context_length: positions that it reads.
        seed: of its random weights.
        answers: what it answers: under 'detection', 'type', 'place' or 'explanation' to the questions of an
            inspection, and under words of any other question to that. The answer is the text of an option, or the
            text to be written. None: its random weights answer. A question without an answer here, or an answer
            that is no option, raises a `ConfigError` when it is asked. One scripted model serves many threads.
    """

    def __init__(
        self,
        hidden_size: int = 16,
        context_length: int = 4096,
        seed: int = 0,
        answers: Mapping[str, str] | None = None,
    ) -> None:
        self._script = None if answers is None else Script(dict(answers))
        draw = torch.Generator().manual_seed(seed)
        self.writes = True
        self.hidden_size, self.context_length = hidden_size, context_length
        self.directory: Path | None = None
        self._table = torch.randn(_VOCABULARY, hidden_size, generator=draw)
        self._query, self._key, self._value = (
            torch.randn(hidden_size, hidden_size, generator=draw) / hidden_size**0.5 for _ in range(3)
        )
        self._pixel = torch.randn(3, hidden_size, generator=draw)
        self.embedding_rms = float(self._table.pow(2).mean().sqrt())
        self.version = ModelVersion(
            name="fake", family="fake", sha256="0" * 64, encoder_sha256="0" * 64, device="cpu", dtype="float32"
        )

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
        logits = self._logits(states[:, list(query.logits_at)])
        return SuffixOutput(logits if self._script is None else self._told(prefix, suffix, query, logits), rows)

    def evaluate_uncached(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery) -> SuffixOutput:
        """The same, one candidate at a time."""
        outs = [self.evaluate(prefix, candidate[None], query) for candidate in suffix]
        rows = [out.attention for out in outs if out.attention is not None]
        return SuffixOutput(torch.cat([out.logits for out in outs]), torch.cat(rows) if rows else None)

    def decode(self, prefix: Prefix, suffix: torch.Tensor, max_new_tokens: int) -> Decoded:
        """Greedy bytes, or the scripted text as far as there is room for it."""
        script = None if self._script is None else self._script.answer(self._asked(prefix, suffix)).encode()
        tokens: list[int] = []
        first: torch.Tensor | None = None
        for _ in range(max_new_tokens):
            logits = self._logits(self._attend(prefix, suffix[None])[0][0, -1])
            first = logits if first is None else first
            token = int(logits.argmax())
            if script is not None:
                token = script[len(tokens)] if len(tokens) < len(script) else _END
            if token >= _END:
                break
            tokens.append(token)
            suffix = torch.cat((suffix, self._table[[token]]))
        if first is None:
            raise PromptError("max_new_tokens is 0; ask for at least one token.")
        return Decoded(bytes(tokens).decode("utf-8", "replace"), tuple(tokens), first)

    def _told(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery, logits: torch.Tensor) -> torch.Tensor:
        """The logits with the scripted letter far ahead, wherever the next token is that of an answer."""
        assert self._script is not None
        for index, rows in enumerate(suffix):
            cue = [at for at, token in enumerate(self._tokens(rows)) if token == _END]
            for place, at in enumerate(query.logits_at):
                if not cue or at % len(rows) < cue[0]:
                    continue  # a think token, where nothing is answered
                if (letter := self._script.letter(self._asked(prefix, rows))) is not None:
                    logits[index, place, letter.encode()[0]] += _SURE
        return logits

    def _asked(self, prefix: Prefix, suffix: torch.Tensor) -> str:
        """The text between the inspected image and the answer cue."""
        tokens = self._tokens(torch.cat((prefix.embeddings[prefix.images[-1].stop :], suffix)))
        text = tokens[: tokens.index(_END)] if _END in tokens else tokens
        return bytes(token for token in text if token is not None and token < _END).decode("utf-8", "replace")

    def _tokens(self, rows: torch.Tensor) -> list[int | None]:
        """The token of each row (T, d) of embeddings; None for think tokens and patches."""
        same = (rows.detach()[:, None] == self._table).all(-1)
        return [int(row.to(torch.int8).argmax()) if bool(row.any()) else None for row in same]

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
