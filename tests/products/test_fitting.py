"""A model is asked about known parts once; what it says is kept, goes on after a crash, and becomes stale."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reason_iad.errors import OutputError, ProductError
from reason_iad.expert.joint import ModelSays
from reason_iad.expert.judging import Judgement
from reason_iad.expert.part_kind import PartKind
from reason_iad.images import LoadedImage
from reason_iad.products import Product, Products, fitting
from reason_iad.products.fitting import (
    NO_HELP,
    NOT_FITTED,
    STALE,
    TOO_FEW,
    begin_of,
    find_fit,
    fit_model,
    fitted_to,
    without,
)
from reason_iad.products.judging import part_kind

CONFIG, GOOD = "c" * 64, 10


def plates(folder: Path) -> None:
    """Good parts, and one with a bright spot."""
    folder.mkdir(parents=True)
    for number in range(GOOD + 1):
        rng = np.random.default_rng(number)
        pixels = 110 + 30 * rng.standard_normal((48, 48, 3))  # so noisy that small defects are hard to see
        if number == GOOD:
            pixels[20:25, 20:25] += 40
        path = folder / ("good" if number < GOOD else "bad/spot") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of products, with one that is learnt."""
    folder = tmp_path_factory.mktemp("fitting")
    plates(folder / "pictures")
    plate = Products(folder / "products").create(
        "plate",
        [folder / "pictures/good"],
        defects=folder / "pictures/bad",
        settings={"false_alarms": 0.2, "resolution": 64},
    )
    part_kind(plate)
    return folder / "products"


@pytest.fixture
def plate(made: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Product]:
    """The product; what a test fits or changes is taken back."""
    import shutil

    product = Products(made).open("plate")
    yield product
    shutil.rmtree(product.cache_dir / fitting.FITS, ignore_errors=True)
    later = Products(made).open("plate")
    if later.state.contents != product.state.contents:
        later.undone(to=1)


@pytest.fixture(scope="module")
def kind(made: Path) -> PartKind:
    return part_kind(Products(made).open("plate"))


class Model:
    """Knows which pictures are good parts, or nothing; remembers what it was asked."""

    def __init__(self, *, knows: bool = True) -> None:
        self.knows, self.asked = knows, list[str]()

    def __call__(self, image: LoadedImage, judgement: Judgement, hidden: str) -> ModelSays:
        self.asked.append(hidden)
        if not self.knows:
            return ModelSays(0.5, None)
        return ModelSays(0.1 if image.sha256 == hidden else 0.9, None)


def fit(product: Product, kind: PartKind, model: Model) -> Path:
    """Fit a model; returns the file."""
    fit_model(product, kind, begin_of(product, kind, "model", CONFIG, "weights"), model)
    return next((product.cache_dir / fitting.FITS).glob("*.json"))


@pytest.fixture(scope="module")
def fitted(made: Path, kind: PartKind) -> tuple[str, bytes]:
    """Name and content of the file of a model that knows."""
    plate = Products(made).open("plate")
    path = fit(plate, kind, Model())
    content = path.read_bytes()
    path.unlink()
    return path.name, content


@pytest.fixture
def fit_file(plate: Product, fitted: tuple[str, bytes]) -> Path:
    """The product with this file."""
    path = plate.cache_dir / fitting.FITS / fitted[0]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(fitted[1])
    return path


def test_good_drawn_and_labelled_parts_are_asked_about(plate: Product, kind: PartKind) -> None:
    model = Model()
    path = fit(plate, kind, model)
    assert {*model.asked} == {"", *(image.sha256 for image in plate.good)}
    assert model.asked.count("") == 1  # the labelled defect: any good image may be shown
    assert GOOD * 2 - 3 <= len(model.asked) - 1 <= GOOD * 2  # some defects may find no room
    kept = fitting.Fit.model_validate_json(path.read_bytes())
    assert [sum(each.part == what for each in kept.trials) for what in ("good", "labelled")] == [GOOD, 1]
    assert not list(path.parent.glob("*.log"))


def test_a_good_part_is_compared_with_the_others_only(plate: Product, kind: PartKind) -> None:
    image, expert = plate.good[0], kind.expert
    left_out = without(kind, [image.sha256])[image.sha256].expert
    from reason_iad.images import load_image

    loaded = load_image(image.path)
    assert left_out.assess(loaded).score > expert.assess(loaded).score
    assert left_out.assess(loaded).score == pytest.approx(expert.left_out[0], abs=0.05)


def test_the_fit_is_found_for_this_model_asked_in_this_way(plate: Product, kind: PartKind, fit_file: Path) -> None:
    found = find_fit(plate, kind, "model", CONFIG)
    assert found.advice is None and found.joint is not None
    assert found.joint.weights.model > 0 and found.joint.prompted == "weights"
    assert find_fit(plate, kind, "other", CONFIG).advice == NOT_FITTED
    assert find_fit(plate, kind, "model", "d" * 64).advice == NOT_FITTED


