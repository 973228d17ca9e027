"""What can be asked of a model behind an API, checked before anything is loaded or sent.

An API takes text and images and gives text: no embeddings go in, no attention and no patch features come out. So
the methods with think tokens, the anomaly map and the gallery stay with local models. Imports nothing heavy.
"""

from __future__ import annotations

import math
import os
from urllib.parse import urlsplit

from reason_iad.config import METHODS, PRESETS
from reason_iad.errors import ConfigError, ModelError

PREFIX = "openai:"
KEY_VARIABLE, URL_VARIABLE = "OPENAI_API_KEY", "OPENAI_BASE_URL"
TIMEOUT = 60.0
"""Seconds that one attempt may wait for a server."""


def is_api(model: str) -> bool:
    """Whether a `--model` names a model behind an API."""
    return model.startswith(PREFIX)


def api_name(model: str, base_url: str | None) -> str:
    """How results name such a model: the address is part of it, because nothing else says whose weights answered.

    Raises:
        ConfigError: there is no usable address.
    """
    return f"{model} at {api_address(base_url)}"


def api_address(base_url: str | None) -> str:
    """The given base URL, else that of the environment, without a slash at its end.

    Raises:
        ConfigError: there is none, or it is not a plain HTTP address.
    """
    url = (os.environ.get(URL_VARIABLE) or None) if base_url is None else base_url
    if url is None:
        raise ConfigError(
            f"A model '{PREFIX}NAME' needs the address of its server; give --base-url (such as "
            f"http://localhost:8000/v1) or set {URL_VARIABLE}."
        )
    if any(sign in url for sign in "@?#"):  # not repeated: there may be a secret in it
        raise ConfigError(f"The base URL may hold no password, query or fragment; for a key, set {KEY_VARIABLE}.")
    try:
        parts = urlsplit(url)
        plain = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        plain = False
    if not plain or not url.isprintable() or " " in url:
        raise ConfigError(
            f"The base URL {url!a} is not an address like http://localhost:8000/v1; correct --base-url."
        )
    return url.rstrip("/")


def check_use(model: str, *, base_url: str | None, timeout: float, method: str, gallery: bool) -> None:
    """Refuse what cannot work, before anything is loaded or sent. Imports nothing heavy.

    Args:
        model: any `--model`; of others than 'openai:NAME', only that they were given no base URL is checked.
        base_url: as given, None for that of the environment.
        timeout: in seconds.
        method: name of the method.
        gallery: whether the category is to be found by a gallery.

    Raises:
        ConfigError: an option is missing, out of its range, or has no effect.
        ModelError: an API cannot do what is asked for.
    """
    if not is_api(model):
        if base_url is not None:
            raise ConfigError(f"--base-url has no effect with the model '{model}'; name it '{PREFIX}NAME'.")
        return
    if not model.removeprefix(PREFIX).strip():
        raise ConfigError(f"'{model}' names no model; write '{PREFIX}NAME' with the name that the server gives it.")
    check_abilities(method, gallery)
    api_address(base_url)
    if not (timeout > 0 and math.isfinite(timeout)):
        raise ConfigError(f"The time-out is {timeout} seconds; it must be above 0.")


def check_abilities(method: str, gallery: bool) -> None:
    """Refuse what takes more than text and images.

    Raises:
        ModelError: the method has think tokens, or there is a gallery.
    """
    if PRESETS[method].reasoning is not None:
        able = ", ".join(name for name, each in METHODS.items() if each.reasoning is None)
        raise ModelError(
            f"The method '{method}' optimises think tokens inside the model, but an API takes text and images, "
            f"not embeddings, and returns no attention; choose one of the methods {able}, or a local model."
        )
    if gallery:
        raise ModelError(
            "A gallery compares patch features, which an API does not return; give the category instead, "
            "or use a local model."
        )
