"""`reason-iad bench run`, as a user runs it: whole, killed and resumed, refused, interrupted."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.bench.mmad_files import write_set

from reason_iad.bench.runs import read_run
from reason_iad.cli import main
from reason_iad.files import Log

POSIX = pytest.mark.skipif(os.name == "nt", reason="POSIX signals")


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return write_set(tmp_path / "set")


def words(questions: Path, out: Path, *more: str) -> list[str]:
    """Arguments of a run with the fake model, unless `more` says otherwise."""
    common = ["--questions", str(questions), "--images", str(questions.parent), "--out", str(out)]
    model = [] if "--model" in more else ["--model", "fake"]
    return ["bench", "run", *common, *model, *more]


def run(questions: Path, out: Path, *more: str) -> Result:
    return CliRunner().invoke(main, words(questions, out, *more))


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Runs in processes of their own; none outlives the test."""
    processes: list[subprocess.Popen[str]] = []

    def start_one(questions: Path, out: Path, *more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "reason_iad", *words(questions, out, *more)]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return processes[-1]

    yield start_one
    for process in processes:
        process.kill()
        process.communicate()


def wait_for_lines(process: subprocess.Popen[str], path: Path, count: int) -> None:
    while not path.exists() or path.read_bytes().count(b"\n") < count:
        assert process.poll() is None
        time.sleep(0.005)


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@POSIX
@pytest.mark.slow
def test_killed_three_times_and_resumed_the_answers_are_those_of_an_unbroken_run(
    start: Start, tmp_path: Path
) -> None:
    questions = write_set(tmp_path / "set", images=10)
    more = ("--method", "full,direct")
    assert run(questions, tmp_path / "unbroken", *more).exit_code == 0
    out = tmp_path / "broken"
    answers = out / "full" / "answers.jsonl"
    for moment in sorted(random.Random().sample(range(1, 20), 3)):
        process = start(questions, out, *more, *(["--resume"] if out.exists() else []))
        wait_for_lines(process, answers, moment)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
    last = run(questions, out, *more, "--resume")
    assert last.exit_code == 0 and "answers are already there" in last.stderr
    for method in ("full", "direct"):
        broken, whole = (folder / method / "answers.jsonl" for folder in (out, tmp_path / "unbroken"))
        assert broken.read_bytes() == whole.read_bytes()
        assert read_run(out / method).manifest.status == "complete"


