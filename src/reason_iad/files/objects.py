"""JSON objects from the directories of models, which are the input of strangers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reason_iad.errors import ModelError


def read_object(directory: Path, name: str) -> dict[str, Any]:
    """The JSON object in a file of a model directory.

    Raises:
        ModelError: there is no such file, or it holds something else.
    """
    path = directory / name
    if not path.is_file():
        raise ModelError(f"'{directory.name}' has no {name}, so it is not a model directory.")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError, RecursionError) as error:
        raise ModelError(f"{name} in '{directory.name}' is not valid JSON; copy the model again.") from error
    if not isinstance(value, dict):
        raise ModelError(f"{name} in '{directory.name}' is not a JSON object; copy the model again.")
    return value
