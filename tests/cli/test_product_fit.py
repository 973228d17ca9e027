"""`product fit`, and what `inspect --product` says of a fitted model and of a drift."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from tests.backbones.chat_server import ChatServer, Send, chances, completion
from tests.backbones.chat_server import Seen as Request

from reason_iad.backbones.fake import FakeBackbone
from reason_iad.cli import main
from reason_iad.cli.engine import Engine
from reason_iad.cli.product import fitting as command
from reason_iad.config import InspectorConfig
from reason_iad.expert.joint import Trial, scored
from reason_iad.inspection.inspector import Inspector
from reason_iad.inspection.jointly import prompted_by
from reason_iad.products import Products, fitting
from reason_iad.products.fitting import NO_HELP, NOT_FITTED, Fit, begin_of
from reason_iad.products.judging import part_kind
from reason_iad.products.watching import FILE, Seen

Call = Callable[..., Result]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fit")
    for number in range(13):
        path = folder / ("good" if number < 10 else "new") / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        pixels = 110 + 30 * np.random.default_rng(number).standard_normal((48, 48, 3))
        Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)).save(path)
    settings = {"false_alarms": 0.2, "resolution": 64}
    part_kind(Products(folder / "products").create("plate", [folder / "good"], settings=settings))
    return folder


def inspector(config: InspectorConfig) -> Inspector:
    answers = {"detection": "No", "explanation": "A plate."}
    return Inspector(FakeBackbone(answers=answers, context_length=1 << 15), config=config)


@pytest.fixture
def folder(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy with the product that is learnt, as the working folder."""
    place = tmp_path / "work"
    shutil.copytree(made, place)
    monkeypatch.chdir(place)
    monkeypatch.setenv("REASON_IAD_PRODUCTS", str(place / "products"))

    monkeypatch.setattr(Engine, "load", lambda engine: inspector(engine.config))
    return place


@pytest.fixture
def call() -> Call:
    def run(*words: object, code: int | None = 0) -> Result:
        result = CliRunner().invoke(main, [*map(str, words)])
        assert code is None or result.exit_code == code, result.output
        return result

    return run


@pytest.mark.slow  # it asks a model about dozens of pictures
def test_fit_announces_how_long_it_takes_and_what_it_brings(folder: Path, call: Call) -> None:
    result = call("product", "fit", "plate", "--method", "direct")
    assert "This takes about" in result.stderr and "go on later" in result.stderr
    assert "plate: nano was fitted with" in result.stderr
    assert "does not help" in result.stderr  # it says no to everything
    path = next((folder / "products/plate/.cache/fits").glob("*.json"))
    assert not scored(Fit.model_validate_json(path.read_bytes()).trials).helps
    said = call("inspect", "new", "--product", "plate", "--method", "direct", code=None).stderr
    assert NO_HELP in said and NOT_FITTED not in said
    assert NOT_FITTED in call("inspect", "new", "--product", "plate", "--method", "knowledge", code=None).stderr


@pytest.mark.slow  # it asks the embedded model about dozens of pictures
def test_the_embedded_model_is_fitted_when_a_product_is_made_if_that_is_wanted(
    folder: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[str, str]] = []
    monkeypatch.setattr(
        command, "fit_to", lambda product, engine: asked.append((product.name, engine.config.sha256()))
    )
    options = ("--good", "good", "--resolution", "64")
    call("product", "create", "second", *options)
    assert not asked
    call("product", "create", "third", *options, "--fit")
    assert asked == [("third", InspectorConfig().sha256())]  # as inspect asks it without options


def test_a_model_that_helps_decides_together_with_the_comparison(folder: Path, call: Call) -> None:
    product, config = Products(folder / "products").open("plate"), InspectorConfig(method="direct")
    kind = part_kind(product)
    begin = begin_of(product, kind, "nano", config.sha256(), prompted_by(inspector(config).setup))
    scores = kind.expert.left_out
    trials = [
        Trial(key=f"{part}{at}", part=part, score=score, probability=0.1 if part == "good" else 0.9, closer=0.5)
        for part in ("good", "drawn")
        for at, score in enumerate(scores)
    ]
    path = fitting._path(product, "nano", config.sha256())
    path.parent.mkdir()
    path.write_text(Fit(begin=begin, trials=tuple(trials)).model_dump_json())
    result = call("inspect", "new", "--product", "plate", "--method", "direct", "--no-cascade", "--json", "-")
    for line in result.stdout.splitlines():
        product = json.loads(line)["evidence"]["product"]
        assert product["decided_by"] == "comparison and model" and product["advice"] is None
    assert "The model was asked about 3 of 3 parts." in result.stderr
    one = call("inspect", "new/10.png", "--product", "plate", "--method", "direct", "--no-cascade")
    assert "comparison and model decided together" in one.stdout


