"""KolektorSDD2 (Božič et al., Computers in Industry, 2021): train/ and test/, with a mask beside every image.

    train/10000.png, train/10000_GT.png, …, test/20000.png, test/20000_GT.png, …

Nothing but the mask says whether an image is good: it is if the mask is black. Defective training images are read
and not used. Source: the loaders of the set in public code, such as vicoslab/mixed-segdec-net-comind2021.
"""

from __future__ import annotations

from pathlib import Path

from reason_iad.bench.detect.readers.tree import (
    MaskFolder,
    category_name,
    images_in,
    marks,
    unused_note,
    used,
)
from reason_iad.bench.detect.samples import Found, Reader, Sample, Split
from reason_iad.images.kinds import GOOD

_ENDING = "_GT"
_SPLITS: tuple[Split, ...] = ("train", "test")


def _fits(root: Path) -> bool:
    return all(any(path.stem.endswith(_ENDING) for path in images_in(root / split)) for split in _SPLITS)


def _read(root: Path, normal: str | None) -> Found:
    samples = []
    for split in _SPLITS:
        masks = MaskFolder(root / split)
        for image in images_in(root / split):
            if image.stem.endswith(_ENDING):
                continue
            mask = masks.expect(image.stem + _ENDING)
            label = marks(mask, root)
            samples.append(
                Sample(
                    id=image.relative_to(root).as_posix(),
                    category=category_name(root),
                    split=used(split, label),
                    image=image,
                    label=label,
                    kind="defect" if label else GOOD,
                    masks=(mask,) if label else (),
                )
            )
    return Found(samples, [], unused_note(samples))


READER = Reader(
    "ksdd2", "train/IMAGE.png and test/IMAGE.png, each beside IMAGE_GT.png", False, _fits, _read,
    form="""\
train/10000.png
train/10000_GT.png   black if the image is good
test/20000.png
test/20000_GT.png
Defective training images are not used.""",
)  # fmt: skip
