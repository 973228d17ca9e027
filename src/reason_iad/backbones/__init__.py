"""Model families behind the `Backbone` protocol. Adding one is a file here and a line in `FAMILIES`.

Beside them, `chat_api.py` reaches models behind an API, which are a `ChatModel` and no `Backbone`.
"""

from __future__ import annotations

from reason_iad.backbones.base import Backbone, ChatModel
from reason_iad.backbones.loading import FAMILIES, load_backbone

__all__ = ["FAMILIES", "Backbone", "ChatModel", "load_backbone"]