def knowing(good: Path) -> Callable[[Request], Send]:
    """A model on a server that knows these pictures by heart, and calls every other one defective."""
    known = {np.asarray(Image.open(path)).tobytes() for path in good.iterdir()}

    def says(seen: Request) -> Send:
        if "logprobs" not in seen.body:
            return completion("A plate.")
        *_, sent = [part for part in seen.messages[-1]["content"] if "image_url" in part]
        with Image.open(io.BytesIO(base64.b64decode(sent["image_url"]["url"].partition(",")[2]))) as picture:
            first, second = ("B", "A") if np.asarray(picture).tobytes() in known else ("A", "B")
        return completion(first, chances((first, [(first, -0.1), (second, -2.4)])))

    return says


@pytest.mark.slow  # it asks a server about dozens of pictures
def test_a_model_on_a_server_has_a_say_once_it_is_fitted(
    made: Path, tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openai")
    shutil.copytree(made, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("REASON_IAD_PRODUCTS", str(tmp_path / "work" / "products"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ChatServer(knowing(made / "good")) as server:
        model = ("--model", "openai:eye", "--base-url", server.url, "--method", "direct")
        inspect = ("inspect", "new", "--product", "plate", "--no-cascade", "--json", "-", *model)
        before = call(*inspect, code=None)
        decided = [json.loads(line)["evidence"]["product"] for line in before.stdout.splitlines()]
        assert {each["decided_by"] for each in decided} == {"comparison"}
        assert {each["advice"] for each in decided} == {NOT_FITTED}
        said = call("product", "fit", "plate", *model).stderr
        assert "was fitted with" in said and "They now decide together" in said
        after = call(*inspect, code=None)
        decided = [json.loads(line)["evidence"]["product"] for line in after.stdout.splitlines()]
        assert {each["decided_by"] for each in decided} == {"comparison and model"}


def test_a_method_without_a_model_cannot_be_fitted(folder: Path, call: Call) -> None:
    assert "there is none to fit" in call("product", "fit", "plate", "--method", "detect", code=2).stderr


def test_the_share_of_parts_that_needed_the_model_is_told(folder: Path, call: Call) -> None:
    said = call("inspect", "new", "--product", "plate", "--method", "direct", code=None).stderr
    assert "of 3 parts." in said and said.count(NOT_FITTED) == 1
    alone = call("inspect", "new", "--product", "plate", "--method", "detect", code=None).stderr
    assert "The model was asked" not in alone and NOT_FITTED not in alone


def seen(folder: Path, later: float) -> Path:
    """As if a hundred parts had been inspected that come as before, and then sixty with such scores."""
    kind = part_kind(Products(folder / "products").open("plate"))
    path = folder / "products/plate/.cache" / FILE
    scores = np.random.default_rng(0).normal(np.repeat([0.0, later], [100, 60]))
    names = [hashlib.sha256(str(number).encode()).hexdigest()[:16] for number in range(160)]
    parts = [
        Seen(product=kind.sha256, image=name, score=float(score)) for name, score in zip(names, scores, strict=True)
    ]
    path.write_text("".join(f"{part.model_dump_json()}\n" for part in parts))
    return path


def test_a_drift_is_told_on_the_screen_in_the_summary_and_in_the_json(folder: Path, call: Call) -> None:
    path = seen(folder, 6.0)
    result = call("inspect", "new", "--product", "plate", "--method", "detect", "--json", "-", code=None)
    assert "The last 50 parts have higher scores" in result.stderr
    assert (
        "Check light, camera and parts"
        in json.loads(result.stdout.splitlines()[-1])["evidence"]["product"]["drift"]
    )
    assert len(path.read_text().splitlines()) == 163
    one = call("inspect", "new/10.png", "--product", "plate", "--method", "detect", code=None)
    assert "The last 50 parts have higher scores" in one.stdout
    assert len(path.read_text().splitlines()) == 163  # the same picture counts once


def test_no_drift_is_told_where_parts_come_as_before(folder: Path, call: Call) -> None:
    seen(folder, 0.0)
    result = call("inspect", "new", "--product", "plate", "--method", "detect", code=None)
    assert "The last" not in result.stderr


def test_nothing_is_remembered_if_that_is_not_wanted(folder: Path, call: Call) -> None:
    path = seen(folder, 6.0)
    result = call("inspect", "new", "--product", "plate", "--method", "detect", "--no-remember", code=None)
    assert "The last" not in result.stderr and len(path.read_text().splitlines()) == 160


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "a second"), (42, "42 seconds"), (130, "3 minutes"), (7300, "3 hours")]
)
def test_times_are_put_for_people(seconds: float, words: str) -> None:
    assert command.lasting(seconds) == words
