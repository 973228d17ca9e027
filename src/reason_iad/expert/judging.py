"""What an expert says of one picture: can it be judged, does it pass, and where does it differ?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import numpy.typing as npt
import torch

from reason_iad.errors import ProductError
from reason_iad.expert.by_template import compare
from reason_iad.expert.calibration import AREA_SLACK, AnomalyMap, largest_region
from reason_iad.expert.copies import same_picture
from reason_iad.expert.normality.likeness import OF_OTHERS
from reason_iad.expert.normality.statistics import DETAILS
from reason_iad.expert.normality.where import with_details
from reason_iad.expert.regions import Marked, regions
from reason_iad.expert.resembling import Alike, alike, example_evidence
from reason_iad.images import load_image
from reason_iad.schema import Box, Finding, Region, place_of
from reason_iad.schema.product import ProductEvidence, TemplateEvidence

if TYPE_CHECKING:
    from reason_iad.expert.by_template import Difference, TemplateRule
    from reason_iad.expert.change import Change
    from reason_iad.expert.conformal import Limits
    from reason_iad.expert.normality.expert import Assessment
    from reason_iad.expert.normality.looks import Look, Whole
    from reason_iad.expert.part_kind import PartKind
    from reason_iad.images import LoadedImage
    from reason_iad.schema import Verdict

SHARPNESS = 4.3
"""Power to which a map is raised before places are outlined: a place then ends at 0.85 of its highest value, not at
half of it, which the blur of patches would put far outside the defect."""
OTHERS = 0.25
"""Another place is a finding from this value of the sharpened map on: if it differs by 0.72 of what most does."""
EDGE = 0.06
"""Share of the longer side around a place that does not count in which nothing else counts: about a patch."""
SIDE = 2048
"""Longest side, in pixels, at which places are filled in; larger pictures are filled in on a smaller copy."""
STRONGEST = 5
"""Numbers that are named as evidence."""
CELLS = 56
"""Rows and columns, at most, of the map of a comparison with a template."""
SAME_PICTURE = 1e-2
"""Distance from a good image below which the pixels of both are compared: it may be the picture itself."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """What the expert says of a picture.

    Attributes:
        kind: what it was judged by: the good images without the picture itself.
        verdict: by the score and the limits; 'unjudged' if the picture does not show the product well enough.
        seen: score, map and likeness.
        marked: the places that differ, the clearest first; none for a pass and for what cannot be judged.
        alike: what these places look like.
        left_out: name of the good image that is the picture itself; None if none is.
        nothing_compared: whether that is the only good image, or the template.
        template: what it was compared with, where parts have a template.
        place: where the middle of the clearest place lies in it, as shares of its width and height.
        change: what the part has or lacks there; None where nobody can tell.
    """

    kind: PartKind
    verdict: Verdict
    seen: Assessment
    marked: tuple[Marked, ...]
    alike: Alike = field(default_factory=Alike)
    left_out: str | None = None
    nothing_compared: bool = False
    template: LoadedImage | None = None
    place: tuple[float, float] | None = None
    change: Change | None = None


def judge(
    kind: PartKind,
    image: LoadedImage,
    look: Look | None = None,
    *,
    places: bool = True,
    template: LoadedImage | None = None,
) -> Judgement:
    """Judge a picture by the expert alone.

    A picture that is one of the good images itself is compared with the others: it would always pass. Where parts
    have a template, the comparison with it decides.

    Args:
        kind: the kind of part.
        image: the picture.
        look: what eyes like those of the expert saw of it; None: they look now.
        places: whether to find where it differs; without, only the verdict and the score are of use.
        template: of this part; None: that of all parts, if they have one.

    Raises:
        MemoryBankError: it is one of many good images, and what was kept of the others cannot be read.
        ProductError: each part has its own template, and none is given; or one is given, and parts have none.
    """
    rule = kind.templates
    template = template if template is not None or rule is None else rule.single
    if (rule is None) != (template is None):
        raise ProductError(
            "The product has no templates, so it is not known how much parts may differ from one. Give its good "
            "images theirs with: reason-iad product add --good DIR --template DIR"
            if rule is None
            else "Each part of this product has its own template, and none is given. Say which with --template."
        )
    if look is None:
        look = next(kind.expert.eyes.look([image.pixels]))
    if rule is not None and template is not None:
        return _judged_by_template(kind, rule, look, image, template)
    itself = _itself(kind, look.whole, image)
    if itself is None:
        return _judged(kind, look, image, places)
    others = kind.without(itself)
    name = kind.good[itself].name if itself in kind.good else image.name
    if others is None:
        return Judgement(kind, "review", kind.assess(look), (), left_out=name, nothing_compared=True)
    return replace(_judged(others, look, image, places), left_out=name)


def _itself(kind: PartKind, whole: Whole, image: LoadedImage) -> str | None:
    """The hash of the good image that is the picture itself: the same file, or another one with its pixels."""
    members = [member.sha256 for member in kind.expert.levels[0].bank.members]
    if image.sha256 in members:
        return image.sha256
    nearest = kind.expert.likeness.most_alike(whole, 1)[0]
    path = kind.good.get(members[nearest]) if nearest < len(members) else None
    if path is None or kind.expert.likeness.apart(whole, nearest) > SAME_PICTURE:
        return None
    return members[nearest] if same_picture(load_image(path), image) else None


def _judged(kind: PartKind, look: Look, image: LoadedImage, places: bool) -> Judgement:
    """The judgement by the expert of these good images."""
    seen = kind.assess(look)
    if seen.likeness.reason is not None:
        return Judgement(kind, "unjudged", seen, ())
    verdict = kind.limits.verdict(seen.score)
    if verdict == "pass" or not (places or kind.least_px):
        return Judgement(kind, verdict, seen, ())
    marked = _marked(kind, seen, image)
    small = [each for each in marked if kind.least_px is not None and each.length < kind.least_px]
    if small:  # what is too small does not count: judge again as if it were not there
        seen = kind.assess(look, kind.expert.area.without(_around(small, image)))
        verdict = kind.limits.verdict(seen.score)
        marked = () if verdict == "pass" else _marked(kind, seen, image)
        if verdict == "defect" and all(each.length < (kind.least_px or 0) for each in marked):
            verdict = "review"  # nothing that counts is left to point at, and yet it is not like a good part
    return Judgement(kind, verdict, seen, marked, alike(kind, look, seen, marked, image))


def _judged_by_template(
    kind: PartKind, rule: TemplateRule, look: Look, image: LoadedImage, template: LoadedImage
) -> Judgement:
    """The judgement by the template. The good images say whether the picture is sharp and well lit."""
    plain = kind.expert.assess_look(look)
    if same_picture(template, image) is not None:
        seen = replace(plain, score=0.0)
        return Judgement(kind, "review", seen, (), left_out=template.name, nothing_compared=True, template=template)
    found = compare(image, template, kind.expert.area, align=rule.align, least_px=kind.least_px)
    seen = _seen_by_template(kind, rule, plain, found)
    if seen.likeness.reason is not None:
        return Judgement(kind, "unjudged", seen, (), template=template)
    verdict = kind.limits.verdict(found.score)
    if verdict == "pass" or not found.marked:
        return Judgement(kind, verdict, seen, (), template=template)
    if verdict == "defect" and all(each.length < (kind.least_px or 0) for each in found.marked):
        verdict = "review"
    changes = [found.change_in(each.box) for each in found.marked]
    same = [rule.changed_alike(each) for each in changes]
    resembles = Alike() if kind.known is None else alike(kind, look, plain, found.marked, image, same)
    place = found.in_template(found.marked[0])
    only = Alike(resembles.defects)  # the place of the template is shown, not that of a good image
    return Judgement(kind, verdict, seen, found.marked, only, template=template, place=place, change=changes[0])


def _seen_by_template(kind: PartKind, rule: TemplateRule, plain: Assessment, found: Difference) -> Assessment:
    """What the comparison with a template says, in the form of what the expert says."""
    reason = plain.likeness.reason
    reason = reason if reason not in OF_OTHERS else None
    if reason is None and not found.fits:
        reason = "template"
    rows, columns = found.values.shape
    shape = (min(CELLS, rows), min(CELLS, columns))
    excess = torch.nn.functional.adaptive_max_pool2d(torch.from_numpy(found.values)[None], shape)[0]
    low = rule.usual
    values = ((excess - low) / (rule.clear(kind.limits) - low)).clamp(0, 1)
    likeness = replace(plain.likeness, reason=reason)
    return replace(plain, score=found.score, values=values, excess=excess, likeness=likeness)


def judged_as(judgement: Judgement, verdict: Verdict, image: LoadedImage) -> Judgement:
    """The same picture with the verdict of somebody else; where it differs is marked unless it passes."""
    marked, kind = judgement.marked, judgement.kind
    if verdict == "pass":
        marked = ()
    elif judgement.verdict == "pass":
        least = kind.least_px or 0.0
        marked = tuple(each for each in _marked(kind, judgement.seen, image) if each.length >= least)
    return replace(judgement, verdict=verdict, marked=marked)


def anomaly_map(kind: PartKind, seen: Assessment) -> AnomalyMap:
    """The expert's map as the steps of an inspection take it."""
    threshold = kind.expert.threshold
    if kind.templates is not None:
        low = kind.templates.usual
        threshold = replace(threshold, low=low, high=kind.templates.clear(kind.limits), area=0.0, peak=low)
    area = largest_region(seen.excess > threshold.low)
    return AnomalyMap(
        values=seen.values,
        distances=seen.excess.clamp_min(0),
        normal_peak=threshold.peak,
        gate_passed=area > threshold.area + AREA_SLACK,
        area=area,
        calibrated_on=len(kind.good),
    )