def test_a_run_that_another_process_writes_is_left_alone(start: Start, questions: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    assert run(questions, out, "--method", "direct").exit_code == 0
    before = (out / "direct" / "answers.jsonl").read_bytes()
    with Log.resume(out / "direct" / "answers.jsonl"):
        second = start(questions, out, "--method", "direct", "--resume")
        _, said = second.communicate()
        assert second.returncode == 2 and f"Process {os.getpid()} is writing" in said and "--out" in said
    assert (out / "direct" / "answers.jsonl").read_bytes() == before
    assert run(questions, out, "--method", "direct", "--resume").exit_code == 0
    assert not list(out.rglob(".*"))


def test_each_method_has_a_folder_of_its_own(questions: Path, tmp_path: Path) -> None:
    result = run(questions, tmp_path / "run", "--method", "direct,full")
    assert result.exit_code == 0, result.output
    assert "of 16 right" in result.stderr and result.stdout == ""
    for method in ("direct", "full"):
        read = read_run(tmp_path / "run" / method)
        assert read.manifest.status == "complete" and read.manifest.method == method
        assert read.manifest.questions == len(read.answers) == len(read.timings) == 16
        assert read.manifest.config["method"] == method
    assert "The knowledge has nothing on: toys/widget" in result.stderr


def test_the_category_warning_is_one_line_and_only_where_knowledge_is_used(questions: Path, tmp_path: Path) -> None:
    assert "nothing on" not in run(questions, tmp_path / "a", "--method", "direct").stderr
    assert run(questions, tmp_path / "b", "--method", "knowledge,latent").stderr.count("nothing on") == 1


def test_a_damaged_image_is_counted_listed_and_tried_again(questions: Path, tmp_path: Path) -> None:
    image = questions.parent / "toys/pcb/test/spot/1.png"
    content = image.read_bytes()
    image.write_bytes(content[:100])
    result = run(questions, tmp_path / "run", "--method", "direct")
    assert result.exit_code == 3
    assert "3 image" in result.stderr and "toys/pcb/test/spot/1.png#0: The image" in result.stderr
    assert run(questions, tmp_path / "run", "--method", "direct", "--resume").exit_code == 3
    image.write_bytes(content)
    assert run(questions, tmp_path / "run", "--method", "direct", "--resume").exit_code == 0
    assert run(questions, tmp_path / "whole", "--method", "direct").exit_code == 0
    mended, whole = (tmp_path / name / "direct" / "answers.jsonl" for name in ("run", "whole"))
    assert mended.read_bytes() == whole.read_bytes()


def test_images_that_will_fail_are_named_before_the_model_is_loaded(questions: Path, tmp_path: Path) -> None:
    (questions.parent / "toys/pcb/test/spot/1.png").write_text("no image")
    result = run(questions, tmp_path / "run", "--model", "nano", "--device", "cuda:99", "--method", "direct")
    assert result.exit_code == 2
    assert "1 of 6 images cannot be read and will fail: toys/pcb/test/spot/1.png." in result.stderr


def test_even_a_quiet_run_says_that_images_failed(questions: Path, tmp_path: Path) -> None:
    (questions.parent / "toys/pcb/test/spot/1.png").write_bytes(b"no image")
    result = run(questions, tmp_path / "run", "--method", "direct", "--quiet")
    answers = tmp_path / "run" / "direct" / "answers.jsonl"
    assert result.exit_code == 3 and result.stderr == f"1 of 6 images failed. The errors are in '{answers}'.\n"


def test_only_the_first_failures_are_listed(questions: Path, tmp_path: Path) -> None:
    for image in (questions.parent / "toys").rglob("test/*/*.png"):
        image.write_bytes(b"no image")
    result = run(questions, tmp_path / "run", "--method", "direct")
    assert result.exit_code == 3
    assert result.stderr.count("is not an image") == 10 and "… and 6 more" in result.stderr


def test_text_that_cannot_be_parsed_is_no_failed_image(questions: Path, tmp_path: Path) -> None:
    result = run(questions, tmp_path / "run", "--method", "direct", "--answers", "text")
    assert result.exit_code == 0
    found = lines(tmp_path / "run" / "direct" / "answers.jsonl")
    assert all(each["choice"] is None and each["failure"] == "unparsable" and each["reply"] for each in found)
    assert "16 unparsable" in result.stderr


def test_everything_wrong_is_said_before_a_model_is_loaded(questions: Path, tmp_path: Path) -> None:
    (questions.parent / "toys/pcb/test/spot/1.png").unlink()
    (questions.parent / "toys/widget/train/good/0.png").unlink()
    result = run(questions, tmp_path / "run", "--model", "no/such/model/at/all", "--method", "direct")
    assert result.exit_code == 2 and not (tmp_path / "run").exists()
    result = run(questions, tmp_path / "run", "--method", "direct")
    assert result.exit_code == 2 and "2 problems" in result.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--seed", "1"), "seed 0 instead of 1"),
        (("--shots", "0"), "shots 1 instead of 0"),
        (("--templates", "similar"), "templates random instead of similar"),
        (("--answers", "text"), "answers likelihood instead of text"),
        (("--limit", "5"), "limit None instead of 5"),
        (("--option-orders", "cyclic"), "config option_orders given instead of cyclic"),
        (("--align",), "config align False instead of True"),
        (("--fuse",), "config fuse False instead of True"),
        (("--shown", "0"), "config max_references 1 instead of 0"),
    ],
)
def test_a_run_goes_on_under_the_same_conditions_only(
    more: tuple[str, ...], named: str, questions: Path, tmp_path: Path
) -> None:
    run(questions, tmp_path / "run", "--method", "direct")
    before = (tmp_path / "run" / "direct" / "answers.jsonl").read_bytes()
    result = run(questions, tmp_path / "run", "--method", "direct", "--resume", *more)
    assert result.exit_code == 2 and named in result.stderr
    assert (tmp_path / "run" / "direct" / "answers.jsonl").read_bytes() == before


