"""What a product's pictures are worth: what is wrong with them, what its expert finds, and what would help most."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import Field

from reason_iad.errors import ConfigError
from reason_iad.expert.conformal import Limits
from reason_iad.images import LoadedImage, load_image
from reason_iad.products.deriving import good_pictures, learnt_from
from reason_iad.products.detected import Detection, Point, keep_detected
from reason_iad.products.editing import counted
from reason_iad.products.judging import part_kind
from reason_iad.products.learning import Progress, no_progress
from reason_iad.products.limits import STOOD_IN
from reason_iad.products.product import DefectImage, Product, sizes
from reason_iad.schema.record import Record

if TYPE_CHECKING:
    from reason_iad.expert.by_template import TemplateRule
    from reason_iad.expert.normality.checks import Conspicuous
    from reason_iad.expert.normality.expert import Assessment, ProductExpert
    from reason_iad.expert.normality.selftest import SelfTest
    from reason_iad.expert.part_kind import PartKind

SELF_TEST = "selftest.json"
"""File of the cache."""
BY_TEMPLATE = "Parts are compared with their template, and no defects are drawn on them."
"""Why there is no self-test for parts that have a template."""
FEW = 20
"""A view with fewer good pictures than this is a view with few."""
HELPS = 0.05
"""Share by which good parts look less unusual with twice as many pictures, from which on these are worth taking."""


class Remark(Record):
    """What is wrong with some good pictures."""

    why: str
    words: str
    images: tuple[str, ...] = Field(description="Files in the product, the clearest first.")
    like: tuple[str | None, ...] = Field(description="The file that each is the same as, or nearly.")


class Labelled(Record):
    """What becomes of the labelled defects of a type."""

    type: str
    images: int
    found: int


class ProductCheck(Record):
    """The outcome of `product check`."""

    product: str
    good: int
    counted: int = Field(description="How many of the good pictures count for the limits.")
    views: dict[str, int]
    sizes: tuple[tuple[int, int], ...]
    scale: float | None = Field(description="Millimetres per pixel.")
    compared: tuple[str, ...] = Field(description="How parts are compared with good ones, and why, in words.")
    promise: str = Field(description="The limits and what they promise, in words.")
    pass_below: float
    defect_from: float | None = Field(description="None: no part is called defective by the limit alone.")
    good_scores: tuple[float, ...] = Field(description="Of good pictures, each left out.")
    defect_scores: tuple[float, ...] = Field(description="Of labelled defects.")
    labelled: tuple[Labelled, ...]
    remarks: tuple[Remark, ...]
    detection: tuple[Detection, ...]
    untested: str | None = Field(description="Why there was no self-test.")
    advice: tuple[str, ...] = Field(description="What would help, the most first.")


def check_product(product: Product, progress: Progress = no_progress) -> ProductCheck:
    """Check the pictures of a product, and test its expert.

    Raises:
        ProductError: the product has no good image.
        ImageError, OutputError, ModelError, ConfigError: as `product_expert`.
    """
    from reason_iad.expert.normality.checks import conspicuous, worth_of_more

    kind = part_kind(product, progress)
    expert, promise = kind.expert, kind.limits
    if kind.templates is None:
        test, untested = _tested(product, expert, progress)
        known = [_Known.of(each.type, expert.assess(_loaded(product, each))) for each in product.defects]
    else:
        test, untested, known = None, BY_TEMPLATE, list(_known_by_template(product, kind.templates, progress))
    scores = [each.score for each in known]
    defective_from = promise.pass_below if kind.templates is None else math.inf
    found = conspicuous(good_pictures(product), expert, defective_from, progress)
    detection = () if test is None else _detection(product, test)
    keep_detected(product, detection, untested)
    remarks = _remarks(product, found)
    stood_in = expert.stood_in and kind.templates is None
    words = f"{STOOD_IN} {promise.in_words()}" if stood_in else promise.in_words()
    worth = None if kind.templates else worth_of_more(expert)
    views = Counter(each.view or "" for each in product.good)
    return ProductCheck(
        product=product.name, good=len(product.good),
        counted=sum(each.counts for each in product.good), views=dict(views), sizes=sizes(product.good),
        scale=product.settings.scale, compared=_compared(kind), promise=words, pass_below=promise.pass_below,
        defect_from=promise.defect_from if math.isfinite(promise.defect_from) else None,
        good_scores=kind.left_out, defect_scores=tuple(scores), labelled=_labelled(known, promise),
        remarks=remarks, detection=detection, untested=untested,
        advice=tuple(_advice(product, promise, worth, detection, remarks)),
    )  # fmt: skip


def _loaded(product: Product, image: DefectImage) -> LoadedImage:
    return load_image(image.path, white=product.settings.white)


def product_self_test(product: Product, expert: ProductExpert, progress: Progress = no_progress) -> SelfTest:
    """The self-test of a product's expert: read from the product's cache, or made and kept there.

    Raises:
        ConfigError: there are too few good pictures, or no room for defects.
        ImageError: a picture cannot be read any more.
        OutputError: the cache cannot be written.
    """
    from reason_iad.expert.normality.selftest import load_self_test, save_self_test, self_test

    defects = [each.sha256 for each in product.defects]
    asked = [learnt_from(product, expert.eyes), product.settings.false_alarms, defects]
    made_for = hashlib.sha256(json.dumps(asked).encode()).hexdigest()
    path = product.cache_dir / SELF_TEST
    test = load_self_test(path, made_for)
    if test is None:
        labelled = [expert.assess(_loaded(product, each)).numbers for each in product.defects]
        test = self_test(
            expert, good_pictures(product), false_alarms=product.settings.false_alarms, labelled=labelled,
            progress=progress,
        )  # fmt: skip
        product.make_cache()
        save_self_test(test, path, made_for)
    return test


@dataclass(frozen=True, slots=True)
class _Known:
    """A labelled defect, how far it stands out, and whether it can be judged."""

    type: str
    score: float
    judged: bool

    @classmethod
    def of(cls, type: str, seen: Assessment) -> _Known:
        return cls(type, seen.score, seen.likeness.reason is None)


def _known_by_template(product: Product, rule: TemplateRule, progress: Progress) -> Iterator[_Known]:
    """The labelled defects that have a template."""
    from reason_iad.products.template_scores import defective_scores

    scores = defective_scores(product, rule, progress)
    for each, score in zip(product.defects, scores, strict=True):
        if score is not None:
            yield _Known(each.type, score, judged=True)


def _compared(kind: PartKind) -> tuple[str, ...]:
    """How parts are compared, and why, in sentences."""
    if kind.templates is None:
        return kind.expert.in_words()
    return (
        "Each part is compared with its own template."
        if kind.templates.single is None
        else f"All parts are compared with the template '{kind.templates.single.name}'.",
    )


def _tested(product: Product, expert: ProductExpert, progress: Progress) -> tuple[SelfTest | None, str | None]:
    """The self-test; or why there is none."""
    try:
        return product_self_test(product, expert, progress), None
    except ConfigError as error:
        return None, str(error)


def _detection(product: Product, test: SelfTest) -> tuple[Detection, ...]:
    """What the self-test says of each kind of defect."""
    from reason_iad.expert.normality.drawing import FAMILIES

    found = []
    for kind, limit in test.detection().items():
        trials = [trial for trial in test.trials if trial.family == kind]
        larger = FAMILIES[kind].larger if kind in FAMILIES else "larger"
        found.append(
            Detection(
                kind=kind, words=limit.in_words(kind, larger, product.settings.scale), drawn=len(trials),
                found=limit.found, marked=sum(trial.found and trial.marked for trial in trials), a50=limit.a50,
                a90=limit.a90, a90_95=limit.a90_95, sizes=tuple(trial.size for trial in limit.trials),
                hits=tuple(trial.found for trial in limit.trials),
                curve=tuple(Point(**point._asdict()) for point in limit.curve()),
            )
        )  # fmt: skip
    return tuple(found)


def _labelled(known: Sequence[_Known], promise: Limits) -> tuple[Labelled, ...]:
    types = sorted({each.type for each in known})
    return tuple(
        Labelled(
            type=name,
            images=sum(each.type == name for each in known),
            found=sum(
                each.type == name and (each.score >= promise.pass_below or not each.judged) for each in known
            ),
        )
        for name in types
    )


def _remarks(product: Product, found: Sequence[Conspicuous]) -> tuple[Remark, ...]:
    """What is wrong, by kind; those kinds first of which somebody has to decide something."""
    from reason_iad.expert.normality.checks import WORDS

    files = [str(each.file) for each in product.state.good]
    remarks = []
    for why, words in WORDS.items():
        some = [each for each in found if each.why == why]
        if some:
            like = tuple(None if each.like is None else files[each.like] for each in some)
            images = tuple(files[each.number] for each in some)
            remarks.append(Remark(why=why, words=words, images=images, like=like))
    return tuple(remarks)


def _advice(
    product: Product,
    promise: Limits,
    worth: float | None,
    detection: Sequence[Detection],
    remarks: Sequence[Remark],
) -> Iterator[str]:
    """What would help, the most first."""
    wrong = {image for each in remarks if each.why not in ("same", "alike") for image in each.images}
    if wrong:
        yield (
            f"Look at the {counted(len(wrong), 'conspicuous picture')} first. A few wrong ones among the good ones "
            "make the limit so high that defects are missed."
        )
    good, share = sum(each.counts for each in product.good), f"{100 * product.settings.false_alarms:.3g} %"
    if promise.needed_good:
        yield (
            f"Add {counted(promise.needed_good - good, 'good picture')}. A limit of {share} false alarms needs at "
            f"least {promise.needed_good}, and there are {good}."
        )
    if promise.needed_defective:
        yield (
            f"Add labelled defects. The limit on missed defects needs at least {promise.needed_defective}, and "
            f"there are {len(product.defects)}."
        )
    for view, count in sorted(Counter(each.view for each in product.good if each.view).items()):
        if count < FEW:
            yield f"Add good pictures of the view '{view}'. There are {count}; {FEW} or more are better."
    if worth is not None and worth >= HELPS:
        yield (
            "Add more good pictures. With twice as many, good parts are expected to look about "
            f"{round(100 * worth)} % less unusual."
        )
    if any(each.found < each.drawn / 2 for each in detection):
        yield "Take the pictures from nearer, if smaller defects matter: many of those that were drawn are missed."
    if not product.defects:
        yield "Add pictures of real defects, if there are any. They say more than drawn ones."
    if worth is not None and worth < HELPS:
        yield "More good pictures of the same kind would help little."
