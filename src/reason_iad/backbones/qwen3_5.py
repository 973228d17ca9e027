"""Qwen3.5: most decoder layers are linear attention, whose past is a state instead of keys and values.

A gated delta-rule layer remembers a prompt as the last inputs of its convolution and one matrix per head. Both
are kept in `Prefix.state`; each suffix of a batch starts from them and goes on with its own. They do not grow with
the prompt; what does, keys and values of the few full-attention layers, is still never copied. Attention over the
image exists, and is read, in the full-attention layers only.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from reason_iad.backbones.attention import KeyValues
from reason_iad.backbones.base import Prefix
from reason_iad.backbones.mrope import MropeBackbone
from reason_iad.backbones.shared_prefix import Layers


class Memory(NamedTuple):
    """What a linear layer remembers of the tokens so far.

    Attributes:
        inputs: (B, channels, kernel size), the last inputs of the convolution, zeros before the first token.
        matrix: (B, heads, key size, value size).
    """

    inputs: torch.Tensor
    matrix: torch.Tensor


class HybridStore(KeyValues):
    """Keys and values of the full-attention layers, memories of the others.

    Stands where the decoder expects a hybrid cache. Nothing is changed in place, so a prefix can be shared and
    gradients flow through the memories.
    """

    def __init__(self, layers: int, memories: dict[int, Memory]) -> None:
        super().__init__()
        self._count = layers
        self._own: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._inputs = {layer: memory.inputs for layer, memory in memories.items()}
        self._matrices = {layer: memory.matrix for layer, memory in memories.items()}

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Append this call's keys and values; return all so far."""
        if layer_idx in self._own:
            past_key, past_value = self._own[layer_idx]
            key, value = torch.cat((past_key, key), -2), torch.cat((past_value, value), -2)
        self._own[layer_idx] = (key, value)
        return key, value

    def all_layers(self) -> Layers:
        """Per decoder layer; linear layers have keys and values of no heads."""
        some = next(iter(self._own.values()))[0]
        none = some[:, :0]
        return tuple(self._own.get(layer, (none, none)) for layer in range(self._count))

    def memories(self) -> dict[int, Memory]:
        """Of every linear layer."""
        return {layer: Memory(self._inputs[layer], self._matrices[layer]) for layer in self._inputs}

    # -- what the linear layers call ---------------------------------------------------------------------------

    def get_conv_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor | None:
        """Past inputs of the convolution. A copy: the single-token kernel writes into it."""
        del state_idx
        inputs = self._inputs.get(layer_idx)
        if inputs is not None:
            self._inputs[layer_idx] = inputs = inputs.clone()
        return inputs

    def get_recurrent_state(self, layer_idx: int, state_idx: int = 0) -> torch.Tensor | None:
        """The matrices before this call."""
        del state_idx
        return self._matrices.get(layer_idx)

    def is_recording_past(self, layer_idx: int) -> bool:
        """Whether the per-token kernel must be avoided."""
        del layer_idx
        return False

    def update_conv_state(self, states: torch.Tensor, layer_idx: int, conv_kernel_size: int) -> torch.Tensor:
        """Remember the last inputs; return the past ones followed by these, (B, channels, kernel size + T)."""
        past = self._inputs.get(layer_idx)
        if past is None:
            past = states.new_zeros(*states.shape[:-1], conv_kernel_size)
        full = torch.cat((past, states), -1)
        self._inputs[layer_idx] = full[..., -conv_kernel_size:]
        return full

    def update_recurrent_state(self, states: torch.Tensor, layer_idx: int, **_: Any) -> None:
        """Remember the matrices."""
        self._matrices[layer_idx] = states


class Qwen35(MropeBackbone):
    """The dense Qwen3.5 family."""

    model_class = "Qwen3_5ForConditionalGeneration"

    @property
    def attention_layers(self) -> tuple[int, ...]:
        """The full-attention layers."""
        kinds = self.model.config.get_text_config().layer_types
        return tuple(i for i, kind in enumerate(kinds) if kind == "full_attention")

    def new_store(self, prefix: Prefix | None = None, batch: int = 1) -> KeyValues:
        """A store that starts from the prefix's memories, the same for every member of the batch."""
        past = {} if prefix is None else prefix.state
        shared = {
            layer: Memory(memory.inputs.expand(batch, -1, -1), memory.matrix.expand(batch, -1, -1, -1))
            for layer, memory in past.items()
        }
        return HybridStore(int(self.model.config.get_text_config().num_hidden_layers), shared)

    def state_after(self, store: KeyValues, state: Any) -> Any:
        """The memories after these tokens."""
        del state
        return _hybrid(store).memories()


def _hybrid(store: KeyValues) -> HybridStore:
    if not isinstance(store, HybridStore):
        raise TypeError("Qwen3.5 needs its own store")
    return store
