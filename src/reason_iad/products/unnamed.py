"""Good images without a product: what was learnt of them is kept in the user's cache, for the next start."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.errors import MemoryBankError
from reason_iad.files import hold
from reason_iad.images import load_image
from reason_iad.products.deriving import REVISION, WAIT, WHERE, Progress, kept_where, no_progress

if TYPE_CHECKING:
    from reason_iad.expert.normality.expert import ProductExpert
    from reason_iad.expert.normality.looks import Eyes
    from reason_iad.expert.part_kind import PartKind

ENCODER = "efficientnet_lite0"
FALSE_ALARMS = 0.05
"""Share of good parts that may be called defective, unless something else is asked for."""
KEPT = 16
"""Sets of good images of which is kept what was learnt."""


def experts_folder() -> Path:
    """Where it is kept what was learnt of good images without a product."""
    from reason_iad.knowledge.opening import cache_folder

    return cache_folder() / "experts"


def unnamed_kind(
    good: Sequence[Path], progress: Progress = no_progress, false_alarms: float = FALSE_ALARMS
) -> PartKind:
    """What parts are judged by where good images are given without a product.

    Args:
        good: files of good images, at least one.
        progress: told how far it is, where something has to be learnt first.
        false_alarms: share of good parts that may be called defective.

    Raises:
        ImageError: an image cannot be used.
        OutputError: the cache cannot be written.
        ModelError: the encoder cannot be loaded.
    """
    from reason_iad.expert.conformal import limits
    from reason_iad.expert.encoders import make_encoder
    from reason_iad.expert.normality.looks import Eyes
    from reason_iad.expert.part_kind import PartKind

    eyes = Eyes.of(make_encoder(ENCODER, None))
    files = {load_image(path).sha256: path for path in good}
    key = hashlib.sha256(repr((REVISION, sorted(files), [e.sha256 for e in eyes.encoders])).encode()).hexdigest()
    expert = _kept_expert(files, eyes, key, progress)
    images = [load_image(path) for _, path in sorted(files.items())]
    where = kept_where(experts_folder() / key / WHERE / key[:16], expert, list(files), images, progress)
    return PartKind("", key, expert, limits(expert.left_out, false_alarms), files, where)


def _kept_expert(files: dict[str, Path], eyes: Eyes, key: str, progress: Progress) -> ProductExpert:
    from reason_iad.expert.normality.learning import learn
    from reason_iad.expert.normality.storing import load_expert, save_expert

    folder = experts_folder() / key
    try:
        return load_expert(folder, eyes, key)
    except MemoryBankError:
        folder.parent.mkdir(parents=True, exist_ok=True)
    with ExitStack() as learning:
        learning.callback(hold(folder.parent / f"{key}.learning", wait=WAIT).release)
        try:
            return load_expert(folder, eyes, key)
        except MemoryBankError:
            expert = learn([load_image(path) for _, path in sorted(files.items())], eyes, progress)
            save_expert(expert, folder, key)
    _forget(folder.parent)
    return expert


def _forget(folder: Path) -> None:
    """Keep what was learnt last."""
    import shutil

    found = sorted((each for each in folder.iterdir() if each.is_dir()), key=lambda each: -each.stat().st_mtime)
    for each in found[KEPT:]:
        shutil.rmtree(each, ignore_errors=True)
