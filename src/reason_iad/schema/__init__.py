"""The data that moves between rooms and out of the door: results, and the evidence for every claim in them."""

from __future__ import annotations

from reason_iad.schema.box import Box
from reason_iad.schema.evidence import (
    PLACES,
    SIZE_LIMITS,
    SIZES,
    Answer,
    CategoryEvidence,
    Claim,
    Entry,
    EntryKind,
    Evidence,
    Fact,
    FusionEvidence,
    Heat,
    InjectedPatch,
    MapEvidence,
    MotionEvidence,
    ReferenceEvidence,
    Region,
    RetrievedEntry,
    StepRecord,
    Usual,
    size_of,
)
from reason_iad.schema.findings import Finding, place_of
from reason_iad.schema.inspection import SCHEMA_VERSION, InputImage, Inspection, ModelVersion, Reply, Versions
from reason_iad.schema.product import ExampleEvidence, GoodPlaceEvidence, ProductEvidence, TemplateEvidence
from reason_iad.schema.record import Record
from reason_iad.schema.summary import Summary
from reason_iad.schema.verdict import SHOWN, OperatingPoint, Verdict, in_digits

__all__ = [
    "PLACES",
    "SCHEMA_VERSION",
    "SHOWN",
    "SIZES",
    "SIZE_LIMITS",
    "Answer",
    "Box",
    "CategoryEvidence",
    "Claim",
    "Entry",
    "EntryKind",
    "Evidence",
    "ExampleEvidence",
    "Fact",
    "Finding",
    "FusionEvidence",
    "GoodPlaceEvidence",
    "Heat",
    "InjectedPatch",
    "InputImage",
    "Inspection",
    "MapEvidence",
    "ModelVersion",
    "MotionEvidence",
    "OperatingPoint",
    "ProductEvidence",
    "Record",
    "ReferenceEvidence",
    "Region",
    "Reply",
    "RetrievedEntry",
    "StepRecord",
    "Summary",
    "TemplateEvidence",
    "Usual",
    "Verdict",
    "Versions",
    "in_digits",
    "place_of",
    "size_of",
]
