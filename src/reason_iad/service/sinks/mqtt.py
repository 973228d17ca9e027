"""MQTT: each outcome is published as JSON, with quality of service 1: the broker has it when it is delivered."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from reason_iad.errors import MissingExtraError, ServiceError
from reason_iad.service.options import Place, read_secret
from reason_iad.service.sinks.base import Message, SinkTable

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 10.0
"""Seconds to wait for the broker."""


class MqttTable(SinkTable):
    """The table of a broker.

    Attributes:
        host, port: of the broker.
        topic: to which outcomes are published.
        tls: encrypt the connection, and check the certificate of the broker.
        username, password_file: of the service at the broker.
    """

    kind: Literal["mqtt"]
    host: str = Field(min_length=1)
    port: int = Field(default=1883, ge=1, le=65535)
    topic: str = Field(min_length=1, max_length=1000, pattern=r"^[^+#\x00]+$")
    tls: bool = False
    username: str | None = None
    password_file: Place | None = None

    def open(self) -> Mqtt:
        """The sink."""
        try:
            from paho.mqtt.client import Client
            from paho.mqtt.enums import CallbackAPIVersion
        except ModuleNotFoundError:
            raise MissingExtraError("A sink of the kind 'mqtt'", "mqtt") from None
        password = None
        if self.password_file is not None:
            password = read_secret(self.password_file, "the password of an MQTT broker")

        def client() -> Any:
            made = Client(CallbackAPIVersion.VERSION2)
            made.connect_timeout = PATIENCE_S
            if self.username is not None:
                made.username_pw_set(self.username, password)
            if self.tls:
                made.tls_set()
            return made

        return Mqtt(client, self)


class Mqtt:
    """Publishes outcomes; connects when the first one comes, and anew after the connection was lost.

    Args:
        make: makes a client that is not connected.
        table: of the broker.
    """

    def __init__(self, make: Callable[[], Any], table: MqttTable) -> None:
        self._make, self._table = make, table
        self._client: Any = None

    def send(self, message: Message, picture: Path) -> None:
        """Publish an outcome, and wait until the broker has it."""
        try:
            if self._client is None:
                self._client = self._connected()
            sent = self._client.publish(self._table.topic, message.model_dump_json(), qos=1)
            sent.wait_for_publish(PATIENCE_S)
            if not sent.is_published():
                raise ServiceError("The broker did not confirm the message.")
        except (OSError, ValueError, RuntimeError) as error:
            self.close()
            raise ServiceError(f"The broker cannot be reached ({type(error).__name__}).") from None
        except ServiceError:
            self.close()
            raise

    def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(OSError, ValueError, RuntimeError):
                client.disconnect()
                client.loop_stop()

    def _connected(self) -> Any:
        client = self._make()
        client.connect(self._table.host, self._table.port)
        client.loop_start()
        return client
