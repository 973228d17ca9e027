"""Answering on a real Ray on this machine, with answerers that need no model; some of them kill their worker."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from tests.bench.mmad_files import write_set
from tests.bench.ray_answerers import AHEAD, Fake, make_units

from reason_iad.bench.conditions import Settings
from reason_iad.bench.questions import read_units
from reason_iad.bench.ray_pool import stream
from reason_iad.bench.ray_worker import ATTEMPTS, Ledger, described, raised, results_of, text_of, unit_of
from reason_iad.bench.records import AnswerRecord
from reason_iad.bench.running import OnRay, run_methods
from reason_iad.bench.runs import read_run
from reason_iad.bench.storage import Destination
from reason_iad.bench.work import Answered, BenchQuestion, Unit
from reason_iad.cli import main
from reason_iad.cli.bench.run import Console
from reason_iad.errors import ConfigError, MissingExtraError, ModelError, PromptError
from reason_iad.ray_session import session
from reason_iad.schema import ModelVersion

pytest.importorskip("ray")


@pytest.fixture(scope="module")
def ray() -> Iterator[None]:
    """One Ray for the tests that do not ask how it was started."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CUDA_VISIBLE_DEVICES", "0")  # no worker here reserves it
        patch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
        with session(None):
            yield


def plain(units: list[Unit], make: Fake) -> dict[str, AnswerRecord]:
    """The answers of a loop in this process."""
    answerer = make()
    return by_question(answerer.answer(unit) for unit in units)


def by_question(results: Iterator[list[Answered]]) -> dict[str, AnswerRecord]:
    """Answers by question; none may come twice."""
    answers: dict[str, AnswerRecord] = {}
    for answered in results:
        for answer, timing in answered:
            assert timing.question == answer.question
            assert answer.question not in answers, "answered twice"
            answers[answer.question] = answer
    return answers


def on_ray(units: list[Unit], make: Fake, *, workers: int = 2, batch: int = 1) -> Iterator[list[Answered]]:
    return stream(units, make, address=None, workers=workers, batch=batch)


def processes(journal: Path, unit: str = "*") -> list[int]:
    """The processes of all attempts at a unit."""
    return [int(path.name.split("-")[2]) for path in journal.glob(f"unit-{unit}-*")]


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "batch"), [(1, 4), (2, 1)])
def test_the_answers_are_those_of_a_plain_loop_and_the_model_is_told_once_before_them(
    ray: None, tmp_path: Path, workers: int, batch: int
) -> None:
    units, told = make_units(13), list[ModelVersion]()
    results = stream(units, Fake(tmp_path), address=None, workers=workers, batch=batch, on_model=told.append)
    first = next(results)
    assert [(model.name, model.device) for model in told] == [("fake", "gpus:")], "it sees no GPU"
    got = by_question(iter([first, *results]))
    assert len(set(processes(tmp_path))) == workers and len(told) == 1
    assert got == plain(units, Fake(tmp_path))


@pytest.mark.slow
def test_a_run_on_ray_writes_the_same_as_one_without(ray: None, tmp_path: Path) -> None:
    questions = write_set(tmp_path / "set", images=2)
    image = questions.parent / "toys/pcb/test/spot/1.png"
    image.write_bytes(image.read_bytes()[:100])
    words = ["bench", "run", "--questions", questions, "--images", questions.parent, "--model", "fake"]
    for out, more in (("here", ()), ("there", ("--ray", "--workers", 2))):
        asked = [*words, "--out", tmp_path / out, "--method", "full", "--threads", 1, *more]
        assert CliRunner().invoke(main, list(map(str, asked))).exit_code == 3, "the damaged image failed"
    here, there = ((tmp_path / name / "full" / "answers.jsonl").read_bytes() for name in ("here", "there"))
    assert here == there


@pytest.mark.slow
def test_workers_with_different_models_are_refused(ray: None, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"different models, '(fake|other)' .* and '(other|fake)' "):
        list(on_ray(make_units(30), Fake(tmp_path, seconds=0.1, other=tmp_path / "other")))


def no_model(*_: object) -> None:
    raise AssertionError("the driver loads a model")


