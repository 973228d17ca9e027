"""KolektorSDD (Tabernik et al., Journal of Intelligent Manufacturing, 2020): a folder per part, a mask per image.

    kos01/Part0.jpg, kos01/Part0_label.bmp, …

Nothing but the mask says whether an image is good: it is if the mask is black. The set has no split. About half of
the parts give the references, so that no part is on both sides. Source: the description of the set in
open-edge-platform/anomalib.
"""

from __future__ import annotations

from pathlib import Path

from reason_iad.bench.detect.readers.tree import MaskFolder, category_name, half_of, images_in, marks, subfolders
from reason_iad.bench.detect.samples import Found, Reader, Sample
from reason_iad.images.kinds import GOOD

_ENDING = "_label"


def _fits(root: Path) -> bool:
    return any(map(_is_part, subfolders(root)))


def _is_part(folder: Path) -> bool:
    """Whether a folder holds an image beside its mask."""
    stems = {path.stem for path in images_in(folder)}
    return any(stem.endswith(_ENDING) and stem.removesuffix(_ENDING) in stems for stem in stems)


def _read(root: Path, normal: str | None) -> Found:
    found = Found([], [], ("The set has no split, so about half of its parts give the references.",))
    parts = subfolders(root)
    references = half_of(parts) if parts else frozenset()
    for part in parts:
        files, masks = images_in(part), MaskFolder(part)
        for image in files:
            if image.stem.endswith(_ENDING):
                continue
            mask = masks.expect(image.stem + _ENDING)
            label = marks(mask, root)
            found.samples.append(
                Sample(
                    id=image.relative_to(root).as_posix(),
                    category=category_name(root),
                    split="train" if part in references and not label else "test",
                    image=image,
                    label=label,
                    kind="defect" if label else GOOD,
                    masks=(mask,) if label else (),
                )
            )
    return found


READER = Reader(
    "ksdd", "PART/IMAGE.jpg beside PART/IMAGE_label.bmp", False, _fits, _read,
    form="""\
kos01/Part0.jpg
kos01/Part0_label.bmp   black if the image is good
About half of the parts give the references.""",
)  # fmt: skip
