"""The defect expert: a calibrated anomaly map against normal references (METHOD section 4).

Knows patch features, not models: whoever calls it brings features of the query and of the references.
"""

from __future__ import annotations

from reason_iad.expert.calibration import AnomalyMap, Expert, build_expert

__all__ = ["AnomalyMap", "Expert", "build_expert"]
