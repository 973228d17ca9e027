"""What a change of a product would do to the verdicts on its last parts, worked out on a copy of it.

Verdicts of the product as it is and of the changed copy are compared, both of today, so that what differs comes
from the change alone. A part is looked at once for both. Where only limits change, kept scores are enough.
Pictures that the product knows are left out. No model is asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from reason_iad.errors import ImageError, ProductError
from reason_iad.products.learning import Progress, no_progress
from reason_iad.products.limits import kept_limits
from reason_iad.products.product import Product
from reason_iad.products.trial import trial_copy

if TYPE_CHECKING:
    from reason_iad.expert.normality.looks import Eyes
    from reason_iad.expert.part_kind import PartKind


@dataclass(frozen=True, slots=True)
class Past:
    """A part that was inspected.

    Attributes:
        id: of its inspection.
        picture: the file; it may not be kept any more.
        sha256: of its content.
        review: what a person said of it.
        score: that it had; None: there was none, or a model had a say in it.
        learnt: hash of what it was judged by.
        template: the file of the part's own template; None: it has none.
    """

    id: int
    picture: Path
    sha256: str
    review: str | None
    score: float | None = None
    learnt: str | None = None
    template: Path | None = None


@dataclass(frozen=True, slots=True)
class Altered:
    """A part that would be judged in another way."""

    id: int
    before: str
    after: str
    review: str | None

    @property
    def against(self) -> bool:
        """Whether the new verdict is not what a person said."""
        return (self.review, self.after) in (("good", "defect"), ("defect", "pass"))


@dataclass(frozen=True, slots=True)
class Effect:
    """What a change would do.

    Attributes:
        altered: parts that would be judged in another way, the newest first.
        compared: how many parts were compared.
        limits: of the changed product, in words.
    """

    altered: tuple[Altered, ...]
    compared: int
    limits: str

    def in_words(self) -> str:
        """What it would do, in short sentences."""
        if not self.compared:
            return "There is no other part of this product to compare verdicts on."
        number = str(len(self.altered) or "none")
        said = f"This change would have altered {number} of the last {self.compared} verdicts."
        if self.compared == 1:
            said = f"This change would {'' if self.altered else 'not '}have altered the last verdict."
        against = sum(each.against for each in self.altered)
        if against:
            parts = "1 of them would be" if against == 1 else f"{against} of them would be"
            said += f" {parts} against what a person said."
        return said


def effect(
    product: Product,
    change: Callable[[Product], Product],
    parts: Sequence[Past],
    place: Path,
    progress: Progress = no_progress,
) -> Effect:
    """Work out what a change would do.

    Args:
        product: as it is.
        change: makes it, on a copy.
        parts: of the product, the newest first.
        place: a folder for the copy.
        progress: told how far it is.

    Raises:
        ProductError, ImageError, ConfigError, OutputError, ModelError: as the change and `judging.part_kind`.
    """
    from reason_iad.products.judging import part_kind

    with trial_copy(product, place) as copy:
        before = part_kind(copy, progress)
        changed = change(copy)
        after = part_kind(changed, progress)
        known = {each.sha256 for each in (*changed.state.good, *changed.state.defects)}
        known |= {each.sha256 for each in (*product.state.good, *product.state.defects)}
        others = list({each.sha256: each for each in reversed(parts) if each.sha256 not in known}.values())[::-1]
        altered, compared = [], 0
        for number, (part, pair) in enumerate(_verdicts(before, after, others), 1):
            progress("last parts compared", number, len(others))
            if pair is None:
                continue
            compared += 1
            if pair[0] != pair[1]:
                altered.append(Altered(part.id, *pair, part.review))
        limits = kept_limits(changed)
        return Effect(tuple(altered), compared, "" if limits is None else limits.in_words())


def _verdicts(
    before: PartKind, after: PartKind, parts: Sequence[Past]
) -> Iterator[tuple[Past, tuple[str, str] | None]]:
    """Both verdicts on each part; None where its picture cannot be read, or its own template is not kept."""
    from reason_iad.expert.judging import judge
    from reason_iad.images import load_image

    same_eyes = _same_eyes(before.expert.eyes, after.expert.eyes)
    only_limits = before.sha256 == after.sha256 and not before.least_px and not after.least_px
    for part in parts:
        if only_limits and part.score is not None and part.learnt == before.sha256:
            yield part, (before.limits.verdict(part.score), after.limits.verdict(part.score))
            continue
        try:
            image = load_image(part.picture, white=before.white)
            own = None if part.template is None else load_image(part.template, white=before.white)
            look = next(before.expert.eyes.look([image.pixels]))
            one = judge(before, image, look, places=False, template=own)
            if only_limits:
                changed = replace(before, limits=after.limits)
                after_ = judge(changed, image, look, places=False, template=own)
            else:
                after_ = judge(after, image, look if same_eyes else None, places=False, template=own)
        except (ImageError, ProductError):
            yield part, None
            continue
        yield part, (one.verdict, after_.verdict)


def _same_eyes(one: Eyes, other: Eyes) -> bool:
    """Whether both see the same of every picture."""
    return (
        [each.sha256 for each in one.encoders] == [each.sha256 for each in other.encoders]
        and one.sizes == other.sizes
        and one.detailed == other.detailed
        and one.area.counts.shape == other.area.counts.shape
        and bool((one.area.counts == other.area.counts).all())
    )
