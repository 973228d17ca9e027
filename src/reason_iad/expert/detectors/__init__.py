"""What scores and maps images: which detectors there are. Each is loaded when it is used.

Adding one is a file with a function `make(encoder)` that returns a `base.Detector`, and a line here. Another
package registers its function with an entry point of the group `reason_iad.detectors` (docs/extending.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reason_iad.registry import BuiltIn, Registry

if TYPE_CHECKING:
    from reason_iad.expert.detectors.base import Detector
    from reason_iad.expert.encoders.base import Encoder

DETECTORS: Registry[Callable[[Encoder], Detector]] = Registry(
    "detector",
    {
        "distance": BuiltIn(
            "reason_iad.expert.detectors.distance:make",
            "the defect expert's distances as they are, uncalibrated and unclipped",
        ),
        "suspicion": BuiltIn(
            "reason_iad.expert.detectors.suspicion:make",
            "what an inspection weighs: patches and pixels against good parts laid alike",
        ),
        "calibrated": BuiltIn(
            "reason_iad.expert.detectors.calibrated:make",
            "the defect expert's calibrated map, as an inspection uses it",
        ),
        "patchcore": BuiltIn(
            "reason_iad.expert.detectors.patchcore:make",
            "PatchCore: distance to a coreset of the normal patches, of any encoder",
        ),
        "expert": BuiltIn(
            "reason_iad.expert.detectors.product_expert:make",
            "the expert of a product: learns what is normal, and says how unusual a picture is",
        ),
    },
)
"""Name to the function that makes the detector on an encoder."""
OWN_EYES = frozenset({"patchcore", "expert"})
"""Detectors that compare features of a network trained on photographs, where no encoder is chosen."""


def usual_encoder(detector: str) -> str:
    """The encoder of a detector where none is chosen."""
    return "efficientnet_lite0" if detector in OWN_EYES else "tower"


def make_detector(name: str, encoder: Encoder) -> Detector:
    """A detector on an encoder.

    Raises:
        ConfigError: there is none of that name, or its package cannot be loaded.
    """
    return DETECTORS.get(name)(encoder)
