"""The parts that the product ships are those that the workshop draws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from reason_iad.cli.demo import PARTS
from reason_iad_nano.demo_parts import write_parts


def test_the_shipped_parts_can_be_drawn_again(tmp_path: Path) -> None:
    write_parts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in PARTS.iterdir()}
    assert (tmp_path / "parts.json").read_text() == (PARTS / "parts.json").read_text()
    for path in tmp_path.glob("*.png"):
        with Image.open(path) as drawn, Image.open(PARTS / path.name) as shipped:
            far = np.abs(np.asarray(drawn, dtype=int) - np.asarray(shipped, dtype=int))
        # OpenCV adds in another order on some processors, which the camera's JPEG enlarges (world/README.md).
        assert (far > 1).mean() < 1e-3, path.name