def test_a_model_that_does_not_help_has_no_say(plate: Product, kind: PartKind) -> None:
    fit(plate, kind, Model(knows=False))
    found = find_fit(plate, kind, "model", CONFIG)
    assert found.joint is None and found.advice == NO_HELP


@pytest.mark.usefixtures("fit_file")
def test_a_change_of_the_product_makes_it_stale_and_other_limits_do_not(plate: Product, kind: PartKind) -> None:
    one = find_fit(plate, kind, "model", CONFIG).joint
    wider = plate.with_settings(false_alarms=0.4)
    assert fitted_to(wider, kind) == fitted_to(plate, kind)
    other = find_fit(wider, kind, "model", CONFIG).joint
    assert one is not None and other is not None
    assert other.cascade.joint.defect_from < one.cascade.joint.defect_from
    assert find_fit(wider.with_settings(false_alarms=0.02), kind, "model", CONFIG).advice == TOO_FEW
    changed = wider.without(wider.defects[0].path)
    assert find_fit(changed, kind, "model", CONFIG).advice == STALE


def test_a_fit_without_defects_is_none(plate: Product, kind: PartKind, fit_file: Path) -> None:
    fit = fitting.Fit.model_validate_json(fit_file.read_bytes())
    good = tuple(each for each in fit.trials if each.part == "good")
    fit_file.write_text(fit.model_copy(update={"trials": good}).model_dump_json())
    assert find_fit(plate, kind, "model", CONFIG).advice == NOT_FITTED


def test_a_fit_to_what_was_learnt_otherwise_is_stale(plate: Product, kind: PartKind, fit_file: Path) -> None:
    assert fit_file.exists()
    assert find_fit(plate, replace(kind, sha256="e" * 64), "model", CONFIG).advice == STALE


def test_too_few_good_images_are_refused_before_anything_is_asked(plate: Product, kind: PartKind) -> None:
    model = Model()
    with pytest.raises(ProductError, match="at least 19 are needed"):
        fit(plate.with_settings(false_alarms=0.05), kind, model)
    assert not model.asked


@pytest.mark.parametrize("content", [b"", b"[" * 10_000, b'{"format": 2}', b"\xff\xfe", b"x" * (2**22 + 1)])
def test_a_damaged_fit_is_none(plate: Product, kind: PartKind, fit_file: Path, content: bytes) -> None:
    fit_file.write_bytes(content)
    assert find_fit(plate, kind, "model", CONFIG).advice == NOT_FITTED


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.products.test_fitting import Model, fit
from reason_iad.products import Products
from reason_iad.products.judging import part_kind

class Mortal(Model):
    def __call__(self, *about):
        if len(self.asked) == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__call__(*about)

plate = Products(Path(sys.argv[1])).open("plate")
fit(plate, part_kind(plate), Mortal())
"""


def test_a_killed_fit_goes_on(plate: Product, kind: PartKind, fitted: tuple[str, bytes]) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, str(plate.folder.parent)], env=environment, capture_output=True, check=False
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert find_fit(plate, kind, "model", CONFIG).advice == NOT_FITTED
    rest = Model()
    path = fit(plate, kind, rest)
    assert path.read_bytes() == fitted[1]  # as if nothing had happened
    assert len(rest.asked) == len(fitting.Fit.model_validate_json(fitted[1]).trials) - 5


def test_what_another_model_said_is_not_gone_on_with(plate: Product, kind: PartKind) -> None:
    class Interrupted(Model):
        def __call__(self, image: LoadedImage, judgement: Judgement, hidden: str) -> ModelSays:
            if len(self.asked) == 2:
                raise KeyboardInterrupt
            return super().__call__(image, judgement, hidden)

    with pytest.raises(KeyboardInterrupt):
        fit(plate, kind, Interrupted())
    log = next((plate.cache_dir / fitting.FITS).glob("*.log"))
    assert len(log.read_text().splitlines()) == 3
    model = Model()
    fit_model(plate, kind, begin_of(plate, kind, "model", CONFIG, "other weights"), model)
    assert model.asked[0] == model.asked[1] == plate.good[0].sha256


def test_one_process_fits_at_a_time(plate: Product, kind: PartKind) -> None:
    def ask(image: LoadedImage, judgement: Judgement, hidden: str) -> ModelSays:
        fit(plate, kind, Model())
        raise AssertionError

    with pytest.raises(OutputError, match="is writing"):
        fit_model(plate, kind, begin_of(plate, kind, "model", CONFIG, "weights"), ask)
