"""Which pictures a report shows beside a result: good parts, the nearest known defect, the template."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reason_iad.products.product import Product
    from reason_iad.schema import Inspection


def shown_beside(product: Product, result: Inspection, template: Path | None = None) -> tuple[Path, ...]:
    """The files of the pictures that a result names, as far as the product has them.

    Args:
        product: that the part belongs to.
        result: of a part.
        template: the part's own; None: that of all parts, if there is one.
    """
    files = {each.sha256: each.path for each in product.good} | {each.sha256: each.path for each in product.defects}
    evidence, names = result.evidence.product, [each.sha256 for each in result.evidence.references]
    if evidence is not None:
        names += [each.sha256 for each in (evidence.example, evidence.good_place) if each is not None]
        used, given = evidence.template, product.template if template is None else template
        if used is not None and given is not None:
            files[used.sha256] = given
            names.append(used.sha256)
    return tuple(files[name] for name in dict.fromkeys(names) if name in files)
