"""Everything that is wrong with a set, found before the run, in one list.

An error makes a number wrong or a run fail; a warning leaves a number out or is worth a look. Errors stop a run, or
cost the images (or the category) that they concern, if the user wants it so; nothing is left out silently.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from reason_iad.bench.detect.inventory import (
    Facts,
    dataset_sha256,
    facts_of,
    leads_outside,
    sha256_of,
    unusable_name,
)
from reason_iad.bench.detect.masks import read_truth
from reason_iad.bench.detect.samples import Dataset, Sample
from reason_iad.errors import DatasetError
from reason_iad.images import REMARKS, Remark, printable

References = Literal["train", "template", "none"]
"""What an image is compared with: the training images of its category, its own template, or nothing (maps made
elsewhere)."""

KINDS: dict[str, str] = {
    "outside": "a path or a link leads out of the set's folder, or cannot name a file of a run",
    "unreadable": "an image or template is missing, its header is not that of an image, or its size is absurd",
    "listed-twice": "two rows name the same image",
    "two-splits": "one content is in train and in test",
    "two-labels": "one content is normal and abnormal",
    "two-categories": "one content is in two categories",
    "duplicate": "one content is there several times",
    "missing-mask": "an abnormal image has no mask, though others have",
    "bad-mask": "a mask cannot be read, has another size than its image, or values it should not have",
    "empty-mask": "the mask of an abnormal image is empty",
    "mask-of-normal": "a normal image has a mask that is not empty",
    "lossy-mask": "masks are JPEG files; what is less than half as bright as white does not count as defective",
    "grey-mask": "masks have many greys; what is less than half as bright as white does not count as defective",
    "alpha-mask": "masks say nothing in their colours; what is not transparent counts as defective",
    "whole-mask": "masks mark the whole image",
    "inverted-mask": "masks mark all but a place inside the image",
    "abnormal-reference": "an abnormal image is among the training images",
    "no-template": "an image has no template to be compared with",
    "no-normal": "a category has no normal training image",
    "few-normals": "a category has fewer normal training images than were asked for",
    "no-normal-test": "a category has no normal test image, so no number says how well defects are told apart",
    "empty-class": "a category lacks abnormal test images, or a folder of a kind is empty",
    "no-masks": "a category has no masks, so it gets no pixel metrics",
}
"""Kind of problem, and what it means."""

_OF_REMARK = {remark: f"{remark}-mask" for remark in REMARKS}

WARNINGS = frozenset({"duplicate", "few-normals", "empty-class", "no-masks", *_OF_REMARK.values()})
"""Kinds that do not stop a run."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong.

    Attributes:
        kind: a key of `KINDS`.
        where: id of the image, or name of the category, or a folder.
        message: what is wrong, to be read after `where`.
        costs: ids of the images that would be left out because of it.
    """

    kind: str
    where: str
    message: str
    costs: tuple[str, ...] = ()

    @property
    def severity(self) -> Literal["error", "warning"]:
        """Whether it stops a run."""
        return "warning" if self.kind in WARNINGS else "error"

    def __str__(self) -> str:
        return f"{self.severity:<7}  {self.kind:<18}  {printable(self.where)}: {self.message}"


@dataclass(frozen=True, slots=True)
class Checked:
    """A set that was looked at file by file.

    Attributes:
        dataset: as it was read, or what is left of it (`without_errors`).
        problems: what is wrong with it, errors first.
        facts: hash and size of each readable image, by id.
        others: hashes of masks and templates.
        left_out: ids of what was left out.
    """

    dataset: Dataset
    problems: tuple[Problem, ...]
    facts: dict[str, Facts]
    others: dict[Path, str]
    left_out: tuple[str, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that stop a run."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    def sha256(self) -> str:
        """Hash over what is left: images, labels, masks, templates."""
        return dataset_sha256(self.dataset.samples, self.facts, self.others)


@dataclass(slots=True)
class _Notes:
    """What gathers while files are looked at."""

    problems: list[Problem] = field(default_factory=list)
    facts: dict[str, Facts] = field(default_factory=dict)
    others: dict[Path, str] = field(default_factory=dict)
    remarks: dict[Remark, list[tuple[str, Path]]] = field(default_factory=dict)
    """Of each kind, the images and their masks."""


def check(
    dataset: Dataset,
    references: References = "train",
    shots: int | None = None,
    advance: Callable[[], None] = lambda: None,
) -> Checked:
    """Look at every file of a set.

    Args:
        dataset: the set.
        references: what images will be compared with.
        shots: how many training images of a category will be used; None: whatever there is.
        advance: called after each image.

    Returns:
        The problems, with what the run can use of the set: without training images if it needs none.
    """
    if references != "train":
        dataset = replace(dataset, samples=tuple(one for one in dataset.samples if one.split == "test"))
    notes = _Notes()
    for sample in dataset.samples:
        notes.problems += _of_sample(sample, dataset.root, references, notes)
        advance()
    notes.problems += _of_remarks(notes.remarks, dataset.root)
    notes.problems += _of_contents(dataset.samples, notes.facts)
    notes.problems += _of_categories(dataset, references, shots)
    found = sorted(notes.problems, key=lambda problem: (problem.severity, list(KINDS).index(problem.kind)))
    return Checked(dataset, tuple(found), notes.facts, notes.others)


def without_errors(checked: Checked, references: References = "train") -> Checked:
    """Leave out every image and category that an error concerns.

    What is left is a set without errors: leaving images out can empty a category, which then goes, too.

    Raises:
        DatasetError: nothing to judge is left.
    """
    samples, errors = checked.dataset.samples, checked.errors
    left_out: set[str] = set()
    while costs := {sample for problem in errors for sample in problem.costs}:
        left_out |= costs
        samples = tuple(sample for sample in samples if sample.id not in left_out)
        rest = _of_categories(replace(checked.dataset, samples=samples), references, None)
        errors = tuple(problem for problem in rest if problem.severity == "error")
    if not any(sample.split == "test" for sample in samples):
        raise DatasetError(
            f"Nothing of '{printable(checked.dataset.root)}' is left to judge; correct the problems above."
        )
    dataset = replace(checked.dataset, samples=samples)
    return replace(checked, dataset=dataset, left_out=tuple(sorted(left_out)))


def _of_sample(sample: Sample, root: Path, references: References, notes: _Notes) -> Iterator[Problem]:
    """What is wrong with one image and the files that belong to it."""

    def problem(kind: str, message: str) -> Problem:
        return Problem(kind, sample.id, message, (sample.id,))

    template = [sample.template] if sample.template else []
    if (reason := unusable_name(sample.id)) is not None:
        yield problem("outside", reason)
        return
    strays = [path for path in (sample.image, *sample.masks, *template) if leads_outside(path, root)]
    for path in strays:
        yield problem("outside", f"'{printable(path)}' leads out of the folder; copy the file into it")
    if strays:
        return  # nothing outside is opened
    try:
        facts = facts_of(sample.image)
        notes.facts[sample.id] = facts
    except DatasetError as error:
        advice = "its path has backslashes; write '/'" if "\\" in sample.id else "copy or export it again"
        yield problem("unreadable", f"{error}; {advice}")
        return
    if references != "none" and not facts.fits:
        size = f"{facts.width}x{facts.height}"
        yield problem("unreadable", f"is {size} pixels, too small, too large or too narrow to inspect")
    for path in template:
        try:
            notes.others[path] = facts_of(path).sha256
        except DatasetError as error:
            yield problem("unreadable", f"its template '{_below(path, root)}' {error}")
    if references == "template" and sample.split == "test" and not template:
        yield problem("no-template", "has no template; compare with the training images instead")
    if sample.split == "train" and sample.label:
        yield problem("abnormal-reference", f"is abnormal ({sample.kind}) but in 'train'; move it to 'test'")
    yield from _of_masks(sample, root, facts, notes)


def _of_masks(sample: Sample, root: Path, facts: Facts, notes: _Notes) -> Iterator[Problem]:
    """What is wrong with the masks of a readable image."""
    missing = [path for path in sample.masks if not path.is_file()]
    if missing:
        message = f"its mask '{_below(missing[0], root)}' does not exist; add it"
        yield Problem("missing-mask", sample.id, message, (sample.id,))
        return
    if not sample.masks:
        return  # whether there should be one depends on the others of its category
    try:
        truth = read_truth(sample, (facts.width, facts.height))
        for path in sample.masks:
            notes.others[path] = sha256_of(path)
    except DatasetError as error:
        yield Problem("bad-mask", sample.id, str(error), (sample.id,))
        return
    for remark, path in truth.remarks:
        notes.remarks.setdefault(remark, []).append((sample.id, path))
    if sample.label and not truth.mask.any():
        yield Problem("empty-mask", sample.id, f"is {sample.kind}, but its mask is empty", (sample.id,))
    if not sample.label and truth.mask.any():
        message = f"is normal, but its mask '{_below(sample.masks[0], root)}' is not empty"
        yield Problem("mask-of-normal", sample.id, message, (sample.id,))


def _of_remarks(remarks: dict[Remark, list[tuple[str, Path]]], root: Path) -> Iterator[Problem]:
    """What is remarkable about how masks were read: one line per kind, which names the first."""
    for remark, found in remarks.items():
        sample, path = found[0]
        others = f". The same holds for {len(found) - 1} more" if found[1:] else ""
        yield Problem(_OF_REMARK[remark], sample, f"its mask '{_below(path, root)}' {REMARKS[remark]}{others}")


def _of_contents(samples: Sequence[Sample], facts: dict[str, Facts]) -> Iterator[Problem]:
    """Images that are there more than once, by id and by content."""
    for name, count in Counter(sample.id for sample in samples).items():
        if count > 1:
            yield Problem("listed-twice", name, f"is listed {count} times; keep one row", (name,))
    same: defaultdict[str, dict[str, Sample]] = defaultdict(dict)
    for sample in samples:
        if sample.id in facts:
            same[facts[sample.id].sha256][sample.id] = sample
    for copies in same.values():
        if len(copies) > 1:
            yield _of_copies(list(copies.values()))


def _of_copies(copies: list[Sample]) -> Problem:
    """The worst that can be said of several images with one content."""
    first, others = copies[0].id, ", ".join(printable(copy.id) for copy in copies[1:])
    everything = tuple(copy.id for copy in copies)
    if len({copy.category for copy in copies}) > 1:
        return Problem("two-categories", first, f"is the same file as {others}, of another category", everything)
    if len({copy.label for copy in copies}) > 1:
        return Problem("two-labels", first, f"is the same file as {others}, with another label", everything)
    if len({copy.split for copy in copies}) > 1:
        judged = any(copy.split == "test" for copy in copies)
        keep = "test" if judged else "train"  # a test set stays what it is; a reference is easily spared
        costs = tuple(copy.id for copy in copies if copy.split != keep)
        return Problem("two-splits", first, f"is the same file as {others}, in another split", costs)
    return Problem("duplicate", first, f"is the same file as {others}")


def _of_categories(dataset: Dataset, references: References, shots: int | None) -> Iterator[Problem]:
    """What is wrong with categories as a whole; opens no file."""
    for folder in dataset.empty:
        yield Problem("empty-class", _below(folder, dataset.root), "holds no image; fill or remove the folder")
    for category in dataset.categories:
        samples = [sample for sample in dataset.samples if sample.category == category]
        everything = tuple(sample.id for sample in samples)
        normals = sum(sample.split == "train" and not sample.label for sample in samples)
        test = [sample for sample in samples if sample.split == "test"]
        if references == "train" and not normals:
            yield Problem("no-normal", category, "has no normal training image; add some", everything)
        elif references == "train" and shots is not None and normals < shots:
            yield Problem("few-normals", category, f"has {normals} normal training images; all are used")
        if all(sample.label for sample in test):
            message = "has no normal test image, so it cannot be told how well defects are found; add some"
            yield Problem("no-normal-test", category, message, everything)
        if not any(sample.label for sample in test):
            yield Problem("empty-class", category, "has no abnormal test image, so some metrics are undefined")
        yield from _of_unmasked(category, [sample for sample in test if sample.label])


def _of_unmasked(category: str, abnormal: Iterable[Sample]) -> Iterator[Problem]:
    """Abnormal images for which the layout states no mask at all."""
    bare, masked = [], False
    for sample in abnormal:
        if sample.masks:
            masked = True
        else:
            bare.append(sample.id)
    if bare and not masked:
        yield Problem("no-masks", category, "has no masks, so it gets no pixel metrics")
    elif bare:
        for name in bare:
            yield Problem("missing-mask", name, "has no mask, though other images of its category have", (name,))


def _below(path: Path, root: Path) -> str:
    return printable(path.relative_to(root) if path.is_relative_to(root) else path)
