"""The directory of a vision model: where it is, whether it is whole, and how it wants pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from reason_iad.errors import ModelError
from reason_iad.files import read_object

Colours = tuple[float, float, float]


def find_directory(source: str) -> Path | None:
    """A directory, or where the hub model of that id lies if it was downloaded before; else None."""
    path = Path(source).expanduser()
    if path.is_dir():
        return path
    if source.count("/") != 1 or source.startswith((".", "/", "~")):
        return None
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(source, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError, OSError):
        return None


def check_directory(directory: Path) -> None:
    """Check what can be checked before a model is loaded.

    Raises:
        ModelError: a file is missing or broken.
    """
    from safetensors import SafetensorError, safe_open

    read_object(directory, "config.json")
    files = sorted(directory.glob("*.safetensors"))
    if not files:
        raise ModelError(
            f"'{directory.name}' has no *.safetensors file; other weight formats can run code and are not loaded."
        )
    for file in files:
        try:
            with safe_open(str(file), framework="pt"):
                pass
        except (SafetensorError, OSError) as error:
            raise ModelError(f"{file.name} in '{directory.name}' is truncated or broken; copy it again.") from error


def read_preparation(directory: Path) -> tuple[int, Colours, Colours]:
    """How a model wants pictures: side in pixels, and mean and deviation of each channel for values in [0, 1].

    Raises:
        ModelError: the file that says so is missing or malformed.
    """
    name = "preprocessor_config.json"
    if (directory / name).is_file():
        values: Any = read_object(directory, name)
    else:  # directories of models that also read text keep it here
        name = "processor_config.json"
        values = read_object(directory, name).get("image_processor") if (directory / name).is_file() else None
    if not isinstance(values, dict):
        raise ModelError(
            f"'{directory.name}' has no preprocessor_config.json, which says how the model wants pictures; copy "
            "the whole model directory."
        )
    try:
        return _side(values), *_normalisation(values)
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise ModelError(
            f"{name} in '{directory.name}' does not say how the model wants pictures; copy the model again."
        ) from error


def _side(values: dict[str, Any]) -> int:
    """Side of a picture in pixels: of what is left of it where the processor cuts something off."""
    size = (values.get("crop_size") if values.get("do_center_crop") else None) or values.get("size") or 224
    if isinstance(size, dict):
        size = next(size[key] for key in ("height", "shortest_edge") if key in size)
    if int(size) < 1:
        raise ValueError
    return int(size)


def _normalisation(values: dict[str, Any]) -> tuple[Colours, Colours]:
    """Mean and deviation of each channel, for values in [0, 1]."""
    mean, std = [0.0] * 3, [1.0] * 3
    if values.get("do_normalize", True):
        mean, std = ([float(each) for each in values[key]] for key in ("image_mean", "image_std"))
    factor = 255 * float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 255.0
    if min(*std, factor) <= 0:
        raise ValueError
    return _three(mean, factor), _three(std, factor)


def _three(values: list[float], factor: float) -> Colours:
    red, green, blue = (value / factor for value in values)
    return red, green, blue
