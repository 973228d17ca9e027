"""Versions of the packages whose arithmetic decides a result; they belong to the conditions of a run."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from reason_iad import __version__

PACKAGES = ("torch", "transformers", "tokenizers", "pillow", "numpy", "scipy")
"""They compute features, prompts, pixels and maps; another version may move a last bit, or more."""


def versions() -> dict[str, str]:
    """Package to version, without importing any; 'unknown' if it is not installed."""
    return {"reason-iad": __version__, **{name: _version(name) for name in PACKAGES}}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
