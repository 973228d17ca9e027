"""The network EfficientNet-Lite0, as far as features are taken from it (Tan and Le, arXiv:1905.11946).

Batch normalisation is folded into the convolutions. The tensors never change, so threads may share a network.

Where stride 2 leaves an odd row of padding, it lies behind the picture, as in training. By geometry a cell would
then look half a cell too far to the right and down, but the trained kernels make up for it: what a small spot
changes is centred on the spot (a test holds this).
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    State = Mapping[str, torch.Tensor]

STAGES = ((1, 3, 1, 1), (2, 3, 2, 6), (2, 5, 2, 6), (3, 3, 2, 6), (3, 5, 1, 6), (4, 5, 2, 6))
"""Of each stage: how many blocks, kernel, stride of the first block, and by how much it widens."""
TAKEN = (4, 10, 14)
"""Blocks whose output is taken: 40 channels at stride 8, 112 at 16, and 192 at 32."""
EPSILON = 1e-3
"""Of the batch normalisation, as in training."""


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution with its normalisation.

    Attributes:
        weight: (out, in / groups, k, k).
        bias: (out,).
        stride: 1 or 2.
        groups: as many as channels, or 1.
        before, behind: rows and columns of zeros on either side.
        bounded: whether values are limited to [0, 6].
    """

    weight: torch.Tensor
    bias: torch.Tensor
    stride: int
    groups: int
    before: int
    behind: int
    bounded: bool

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(b, in, h, w) to (b, out, h / stride, w / stride)."""
        padding = self.before
        if self.before != self.behind:
            x = torch.nn.functional.pad(x, (self.before, self.behind, self.before, self.behind))
            padding = 0
        x = torch.nn.functional.conv2d(x, self.weight, self.bias, self.stride, padding, groups=self.groups)
        return x.clamp_(0, 6) if self.bounded else x


class Lite0:
    """Stem and the first fifteen blocks.

    Args:
        state: tensors by name, as the weights are published.
        device: where it computes.
    """

    def __init__(self, state: State, device: str = "cpu") -> None:
        self._state, self._device = state, device
        self.taken: tuple[int, ...] = TAKEN
        self._stem = self._folded("_conv_stem", "_bn0", stride=2)
        self._blocks: list[tuple[Convolution, ...]] = []
        for repeats, _, first, widens in STAGES:
            for repeat in range(repeats):
                stride = first if repeat == 0 else 1
                name = f"_blocks.{len(self._blocks)}."
                wide = [self._folded(name + "_expand_conv", name + "_bn0")] if widens > 1 else []
                deep = self._folded(name + "_depthwise_conv", name + "_bn1", stride=stride)
                narrow = self._folded(name + "_project_conv", name + "_bn2", bounded=False)
                self._blocks.append((*wide, deep, narrow))
        self._state = {}

    def __call__(self, x: torch.Tensor) -> list[torch.Tensor]:
        """(b, 3, h, w), sides multiples of 32, to maps (b, c, h / s, w / s) for the strides s = 8, 16 and 32.

        A shallow one gives the first of them.
        """
        x = self._stem(x.contiguous(memory_format=torch.channels_last))  # in this order it takes half the time
        taken = []
        for number, block in enumerate(self._blocks[: self.taken[-1] + 1]):
            y = x
            for convolution in block:
                y = convolution(y)
            x = x + y if y.shape == x.shape else y
            if number in self.taken:
                taken.append(x)
        return taken

    def shallow(self) -> Lite0:
        """The same network as far as the first map: a third of the work."""
        first = copy(self)
        first.taken = self.taken[:1]
        return first

    def _folded(self, name: str, norm: str, *, stride: int = 1, bounded: bool = True) -> Convolution:
        """A convolution with the normalisation that follows it."""
        mean, variance, scale, shift = (
            self._state[f"{norm}.{each}"].double() for each in ("running_mean", "running_var", "weight", "bias")
        )
        weight = self._state[f"{name}.weight"]
        factor = scale / torch.sqrt(variance + EPSILON)
        folded = (weight.double() * factor.view(-1, 1, 1, 1)).float().to(self._device)
        padding = weight.shape[-1] - stride  # in all, so that h / stride rows come out of h
        return Convolution(
            weight=folded,
            bias=(shift - mean * factor).float().to(self._device),
            stride=stride,
            groups=len(weight) if weight.shape[1] == 1 else 1,
            before=padding // 2,
            behind=padding - padding // 2,
            bounded=bounded,
        )