def test_options_of_the_reasoning_can_be_changed_and_are_told(questions: Path, tmp_path: Path) -> None:
    changes = ("--set", "steps=1", "--set", "sigma=0.3")
    run(questions, tmp_path / "run", "--method", "latent", "--limit", "2", *changes)
    manifest = json.loads((tmp_path / "run" / "latent" / "manifest.json").read_text())
    assert (manifest["config"]["reasoning"]["steps"], manifest["config"]["reasoning"]["sigma"]) == (1, 0.3)
    lines = (tmp_path / "run" / "latent" / "answers.jsonl").read_text().splitlines()
    assert {json.loads(line)["steps"] for line in lines} == {1}
    result = run(questions, tmp_path / "run", "--method", "latent", "--limit", "2", "--resume", "--set", "steps=1")
    assert result.exit_code == 2 and "config reasoning sigma 0.3 instead of 0.1" in result.stderr
    report = CliRunner().invoke(main, ["bench", "report", str(tmp_path / "run")])
    assert "latent, steps 1, sigma 0.3" in report.output


def test_a_report_says_what_stood_beside_the_method(questions: Path, tmp_path: Path) -> None:
    assert run(questions, tmp_path / "run", "--method", "direct", "--option-orders", "cyclic").exit_code == 0
    manifest = tmp_path / "run" / "direct" / "manifest.json"
    said = CliRunner().invoke(main, ["bench", "report", str(tmp_path / "run")]).output
    assert "direct, options in all orders" in said and "weighed" not in said
    manifest.write_text(
        manifest.read_text().replace('"fuse": false', '"fuse": true').replace('"align": false', '"align": true')
    )
    said = " ".join(CliRunner().invoke(main, ["bench", "report", str(tmp_path / "run")]).output.split())
    assert "direct, templates laid as the image, map weighed into the answers, options in all orders" in said


def test_other_questions_or_knowledge_are_refused(questions: Path, tmp_path: Path) -> None:
    run(questions, tmp_path / "run", "--method", "direct")
    own = tmp_path / "own"
    own.mkdir()
    (own / "pcb.md").write_text("---\ncategory: pcb\n---\n\n# Normal\n\nGreen.\n")
    result = run(questions, tmp_path / "run", "--method", "direct", "--resume", "--knowledge", str(own))
    assert result.exit_code == 2 and "other knowledge" in result.stderr
    questions.write_text(questions.read_text().replace("Is there any", "Is there a"))
    result = run(questions, tmp_path / "run", "--method", "direct", "--resume")
    assert result.exit_code == 2 and "other questions" in result.stderr


@pytest.mark.parametrize("file", ["test/spot/1.png", "train/good/0.png", "ground_truth/spot/1_mask.png"])
def test_other_images_are_refused(file: str, questions: Path, tmp_path: Path) -> None:
    run(questions, tmp_path / "run", "--method", "direct")
    before = (tmp_path / "run" / "direct" / "answers.jsonl").read_bytes()
    path = questions.parent / "toys/pcb" / file
    path.write_bytes(path.read_bytes() + b"\0")
    result = run(questions, tmp_path / "run", "--method", "direct", "--resume")
    assert result.exit_code == 2 and "was made with other images: 'toys/pcb/" in result.stderr
    assert (tmp_path / "run" / "direct" / "answers.jsonl").read_bytes() == before


def test_the_packages_that_compute_are_written_down(questions: Path, tmp_path: Path) -> None:
    run(questions, tmp_path / "run", "--method", "direct", "--limit", "1")
    versions = read_run(tmp_path / "run" / "direct").manifest.packages
    assert versions.keys() >= {"reason-iad", "torch", "transformers", "tokenizers", "numpy", "pillow"}
    assert "unknown" not in versions.values()


def test_a_model_that_cannot_be_loaded_leaves_nothing_behind(questions: Path, tmp_path: Path) -> None:
    result = run(questions, tmp_path / "run", "--model", "nano", "--device", "cuda:99", "--method", "direct,full")
    assert result.exit_code == 2 and "cuda:99" in result.stderr
    assert not (tmp_path / "run").exists()


