"""One kind of part, ready to judge parts by: its expert, its limits, and what people set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reason_iad.expert.by_template import TemplateRule
    from reason_iad.expert.conformal import Limits
    from reason_iad.expert.normality.area import Area
    from reason_iad.expert.normality.examples import KnownDefects
    from reason_iad.expert.normality.expert import Assessment, ProductExpert
    from reason_iad.expert.normality.looks import Look
    from reason_iad.expert.normality.where import Where


@dataclass(frozen=True, eq=False)
class PartKind:
    """What is needed to judge parts of one kind.

    Attributes:
        name: of the product; '' for good images that were given without one.
        sha256: of everything that was learnt from.
        expert: knows what is normal.
        limits: on its score.
        good: files of good images, by hash.
        where: finds where a part differs; None: the map that decides says that, too, and less exactly.
        mm_per_px: scale of the pictures; None if it is not known.
        least_px: the length of the smallest region that counts, in pixels; None: every one does.
        known: what is known of labelled defects; None: there are none.
        white: what is white in pictures with more than 8 bits; None: what their files say.
        templates: how parts are compared with their template, which then decides; None: they have none.
    """

    name: str
    sha256: str
    expert: ProductExpert
    limits: Limits
    good: Mapping[str, Path]
    where: Where | None = None
    mm_per_px: float | None = None
    least_px: float | None = None
    known: KnownDefects | None = None
    white: float | None = None
    templates: TemplateRule | None = None

    def without(self, sha256: str) -> PartKind | None:
        """The same as if one good image, by hash, had never been there; limits stay as they are.

        Returns:
            None if there is no other good image.

        Raises:
            MemoryBankError: what was kept of the others cannot be read.
        """
        members = [member.sha256 for member in self.expert.levels[0].bank.members]
        if len(members) < 2:
            return None
        levels = tuple(level.without({sha256}) for level in self.expert.levels)
        likeness = self.expert.likeness.without(members.index(sha256))
        where = None if self.where is None else self.where.without(sha256)
        return replace(self, expert=replace(self.expert, levels=levels, likeness=likeness), where=where)

    @property
    def left_out(self) -> tuple[float, ...]:
        """Scores of good images that count for the limits, each left out: what limits and drift are measured by.

        Where parts have a template, those of good parts compared with it.
        """
        if self.templates is not None:
            return self.templates.scores
        return self.expert.left_out if self.known is None else self.known.left_out

    def assess(self, look: Look, area: Area | None = None) -> Assessment:
        """What good images and labelled defects together say of a picture.

        Args:
            look: what was seen of it.
            area: what counts of it; None: what counts of every picture.
        """
        seen = self.expert.assess_look(look, area)
        if self.known is None:
            return seen
        return self.known.raised(seen, look, self.expert.threshold, area or self.expert.area)
