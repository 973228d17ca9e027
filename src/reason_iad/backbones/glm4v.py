"""GLM-4.1V: M-RoPE as in Qwen2-VL, other image tokens, and an image processor that counts a still image twice."""

from __future__ import annotations

from reason_iad.backbones.mrope import MropeBackbone


class Glm4V(MropeBackbone):
    """The dense GLM-4.1V family (`glm4v`)."""

    model_class = "Glm4vForConditionalGeneration"
    image_token = "<|image|>"  # noqa: S105
    counted_frames = 2
