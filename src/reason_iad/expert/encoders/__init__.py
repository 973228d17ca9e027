"""Encoders: frozen vision networks that turn a picture into feature maps. Each is one file here."""

from __future__ import annotations

from reason_iad.expert.encoders.base import Encoder, FeatureMap, deepest

__all__ = ["Encoder", "FeatureMap", "deepest"]
