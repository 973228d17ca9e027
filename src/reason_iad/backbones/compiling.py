"""Compiling the decoder for the steps of the loop: off unless asked for.

On CUDA compiled steps are replayed as CUDA graphs. Shapes are static: every arrangement of prefix, latents and
patches is compiled when it first occurs, which takes seconds to minutes, so this is for services that meet the same
arrangements again and again; see docs/results.md for what was measured. Nothing is compiled for prompts,
decoding or gradients.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
from typing import Any

import torch

from reason_iad.errors import ModelError

COMPILERS = ("g++", "clang++", "cl")


def check_compiler(device: torch.device) -> None:
    """Make sure, before a model is loaded, that its decoder can be compiled.

    Raises:
        ModelError: nothing there can compile it.
    """
    own = os.environ.get("CXX")
    if not any(shutil.which(name) for name in ((own,) if own else COMPILERS)):
        raise ModelError("Compiling steps needs a C++ compiler, and there is none; install g++, or do not compile.")
    if device.type == "cuda" and importlib.util.find_spec("triton") is None:
        raise ModelError("Compiling steps for CUDA needs triton; run: pip install triton, or do not compile.")


def compiled(decoder: Any, device: torch.device) -> Any:
    """The decoder, compiled as it is called: CUDA graphs on CUDA, plain kernels elsewhere. For inference only."""
    return torch.compile(decoder, mode="reduce-overhead" if device.type == "cuda" else None)
