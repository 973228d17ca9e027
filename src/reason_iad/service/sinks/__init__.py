"""Sinks of the service: where outcomes go. Each is one file here, and one line in this one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from reason_iad.service.sinks.base import Message, Sink, SinkTable
from reason_iad.service.sinks.csv import CsvTable
from reason_iad.service.sinks.mqtt import MqttTable
from reason_iad.service.sinks.sort import SortTable
from reason_iad.service.sinks.webhook import WebhookTable

__all__ = ["SINKS", "Message", "Sink", "SinkOptions", "SinkTable"]

SinkOptions = Annotated[CsvTable | MqttTable | SortTable | WebhookTable, Field(discriminator="kind")]
SINKS: dict[str, type[SinkTable]] = {
    "csv": CsvTable, "mqtt": MqttTable, "sort": SortTable, "webhook": WebhookTable,
}  # fmt: skip
"""Kinds of sinks."""
