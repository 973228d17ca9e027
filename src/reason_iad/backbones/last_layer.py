"""The last decoder layer's feed-forward part, run only on the rows that are read after it.

Keys and values of all rows are made before it, so what it computes for the other rows is thrown away: in the pass
over a prompt for all of them, in a step for every row but the latents and the answer. Hooks leave it out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch


class _Pass(threading.local):
    """The pass that this thread is running. Every thread has its own, so passes do not disturb each other."""

    rows: torch.Tensor | None = None
    shape = torch.Size()


class LastLayer:
    """Hooks on the feed-forward part of the last of some decoder layers.

    Attributes:
        index: of the last layer.
    """

    def __init__(self, layers: Any) -> None:
        self.index = len(layers) - 1
        self._pass = _Pass()
        layers[self.index].mlp.register_forward_pre_hook(self._before)
        layers[self.index].mlp.register_forward_hook(self._after)

    @contextmanager
    def reading(self, rows: Sequence[int], embeddings: torch.Tensor) -> Iterator[None]:
        """While this lasts, this thread runs only these rows of (B, T, d), counted through the batch.

        The others give 0.
        """
        if len(rows) < embeddings.shape[:2].numel():
            self._pass.rows = torch.tensor(rows, dtype=torch.long, device=embeddings.device)
        try:
            yield
        finally:
            self._pass.rows = None

    def _before(self, module: Any, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        del module
        rows = self._pass.rows
        if rows is None:
            return None
        self._pass.shape = args[0].shape
        return (args[0].flatten(0, 1)[rows],)

    def _after(self, module: Any, args: Any, out: torch.Tensor) -> torch.Tensor | None:
        del module, args
        rows, shape = self._pass.rows, self._pass.shape
        if rows is None:
            return None
        full = out.new_zeros(shape[:2].numel(), shape[2])
        return full.index_copy(0, rows, out).view(shape)
