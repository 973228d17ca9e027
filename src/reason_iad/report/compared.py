"""The inspected part beside a good one: the same place of both enlarged, the map of differences, all good parts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from PIL import Image

from reason_iad.images import LoadedImage
from reason_iad.report.pictures import FULL, Detail, Picture, heat_picture, picture, rectangle
from reason_iad.schema import Box, Inspection, MotionEvidence, ReferenceEvidence

AROUND = 1.0
"""How much of what lies around a marked region is shown with it, in its longer sides."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Three pictures to compare; None where there is none.

    Attributes:
        part, good: the same place of the inspected part and of a good one, enlarged.
        note: which place that is.
        heat: the map of differences.
        map_note: what it means for the verdict where the verdict does not use it.
    """

    part: Picture | None
    good: Picture | None
    note: str
    heat: Picture | None
    map_note: str


@dataclass(frozen=True, slots=True)
class ReferenceView:
    """A good part that was used; its picture is None if the pixels were not given."""

    name: str
    detail: str
    picture: Picture | None


def compare(
    inspection: Inspection, image: LoadedImage, references: Sequence[LoadedImage], detail: Detail = FULL
) -> Comparison:
    """The closer look at the part and at the first good one, and the map.

    Args:
        inspection: the result.
        image: the inspected picture.
        references: the good parts that were used, the most alike first.
        detail: how large pictures are, and whether there are any.
    """
    evidence = inspection.evidence
    if not detail.evidence:
        return Comparison(None, None, "", None, "")
    box = _look(inspection, image)
    part = good = None
    if box is not None:
        part = picture(
            _crop(image.pixels, box), "Part of the inspected picture, enlarged.", detail.closer, detail.quality
        )
    if box is not None and references:
        motion = next((one.motion for one in evidence.references if one.used), None)
        laid = laid_as(references[0].whole, motion, image.whole.size)
        same = f"The same place of the good part {references[0].name}."
        good = picture(_crop(laid, _within(box, image)), same, detail.closer, detail.quality)
    note = "The marked region and what lies around it."
    if box is not None and box == evidence.closer:
        note = f"The spot that {what_is_special(inspection)}."
    alt = f"Map over the inspected picture: where it differs from the good part{plural(inspection)}."
    weighed = evidence.fusion.heat if evidence.fusion else None
    maps = (weighed, evidence.anomaly_map) if evidence.anomaly_map else ()  # the first that is whole
    heat = next(filter(None, (heat_picture(image.pixels, one, alt, detail) for one in maps if one)), None)
    return Comparison(part, good, note, heat, _map_note(inspection))


def what_is_special(inspection: Inspection) -> str:
    """Why a spot was looked at again: 'differs most' only where some spot differs clearly."""
    fusion = inspection.evidence.fusion
    return "differs most" if fusion is None or fusion.stands_out else "the model looked at again"


def plural(inspection: Inspection) -> str:
    """What ends the word 'part' where the good parts that were used are meant."""
    return "" if inspection.good_parts_used == 1 else "s"


def _map_note(inspection: Inspection) -> str:
    if inspection.marks_the_clearest_spot:
        return "The score follows from this. The place was marked at a finer look, which may point elsewhere."
    used = inspection.evidence.fusion or inspection.evidence.product
    return "" if used else "The verdict does not take this difference into account."


def _look(inspection: Inspection, image: LoadedImage) -> Box | None:
    """What is enlarged: the marked region, as the model looked at it again or with what lies around it.

    Where nothing is marked, it is what the model looked at again.
    """
    box = inspection.evidence.closer
    if box is not None and (
        inspection.marks_what_differs_most or not inspection.region or not inspection.region.box
    ):
        inside = 0 <= box.x1 < box.x2 <= image.width and 0 <= box.y1 < box.y2 <= image.height
        return box if inside else None
    marked = rectangle(inspection.region.box, image.width, image.height) if inspection.region else None
    if marked is None:
        return None
    around = AROUND * max(marked.width, marked.height)
    return Box(
        x1=int(max(0, marked.x - around)),
        y1=int(max(0, marked.y - around)),
        x2=int(min(image.width, marked.x + marked.width + around)),
        y2=int(min(image.height, marked.y + marked.height + around)),
    )


def _within(box: Box, image: LoadedImage) -> Box:
    """A box in pixels of a picture, in pixels of the picture as a whole, which is smaller if it is large."""
    share = image.whole.width / image.width
    x1, y1 = int(box.x1 * share), int(box.y1 * share)
    return Box(x1=x1, y1=y1, x2=max(x1 + 1, round(box.x2 * share)), y2=max(y1 + 1, round(box.y2 * share)))


def _crop(pixels: Image.Image, box: Box) -> Image.Image:
    return pixels.crop((box.x1, box.y1, box.x2, box.y2))


def laid_as(pixels: Image.Image, motion: MotionEvidence | None, size: tuple[int, int]) -> Image.Image:
    """A good part as it lay when it was compared, in the size (width, height) of the inspected picture."""
    whole = pixels if pixels.size == size else pixels.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)
    if motion is None:
        return whole
    shift = (round(motion.dx * size[0]), round(motion.dy * size[1]))
    return whole.rotate(-motion.degrees, Image.Resampling.BICUBIC, translate=shift)


def reference_views(
    inspection: Inspection, given: Sequence[LoadedImage], detail: Detail = FULL
) -> tuple[ReferenceView, ...]:
    """The used references of the evidence in order, then pictures given beyond them (nothing is hidden)."""
    if not detail.evidence:
        return ()
    recorded = [reference for reference in inspection.evidence.references if reference.used]
    return tuple(_reference(record, image, detail) for record, image in zip_longest(recorded, given))


def _reference(record: ReferenceEvidence | None, image: LoadedImage | None, detail: Detail) -> ReferenceView:
    name = record.name if record else image.name if image else ""
    if record is None:
        note = "It was not used in this inspection."
    elif image is None:
        note = f"Picture not included (sha256 {record.sha256[:12]})."
    elif image.sha256 != record.sha256:
        note = "This is not the picture that was used: its hash differs from the recorded one."
    else:
        note = ""
    if record and record.motion:
        note = f"{note} {_moved(record.motion)}".strip()
    small = picture(image.pixels, f"The good part {name}.", detail.row, detail.quality) if image else None
    return ReferenceView(name, note, small)


def _moved(motion: MotionEvidence) -> str:
    """How a reference was laid as the part lies, in one sentence; empty if it was hardly moved."""
    across, along, turned = f"{abs(motion.dx):.1%}", f"{abs(motion.dy):.1%}", f"{abs(motion.degrees):.1f}°"
    moves, steps = [], []
    if across != "0.0%":
        moves.append(f"{across} to the {'right' if motion.dx > 0 else 'left'}")
    if along != "0.0%":
        moves.append(f"{along} {'down' if motion.dy > 0 else 'up'}")
    if moves:
        steps.append(f"moving it {' and '.join(moves)}")
    if turned != "0.0°":
        steps.append(f"turning it {turned} {'clockwise' if motion.degrees > 0 else 'anticlockwise'}")
    return f"Compared after {' and '.join(steps)}." if steps else ""
