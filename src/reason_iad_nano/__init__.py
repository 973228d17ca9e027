"""The embedded model: a small inspector of the same class and on the same code path as Qwen2.5-VL-7B.

`world/` draws parts and defects; `scene.py` and `questions.py` turn a drawn sample into knowledge, questions and
true answers; `packing.py` makes one training sequence of them; `training/` runs the stages; `package.py` writes a
model directory in the hub's layout; `evaluate.py` measures it. The weights that ship with the package are in
`weights/`.

Importing this module is cheap: nothing here imports torch.
"""

from __future__ import annotations

from pathlib import Path

__all__ = ["weights_path"]


def weights_path() -> Path:
    """Directory of the packaged model, in the hub's layout."""
    from reason_iad.backbones.loading import NANO

    return NANO
