"""Sources: where parts come from besides HTTP. Each is one file here, and one line in this one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reason_iad.service.sources.base import Intake, Source, SourceTable
from reason_iad.service.sources.camera import CameraTable
from reason_iad.service.sources.folder import FolderTable
from reason_iad.service.sources.genicam import GenICamTable

__all__ = ["SOURCES", "Intake", "Source", "SourceOptions", "SourceTable"]

SourceOptions = Annotated[CameraTable | FolderTable | GenICamTable, Field(discriminator="kind")]
SOURCES: dict[str, type[SourceTable]] = {"camera": CameraTable, "folder": FolderTable, "genicam": GenICamTable}
"""Kinds of sources."""
