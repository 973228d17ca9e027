"""Memories of good images: patch features within a budget, searched exactly, changed in place, kept on disk."""

from __future__ import annotations

from reason_iad.expert.memory.bank import Coverage, MemoryBank, MemorySettings, require_encoder
from reason_iad.expert.memory.coreset import greedy_coreset
from reason_iad.expert.memory.features import averaged, joined
from reason_iad.expert.memory.search import Nearest, Points, nearest
from reason_iad.expert.memory.shelf import DiskShelf, RamShelf, Shelf
from reason_iad.expert.memory.storage import load_memory, memory_shelf, save_memory

__all__ = [
    "Coverage",
    "DiskShelf",
    "MemoryBank",
    "MemorySettings",
    "Nearest",
    "Points",
    "RamShelf",
    "Shelf",
    "averaged",
    "greedy_coreset",
    "joined",
    "load_memory",
    "memory_shelf",
    "nearest",
    "require_encoder",
    "save_memory",
]
