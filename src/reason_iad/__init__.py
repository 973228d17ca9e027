"""Industrial inspection that explains itself: knowledge-guided latent reasoning with a frozen multimodal LLM.

    from reason_iad import Inspector

    inspector = Inspector.from_pretrained("nano")
    inspection = inspector.inspect("part.png", references=["good.png"], category="pcb")
    print(inspection.verdict, inspection.probability, inspection.explanation)

Names are imported when they are first used, so that `import reason_iad` costs milliseconds, not the seconds
that torch takes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reason_iad.config import InspectorConfig, ReasoningConfig
    from reason_iad.errors import ReasonIADError
    from reason_iad.inspection.inspector import Inspector
    from reason_iad.schema import Inspection, Reply

__version__ = "0.1.0"

__all__ = [
    "Inspection",
    "Inspector",
    "InspectorConfig",
    "ReasonIADError",
    "ReasoningConfig",
    "Reply",
    "__version__",
]

_HOMES = {
    "Inspection": "schema",
    "Inspector": "inspection.inspector",
    "InspectorConfig": "config",
    "ReasonIADError": "errors",
    "ReasoningConfig": "config",
    "Reply": "schema",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
