"""A log has one writer among all processes, leaves nothing but its lines, and survives a killed process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import reason_iad
from reason_iad.errors import OutputError
from reason_iad.files import Log, made_folder

ENV = os.environ | {"PYTHONPATH": str(Path(reason_iad.__file__).parents[1])}
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX")

HOLDER = """
import sys, time
from pathlib import Path
from reason_iad.files import Log
log = Log.resume(Path(sys.argv[1]))
log.append('{"n": 0}')
print("held", flush=True)
sys.stdin.readline()
log.close()
"""

Start = Callable[[Path], "subprocess.Popen[str]"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results.jsonl"


@pytest.fixture
def holder() -> Iterator[Start]:
    """Processes that hold a log until a line comes, or they are killed."""
    processes: list[subprocess.Popen[str]] = []

    def start(path: Path) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(path)],
            env=ENV, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        processes.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_lines_are_kept_and_gone_on_with_and_nothing_else_is_left(path: Path) -> None:
    with Log.create(path) as log:
        log.append('{"n": 1}', '{"n": 2}')
        assert path.read_text() == '{"n": 1}\n{"n": 2}\n'  # at once
    with Log.resume(path) as log:
        assert list(log.lines()) == ['{"n": 1}', '{"n": 2}']
        log.append('{"n": 3}')
    assert path.read_text() == '{"n": 1}\n{"n": 2}\n{"n": 3}\n'
    assert names(path.parent) == [path.name]


def test_a_log_with_lines_is_not_begun_anew_by_mistake(path: Path) -> None:
    path.write_text('{"n": 1}\n')
    with pytest.raises(OutputError, match="already holds results; continue it with --resume"):
        Log.create(path)
    assert path.read_text() == '{"n": 1}\n' and names(path.parent) == [path.name]


def test_what_is_overwritten_stays_until_there_is_something_better(path: Path) -> None:
    path.write_text('{"old": 1}\n')
    with pytest.raises(KeyboardInterrupt), Log.create(path, overwrite=True) as log:
        log.append('{"failed": 1}', wait=True)
        assert log.waits
        raise KeyboardInterrupt
    assert path.read_text() == '{"old": 1}\n'
    with Log.create(path, overwrite=True) as log:
        log.append('{"failed": 1}', wait=True)
        log.append('{"n": 1}')
        assert not log.waits and path.read_text() == '{"failed": 1}\n{"n": 1}\n'
    with Log.create(path, overwrite=True) as log:
        log.append('{"failed": 2}', wait=True)
    assert path.read_text() == '{"failed": 2}\n'


def test_all_lines_are_replaced_in_one_step_and_only_if_they_differ(path: Path) -> None:
    path.write_text('{"n": 1}\n{"n": 2}\n{"to')
    with Log.resume(path) as log:
        log.replace(list(log.lines())[1:])
        assert path.read_text() == '{"n": 2}\n'
        before = path.stat().st_ino
        log.replace(['{"n": 2}'])
        assert path.stat().st_ino == before


def test_a_closed_log_takes_no_lines(path: Path) -> None:
    with Log.create(path) as log:
        pass
    with pytest.raises(ValueError, match="is closed"):
        log.append("{}")


def test_a_second_writer_is_told_who_writes_and_what_to_do(path: Path, holder: Start) -> None:
    process = holder(path)
    for attempt in (Log.resume, Log.create, lambda path: Log.create(path, overwrite=True)):
        with pytest.raises(OutputError) as error:
            attempt(path)
        said = f"Process {process.pid} is writing '{path}'; wait until it has ended, or choose another file."
        assert str(error.value) == said
    assert path.read_text() == '{"n": 0}\n'
    process.communicate("go on\n")
    assert process.returncode == 0 and names(path.parent) == [path.name]
    Log.resume(path).close()


@posix
def test_a_link_to_a_log_is_the_same_log(path: Path, holder: Start) -> None:
    holder(path)
    link = path.with_name("link.jsonl")
    link.symlink_to(path)
    with pytest.raises(OutputError, match=r"link\.jsonl'; wait"):
        Log.resume(link)


@posix
def test_a_killed_writer_holds_nothing_and_what_it_left_goes(path: Path, holder: Start) -> None:
    process = holder(path)
    process.send_signal(signal.SIGKILL)
    process.wait()
    with Log.resume(path) as log:
        assert list(log.lines()) == ['{"n": 0}']
    assert names(path.parent) == [path.name]


def test_logs_of_one_process_exclude_each_other_too(path: Path) -> None:
    with Log.create(path) as log:
        with pytest.raises(OutputError, match=f"Process {os.getpid()} is writing"):
            Log.resume(path)
        log.append("{}")
    Log.resume(path).close()


def test_a_log_may_be_closed_by_another_thread(path: Path) -> None:
    log = Log.create(path)
    thread = threading.Thread(target=log.close)
    thread.start()
    thread.join()
    Log.resume(path).close()
    assert names(path.parent) == [path.name]


def test_threads_may_share_a_log(path: Path) -> None:
    with Log.create(path) as log:
        threads = [
            threading.Thread(target=lambda n=n: [log.append(f'{{"n": {n}}}') for _ in range(10)]) for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(path.read_text().splitlines()) == [f'{{"n": {n}}}' for n in range(4) for _ in range(10)]


@posix
def test_a_device_is_a_log_without_a_lock() -> None:
    for log in (Log.create(Path("/dev/null")), Log.resume(Path("/dev/null"))):
        log.append("{}")
        assert list(log.lines()) == []
        log.close()
    assert not list(Path("/dev").glob(".null*"))


def test_a_place_where_nothing_can_be_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"the folder '.*nowhere' does not exist; create it first"):
        Log.create(tmp_path / "nowhere" / "a.jsonl")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="check the path"):
        Log.resume(tmp_path / "file" / "a.jsonl")
    with pytest.raises(OutputError, match=r"too long|null"):
        Log.resume(tmp_path / ("x" * 300))
    assert names(tmp_path) == ["file"]


def test_a_folder_that_was_made_for_nothing_goes_again(tmp_path: Path) -> None:
    with made_folder(tmp_path / "run" / "full"):
        assert (tmp_path / "run" / "full").is_dir()
    assert names(tmp_path) == []
    (tmp_path / "mine").mkdir()
    with made_folder(tmp_path / "mine"):
        pass
    assert names(tmp_path) == ["mine"]
    with made_folder(tmp_path / "run" / "full"):
        (tmp_path / "run" / "full" / "answers.jsonl").touch()
    assert (tmp_path / "run" / "full" / "answers.jsonl").exists()
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="choose another --out"), made_folder(tmp_path / "file", "another --out"):
        pass
