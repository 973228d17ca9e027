"""What the processes of a service write to standard error: a line for each thing, with its time."""

from __future__ import annotations

import logging

LINE, TIME = "%(asctime)s %(message)s", "%Y-%m-%d %H:%M:%S"


def write_log() -> None:
    """Write the log of this process to standard error, unless whoever started it does something else with it."""
    logging.basicConfig(format=LINE, datefmt=TIME, level=logging.WARNING)
