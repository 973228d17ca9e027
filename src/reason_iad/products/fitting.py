"""A model fitted to a product: what it says of known parts is asked once, and kept (METHOD section 5).

Kept are the answers, not what follows from them: weights and limits are worked out when they are needed, so they
follow the settings of the product. An interrupted fit goes on where it was; its answers are in a log.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field, ValidationError

from reason_iad.errors import ConfigError, OutputError, ProductError
from reason_iad.expert.joint import Asked, Joint, ModelSays, Scored, Trial, joint_of, least_good, scored
from reason_iad.files import Log, write_atomic
from reason_iad.products.kept import read_kept
from reason_iad.products.learning import Progress, no_progress
from reason_iad.schema.record import Record

if TYPE_CHECKING:
    from reason_iad.expert.judging import Judgement
    from reason_iad.expert.part_kind import PartKind
    from reason_iad.images import LoadedImage
    from reason_iad.products.product import Product

FITS = "fits"
"""Folder of the cache."""
MOST = 60
"""Good parts, and labelled ones, that a model is asked about, at most; as many are drawn as good ones."""
FOLDS = 20
"""Good images are left out in so many groups, at most."""
SIZES = (1e-4, 1e-2)
"""Shares of the picture that drawn defects cover."""
CONTRASTS = (15.0, 70.0)
"""Grey levels by which they change it."""
MOST_BYTES = 2**22
"""Bytes that a file of answers may have."""

NOT_FITTED = (
    "The model was not fitted to this product, so the comparison decides alone. To give it a say, fit it with: "
    "reason-iad product fit"
)
STALE = (
    "The model was fitted to an earlier state of this product, so the comparison decides alone. Fit it again with: "
    "reason-iad product fit"
)
NO_HELP = "The model was fitted to this product and does not help to tell defects, so the comparison decides alone."
TEMPLATES = (
    "Parts of this product have a template, and the comparison with it decides alone. The model is asked for type "
    "and explanation."
)
TOO_FEW = (
    "The model was fitted with too few good parts for the limit that is asked for, so the comparison decides "
    "alone. Add good images, then fit it again with: reason-iad product fit"
)

AskModel = Callable[["LoadedImage", "Judgement", str], ModelSays]
"""Asks a model about a picture; the good image of this hash must not be shown beside it ('': any may)."""
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Begin(Record):
    """The first line of a log: what is fitted to what.

    Attributes:
        product: hash of the product, without what is only asked of verdicts.
        model: name of the model.
        config: hash of how it is asked.
        prompted: hash of its weights and of the knowledge that it was shown.
    """

    product: Digest
    model: Annotated[str, Field(max_length=1000)]
    config: Digest
    prompted: Annotated[str, Field(max_length=200)]


class Fit(Record):
    """What a model says of known parts of a product."""

    format: Literal[1] = 1
    begin: Begin
    trials: Annotated[tuple[Trial, ...], Field(max_length=10_000)]


@dataclass(frozen=True, slots=True)
class Found:
    """A fitted model, if it has a say; else why not."""

    joint: Joint | None
    advice: str | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """A part to ask about.

    Attributes:
        key: which one it is.
        part: what it is.
        good: number of the good image that it is, or that it is drawn on; None for a labelled defect.
        path: the file.
        turn: of a drawn defect: decides its kind, size and contrast.
    """

    key: str
    part: Literal["good", "drawn", "labelled"]
    good: int | None
    path: Path
    turn: int = 0


def fitted_to(product: Product, kind: PartKind) -> str:
    """Hash of a product and of what was learnt of it, without what is only asked of its verdicts."""
    settings = product.settings.model_copy(update={"false_alarms": 0.05, "missed": None})
    content = product.state.model_copy(update={"settings": settings}).content_sha256()
    return hashlib.sha256(f"{content} {kind.sha256}".encode()).hexdigest()


def find_fit(product: Product, kind: PartKind, model: str, config: str, *, always: bool = False) -> Found:
    """The fitted model of a product, for a model by its name and a configuration by its hash.

    Args:
        product: the product.
        kind: what its parts are judged by.
        model: name of the model.
        config: hash of how it is asked.
        always: it is asked about every part.
    """
    if kind.templates is not None:
        return Found(None, TEMPLATES)
    fit = read_kept(_path(product, model, config), Fit.model_validate_json, MOST_BYTES)
    if fit is None or (fit.begin.model, fit.begin.config) != (model, config):
        return Found(None, NOT_FITTED)
    if fit.begin.product != fitted_to(product, kind):
        return Found(None, STALE)
    if _good(fit.trials) < least_good(product.settings.false_alarms):
        return Found(None, TOO_FEW)
    try:
        found = scored(fit.trials)
    except ConfigError:  # not what `fit_model` writes
        return Found(None, NOT_FITTED)
    if not found.helps:
        return Found(None, NO_HELP)
    asked = Asked(product.settings.false_alarms, product.settings.missed, always)
    return Found(joint_of(found, asked, kind.left_out, model, fit.begin.prompted))


def fit_model(
    product: Product,
    kind: PartKind,
    begin: Begin,
    ask: AskModel,
    progress: Progress = no_progress,
    most: int = MOST,
) -> Scored:
    """Ask a model about known parts of a product, and keep what it says.

    Args:
        product: the product.
        kind: what its parts are judged by.
        begin: which model it is, and how it is asked.
        ask: asks it.
        progress: told how far it is, also at the beginning.
        most: good parts, and labelled ones, at most.

    Raises:
        ProductError: there are too few good images, or parts have a template.
        ImageError: an image cannot be read any more.
        OutputError: it cannot be written, or another process is fitting the same model.
    """
    require_say(kind)
    needed = least_good(product.settings.false_alarms)
    good = sum(each.counts for each in product.good)
    if good < needed:
        raise ProductError(
            f"'{product.name}' has {good} good images that count for the limits. To fit a model for at most "
            f"{100 * product.settings.false_alarms:g} % false alarms, at least {needed} are needed. Add some."
        )
    path = _path(product, begin.model, begin.config)
    _make_folder(path.parent, product)
    wanted = _plan(product, max(most, needed))
    with Log.resume(path.with_suffix(".log"), instead="another product") as log:
        done = _begun(log, begin)
        if not done:
            log.replace([begin.model_dump_json()])
        progress("known parts asked about", len(done), len(wanted))
        for each, image, judgement in _pictures(kind, product, [w for w in wanted if w.key not in done]):
            says = ask(image, judgement, "" if each.good is None else product.good[each.good].sha256)
            trial = Trial(
                key=each.key, part=each.part, score=judgement.seen.score,
                probability=says.probability, closer=says.closer,
            )  # fmt: skip
            log.append(trial.model_dump_json())
            done[each.key] = trial
            progress("known parts asked about", len(done), len(wanted))
        trials = tuple(done[each.key] for each in wanted if each.key in done)
        found = scored(trials)
        write_atomic(path, Fit(begin=begin, trials=trials).model_dump_json(indent=1) + "\n")
        log.path.unlink(missing_ok=True)
    return found


def require_say(kind: PartKind) -> None:
    """Refuse to fit a model where it can have no say.

    Raises:
        ProductError: parts have a template.
    """
    if kind.templates is not None:
        raise ProductError(f"{TEMPLATES} There is nothing to fit.")


def begin_of(product: Product, kind: PartKind, model: str, config: str, prompted: str) -> Begin:
    """What is fitted to what."""
    return Begin(product=fitted_to(product, kind), model=model, config=config, prompted=prompted)


def _plan(product: Product, most: int) -> list[Wanted]:
    """The parts to ask about: a good one, then a defect drawn on it, and so on; labelled defects at the end."""
    from reason_iad.expert.normality.spread import spread_out

    wanted = []
    good = [at for at, each in enumerate(product.good) if each.counts]  # the others are no fair sample
    for turn, at in enumerate(good[each] for each in spread_out(len(good), most)):
        image = product.good[at]
        wanted.append(Wanted(f"good {image.sha256}", "good", at, image.path))
        wanted.append(Wanted(f"drawn {image.sha256} {turn}", "drawn", at, image.path, turn))
    labelled = product.defects
    for at in spread_out(len(labelled), most):
        wanted.append(Wanted(f"labelled {labelled[at].sha256}", "labelled", None, labelled[at].path))
    return wanted


def _pictures(
    kind: PartKind, product: Product, wanted: Sequence[Wanted]
) -> Iterator[tuple[Wanted, LoadedImage, Judgement]]:
    """The pictures of these parts, each judged without the good image that it is; none that cannot be judged."""
    from reason_iad.expert.judging import judge
    from reason_iad.images import load_image

    good = list(dict.fromkeys(product.good[each.good].sha256 for each in wanted if each.good is not None))
    together = -(-len(good) // FOLDS)
    left_out: dict[str, PartKind] = {}
    for each in wanted:
        judge_by = replace(kind, known=None) if each.part == "labelled" else kind  # else it looks like itself
        if each.good is not None:
            sha256 = product.good[each.good].sha256
            if sha256 not in left_out:
                start = good.index(sha256) // together * together
                left_out = without(kind, good[start : start + together])
            judge_by = left_out[sha256]
        image = load_image(each.path, white=product.settings.white)
        shown = _drawn(image, each.turn) if each.part == "drawn" else image
        if shown is None:
            continue
        judgement = judge(judge_by, shown)
        if judgement.verdict != "unjudged":
            yield each, shown, judgement


def without(kind: PartKind, good: Sequence[str]) -> dict[str, PartKind]:
    """For each of some good images, by hash, the kind of part as if it had never been there; for measuring.

    They are left out of the memory together, because each memory takes time.
    """
    expert = kind.expert
    members = [member.sha256 for member in expert.levels[0].bank.members]
    levels = tuple(level.without(set(good)) for level in expert.levels)
    found = {}
    for sha256 in good:
        likeness = expert.likeness.without(members.index(sha256)) if sha256 in members else expert.likeness
        found[sha256] = replace(kind, expert=replace(expert, levels=levels, likeness=likeness))
    return found


def _drawn(image: LoadedImage, turn: int) -> LoadedImage | None:
    """A picture with a drawn defect; None if it has no room for one. The same turn gives the same."""
    import numpy as np

    from reason_iad.expert.brushes import KINDS, draw_defect
    from reason_iad.images import load_image

    kinds, rng = list(KINDS), np.random.default_rng([17, turn])
    low, high = SIZES
    size, contrast = float(low * (high / low) ** rng.random()), float(rng.uniform(*CONTRASTS))
    pixels = np.asarray(image.pixels.convert("RGB"))
    drawn = draw_defect(pixels, kinds[turn % len(kinds)], seed=turn, size=size, contrast=contrast)
    return None if drawn is None else load_image(drawn.picture)


def _begun(log: Log, begin: Begin) -> dict[str, Trial]:
    """What an interrupted fit of the same model to the same product has asked already."""
    lines = log.lines()
    try:
        if Begin.model_validate_json(next(lines, "")) != begin:
            return {}
        trials = [Trial.model_validate_json(line) for line in lines]
    except (OutputError, ValidationError):
        return {}
    return {trial.key: trial for trial in trials}


def _path(product: Product, model: str, config: str) -> Path:
    """The file of a model; its name is a hash, because a model's may hold anything."""
    digest = hashlib.sha256(json.dumps([model, config]).encode()).hexdigest()
    return product.cache_dir / FITS / f"{digest[:32]}.json"


def _make_folder(folder: Path, product: Product) -> None:
    product.make_cache()
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"The folder '{folder.name}' of the cache cannot be made ({error.strerror}).") from None


def _good(trials: Sequence[Trial]) -> int:
    return sum(trial.part == "good" for trial in trials)
