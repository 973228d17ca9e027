"""A run on disk: what a kill leaves is mended, what does not belong together never meets."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.bench.mmad_files import write_set

from reason_iad.bench.conditions import Settings, conditions
from reason_iad.bench.detect.records import DetectManifest
from reason_iad.bench.fingerprints import Fingerprints
from reason_iad.bench.questions import read_units
from reason_iad.bench.records import AnswerRecord, TimingRecord
from reason_iad.bench.runs import read_run
from reason_iad.bench.storage import RunFolder
from reason_iad.bench.work import Answered, Unit
from reason_iad.errors import DatasetError, OutputError
from reason_iad.schema import ModelVersion

MODEL = ModelVersion(name="nano", family="qwen2_5_vl", sha256="1" * 64, device="cpu", dtype="float32")


@pytest.fixture
def units(tmp_path: Path) -> tuple[Unit, ...]:
    return read_units([write_set(tmp_path / "set")], tmp_path / "set")


@pytest.fixture
def known(units: tuple[Unit, ...], tmp_path: Path) -> dict[str, Any]:
    return conditions(Settings(images=tmp_path), "full", units, "2" * 64)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return tmp_path / "run"


Open = Callable[..., RunFolder]


@pytest.fixture
def opened(units: tuple[Unit, ...], known: dict[str, Any], out: Path) -> Iterator[Open]:
    """Opens the run again and again; each time, the one before is closed."""
    with ExitStack() as stack:

        def open_run(*, resume: bool = False, overwrite: bool = False, **changes: Any) -> RunFolder:
            stack.close()
            return stack.enter_context(
                RunFolder(out, units, {**known, **changes}, resume=resume, overwrite=overwrite)
            )

        yield open_run


def results(unit: Unit, **changes: Any) -> list[Answered]:
    """Invented answers to a unit, always the same."""
    return [
        Answered(
            AnswerRecord(
                question=f"{unit.image}#{each.index}", image=unit.image, index=each.index, dataset=unit.dataset,
                category=unit.category, kind=each.kind, abnormal=unit.abnormal, options=each.options,
                truth=each.truth, **{"choice": "A", "probabilities": {"A": 0.123457, "B": 1e-06}} | changes,
            ),
            TimingRecord(question=f"{unit.image}#{each.index}", ms=1.5, peak_mb=9.0),
        )
        for each in unit.questions
    ]  # fmt: skip


def run(folder: RunFolder, units: Iterable[Unit] | None = None) -> None:
    """Answer what is pending, or these units, and finish if nothing is left."""
    folder.begin(MODEL)
    for unit in folder.pending if units is None else units:
        folder.append(results(unit))
    if not folder.pending:
        folder.finish()


def files(out: Path) -> list[Path]:
    """What a run leaves: its files without its locks."""
    return sorted(path for path in out.iterdir() if not path.name.startswith("."))


def test_a_run_is_read_back_as_it_was_written(opened: Open, units: tuple[Unit, ...], out: Path) -> None:
    run(opened())
    read = read_run(out)
    assert read.manifest.status == "complete" and read.manifest.model == MODEL
    assert read.answers == tuple(each.answer for unit in units for each in results(unit))
    assert len(read.timings) == len(read.answers) == read.manifest.questions


def test_answers_are_in_the_order_of_the_plan_whatever_order_they_came_in(
    opened: Open, units: tuple[Unit, ...], out: Path
) -> None:
    run(opened())
    expected = (out / "answers.jsonl").read_bytes()
    run(opened(overwrite=True), reversed(units))
    assert (out / "answers.jsonl").read_bytes() == expected


def test_a_cut_at_any_byte_is_mended(opened: Open, out: Path) -> None:
    run(opened())
    whole = {name: (out / name).read_bytes() for name in ("answers.jsonl", "timings.jsonl")}
    for name, content in whole.items():
        for cut in range(0, len(content), 997 if name == "answers.jsonl" else 211):
            for other, bytes_ in whole.items():
                (out / other).write_bytes(bytes_)
            (out / name).write_bytes(content[:cut])
            folder = opened(resume=True)
            assert folder.pending or cut == len(content)
            run(folder)
            assert {each: (out / each).read_bytes() for each in whole} == whole


def test_a_unit_answered_in_part_is_answered_anew(opened: Open, units: tuple[Unit, ...], out: Path) -> None:
    run(opened(), units[:2])
    lines = (out / "answers.jsonl").read_text().splitlines(keepends=True)
    (out / "answers.jsonl").write_text("".join(lines[:-1]))
    assert opened(resume=True).pending == list(units[1:])
    assert (out / "answers.jsonl").read_text() == "".join(lines[:-1])  # only begin() touches it


@pytest.mark.parametrize(("failure", "again"), [("image", True), ("error", True), ("unparsable", False)])
def test_failures_that_may_be_gone_are_tried_again(
    failure: str, again: bool, opened: Open, units: tuple[Unit, ...]
) -> None:
    folder = opened()
    folder.begin(MODEL)
    folder.append(results(units[0], choice=None, probabilities={}, failure=failure, error="?"))
    for unit in units[1:]:
        folder.append(results(unit))
    folder.finish()
    assert opened(resume=True).pending == ([units[0]] if again else [])


def test_the_same_answers_twice_count_once(opened: Open, units: tuple[Unit, ...], out: Path) -> None:
    folder = opened()
    folder.begin(MODEL)
    assert folder.append(results(units[0]))
    assert not folder.append(results(units[0]))
    assert (out / "answers.jsonl").read_text().count("\n") == len(units[0].questions)


def test_results_are_not_lost_by_mistake(opened: Open, out: Path) -> None:
    run(opened())
    before = (out / "answers.jsonl").read_bytes()
    with pytest.raises(DatasetError, match="--resume"):
        opened()
    assert (out / "answers.jsonl").read_bytes() == before
    assert opened(resume=True).pending == []
    assert opened(overwrite=True).pending


def test_resuming_nothing_begins(opened: Open) -> None:
    assert opened(resume=True).pending


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"method": "direct"}, "method full instead of direct"),
        ({"seed": 1}, "seed 0 instead of 1"),
        ({"shots": 2}, "shots 1 instead of 2"),
        ({"templates": "similar"}, "templates random instead of similar"),
        ({"answers": "text"}, "answers likelihood instead of text"),
        ({"limit": 3}, "limit None instead of 3"),
        ({"questions_sha256": "3" * 64}, "other questions"),
        ({"knowledge_sha256": "3" * 64}, "other knowledge"),
        ({"packages": {"torch": "0.1"}}, "packages torch"),
        ({"options": {"threads": 3}}, "options threads None instead of 3"),
    ],
)
def test_other_conditions_are_refused_and_named(
    changes: dict[str, Any], named: str, opened: Open, units: tuple[Unit, ...], out: Path
) -> None:
    run(opened(), units[:2])
    before = [path.read_bytes() for path in files(out)]
    with pytest.raises(DatasetError, match=named):
        opened(resume=True, **changes)
    assert [path.read_bytes() for path in files(out)] == before


def test_another_configuration_is_refused_by_the_option_that_differs(
    opened: Open, units: tuple[Unit, ...], known: dict[str, Any]
) -> None:
    run(opened(), units[:2])
    with pytest.raises(DatasetError, match=r"made with config threshold 0\.5 instead of 0\.4; resume"):
        opened(resume=True, config={**known["config"], "threshold": 0.4})


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sha256": "4" * 64}, "other weights of the model"),
        ({"name": "tiny"}, "model name nano instead of tiny"),
        ({"device": "cuda:0"}, "model device cpu instead of cuda:0"),
    ],
)
def test_another_model_is_refused(
    changes: dict[str, str], named: str, opened: Open, units: tuple[Unit, ...]
) -> None:
    run(opened(), units[:2])
    folder = opened(resume=True)
    with pytest.raises(DatasetError, match=named):
        folder.begin(MODEL.model_copy(update=changes))


def test_a_package_that_was_not_written_down_is_no_difference(
    opened: Open, units: tuple[Unit, ...], known: dict[str, Any]
) -> None:
    run(opened(), units[:2])
    opened(resume=True, packages={**known["packages"], "another": "1.0"})
    with pytest.raises(DatasetError, match=r"with packages torch \S+ instead of 0\.1; resume"):
        opened(resume=True, packages={**known["packages"], "another": "1.0", "torch": "0.1"})


def test_a_run_of_another_major_version_is_refused_whatever_its_fields(opened: Open, out: Path) -> None:
    run(opened())
    path = out / "manifest.json"
    made = path.read_text()
    path.write_text(made.replace('"run_version": "1.0"', '"run_version": "2.0", "more": 1'))
    with pytest.raises(DatasetError, match=r"is of version '2\.0', and this program reads version '1\.0'; use"):
        read_run(out)
    path.write_text(made.replace('"run_version": "1.0"', '"run_version": "1.1"'))
    assert read_run(out).manifest.run_version == "1.1"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"question": "a#', "it is no JSON"),
        ("{}", "'question' is missing"),
        ('{"question": 5}', "'question' has a value that it cannot have"),
    ],
)
def test_a_damaged_line_is_named_with_the_mend(line: str, why: str, opened: Open, out: Path) -> None:
    run(opened())
    lines = (out / "answers.jsonl").read_text().splitlines()
    (out / "answers.jsonl").write_text("\n".join([lines[0], line, *lines[2:]]) + "\n")
    with pytest.raises(DatasetError) as error:
        read_run(out)
    mend = "restore it, or run anew with --overwrite."
    assert str(error.value) == f"Line 2 of '{out / 'answers.jsonl'}' is damaged ({why}); {mend}"


def test_a_foreign_folder_is_left_alone(opened: Open, out: Path) -> None:
    (out / "manifest.json").write_text('{"hello": 1}')
    with pytest.raises(DatasetError, match="not a run's manifest"):
        opened(resume=True)
    assert (out / "manifest.json").read_text() == '{"hello": 1}'


def test_a_run_of_a_detection_set_is_named_as_such(out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    manifest = DetectManifest(
        status="complete", detector="distance", statistic="max", dataset="nuts", layout="mvtec",
        dataset_sha256="0" * 64, categories=("nut",), left_out=(), references="train", shots=8, seed=0, limit=None,
        images=2, model=None, packages={},
    )  # fmt: skip
    (out / "manifest.json").write_text(manifest.model_dump_json())
    with pytest.raises(DatasetError, match=r"is a run of `bench detect`.*takes runs of `bench run`") as error:
        read_run(out)
    assert "--overwrite" not in str(error.value)


def test_what_cannot_be_written_is_not_half_written(opened: Open, units: tuple[Unit, ...], out: Path) -> None:
    resource = pytest.importorskip("resource")
    folder = opened()
    run(folder, units[:1])
    before = (out / "answers.jsonl").read_bytes()
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"answers\.jsonl"):
            folder.append(results(units[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (out / "answers.jsonl").read_bytes() == before
    assert opened(resume=True).pending == list(units[1:])


def test_every_unit_is_on_the_disk_before_the_next_one_is_asked(
    opened: Open, units: tuple[Unit, ...], out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.fstat(descriptor).st_ino)

    folder = opened()
    folder.begin(MODEL)
    monkeypatch.setattr(os, "fsync", noted)
    files = [(out / name).stat().st_ino for name in ("timings.jsonl", "answers.jsonl")]
    for unit in units:
        folder.append(results(unit))
        assert synced == files, "timings first: whoever is answered has theirs"
        synced.clear()


def test_a_manifest_that_cannot_be_written_leaves_the_old_one(
    opened: Open, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = opened()
    folder.begin(MODEL)
    for unit in folder.pending:
        folder.append(results(unit))
    before = (out / "manifest.json").read_bytes()
    write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if b'"run_version"' in bytes(data):
            write(descriptor, bytes(data)[:100])
            raise OSError(errno.ENOSPC, "full")
        return write(descriptor, data)

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match=r"manifest\.json"):
        folder.finish()
    assert (out / "manifest.json").read_bytes() == before and not list(out.glob(".*.tmp"))
    assert read_run(out).manifest.status == "running"


def test_files_of_what_is_answered_must_be_the_same(opened: Open, units: tuple[Unit, ...], tmp_path: Path) -> None:
    images = tmp_path / "set"
    folder = opened()
    folder.begin(MODEL)
    folder.append(results(units[0], files_sha256=Fingerprints(images).of(units[0])))
    folder.append(results(units[1], choice=None, probabilities={}, failure="image", error="?"))
    (images / units[1].image).write_bytes(b"mended")
    (images / units[4].image).write_bytes(b"not asked yet")
    opened(resume=True).require_files(Fingerprints(images))
    (images / units[0].templates[0]).write_bytes(b"another")
    with pytest.raises(DatasetError, match=r"other images: 'toys/pcb/test/good/0\.png'"):
        opened(resume=True).require_files(Fingerprints(images))


@pytest.fixture
def command(units: tuple[Unit, ...], known: dict[str, Any]) -> Callable[[Path], RunFolder]:
    return lambda out: RunFolder(out, units, known, resume=True, overwrite=False)


def test_a_run_leaves_its_files_and_nothing_else(
    command: Callable[[Path], RunFolder], units: tuple[Unit, ...], tmp_path: Path
) -> None:
    out = tmp_path / "run" / "full"
    with command(out):
        pass
    assert not out.parent.exists(), "nothing was written"
    with command(out) as folder:
        run(folder, units)
    assert sorted(path.name for path in out.iterdir()) == ["answers.jsonl", "manifest.json", "timings.jsonl"]


def test_two_runs_never_share_a_folder(command: Callable[[Path], RunFolder], out: Path) -> None:
    with command(out), pytest.raises(OutputError, match=r"is writing '.*answers\.jsonl'; wait .*another --out\."):
        command(out)
    command(out).close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="POSIX")
def test_a_killed_run_goes_on_and_ends_like_an_unbroken_one(
    opened: Open, command: Callable[[Path], RunFolder], units: tuple[Unit, ...], out: Path, tmp_path: Path
) -> None:
    if (child := os.fork()) == 0:
        folder = opened()
        folder.begin(MODEL)
        folder.append(results(units[0]))
        folder.append(results(units[1]))
        os.kill(os.getpid(), signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert list(out.glob(".*.lock"))
    with command(out) as folder:
        assert folder.pending == list(units[2:])
        run(folder)
    with command(tmp_path / "whole") as folder:
        run(folder)
    assert [path.name for path in files(out)] == sorted(path.name for path in out.iterdir())
    for broken, whole in zip(files(out), files(tmp_path / "whole"), strict=True):
        assert broken.read_bytes() == whole.read_bytes()


def test_a_run_that_is_refused_holds_nothing(opened: Open, command: Callable[[Path], RunFolder], out: Path) -> None:
    run(opened())
    with pytest.raises(DatasetError, match="already holds results"):
        opened()
    command(out).close()


def test_a_folder_that_cannot_be_made_is_named(command: Callable[[Path], RunFolder], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="--out"):
        command(tmp_path / "file" / "run")