def findings_of(kind: PartKind, marked: tuple[Marked, ...], image: LoadedImage) -> tuple[Finding, ...]:
    """The places that differ, as findings. Their types are not known yet."""
    size, scale = (image.width, image.height), kind.mm_per_px
    return tuple(
        Finding(
            box=_box(each),
            polygon=each.polygon,
            place=place_of(*each.centre, *size),
            area_px=round(each.area, 1),
            share=min(1.0, each.area / (size[0] * size[1])),
            length_px=round(each.length, 1),
            area_mm2=None if scale is None else each.area * scale**2,
            length_mm=None if scale is None else each.length * scale,
            score=round(max(each.peak, 0.0), 4),
        )
        for each in marked
    )


def region_of(findings: tuple[Finding, ...]) -> Region | None:
    """The region that a result is about: the clearest place."""
    if not findings:
        return None
    first = findings[0]
    return Region(box=first.box, place=first.place, place_probability=1.0, share=first.share)


def evidence_of(judgement: Judgement) -> ProductEvidence:
    """The score, the limits and what the clearest place looks like, for the result."""
    kind, seen, found = judgement.kind, judgement.seen, judgement.alike
    weighed = [name for name, weight in kind.expert.weights.items() if weight]
    weighed += [DETAILS] if DETAILS in seen.numbers else []
    if kind.templates is not None:  # the template decides
        weighed = []
    strongest = sorted(weighed, key=lambda name: -seen.numbers[name])[:STRONGEST]
    return ProductEvidence(
        name=kind.name,
        sha256=kind.sha256,
        good_images=kind.expert.likeness.images,
        score=round(seen.score, 4),
        pass_below=finite(kind.limits.pass_below),
        defect_from=finite(kind.limits.defect_from),
        resemblance=round(seen.resemblance, 4),
        example=example_evidence(found.defects[0]) if found.defects else None,
        good_place=found.good,
        promise=kind.limits.in_words(),
        likeness=round(seen.likeness.distance, 4),
        strongest={name: round(seen.numbers[name], 2) for name in strongest},
        stood_in=kind.expert.stood_in and kind.templates is None,
        left_out=judgement.left_out,
        nothing_compared=judgement.nothing_compared,
        angles=kind.expert.turning.steps if kind.templates is None else 1,
        template=_template_evidence(judgement),
    )


