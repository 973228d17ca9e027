"""Qwen2.5-VL, and the embedded `nano`, which is a small model of the same class."""

from __future__ import annotations

from reason_iad.backbones.mrope import MropeBackbone


class Qwen25VL(MropeBackbone):
    """The Qwen2.5-VL family: everything is the common M-RoPE path."""

    model_class = "Qwen2_5_VLForConditionalGeneration"
