"""What the expert alone says of a part, in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reason_iad.expert.normality.likeness import TEXTS
from reason_iad.schema.verdict import SAME

if TYPE_CHECKING:
    from reason_iad.expert.judging import Judgement
    from reason_iad.expert.part_kind import PartKind
    from reason_iad.schema import Finding

ADVICE = "Take another picture, or look at the part yourself."
"""What to do where a picture cannot be judged."""
OTHER_GOOD_PART = "Give a picture of another good part, or look at the part yourself."
"""What to do where the only good part is the inspected picture itself."""


def explanation_alone(kind: PartKind, judgement: Judgement, findings: tuple[Finding, ...]) -> str:
    """Why the verdict is what it is, as far as a comparison with good images can say."""
    if judgement.nothing_compared:
        return f"{SAME} {OTHER_GOOD_PART}"
    reason = judgement.seen.likeness.reason
    if reason is not None:
        return f"{TEXTS[reason]} {ADVICE}"
    score = judgement.seen.score
    limits = kind.limits
    limit = limits.defect_from if math.isfinite(limits.defect_from) else limits.pass_below
    angles = kind.expert.turning.steps
    at_angles = () if angles == 1 else (f"It was compared with good parts turned in {angles} steps.",)
    if judgement.verdict == "pass":
        fine = f"The part differs no more than good parts do: score {score:.1f}, limit {limit:.1f}."
        return " ".join((fine, *at_angles))
    sure = "more than good parts do" if judgement.verdict == "defect" else "nearly as much as defective parts do"
    said = [f"The part differs from the good images {sure}: score {score:.1f}, limit {limit:.1f}.", *at_angles]
    if findings:
        more = len(findings) - 1
        others = "" if not more else f" {more} other place{'s differ' if more > 1 else ' differs'} clearly, too."
        said.append(f"It differs most at the {findings[0].place}{_measured(findings[0])}.{others}")
    return " ".join(said)


def _measured(finding: Finding) -> str:
    """How long the place is, where the scale is known."""
    return "" if finding.length_mm is None else f", over {finding.length_mm:.2g} mm"