def test_without_a_terminal_a_line_says_now_and_then_how_far_it_is(
    questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "answered," not in run(questions, tmp_path / "a", "--method", "direct").stderr
    monkeypatch.setattr("reason_iad.cli.bench.run.SECONDS_BETWEEN_LINES", 0.0)
    said = run(questions, tmp_path / "b", "--method", "direct").stderr
    assert said.count("answered,") == 6 and "direct: 2 of 16 answered, " in said
    assert "answered," not in run(questions, tmp_path / "c", "--method", "direct", "--quiet").stderr


def test_results_are_replaced_only_on_demand(questions: Path, tmp_path: Path) -> None:
    run(questions, tmp_path / "run", "--method", "direct")
    before = (tmp_path / "run" / "direct" / "answers.jsonl").read_bytes()
    # Nothing is written for a method that comes before the one whose results are in the way.
    result = run(questions, tmp_path / "run", "--method", "knowledge,direct", "--seed", "1")
    assert result.exit_code == 2 and "--resume" in result.stderr and "--overwrite" in result.stderr
    assert (tmp_path / "run" / "direct" / "answers.jsonl").read_bytes() == before
    assert not (tmp_path / "run" / "knowledge" / "answers.jsonl").exists()
    assert run(questions, tmp_path / "run", "--method", "direct", "--overwrite").exit_code == 0
    assert (tmp_path / "run" / "direct" / "answers.jsonl").read_bytes() == before


@pytest.mark.parametrize(
    ("more", "named"),
    [
        (("--method", "direct,magic"), "There is no method 'magic'"),
        (("--method", "full", "--model", "openai:x", "--base-url", "http://localhost:1/v1"), "think tokens"),
        (("--resume", "--overwrite"), "cannot be used together"),
        (("--answers", "text", "--option-orders", "cyclic"), "--option-orders"),
        (("--answers", "text", "--fuse"), "leave out --fuse"),
        (("--fuse",), "no weights for the map"),
        (("--fuse", "--shots", "0"), "leave out --fuse or --shots 0"),
        (("--method", "full", "--set", "speed=3"), "'speed=3' sets nothing"),
        (("--method", "direct", "--set", "sigma=0.3"), "does not reason"),
        (("--workers", "2"), "without --ray"),
        (("--limit", "0"), "--limit"),
        (("--model", "nowhere"), "was not found"),
        (("--device", "tpu"), "There is no device"),
        (("--shots", "3"), "lists 2 random templates, --shots asks for 3"),
        (("--shots", "2", "--shown", "3"), "raise --shots"),
    ],
)
def test_what_cannot_work_is_refused_at_once(
    more: tuple[str, ...], named: str, questions: Path, tmp_path: Path
) -> None:
    result = run(questions, tmp_path / "run", *more)
    assert result.exit_code == 2 and named in result.stderr
    assert not (tmp_path / "run").exists()


def test_threads_are_those_asked_for(questions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")  # and put back
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        result = run(questions, tmp_path / "run", "--method", "direct", "--threads", "1", "--limit", "1")
        assert result.exit_code == 0 and torch.get_num_threads() == 1
        assert read_run(tmp_path / "run" / "direct").manifest.options == {"threads": 1}
    finally:
        torch.set_num_threads(before)


@POSIX
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_ctrl_c_says_how_to_go_on_and_a_second_process_is_kept_out(start: Start, tmp_path: Path) -> None:
    questions = write_set(tmp_path / "set", images=60)
    out = tmp_path / "run"
    process = start(questions, out, "--method", "full")
    wait_for_lines(process, out / "full" / "answers.jsonl", 4)
    second = run(questions, out, "--method", "full", "--resume")
    assert second.exit_code == 2 and "is writing" in second.stderr
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert process.returncode == 130
    assert "--resume" in said and "Traceback" not in said
    assert read_run(out / "full").manifest.status == "running"


@pytest.mark.parametrize("words", [("--model", "none"), ("--method", "direct,detect")])
def test_without_a_model_it_says_what_to_use_instead(
    words: tuple[str, ...], questions: Path, tmp_path: Path
) -> None:
    result = run(questions, tmp_path / "run", *words)
    assert result.exit_code == 2 and "asks a model questions" in result.stderr
    assert "'reason-iad bench detect --dataset DIR --detector expert --shots all --out RUN_DIR'" in result.stderr
