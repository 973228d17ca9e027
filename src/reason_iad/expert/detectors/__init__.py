"""What scores and maps images: which detectors there are. Each is loaded when it is used.

Adding one is a file with a function `make(encoder)` that returns a `base.Detector`, and a line here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from reason_iad.errors import ConfigError

if TYPE_CHECKING:
    from reason_iad.expert.detectors.base import Detector
    from reason_iad.expert.encoders.base import Encoder

DETECTORS: dict[str, str] = {
    "distance": "the defect expert's distances as they are, uncalibrated and unclipped",
    "suspicion": "what an inspection weighs: patches and pixels against good parts laid alike",
    "calibrated": "the defect expert's calibrated map, as an inspection uses it",
}
"""Name to what it is. 'name' is the module `name` in this folder."""


def make_detector(name: str, encoder: Encoder) -> Detector:
    """A detector on an encoder.

    Raises:
        ConfigError: there is none of that name.
    """
    if name not in DETECTORS:
        raise ConfigError(f"There is no detector '{name}'; choose one of: {', '.join(DETECTORS)}.")
    detector: Detector = import_module(f"{__name__}.{name}").make(encoder)
    return detector