@pytest.mark.slow
def test_the_driver_loads_no_model_and_paths_may_be_relative(
    ray: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_set(tmp_path / "set", images=2)
    monkeypatch.chdir(tmp_path)  # the workers are elsewhere
    monkeypatch.setattr("reason_iad.bench.running.load_tools", no_model)
    settings = Settings(images=Path("set"), model="fake")
    units = read_units([Path("set/questions.json")], settings.images)
    for _ in range(2):  # the second time, nothing is left to do
        run_methods(
            settings, ["direct"], units, Destination(Path("run"), resume=True), Console(True, Path("run")),
            ray=OnRay(workers=1),
        )  # fmt: skip
        made = read_run(Path("run/direct"))
        assert made.manifest.status == "complete" and made.manifest.model.name == "fake"
        assert len(made.answers) == 10 and all(answer.failure is None for answer in made.answers)
    written = "".join(path.read_text() for path in Path("run/direct").glob("*.json*"))
    assert str(tmp_path) not in written


@pytest.mark.slow
def test_a_worker_killed_in_the_middle_loses_and_doubles_nothing(ray: None, tmp_path: Path) -> None:
    units = make_units(12)
    make = Fake(tmp_path, seconds=0.2)
    results = on_ray(units, make)
    first = next(results)
    victim = processes(tmp_path, str(units_of(first, units).number))[0]
    os.kill(victim, signal.SIGKILL)
    got = by_question(iter([first, *results]))
    assert got == plain(units, make)
    assert len(list(tmp_path.glob("load-*"))) == 4  # two, the one in its place, and this process


def units_of(results: list[Answered], units: list[Unit]) -> Unit:
    return next(unit for unit in units if unit.image == results[0].answer.image)


@pytest.mark.slow
def test_a_fast_worker_takes_over_work_of_a_slow_one(ray: None, tmp_path: Path) -> None:
    units = make_units(24)
    got = by_question(on_ray(units, Fake(tmp_path, seconds=0.1, slow=tmp_path / "slow")))
    assert len(got) == sum(len(unit.questions) for unit in units)
    (_, fast), *_ = Counter(processes(tmp_path)).most_common()
    assert fast >= AHEAD  # shared out beforehand, each would have 12


@pytest.mark.slow
def test_a_unit_that_kills_every_worker_is_named_and_costs_no_other_unit(ray: None, tmp_path: Path) -> None:
    units = make_units(8)
    make = Fake(tmp_path, fatal=(3,))
    got: list[list[Answered]] = []
    with pytest.raises(ModelError, match=r"'DS/Schraube ü/003\.png', .*all others are answered"):
        got.extend(on_ray(units, make, workers=1, batch=3))
    assert len(processes(tmp_path, "3")) == ATTEMPTS
    assert by_question(iter(got)) == plain([unit for unit in units if unit.number != 3], Fake(tmp_path))


@pytest.mark.slow
def test_a_model_that_kills_while_it_loads_is_given_up(ray: None, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="while it loaded"):
        list(on_ray(make_units(3), Fake(tmp_path, dies=True), workers=1))
    assert len(list(tmp_path.glob("load-*"))) == ATTEMPTS


@pytest.mark.slow
def test_closing_early_ends_the_workers_of_a_ray_that_goes_on(ray: None, tmp_path: Path) -> None:
    results = on_ray(make_units(50), Fake(tmp_path, seconds=0.2))
    next(results)
    results.close()  # type: ignore[attr-defined]  # a generator
    deadline = time.monotonic() + 30
    while any(map(psutil.pid_exists, processes(tmp_path))) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(psutil.pid_exists, processes(tmp_path)))
    assert len(processes(tmp_path)) < 50


@pytest.mark.slow
def test_errors_arrive_as_what_they_are(ray: None, tmp_path: Path) -> None:
    with pytest.raises(MissingExtraError, match=r"^This model needs .*reason-iad\[api\]"):
        list(on_ray(make_units(2), Fake(tmp_path, fails=True), workers=1))
    with pytest.raises(PromptError, match="“ü” is too long"):
        list(on_ray(make_units(2), Fake(tmp_path, failing=(1,)), workers=1))


@pytest.mark.slow
def test_too_few_gpus_are_an_error_not_a_wait(ray: None, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has \d+ GPUs, too few for 999 workers with 0.5"):
        list(stream(make_units(1), Fake(tmp_path), address=None, workers=999, gpus=0.5))


@pytest.mark.parametrize("options", [{"workers": 0}, {"batch": 0}, {"threads": 0}, {"gpus": -1.0}, {"gpus": 1.5}])
def test_options_out_of_range_are_refused_before_anything_starts(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        stream(make_units(1), Fake(Path()), **{"address": None, "workers": 1, **options})


def test_no_units_need_no_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert list(stream([], Fake(Path()), address=None, workers=1)) == []


@given(st.integers(0, 2**40), st.text(), st.lists(st.text(), max_size=3), st.none() | st.text())
def test_a_unit_travels_unchanged(number: int, text: str, templates: list[str], mask: str | None) -> None:
    question = BenchQuestion(0, text, text, {text: text, "A": "b"}, "A")
    unit = Unit(number, text, text, text, True, mask, tuple(templates), (question, question))
    assert unit_of(text_of(unit)) == unit


@pytest.mark.parametrize("error", [PromptError("“ü”"), MissingExtraError("This", "api"), ConfigError("")])
def test_an_error_of_ours_travels_unchanged(error: Exception) -> None:
    other = raised(described(error))
    assert (type(other), str(other)) == (type(error), str(error))


def test_an_error_of_others_says_what_it_was() -> None:
    assert str(raised(described(ZeroDivisionError("by 0")))) == "a worker failed with ZeroDivisionError: by 0"


def test_records_of_another_version_are_an_error_in_a_sentence() -> None:
    with pytest.raises(ModelError, match="another version of this program"):
        results_of('[["{}", "{}"]]')


def test_the_ledger_counts_only_what_was_never_done() -> None:
    ledger = Ledger()
    for _ in range(2 * ATTEMPTS):
        assert ledger.begin("innocent")
        ledger.done("innocent")
    assert [ledger.begin("fatal") for _ in range(ATTEMPTS + 2)] == [True] * ATTEMPTS + [False] * 2
