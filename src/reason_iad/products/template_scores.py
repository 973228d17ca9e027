"""How much the parts of a product differ from their templates: computed once for each, kept in its cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

from pydantic import ConfigDict, Field, TypeAdapter

from reason_iad.errors import ConfigError
from reason_iad.expert.by_template import Unfit, score_of
from reason_iad.files import write_atomic
from reason_iad.images import load_image
from reason_iad.products.deriving import product_area
from reason_iad.products.editing import counted
from reason_iad.products.kept import how_compared, read_kept
from reason_iad.products.learning import Progress, no_progress

if TYPE_CHECKING:
    from reason_iad.expert.by_template import TemplateRule
    from reason_iad.products.product import DefectImage, GoodImage, Product

SCORES = "templates.json"
"""File of the cache."""
REVISION = 1
"""Raised whenever the same pictures give another score."""
MOST_BYTES = 64 * 2**20
"""Bytes that the file may have."""
_Score = Annotated[float, Field(ge=0, allow_inf_nan=False)] | Unfit
_Scores = TypeAdapter(dict[str, dict[str, _Score]], config=ConfigDict(strict=True))


def template_rule(product: Product, progress: Progress = no_progress, *, align: bool = True) -> TemplateRule | None:
    """How parts of a product are compared with their templates; None if they have none.

    Args:
        product: the product.
        progress: told how far it is.
        align: whether templates are moved to lie as parts do.

    Raises:
        ConfigError: a good image does not look like its template.
        ImageError: a picture cannot be read any more.
        OutputError: the cache cannot be written.
    """
    from reason_iad.expert.by_template import TemplateRule

    if not any(each.sha256 in product.templates for each in product.good):
        return None
    scores = _scores(product, product.good, progress, align=align)
    unfit = [(each, score) for each, score in zip(product.good, scores, strict=True) if isinstance(score, str)]
    if unfit:
        raise ConfigError(_in_words(product, unfit[0][0], unfit[0][1], len(unfit) - 1))
    single = product.template
    counts = [each.counts for each in product.good]
    return TemplateRule(
        scores=tuple(
            score
            for score, counted in zip(scores, counts, strict=True)
            if not isinstance(score, str) and (counted or not any(counts))
        ),
        align=align,
        single=None if single is None else load_image(single, white=product.settings.white).lighter(),
    )


def defective_scores(
    product: Product, rule: TemplateRule, progress: Progress = no_progress
) -> tuple[float | None, ...]:
    """The scores of the labelled defects, each compared with its template; None for one that has none.

    One that does not look like its template cannot be judged. It counts as found: it scores high.

    Raises:
        ImageError, OutputError: as `template_rule`.
    """
    having = [each for each in product.defects if each.sha256 in product.templates]
    found = dict(zip(having, _scores(product, having, progress, align=rule.align), strict=True))
    scores = ((found.get(each), each) for each in product.defects)
    return tuple(max(rule.scores) + 1 if isinstance(score, str) else score for score, _ in scores)


def templates_sha256(product: Product, learnt: str) -> str:
    """Hash of what was learnt and of the templates that belong to it."""
    state = product.state
    templates = sorted(
        (each.sha256, each.template.sha256) for each in (*state.good, *state.defects) if each.template
    )
    every = None if state.settings.template is None else state.settings.template.sha256
    return hashlib.sha256(json.dumps([REVISION, learnt, templates, every]).encode()).hexdigest()


def _scores(
    product: Product, parts: Sequence[GoodImage | DefectImage], progress: Progress, *, align: bool
) -> list[float | Unfit]:
    """The score of each part, which has a template."""
    settings = product.settings
    area, least = product_area(product), settings.min_size
    least_px = None if least is None else least.pixels(settings.scale)
    how = how_compared(product, REVISION, align=align, least_px=least_px)
    kept = (read_kept(product.cache_dir / SCORES, _Scores.validate_json, MOST_BYTES) or {}).get(how, {})
    keys = [f"{each.sha256} {product.templates[each.sha256].name}" for each in parts]
    missing = [(key, each) for key, each in zip(keys, parts, strict=True) if key not in kept]
    found = dict(kept)
    load = partial(load_image, white=settings.white)
    for number, (key, each) in enumerate(missing, 1):
        template = load(product.templates[each.sha256]).lighter()
        found[key] = score_of(load(each.path), template, area, align=align, least_px=least_px)
        progress("parts compared with their template", number, len(missing))
    if missing:
        product.make_cache()
        write_atomic(product.cache_dir / SCORES, _Scores.dump_json({how: found}))
    return [found[key] for key in keys]


def _in_words(product: Product, part: GoodImage, why: Unfit, more: int) -> str:
    """Why the template of a good image cannot be its own, and what to do."""
    others = f" The same holds for {counted(more, 'more image')}." if more else ""
    file, template = part.path.name, product.templates[part.sha256].name
    said = "does not look like" if why == "unlike" else "is the same picture as"
    return (
        f"The good image '{file}' {said} its template '{template}'.{others} Give it another template with: "
        "reason-iad product add NAME --good IMAGE --template TEMPLATE. Or take it out with: reason-iad product drop"
    )
