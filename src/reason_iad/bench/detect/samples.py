"""What every layout is read into: one record per image, all of one kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

Split = Literal["train", "validation", "test"]


class Saturation(NamedTuple):
    """How much of a defect has to be found for it to count as found (MVTec LOCO's `defects_config.json`).

    Attributes:
        threshold: pixels, or a share of the defect if `relative`.
        relative: which of the two.
    """

    threshold: float
    relative: bool

    def area(self, pixels: int) -> int:
        """The saturation area of a defect of so many pixels, in 1..pixels."""
        wanted = self.threshold * pixels if self.relative else self.threshold
        return max(1, min(int(wanted), pixels))


@dataclass(frozen=True, slots=True)
class Sample:
    """One image of a detection set. Paths are as the layout states them: they need not exist (see `problems`).

    Attributes:
        id: path of the image below the set's folder, with '/' on every system; unique in a set.
        category: the product.
        split: 'train' holds references, 'test' what is judged; 'validation' is read, hashed and not used.
        image: the file.
        label: 1 if it shows a defect, else 0.
        kind: 'good', or the kind of defect, as the layout names it.
        masks: files whose union is the defect; none for a normal image, or if the set has none.
        template: a normal image of the very same part or place, or None.
        saturation: by pixel value of a mask; then each mask file is one region. None: regions are the connected
            components of the union.
    """

    id: str
    category: str
    split: Split
    image: Path
    label: Literal[0, 1]
    kind: str
    masks: tuple[Path, ...] = ()
    template: Path | None = None
    saturation: Mapping[int, Saturation] | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A detection set as read.

    Attributes:
        root: the folder.
        layout: name of the reader.
        samples: sorted by category, then id.
        empty: folders that should hold images of a kind and hold none.
        notes: sentences on what was decided while it was read, and what was left out.
    """

    root: Path
    layout: str
    samples: tuple[Sample, ...]
    empty: tuple[Path, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def categories(self) -> tuple[str, ...]:
        """Names of the categories, sorted."""
        return tuple(sorted({sample.category for sample in self.samples}))


class Found(NamedTuple):
    """What a reader brings back, in any order.

    Attributes:
        samples: the images.
        empty: folders that should hold images of a kind and hold none.
        notes: sentences on what was decided, and what was left out.
    """

    samples: list[Sample]
    empty: list[Path]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reader:
    """A layout. Adding one is a file in `readers/` with a `READER`, and a line in its registry.

    Attributes:
        name: as `--layout` takes it.
        shape: what such a folder looks like, in a few words.
        index: whether a file lists the images. Such a file says more than the names of folders, so when the layout
            is guessed these readers are asked first.
        fits: whether a folder has this layout.
        read: its images; the pattern tells normal files by their names, for the one layout that needs it.
        form: what such a folder looks like, in a few lines, for `--layout help`.
    """

    name: str
    shape: str
    index: bool
    fits: Callable[[Path], bool]
    read: Callable[[Path, str | None], Found]
    form: str = ""
