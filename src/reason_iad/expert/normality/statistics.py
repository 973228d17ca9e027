"""What the patches of an image say together: a few numbers per resolution and way (METHOD section 4).

Small defects show in the largest distance, wear and wrong castings in the mean; none is best everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from reason_iad.expert.normality.level import Level


def _highest(share: float) -> Callable[[torch.Tensor], float]:
    """The mean of the highest share of all distances; at least of one."""
    return lambda distances: float(distances.topk(max(1, round(share * len(distances)))).values.mean())


STATISTICS: Mapping[str, Callable[[torch.Tensor], float]] = {
    "largest": lambda distances: float(distances.max()),
    "top 1 %": _highest(0.01),
    "top 5 %": _highest(0.05),
    "top 10 %": _highest(0.10),
    "mean": lambda distances: float(distances.mean()),
}
"""Name to the number, of distances (n,) at least 0."""
DETAILS = "details"
"""Name of the number that details give. It has no part in the mean, where one small defect would be lost among all
the others: it raises the score (`expert.ProductExpert.score`)."""
PRIOR: Mapping[str, float] = {"largest": 1.0, "top 1 %": 0.0, "top 5 %": 1.0, "top 10 %": 0.0, "mean": 1.0}
"""What each counts before a self-test has spoken. Those with 0 add nothing to their neighbours."""


def statistics(level: Level, distances: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """The numbers of one image at one resolution, by name: 'size way statistic'. Of details it is the largest."""
    if level.detailed:
        return {DETAILS: float(distances["residual"].max())}
    return {
        f"{level.size or 'full'} {way} {name}": number(values)
        for way, values in distances.items()
        for name, number in STATISTICS.items()
    }


def prior(name: str) -> float:
    """What a number counts before a self-test has spoken, by its name."""
    if name == DETAILS:
        return 0.0
    return next((weight for kind, weight in PRIOR.items() if name.endswith(kind)), 1.0)
