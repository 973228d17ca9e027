"""Webhook: each outcome is posted to an address, signed, so that the receiver knows who sent it.

The form is that of https://www.standardwebhooks.com, for which there are libraries in most languages:

    webhook-id          the same whenever an outcome is sent again
    webhook-timestamp   seconds since 1970; refuse what is older than a few minutes
    webhook-signature   "v1," and the base64 of HMAC-SHA256 over "ID.TIMESTAMP.BODY" with the secret

Any answer from 200 to 299 means that the outcome was taken. Redirects are not followed.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field

from reason_iad.errors import ServiceError
from reason_iad.service.options import Place, read_secret
from reason_iad.service.sinks.base import Message, SinkTable

if TYPE_CHECKING:
    from httpx2 import Client

PREFIX = "whsec_"
"""What a secret in base64 begins with."""


class WebhookTable(SinkTable):
    """The table of a webhook.

    Attributes:
        url: the address.
        secret_file: file with the secret: 'whsec_' and base64, or any text.
        timeout_s: seconds to wait for an answer.
    """

    kind: Literal["webhook"]
    url: str = Field(pattern=r"^https?://[^\s]+$")
    secret_file: Place
    timeout_s: float = Field(default=10.0, gt=0, le=60)

    def open(self) -> Webhook:
        """The sink."""
        from httpx2 import Client

        client = Client(timeout=self.timeout_s, follow_redirects=False)
        return Webhook(client, self.url, secret_bytes(read_secret(self.secret_file, "the secret of a webhook")))


class Webhook:
    """Posts outcomes.

    Args:
        client: sends.
        url: the address.
        secret: signs.
    """

    def __init__(self, client: Client, url: str, secret: bytes) -> None:
        self._client, self._url, self._secret = client, url, secret

    def send(self, message: Message, picture: Path) -> None:
        """Post an outcome."""
        from httpx2 import HTTPError

        body, now = message.model_dump_json().encode(), str(int(time.time()))
        headers = {
            "content-type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": now,
            "webhook-signature": signature(self._secret, message.id, now, body),
        }
        try:
            answer = self._client.post(self._url, content=body, headers=headers)
        except HTTPError as error:
            raise ServiceError(f"The address cannot be reached ({type(error).__name__}).") from None
        if not answer.is_success:
            raise ServiceError(f"The address answered {answer.status_code}.")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()


def signature(secret: bytes, number: str, timestamp: str, body: bytes) -> str:
    """What `webhook-signature` has to be."""
    signed = hmac.new(secret, f"{number}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(signed.digest()).decode()}"


def secret_bytes(secret: str) -> bytes:
    """The key that a secret stands for.

    Raises:
        ServiceError: it begins as base64 does here, and is none.
    """
    if not secret.startswith(PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        raise ServiceError(f"The secret of a webhook begins with '{PREFIX}', but base64 does not follow.") from None
