"""How far training has come, and the learning rate that belongs there.

Progress is trained time over the time asked for, across resumes; or, for tests and repeatable runs, steps over
steps.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field


@dataclass(slots=True)
class Budget:
    """Progress of one stage.

    Attributes:
        minutes: trained time of the stage.
        steps: if given, progress is counted in steps instead.
        spent: seconds trained before this process started.
    """

    minutes: float
    steps: int | None = None
    spent: float = 0.0
    _started: float = field(default_factory=time.monotonic)

    def seconds(self) -> float:
        """Seconds trained in this stage, across resumes."""
        return self.spent + time.monotonic() - self._started

    def progress(self, step: int) -> float:
        """Share of the stage done before `step`, in [0, 1]."""
        if self.steps is not None:
            return min(1.0, step / self.steps) if self.steps else 1.0
        return min(1.0, self.seconds() / max(self.minutes * 60, 1e-9))


def learning_rate(
    progress: float, step: int, *, warmup: int = 150, decay: float = 0.35, floor: float = 0.02
) -> float:
    """Factor on the peak rate: warm up by steps, stay, then fall over the last `decay` of the stage."""
    rise = min(1.0, (step + 1) / warmup)
    fall = min(1.0, max(0.0, (1.0 - progress) / decay))
    return rise * max(floor, fall)