def _template_evidence(judgement: Judgement) -> TemplateEvidence | None:
    """What the part was compared with, where parts have a template."""
    template, (x, y) = judgement.template, judgement.place or (None, None)
    return None if template is None else TemplateEvidence(name=template.name, sha256=template.sha256, x=x, y=y)


def probability_of(kind: PartKind, score: float) -> float:
    """A score as a number in (0, 1) that is 0.5 at the limit; the odds grow e-fold with each deviation [ours]."""
    rule = kind.templates
    if rule is None:
        return probability_at(score, kind.limits)
    limits = replace(
        kind.limits,
        pass_below=rule.deviations(kind.limits.pass_below),
        defect_from=rule.deviations(kind.limits.defect_from),
    )
    return probability_at(rule.deviations(score), limits)


def probability_at(score: float, limits: Limits) -> float:
    """The same for any limits on scores in deviations."""
    ends = [limit for limit in (limits.defect_from, limits.pass_below) if math.isfinite(limit)]
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, score - (ends[0] if ends else 0.0)))))


def _marked(kind: PartKind, seen: Assessment, image: LoadedImage) -> tuple[Marked, ...]:
    """The places that differ: where the finer memory stands out, or the map that decided."""
    values = seen.excess.clamp_min(0) if kind.where is None else kind.where.values(image.whole)
    values = with_details(values, kind.expert, seen)
    highest = max(float(values.max()), 1e-6)
    sharp = (values / highest).pow(SHARPNESS).numpy().astype(np.float32)
    counts = kind.expert.area.counts
    inspected = None if counts.all() else counts
    found = regions(sharp, image.width, image.height, level=OTHERS, inspect=inspected)
    return tuple(replace(each, peak=highest * each.peak ** (1 / SHARPNESS)) for each in found)


def _around(marked: list[Marked], image: LoadedImage) -> npt.NDArray[np.bool_]:
    """(h, w) True in these places and around them, as far as patches there have seen them."""
    scale = min(1.0, SIDE / max(image.width, image.height))
    canvas = np.zeros((max(1, round(image.height * scale)), max(1, round(image.width * scale))), np.uint8)
    for each in marked:
        cv2.fillPoly(canvas, [np.rint(np.array(each.polygon) * scale).astype(np.int32)], 1)
    grown = cv2.dilate(canvas, np.ones((3, 3), np.uint8), iterations=max(1, round(EDGE * max(canvas.shape))))
    return np.asarray(grown) > 0


def _box(marked: Marked) -> Box:
    x1, y1, x2, y2 = marked.box
    return Box(x1=x1, y1=y1, x2=x2, y2=y2)


def finite(limit: float) -> float | None:
    """A limit for the result, which has none where no score reaches it."""
    return limit if math.isfinite(limit) else None
