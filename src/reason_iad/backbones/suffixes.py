"""Running suffixes on cached prefixes: evaluation, decoding, and the uncached reference.

After the last layer only some rows are read: those whose logits are wanted, of a prompt none at all. Its
feed-forward part and its attention run on those alone.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch

from reason_iad.backbones import attention
from reason_iad.backbones.attention import KeyValues, OwnPlan
from reason_iad.backbones.base import Decoded, Prefix, SuffixOutput, SuffixQuery
from reason_iad.backbones.chat import decode_text
from reason_iad.backbones.compiling import compiled
from reason_iad.backbones.last_layer import LastLayer
from reason_iad.backbones.shared_prefix import SuffixPlan
from reason_iad.errors import ModelError, PromptError

if TYPE_CHECKING:
    from reason_iad.schema import ModelVersion

TURN_ENDS = ("<|im_end|>", "<|endoftext|>", "<end_of_turn>", "<end_of_utterance>", "<|eot_id|>", "<|user|>")
"""Tokens that end an answer, as far as the tokenizer knows them, beside those the model names itself."""


class SuffixRunner(ABC):
    """The half of a backbone that runs suffixes; the other half makes prefixes (`transformers_base.py`).

    Nothing here changes after the model was loaded: what a pass needs goes down with its call. So one backbone
    serves many threads at once, without a lock around a pass.
    """

    def __init__(self, model: Any, tokenizer: Any, version: ModelVersion) -> None:
        attention.register()
        self.model = model.eval().requires_grad_(False)
        self.tokenizer = tokenizer
        self.version = version
        self.device: torch.device = next(model.parameters()).device
        self._embed: Any = model.get_input_embeddings()
        self._last = LastLayer(self.decoder.layers)
        self._compiled: Any = None
        self.context_length = int(model.config.get_text_config().max_position_embeddings)
        self._use_suffix_attention()

    # -- what a family adds ------------------------------------------------------------------------------------

    @property
    def decoder(self) -> Any:
        """The decoder stack: embeddings in, hidden states out."""
        return self.model.model.language_model

    @property
    def attention_layers(self) -> tuple[int, ...]:
        """Decoder layers that have attention."""
        return tuple(range(int(self.model.config.get_text_config().num_hidden_layers)))

    @abstractmethod
    def text_positions(self, start: int, length: int) -> torch.Tensor:
        """Rotary positions (axes, length) of text that begins at `start`."""

    def plain_inputs(self, prefix: Prefix, length: int) -> dict[str, Any]:
        """Further inputs for the model's own attention over `length` tokens that begin with the prefix."""
        del prefix, length
        return {}

    def new_store(self, prefix: Prefix | None = None, batch: int = 1) -> KeyValues:
        """A store for the tokens of a prompt, or for those that follow a prefix."""
        del prefix, batch
        return KeyValues()

    def compile_steps(self) -> None:
        """Compile the decoder for evaluations of one prefix without gradients."""
        self._compiled = compiled(self.decoder, self.device)

    # -- evaluation --------------------------------------------------------------------------------------------

    def evaluate(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery) -> SuffixOutput:
        """Evaluate B suffixes on one shared prefix."""
        plan = self._plan(prefix, suffix.shape[1], query)
        axes = self.text_positions(prefix.next_position, suffix.shape[1])
        store = self.new_store(prefix, len(suffix))
        with nullcontext() if suffix.requires_grad else torch.no_grad():
            decoder = None if torch.is_grad_enabled() else self._compiled
            hidden = self._run(suffix, axes[:, None], store, _read(plan, suffix), decoder, plan=plan)
            read = hidden[:, list(query.logits_at)]
            logits = self._logits(read.flatten(0, 1))
        return SuffixOutput(logits.view(*read.shape[:2], logits.shape[-1]), plan.mean_attention())

    def evaluate_uncached(self, prefix: Prefix, suffix: torch.Tensor, query: SuffixQuery) -> SuffixOutput:
        """The same numbers from one full forward per candidate, by the model's own eager attention."""
        axes = torch.cat((prefix.positions, self.text_positions(prefix.next_position, suffix.shape[1])), -1)
        logits, rows = [], []
        extra = self.plain_inputs(prefix, axes.shape[1])
        for candidate in suffix:
            plan = OwnPlan()
            if query.attention_at and query.image is not None:
                plan.rows = tuple(prefix.length + i for i in query.attention_at)
                plan.image = (query.image.start, query.image.stop)
                plan.capture_layers = self._capture_layers(query)
            out = self.decoder(
                inputs_embeds=torch.cat((prefix.embeddings, candidate))[None],
                position_ids=_position_ids(axes[:, None]),
                attention_mask=None,  # the plan applies causality
                use_cache=False,
                plan=plan,
                **extra,
            )
            states = out.last_hidden_state[0, prefix.length :]
            logits.append(self._logits(states[list(query.logits_at)]))
            if plan.seen:
                chosen = torch.stack([plan.seen[layer] for layer in sorted(plan.seen)])  # (layers, heads, rows, n)
                heads = self._capture_heads(query)
                rows.append(chosen[:, slice(None) if heads is None else list(heads)].mean((0, 1)))
        return SuffixOutput(torch.stack(logits), torch.stack(rows) if rows else None)

    # -- decoding ----------------------------------------------------------------------------------------------

    def decode(self, prefix: Prefix, suffix: torch.Tensor, max_new_tokens: int) -> Decoded:
        """Greedy decoding from the state (prefix, suffix)."""
        room = min(max_new_tokens, self.context_length - prefix.length - len(suffix))
        if room < 1:
            raise PromptError("The prompt leaves no room for an answer; use fewer references or less knowledge.")
        plan = self._plan(prefix, len(suffix), SuffixQuery((len(suffix) - 1,)))
        store, stops = self.new_store(prefix), self._stop_ids()
        rows, position = suffix[None], prefix.next_position
        tokens: list[int] = []
        first: torch.Tensor | None = None
        with torch.no_grad():
            while len(tokens) < room:
                axes = self.text_positions(position, rows.shape[1])
                hidden = self._run(rows, axes[:, None], store, _read(plan, rows), plan=plan)
                scores = self._logits(hidden[0, -1:])[0]
                first = scores if first is None else first
                token = int(scores.argmax(-1))
                if token in stops:
                    break
                tokens.append(token)
                position += rows.shape[1]
                rows, plan.read = self._embed_ids([token])[None], (0,)
        assert first is not None  # there was room for one token
        return Decoded(decode_text(self.tokenizer, tokens), tuple(tokens), first)

    # -- inside ------------------------------------------------------------------------------------------------

    def _plan(self, prefix: Prefix, length: int, query: SuffixQuery) -> SuffixPlan:
        plan = SuffixPlan(prefix.layers, read=tuple(at % length for at in query.logits_at), last=self._last.index)
        if query.attention_at and query.image is not None:
            plan.rows, plan.image = query.attention_at, (query.image.start, query.image.stop)
            plan.capture_layers, plan.heads = self._capture_layers(query), self._capture_heads(query)
        return plan

    def _run(
        self,
        rows: torch.Tensor,
        axes: torch.Tensor,
        store: KeyValues,
        read: Sequence[int],
        decoder: Any = None,
        **extra: Any,
    ) -> torch.Tensor:
        """Hidden states (B, T, d) of embeddings (B, T, d) at rotary positions (axes, B or 1, T).

        Only the rows in `read`, counted through the batch, mean anything. `decoder` stands in for the model's own.
        """
        with self._last.reading(read, rows):
            out = (self.decoder if decoder is None else decoder)(
                inputs_embeds=rows,
                position_ids=_position_ids(axes.expand(-1, len(rows), -1)),
                attention_mask=None,  # causality lives in the attention function
                past_key_values=store,
                use_cache=True,
                **extra,
            )
        hidden: torch.Tensor = out.last_hidden_state
        return hidden

    def _logits(self, states: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.model.lm_head(states).float()
        return logits

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


def _read(plan: SuffixPlan, rows: torch.Tensor) -> list[int]:
    """Rows of (B, T, d) that are read after the last layer, counted through the batch."""
    count, length = rows.shape[:2]
    read = range(length) if plan.read is None else sorted(set(plan.read))
    return [candidate * length + row for candidate in range(count) for row in read]


def _position_ids(axes: torch.Tensor) -> torch.Tensor:
    """Rotary positions (axes, B, T) as the decoders take them: (B, T) where there is one axis."""
    return axes[0] if len(axes) == 1 else axes
