"""From a product to what parts are judged by: its expert, and the limits that its settings ask for."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, TypeAdapter

from reason_iad.errors import ConfigError
from reason_iad.files import write_atomic
from reason_iad.products.deriving import learnt_from, product_expert, product_where
from reason_iad.products.kept import read_kept
from reason_iad.products.known import known_defects, known_from
from reason_iad.products.learning import Progress, no_progress
from reason_iad.products.limits import keep_limits

if TYPE_CHECKING:
    from reason_iad.expert.by_template import TemplateRule
    from reason_iad.expert.normality.examples import KnownDefects
    from reason_iad.expert.normality.expert import ProductExpert
    from reason_iad.expert.part_kind import PartKind
    from reason_iad.products.product import Product

SCORES = "defects.json"
"""File of the cache with the scores of labelled defects."""
MOST_BYTES = 16 * 2**20
"""Bytes that the file may have."""
_Scores = TypeAdapter(
    dict[str, dict[str, Annotated[float, Field(allow_inf_nan=False)]]], config=ConfigDict(strict=True)
)


def derive(product: Product, progress: Progress = no_progress) -> None:
    """Bring what follows from a product up to date, so that the next inspection begins at once.

    Raises:
        ProductError, ConfigError, ImageError, OutputError, ModelError: as `part_kind`.
    """
    part_kind(product, progress)


def part_kind(product: Product, progress: Progress = no_progress, *, align: bool = True) -> PartKind:
    """What parts of a product are judged by.

    Args:
        product: the product.
        progress: told how far it is, where something has to be learnt first.
        align: whether templates, where parts have them, are moved to lie as parts do.

    Raises:
        ProductError: the product has no good image.
        ConfigError: its limits are not possible with the images that it has, or one does not fit its template.
        ImageError, OutputError, ModelError: as `deriving.derive`.
    """
    from reason_iad.expert.conformal import limits
    from reason_iad.expert.part_kind import PartKind
    from reason_iad.products.template_changes import defect_changes
    from reason_iad.products.template_scores import template_rule, templates_sha256

    settings = product.settings
    expert = product_expert(product, progress)
    learnt = learnt_from(product, expert.eyes)
    known = known_defects(product, expert, learnt, progress)
    sha256 = learnt if known is None else known_from(product, learnt)
    rule = template_rule(product, progress, align=align)
    left_out = expert.left_out if known is None else known.left_out
    defective: tuple[float, ...] = ()
    if rule is not None:
        rule = replace(rule, changes={} if known is None else defect_changes(product, known, align=align))
        left_out, sha256 = rule.scores, templates_sha256(product, sha256)
        defective = () if settings.missed is None else _by_template(product, rule, progress)
    elif settings.missed is not None and known is not None:
        defective = defect_scores(product, expert, known, known_from(product, learnt), progress)
    found = limits(left_out, settings.false_alarms, defective, settings.missed)
    if align:  # for once without is no reason to forget the limits
        keep_limits(product, found, stood_in=expert.stood_in and rule is None)
    return PartKind(
        name=product.name,
        sha256=sha256,
        expert=expert,
        limits=found,
        good={each.sha256: each.path for each in product.good},
        where=product_where(product, expert, progress),
        mm_per_px=settings.scale,
        least_px=None if settings.min_size is None else settings.min_size.pixels(settings.scale),
        known=known,
        white=settings.white,
        templates=rule,
    )


def _by_template(product: Product, rule: TemplateRule, progress: Progress) -> tuple[float, ...]:
    """The scores of the labelled defects by their templates.

    Raises:
        ConfigError: one has no template.
    """
    from reason_iad.products.template_scores import defective_scores

    scores = defective_scores(product, rule, progress)
    without = [each for each, score in zip(product.defects, scores, strict=True) if score is None]
    if without:
        raise ConfigError(
            f"The defect '{without[0].path.name}' has no template, so the limit on missed defects cannot be set. "
            "Give it with: reason-iad product add NAME --defect TYPE IMAGE --template TEMPLATE"
        )
    return tuple(score for score in scores if score is not None)


def defect_scores(
    product: Product,
    expert: ProductExpert,
    known: KnownDefects,
    learnt: str,
    progress: Progress = no_progress,
) -> tuple[float, ...]:
    """The scores of the labelled defects, computed once, each as if it were not known itself.

    One that cannot be judged counts as found: it scores high.

    Args:
        product: the product.
        expert: of its good images.
        known: what is known of its labelled defects.
        learnt: hash of what that was learnt from.
        progress: told how far it is.

    Raises:
        ImageError: a picture cannot be read any more.
        OutputError: the cache cannot be written.
    """
    from reason_iad.images import load_image

    path = product.cache_dir / SCORES
    kept = (read_kept(path, _Scores.validate_json, MOST_BYTES) or {}).get(learnt, {})
    missing = [each for each in product.defects if each.sha256 not in kept]
    for number, each in enumerate(missing, 1):
        look = next(expert.eyes.look([load_image(each.path, white=product.settings.white).pixels]))
        seen = expert.assess_look(look)
        seen = known.raised(seen, look, expert.threshold, expert.area, without=each.sha256)
        kept[each.sha256] = seen.score if seen.likeness.reason is None else max(seen.score, *known.left_out)
        progress("known defects compared", number, len(missing))
    if missing:
        product.make_cache()
        write_atomic(path, _Scores.dump_json({learnt: kept}))
    return tuple(kept[each.sha256] for each in product.defects)
