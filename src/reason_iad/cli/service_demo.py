"""What `reason-iad serve --demo` shows: a product, and parts that wait in a folder which the service watches.

The good pictures are photographs of a part that comes with the package: each has another light, lies a little
elsewhere and has the noise of a camera. The defects are drawn on further photographs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from PIL import Image

from reason_iad.cli.demo import PARTS
from reason_iad.errors import ConfigError

if TYPE_CHECKING:
    from reason_iad.service.configuration import Configuration

NAME = "metal-plate"
SHOWN = "01-brushed-metal-plate"
GOOD = 8
"""Good pictures of the product."""
DEFECTS = (None, "scratch", None, "hole", None, "stain", None, "chip")
"""What is drawn on each part that is sent; None: nothing."""
SIZE = 0.0012
"""Share of the picture that a drawn defect covers."""
RESOLUTION = 224
"""The product is learnt in seconds with this one."""
_SHIFT, _NOISE, _LIGHT = 3, 2.0, 0.06
"""Pixels, grey levels and the share of light by which photographs differ."""


@contextmanager
def demo_folder(data: Path | None) -> Iterator[Path]:
    """The folder of the demo: a new one that is deleted at the end, unless one is given.

    Raises:
        ConfigError: there is something in it.
    """
    if data is None:
        with TemporaryDirectory(prefix="reason-iad-", ignore_cleanup_errors=True) as folder:
            yield Path(folder)
        return
    if data.exists() and any(data.iterdir()):
        raise ConfigError(f"The demo needs a new folder, and '{data}' is not empty. Choose another --data.")
    yield data


def set_up_demo(data: Path) -> Configuration:
    """Make the product, and let the parts wait.

    Returns:
        What the service has to watch.
    """
    from reason_iad.products import Products
    from reason_iad.service.configuration import Configuration
    from reason_iad.service.sources.folder import FolderTable

    incoming = data / "incoming"
    incoming.mkdir(parents=True)
    with TemporaryDirectory() as folder:
        for seed in range(GOOD):
            Image.fromarray(_photograph(seed)).save(Path(folder) / f"good-{seed}.png")
        Products(data / "products").create(NAME, [folder], settings={"resolution": RESOLUTION, "false_alarms": 0.2})
    for number, kind in enumerate(DEFECTS):
        Image.fromarray(_part(GOOD + number, kind)).save(incoming / f"{number:02d}-{kind or 'good'}.png")
    shutil.copyfile(PARTS / f"{SHOWN}.png", incoming / f"{len(DEFECTS):02d}-another.png")
    return Configuration(sources={"demo": FolderTable(kind="folder", product=NAME, folder=incoming, settle_s=0.2)})


def _photograph(seed: int) -> npt.NDArray[np.uint8]:
    """(H, W, 3) the good part, as a camera sees it once more."""
    rng = np.random.default_rng(seed)
    with Image.open(PARTS / f"{SHOWN}-good.png") as image:
        picture = np.asarray(image.convert("RGB"), np.float32)
    down, right = rng.integers(-_SHIFT, _SHIFT + 1, 2)
    padded = np.pad(picture, ((_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0)), mode="edge")
    height, width, _ = picture.shape
    seen = padded[_SHIFT + down : _SHIFT + down + height, _SHIFT + right : _SHIFT + right + width]
    light, noise = rng.uniform(1 - _LIGHT, 1 + _LIGHT), rng.normal(0, _NOISE, picture.shape)
    return np.clip(seen * light + noise, 0, 255).astype(np.uint8)


def _part(seed: int, kind: str | None) -> npt.NDArray[np.uint8]:
    """(H, W, 3) a photograph with a drawn defect, or without one."""
    from reason_iad.expert.brushes import draw_defect

    picture = _photograph(seed)
    drawn = None if kind is None else draw_defect(picture, kind, seed=seed, size=SIZE)
    return picture if drawn is None else drawn.picture
