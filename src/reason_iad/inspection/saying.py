"""What the expert alone says of a part, in sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from reason_iad.expert.normality.likeness import TEXTS
from reason_iad.schema.verdict import LOOK_AGAIN, SAME

if TYPE_CHECKING:
    from reason_iad.expert.change import Change
    from reason_iad.expert.conformal import Limits
    from reason_iad.expert.judging import Judgement
    from reason_iad.expert.part_kind import PartKind
    from reason_iad.schema import Finding

OTHER_TEMPLATE = "Give the part's own template, or look at the part yourself."
"""What to do where the part is the same picture as its template."""
OTHER_GOOD_PART = "Give a picture of another good part, or look at the part yourself."
"""What to do where the only good part is the inspected picture itself."""


def explanation_alone(kind: PartKind, judgement: Judgement, findings: tuple[Finding, ...]) -> str:
    """Why the verdict is what it is, as far as a comparison with good images can say."""
    if judgement.nothing_compared:
        return f"{SAME} {OTHER_GOOD_PART if kind.templates is None else OTHER_TEMPLATE}"
    reason = judgement.seen.likeness.reason
    if reason is not None:
        return f"{TEXTS[reason]} {LOOK_AGAIN}"
    score = judgement.seen.score
    limits = kind.limits
    limit = limits.defect_from if math.isfinite(limits.defect_from) else limits.pass_below
    angles = 1 if kind.templates is not None else kind.expert.turning.steps
    at_angles = () if angles == 1 else (f"It was compared with good parts at {angles} angles.",)
    if judgement.verdict == "pass":
        fine = f"The difference from {_of(kind)} is within the limit: score {score:.1f}, limit {limit:.1f}."
        return " ".join((fine, *at_angles))
    said = [_beyond(judgement, limits, _of(kind)), *at_angles]
    if findings:
        said.append(_places(kind, findings, judgement.change))
    return " ".join(said)


def _of(kind: PartKind) -> str:
    """What parts are compared with."""
    return "the good images" if kind.templates is None else "its template"


def _beyond(judgement: Judgement, limits: Limits, of: str) -> str:
    """How far a part that does not pass stands out, and why a person decides where one does.

    Args:
        judgement: of the part.
        limits: on its score.
        of: what it was compared with, in words.
    """
    score, low, high = judgement.seen.score, limits.pass_below, limits.defect_from
    if judgement.verdict == "defect":
        return f"The part differs from {of} more than good parts do: score {score:.1f}, limit {high:.1f}."
    if math.isfinite(high) and math.isfinite(low):
        between = f"Parts pass below {low:.1f} and are defective from {high:.1f} on."
        return f"The part has a score of {score:.1f}, between the two limits. {between} A person has to decide."
    if score >= low:
        return (
            f"The part differs from {of} more than good parts do: score {score:.1f}, and parts pass "
            f"below {low:.1f}. There are too few good images to call it defective, so a person has to decide."
        )
    return f"The part has a score of {score:.1f}. The limits leave it to a person."


def _places(kind: PartKind, findings: tuple[Finding, ...], change: Change | None) -> str:
    """Where the part differs most, what it has or lacks there, and at how many other places it differs.

    The other places are found by their share of what differs most, and not by what good parts do. The score follows
    from a coarser look, which may point elsewhere.
    """
    first, more = findings[0], len(findings) - 1
    finer = kind.templates is None and kind.where is not None
    differs, much = "At a finer look it differs" if finer else "It differs", "nearly as much"
    if kind.templates is not None:
        much = "at least half as much"
    others = "" if not more else f" {more} other place{'s differ' if more > 1 else ' differs'} {much}."
    what = "" if change is None else f" {change.in_tones()}"
    return f"{differs} most at the {first.place}{_measured(first)}.{what}{others}"


def _measured(finding: Finding) -> str:
    """How long the place is, where the scale is known."""
    return "" if finding.length_mm is None else f", over {finding.length_mm:.2g} mm"
