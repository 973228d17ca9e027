"""Qwen2-VL: the tower differs from Qwen2.5-VL's inside (no windows), its inputs and outputs do not."""

from __future__ import annotations

from reason_iad.backbones.mrope import MropeBackbone


class Qwen2VL(MropeBackbone):
    """The Qwen2-VL family."""

    model_class = "Qwen2VLForConditionalGeneration"
