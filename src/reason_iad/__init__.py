"""Industrial inspection that explains itself: knowledge-guided latent reasoning with a frozen multimodal LLM.

    from reason_iad import Inspector, save_report

    inspector = Inspector.from_pretrained("nano")
    inspection = inspector.inspect("part.png", references=["good.png"], category="pcb")
    print(inspection.verdict, inspection.probability, inspection.explanation)
    save_report(inspection, "part.html", image="part.png", references=["good.png"])

The names in `__all__` are the public API. They keep their names and their meaning until the next major version;
everything else may change. Names are imported when they are first used, so that `import reason_iad` costs
milliseconds, not the seconds that torch takes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reason_iad.backbones.fake import FakeBackbone
    from reason_iad.config import InspectorConfig, ReasoningConfig
    from reason_iad.errors import (
        ConfigError,
        DatasetError,
        ImageError,
        KnowledgeError,
        MemoryBankError,
        MissingExtraError,
        ModelError,
        OutputError,
        ProductError,
        PromptError,
        ReasonIADError,
        ServiceError,
    )
    from reason_iad.inspection.inspector import Inspector
    from reason_iad.inspection.operating_point import KnownPart, operating_point
    from reason_iad.inspection.questions import Question
    from reason_iad.product_inspectors import product_inspector
    from reason_iad.report import save_report
    from reason_iad.schema import Inspection, OperatingPoint, Reply, Summary

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "DatasetError",
    "FakeBackbone",
    "ImageError",
    "Inspection",
    "Inspector",
    "InspectorConfig",
    "KnowledgeError",
    "KnownPart",
    "MemoryBankError",
    "MissingExtraError",
    "ModelError",
    "OperatingPoint",
    "OutputError",
    "ProductError",
    "PromptError",
    "Question",
    "ReasonIADError",
    "ReasoningConfig",
    "Reply",
    "ServiceError",
    "Summary",
    "__version__",
    "operating_point",
    "product_inspector",
    "save_report",
]

_HOMES = {
    "backbones.fake": ("FakeBackbone",),
    "config": ("InspectorConfig", "ReasoningConfig"),
    "errors": (
        "ConfigError", "DatasetError", "ImageError", "KnowledgeError", "MemoryBankError", "MissingExtraError",
        "ModelError", "OutputError", "ProductError", "PromptError", "ReasonIADError",
        "ServiceError",
    ),
    "inspection.inspector": ("Inspector",),
    "inspection.operating_point": ("KnownPart", "operating_point"),
    "inspection.questions": ("Question",),
    "product_inspectors": ("product_inspector",),
    "report": ("save_report",),
    "schema": ("Inspection", "OperatingPoint", "Reply", "Summary"),
}  # fmt: skip
"""Module of this package to the public names in it."""
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
    globals()[name] = value  # found without this function from now on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
