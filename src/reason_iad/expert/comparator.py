"""A learned comparison of patches: how surely what differs at a place is a defect [ours].

The cosine distance sees every difference alike. A small head that was trained with the vision tower, on pairs of
drawn pictures with masks, knows light, focus and small shifts from defects. It reads `[q, r, |q - r|]` of the
patches at the same place and is kept in the model's directory as `comparator.safetensors`; a model without the file
is compared by the cosine (`distance.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from reason_iad.backbones.base import PatchFeatures
from reason_iad.errors import ModelError

FILE = "comparator.safetensors"
LARGEST = 64 * 2**20
"""Bytes that the file may have."""
SHAPES: dict[str, tuple[str, ...]] = {
    "norm.weight": ("inputs",),
    "norm.bias": ("inputs",),
    "inner.weight": ("hidden", "inputs"),
    "inner.bias": ("hidden",),
    "outer.weight": ("one", "hidden"),
    "outer.bias": ("one",),
}


class PatchComparator:
    """LayerNorm, a hidden layer with GELU, one logit.

    Args:
        tensors: named and shaped as in `SHAPES`, with three times the width of a patch as inputs.

    Raises:
        ModelError: they are not.
    """

    def __init__(self, tensors: dict[str, Tensor]) -> None:
        if set(tensors) != set(SHAPES):
            raise ModelError(f"A comparator has the tensors {', '.join(SHAPES)}, and no others.")
        sizes = {"one": 1}
        for name, axes in SHAPES.items():
            found = tuple(tensors[name].shape)
            wanted = tuple(sizes.setdefault(axis, size) for axis, size in zip(axes, found, strict=False))
            if len(found) != len(axes) or found != wanted or not bool(tensors[name].isfinite().all()):
                raise ModelError(f"The tensor '{name}' of a comparator has the wrong shape, or is not finite.")
        if sizes["inputs"] % 3:
            raise ModelError("A comparator reads three vectors of the same width.")
        self.width = sizes["inputs"] // 3
        self._tensors = {name: tensor.float() for name, tensor in tensors.items()}

    def __call__(self, query: Tensor, normal: Tensor) -> Tensor:
        """How different patches are from normal ones at the same place.

        Args:
            query, normal: (n, width).

        Returns:
            (n,) of at least 0: -ln(1 - p), p being the probability of a defect there.

        Raises:
            ModelError: the patches have another width.
        """
        if query.shape[-1] != self.width:
            raise ModelError(
                f"{FILE} is for patches of width {self.width}, the model's have {query.shape[-1]}; delete the file."
            )
        weights = {name: tensor.to(query.device) for name, tensor in self._tensors.items()}
        both = torch.cat((query, normal, (query - normal).abs()), dim=-1).float()
        hidden = F.layer_norm(both, both.shape[-1:], weights["norm.weight"], weights["norm.bias"])
        hidden = F.gelu(F.linear(hidden, weights["inner.weight"], weights["inner.bias"]))
        return F.softplus(F.linear(hidden, weights["outer.weight"], weights["outer.bias"])[:, 0])

    def compare(self, query: PatchFeatures, normals: Sequence[PatchFeatures]) -> Tensor:
        """The difference of every query patch from the normal picture it differs from least, (rows, columns).

        A normal picture with another grid is resized to the query's.
        """
        least = torch.full((query.rows * query.columns,), float("inf"), device=query.features.device)
        for normal in normals:
            least = torch.minimum(least, self(query.features, _on_grid(normal, query.rows, query.columns)))
        return least.view(query.rows, query.columns)


def _on_grid(features: PatchFeatures, rows: int, columns: int) -> Tensor:
    """(rows * columns, width) features of another grid."""
    if (features.rows, features.columns) == (rows, columns):
        return features.features
    grid = features.features.view(1, features.rows, features.columns, -1).permute(0, 3, 1, 2)
    resized = F.interpolate(grid, (rows, columns), mode="bilinear", align_corners=False)
    return resized[0].flatten(1).T


def load_comparator(directory: Path) -> PatchComparator | None:
    """The comparator in a model directory; None if it has none.

    Raises:
        ModelError: the file holds something else.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    path = directory / FILE
    if not path.is_file():
        return None
    try:
        if path.stat().st_size > LARGEST:
            raise ModelError("The file is too large.")
        return PatchComparator(load_file(path))
    except (OSError, SafetensorError, ModelError) as error:
        why = str(error).rstrip(".")
        raise ModelError(
            f"{FILE} in '{directory.name}' cannot be used ({why}); copy the model again, or delete the file."
        ) from error
