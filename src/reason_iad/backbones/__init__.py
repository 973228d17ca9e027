"""Model families behind the `Backbone` protocol. Adding one is a file here and a line in `FAMILIES`."""

from __future__ import annotations

from reason_iad.backbones.base import Backbone
from reason_iad.backbones.loading import FAMILIES, load_backbone

__all__ = ["FAMILIES", "Backbone", "load_backbone"]
