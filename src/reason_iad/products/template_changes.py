"""What the labelled defects of a product changed of their templates: computed once for each, kept in its cache."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, TypeAdapter

from reason_iad.files import write_atomic
from reason_iad.images import load_image
from reason_iad.products.deriving import product_area
from reason_iad.products.kept import how_compared, read_kept

if TYPE_CHECKING:
    from reason_iad.expert.change import Change
    from reason_iad.expert.normality.examples import KnownDefects
    from reason_iad.products.product import Product

CHANGES = "changes.json"
"""File of the cache."""
REVISION = 1
"""Raised whenever the same pictures show another change."""
MOST_BYTES = 16 * 2**20
"""Bytes that the file may have."""
_Change = tuple[bool, Annotated[int, Field(ge=0, le=2)]] | None
"""Whether dark was added, and how many areas it touches; None where nobody can tell."""
_Changes = TypeAdapter(dict[str, dict[str, _Change]], config=ConfigDict(strict=True))


def defect_changes(product: Product, known: KnownDefects, *, align: bool = True) -> dict[str, Change]:
    """What labelled defects changed of their templates, by the hash of their pictures.

    Args:
        product: the product.
        known: its labelled defects, with the place of each.
        align: whether templates are moved to lie as parts do.

    Raises:
        ImageError: a picture cannot be read any more.
        OutputError: the cache cannot be written.
    """
    from reason_iad.expert.by_template import compare
    from reason_iad.expert.change import Change

    area, white = product_area(product), product.settings.white
    how = how_compared(product, REVISION, align=align)
    kept = (read_kept(product.cache_dir / CHANGES, _Changes.validate_json, MOST_BYTES) or {}).get(how, {})
    files = {each.sha256: each.path for each in product.defects}
    drawn = {each.sha256 for each in product.defects if each.mask is not None or each.box is not None}
    load = partial(load_image, white=white)
    found: dict[str, _Change] = {}
    of: dict[str, str] = {}
    for each in known.examples:
        template = product.templates.get(each.sha256)
        if template is None:
            continue
        box = each.box if each.sha256 in drawn else None  # else the template says best where it differs
        of[each.sha256] = key = f"{each.sha256} {template.name} {box}"
        if key in kept:
            found[key] = kept[key]
            continue
        differs = compare(load(files[each.sha256]), load(template).lighter(), area, align=align)
        box = box or (differs.marked[0].box if differs.marked else None)
        change = None if box is None else differs.change_in(box)
        found[key] = None if change is None else (change.darker, change.touches)
    if found.keys() - kept.keys():
        product.make_cache()
        write_atomic(product.cache_dir / CHANGES, _Changes.dump_json({how: found}))
    return {name: Change(*values) for name, key in of.items() if (values := found[key]) is not None}
