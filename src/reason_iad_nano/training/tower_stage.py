"""Stage one: the vision tower alone, on pairs, with dense targets.

End to end from scratch nothing is learnt in any time a CPU has; the tower alone learns to see defects in minutes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from reason_iad_nano.metrics import auc
from reason_iad_nano.pairs import PairBatch, count_at, family_index, pair_batch
from reason_iad_nano.tower import encode
from reason_iad_nano.training.heads import Seen, TowerHeads, coverage_loss, extent_loss, kind_loss

if TYPE_CHECKING:
    from transformers import Qwen2_5_VLForConditionalGeneration

    from reason_iad_nano.facts import Facts
    from reason_iad_nano.training.prefetch import Workers
    from reason_iad_nano.training.settings import TrainSettings
    from reason_iad_nano.world.types import Size


WEIGHTS = {"cover": 2.0, "kind": 0.5, "cover_alone": 1.0, "kind_alone": 0.3, "family": 0.3, "extent": 1.0}


class TowerTargets(NamedTuple):
    """What `TowerHeads` should say: (B, n) cover, extent and kinds, (B,) number of the family."""

    coverage: npt.NDArray[np.float32]
    extent: npt.NDArray[np.float32]
    kinds: npt.NDArray[np.int64]
    families: npt.NDArray[np.int64]

    @classmethod
    def of(cls, facts: Sequence[Facts]) -> TowerTargets:
        """Of some pairs."""
        numbers = np.array([family_index()[f.family] for f in facts], np.int64)
        coverage, extent, kinds = (
            np.stack([getattr(f, name) for f in facts]) for name in ("coverage", "extent", "kinds")
        )
        return cls(coverage, extent, kinds, numbers)


def tower_loss(seen: Seen, targets: TowerTargets) -> tuple[Tensor, dict[str, float]]:
    """Weighted sum of the dense targets of `TowerHeads`, and the parts."""
    pair, alone, family, extent = seen
    coverage, share, kinds, numbers = (torch.from_numpy(array).to(pair.device) for array in targets)
    parts = {
        "cover": coverage_loss(pair[..., 0], coverage),
        "kind": kind_loss(pair[..., 1:], kinds, coverage),
        "cover_alone": coverage_loss(alone[..., 0], coverage),
        "kind_alone": kind_loss(alone[..., 1:], kinds, coverage),
        "family": F.cross_entropy(family.float(), numbers),
        "extent": extent_loss(extent, share),
    }
    total = torch.stack([WEIGHTS[name] * value for name, value in parts.items()]).sum()
    return total, {name: float(value.detach()) for name, value in parts.items()}


class TowerStage:
    """Objective, data and measures of the tower stage."""

    name = "tower"

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration, settings: TrainSettings) -> None:
        self.model = model
        self.settings = settings
        self.heads: nn.Module = TowerHeads(settings.model.width)

    def prepare(self, validation: list[PairBatch]) -> None:
        """Nothing to do."""

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups with their peak learning rates."""
        visual, heads = list(self.model.model.visual.parameters()), list(self.heads.parameters())
        rate = self.settings.tower_rate
        wait = 0 if self.settings.start is None else self.settings.heads_first
        return [{"params": visual, "peak": rate, "wait": wait}, {"params": heads, "peak": rate}]

    def batches(self, workers: Workers, first_step: int) -> Iterator[PairBatch]:
        """Fresh pairs for every step, of every size in turn."""
        most, sizes = self.settings.tower_batch, self.settings.sizes

        def arguments() -> Iterator[tuple[int, int, str, Size]]:
            step = first_step
            while True:
                size = sizes[step % len(sizes)]
                yield step * most, count_at(size, self.settings.size, most), "train", size
                step += 1

        return workers.map(pair_batch, arguments())

    def _forward(self, batch: PairBatch) -> Seen:
        device = self.settings.device
        images = np.concatenate([batch.queries, batch.references])
        compile_layers = self.settings.compile and torch.is_grad_enabled()
        tokens = encode(self.model.model.visual, torch.from_numpy(images).to(device), compile_layers=compile_layers)
        query, reference = tokens.chunk(2)
        seen: Seen = self.heads(query, reference)
        return seen

    def loss(self, batch: PairBatch, step: int) -> tuple[Tensor, dict[str, float]]:
        """Loss of one step and what it is made of."""
        return tower_loss(self._forward(batch), TowerTargets.of(batch.facts))

    @torch.no_grad()
    def validate(self, batches: list[PairBatch]) -> dict[str, float]:
        """On new pairs: AUC of the cover, accuracy of kind and family, explained variance of the extent."""
        rows = [self._forward(batch) for batch in batches]
        facts = [f for batch in batches for f in batch.facts]
        pair, alone, family, extent = (torch.cat(part).float().cpu().numpy() for part in zip(*rows, strict=True))
        coverage, kinds = np.stack([f.coverage for f in facts]), np.stack([f.kinds for f in facts])
        share = np.sqrt(np.stack([f.extent for f in facts]))[coverage > 0]
        error = 1 / (1 + np.exp(-extent[coverage > 0])) - share
        sharp, defective = coverage >= 0.25, coverage.max(1) > 0
        return {
            "patch_auc": auc(pair[..., 0], sharp),
            "image_auc": auc(pair[..., 0].max(1), defective),
            "patch_auc_alone": auc(alone[..., 0], sharp),
            "image_auc_alone": auc(alone[..., 0].max(1), defective),
            "kind": float((pair[..., 1:].argmax(-1) == kinds)[sharp].mean()),
            "extent": float(1 - (error**2).mean() / max(share.var(), 1e-9)),
            "family": float(np.mean(family.argmax(-1) == [family_index()[f.family] for f in facts])),
        }
