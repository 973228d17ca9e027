"""What speaks against what a person says of a part: the same picture, or one that looks nearly the same.

What a part looks like was found when it was inspected, so nothing is compared here. A contradiction is no error:
one of the two is wrong, or the parts differ in something that the pictures do not show. A person has to look.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from reason_iad.products import Product
from reason_iad.schema import Inspection as Whole
from reason_iad.schema.product import ProductEvidence
from reason_iad.service.database.records import result_of
from reason_iad.service.database.tables import Inspection
from reason_iad.service.reviews.teaching import DEFECT, GOOD, UNNAMED

NEARLY = 0.6
"""Similarity of two places from which on they look nearly the same [ours]. On magnetic tiles, doubtful good parts
came to at most 0.47, and parts with the same type of defect often to 0.55 and up to 0.89."""


def contradictions(
    session: Session, product: Product, part: Inspection, says: str, defect_type: str | None
) -> tuple[str, ...]:
    """What speaks against it, in sentences.

    Args:
        session: of the database.
        product: as it is before it learns the part.
        part: the part.
        says: 'good' or 'defect'.
        defect_type: what the person calls the defect.
    """
    same = [*_same_picture(session, part, says), *_known(product, part, says)]
    if same:
        return tuple(same[:1])
    seen = _evidence(session, part.id)
    return () if seen is None else tuple(_looks(session, product, seen, part, says, defect_type))


def _same_picture(session: Session, part: Inspection, says: str) -> Iterator[str]:
    """What people said of the same picture before."""
    query = (
        select(Inspection.id, Inspection.review)
        .where(Inspection.picture == part.picture, Inspection.template.is_not_distinct_from(part.template))
        .where(Inspection.review.is_not(None), Inspection.id != part.id)
        .order_by(Inspection.id.desc())
        .limit(1)
    )
    found = session.execute(query).first()
    if found is not None and found.review != says:
        yield f"Inspection {found.id} shows the same picture and was called '{found.review}'."


def _known(product: Product, part: Inspection, says: str) -> Iterator[str]:
    """As what the product knows the same picture, unless it learnt that of this part."""
    if part.review is not None:
        return
    types = {each.sha256: each.type for each in product.defects}
    if says == GOOD and part.picture in types:
        yield f"The product has this picture as the defect '{types[part.picture]}'."
    if says == DEFECT and any(each.sha256 == part.picture for each in product.good):
        yield "The product has this picture as a good part."


def _looks(
    session: Session, product: Product, seen: ProductEvidence, part: Inspection, says: str, defect_type: str | None
) -> Iterator[str]:
    """Which known defect the part looks nearly like, or that it looks like good parts."""
    if says == DEFECT and seen.left_out is not None:
        yield f"The good picture '{seen.left_out}' of the product shows the same."
    elif says == DEFECT and part.outcome == "pass" and seen.score <= 0:
        yield "The part stands out less than most good parts do. Look at it once more, and mark the defect."
    example = seen.example
    if example is None or example.unlike or example.similarity < NEARLY:
        return
    types = {each.sha256: each.type for each in product.defects}  # one may have been taken out since
    known = types.get(example.sha256)
    if known is None or (says == DEFECT and known == (defect_type or UNNAMED)):
        return
    number = session.scalar(
        select(Inspection.id)
        .where(Inspection.picture == example.sha256, Inspection.review == DEFECT)
        .order_by(Inspection.id.desc())
        .limit(1)
    )
    what = f"inspection {number}" if number is not None else f"the known defect '{example.name}'"
    yield f"The part looks nearly the same as {what}, which was called '{known}'."


def _evidence(session: Session, number: int) -> ProductEvidence | None:
    """What was found when the part was inspected."""
    text = result_of(session, number)
    if text is None:
        return None
    try:
        return Whole.model_validate_json(text).evidence.product
    except ValidationError:  # of another version
        return None
