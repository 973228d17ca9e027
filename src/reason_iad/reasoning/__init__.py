"""Latent reasoning with dynamic visual injection, over the `Backbone` protocol. Knows tensors, not files."""

from __future__ import annotations

from reason_iad.reasoning.injection import assemble
from reason_iad.reasoning.loop import Injected, Problem, State, Thought, reason

__all__ = ["Injected", "Problem", "State", "Thought", "assemble", "reason"]
