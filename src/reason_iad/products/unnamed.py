"""Good images without a product: what was learnt of them is kept in the user's cache, for the next start."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.files import file_sha256
from reason_iad.products.deriving import REVISION
from reason_iad.products.learning import Learning, Progress, kept_expert, kept_where, no_progress

if TYPE_CHECKING:
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
    good: Sequence[Path],
    progress: Progress = no_progress,
    false_alarms: float = FALSE_ALARMS,
    white: float | None = None,
) -> PartKind:
    """What parts are judged by where good images are given without a product.

    Args:
        good: files of good images, at least one.
        progress: told how far it is, where something has to be learnt first.
        false_alarms: share of good parts that may be called defective.
        white: what is white in images with more than 8 bits; None: what the files say, or what all of them look
            like together.

    Raises:
        ImageError: an image cannot be used.
        OutputError: the cache cannot be written.
        ModelError: the encoder cannot be loaded.
    """
    from reason_iad.expert.conformal import limits
    from reason_iad.expert.encoders import make_encoder
    from reason_iad.expert.normality.area import EVERYWHERE
    from reason_iad.expert.normality.looks import Eyes, detail_size
    from reason_iad.expert.part_kind import PartKind
    from reason_iad.images import deep_of, load_image, white_of

    first = load_image(min(good))

    eyes = Eyes.of(make_encoder(ENCODER, None), detail=detail_size([(first.width, first.height)]))
    files = {file_sha256(path) or "": path for path in sorted(good)}
    white = white or white_of([deep_of(path) for path in files.values()])
    seen = (REVISION, sorted(files), [e.sha256 for e in eyes.encoders], *([] if white is None else [white]))
    key = hashlib.sha256(repr(seen).encode()).hexdigest()
    folder = experts_folder() / key
    prepare = partial(folder.mkdir, parents=True, exist_ok=True)
    learning = Learning(files, eyes, EVERYWHERE, key, folder, prepare, white)
    expert = kept_expert(learning, progress)
    where = kept_where(learning, expert, progress)
    _forget(folder.parent)
    return PartKind("", key, expert, limits(expert.left_out, false_alarms), files, where, white=white)


def _forget(folder: Path) -> None:
    """Keep what was learnt last."""
    found = sorted((each for each in folder.iterdir() if each.is_dir()), key=lambda each: -each.stat().st_mtime)
    for each in found[KEPT:]:
        shutil.rmtree(each, ignore_errors=True)
