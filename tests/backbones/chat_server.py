"""A chat-completions server on a local port: real HTTP, scripted answers, and a record of what arrived."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Seen:
    """A request that arrived."""

    at: float
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def messages(self) -> list[dict[str, Any]]:
        return list(self.body["messages"])

    @property
    def texts(self) -> str:
        """All text of the user's messages."""
        contents = [message["content"] for message in self.messages if message["role"] == "user"]
        parts = [part for content in contents if not isinstance(content, str) for part in content]
        return "".join(part.get("text", "") for part in parts) + "".join(c for c in contents if isinstance(c, str))


@dataclass(frozen=True)
class Send:
    """What the server does: wait, then send this status, these headers and this body.

    Attributes:
        promised: bytes that Content-Length says, if not those of the body.
        hang_up: close the connection without a word.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})
    delay: float = 0.0
    promised: int | None = None
    hang_up: bool = False


def completion(text: str | None, logprobs: object = None, finish_reason: str = "stop") -> Send:
    """A chat completion."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": text},
        "finish_reason": finish_reason,
        "logprobs": logprobs,
    }
    document = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
    return Send(body=json.dumps(document, ensure_ascii=False).encode())


def chances(*tokens: tuple[str, Sequence[tuple[str, float]]]) -> dict[str, Any]:
    """Log-probabilities: of each generated token, its alternatives; it counts as the first of them."""
    return {
        "content": [
            {
                "token": token,
                "logprob": dict(top).get(token, -0.1),
                "bytes": None,
                "top_logprobs": [{"token": name, "logprob": value, "bytes": None} for name, value in top],
            }
            for token, top in tokens
        ]
    }


def error(status: int, message: str, param: str | None = None, **headers: str) -> Send:
    """An error as such servers phrase it."""
    body = {"error": {"message": message, "type": "invalid_request_error", "param": param, "code": None}}
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    return Send(status, json.dumps(body).encode(), {"Content-Type": "application/json", **sent})


def obliging(seen: Seen) -> Send:
    """A model that always takes the first option, fairly surely, and has a word for every open question."""
    if "logprobs" not in seen.body:
        return completion("There is a dent in the middle.")
    return completion("A", chances(("A", [("A", -0.2), ("B", -2.0)])))


class ChatServer:
    """Serves `script` one answer at a time, then what `model` says; use it as a context manager."""

    def __init__(self, model: Callable[[Seen], Send] = obliging) -> None:
        self.model = model
        self.script: list[Send] = []
        self.seen: list[Seen] = []
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def __enter__(self) -> ChatServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, seen: Seen) -> Send:
        with self._lock:
            self.seen.append(seen)
            return self.script.pop(0) if self.script else self.model(seen)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                at = time.monotonic()
                content = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                send = server.answer(Seen(at, self.path, headers, json.loads(content)))
                time.sleep(send.delay)
                if send.hang_up:
                    self.close_connection = True
                    return
                try:
                    self.send_response(send.status)
                    for name, value in send.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(send.promised or len(send.body)))
                    self.end_headers()
                    self.wfile.write(send.body)
                except OSError:  # the client has given up waiting
                    self.close_connection = True
                if send.promised:
                    self.close_connection = True

            def do_GET(self) -> None:
                self.send_error(404)

            def log_message(self, *_: object) -> None:
                """Keep quiet."""

        return Handler
