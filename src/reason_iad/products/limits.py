"""The limits of a product, kept beside it: they can be shown without loading what they follow from."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from reason_iad.files import write_atomic
from reason_iad.products.kept import read_kept, source_of
from reason_iad.schema.record import Record

if TYPE_CHECKING:
    from reason_iad.expert.conformal import Limits
    from reason_iad.products.product import Product

LIMITS = "limits.json"
"""File of the cache."""
MOST = 2**16
"""Bytes that it may have."""

STOOD_IN = "There are too few good pictures to compare them with each other. Changed copies of them stand in."


class KeptLimits(Record):
    """The limits of a product in one state."""

    follows_from: str = Field(description="The state of the product, and the revision of what learns from it.")
    pass_below: float | None = Field(
        allow_inf_nan=False, description="Parts with a lower score pass. None: no part."
    )
    defect_from: float | None = Field(
        allow_inf_nan=False, description="Parts with this score or a higher one are defective. None: no part."
    )
    promise: str = Field(description="What the limits promise, in words.")

    def in_words(self) -> str:
        """Which scores mean what, in one or two sentences."""
        if self.pass_below == self.defect_from and self.defect_from is not None:
            return f"Parts with a score from {self.defect_from:.2f} on are called defective."
        said = []
        if self.pass_below is not None:
            said.append(f"Parts with a score below {self.pass_below:.2f} pass.")
        if self.defect_from is not None:
            said.append(f"Parts with a score from {self.defect_from:.2f} on are called defective.")
        return " ".join([*said, f"{'The others' if said else 'All parts'} are handed to a person."])


@dataclass(frozen=True, slots=True)
class LastLimits:
    """Limits, and whether they are those of the product as it is now."""

    limits: KeptLimits
    current: bool


def keep_limits(product: Product, limits: Limits, *, stood_in: bool) -> None:
    """Write the limits of a product, unless they are there.

    Raises:
        OutputError: the cache cannot be written.
    """
    promise = limits.in_words()
    if stood_in:
        promise = (
            f"There are too few good pictures to compare them with each other. Changed copies stand in. {promise}"
        )
    found = KeptLimits(
        follows_from=source_of(product),
        pass_below=_finite(limits.pass_below),
        defect_from=_finite(limits.defect_from),
        promise=promise,
    )
    if found != kept_limits(product):
        product.make_cache()
        write_atomic(product.cache_dir / LIMITS, found.model_dump_json(indent=1))


def kept_limits(product: Product) -> KeptLimits | None:
    """The limits of the product as it is now; None if nothing was learnt since it changed."""
    found = last_limits(product)
    return found.limits if found is not None and found.current else None


def last_limits(product: Product) -> LastLimits | None:
    """The limits that were learnt last, maybe before the last change; None if nothing was ever learnt."""
    found = read_kept(product.cache_dir / LIMITS, KeptLimits.model_validate_json, MOST)
    return None if found is None else LastLimits(found, found.follows_from == source_of(product))


def _finite(limit: float) -> float | None:
    return limit if math.isfinite(limit) else None
