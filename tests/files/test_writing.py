"""A result file is the old one or the whole new one, whatever fails and whenever the process is killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import reason_iad
from reason_iad.errors import OutputError
from reason_iad.files import append_lines, is_temporary, read_lines, replacing, write_atomic

ENV = os.environ | {"PYTHONPATH": str(Path(reason_iad.__file__).parents[1])}
posix = pytest.mark.skipif(os.name == "nt", reason="POSIX")


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A real file system of 64 KiB."""
    mount = tmp_path / "disk"
    mount.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(mount)]
    if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting needs privileges")
    yield mount
    subprocess.run(["umount", str(mount)], check=True)


@pytest.fixture
def nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Root may do everything, so root becomes nobody for a while, inside the test's folder."""
    monkeypatch.chdir(tmp_path)  # the folders above are closed to nobody
    if os.geteuid() != 0:
        yield
        return
    tmp_path.chmod(0o755)
    os.seteuid(65534)
    yield
    os.seteuid(0)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def limited(code: str, folder: Path) -> str:
    """Run code in a process that may write at most 4 KiB to a file; returns what it prints."""
    preamble = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from reason_iad.errors import OutputError\n"
        "from reason_iad.files import append_lines, write_atomic\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", preamble + code],
        cwd=folder,
        env=ENV,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return run.stdout.strip()


def test_text_and_bytes_are_written(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.txt", "Grün 部品\n")
    write_atomic(str(tmp_path / "b.bin"), b"\x00\xff")
    assert (tmp_path / "a.txt").read_bytes() == "Grün 部品\n".encode()
    assert (tmp_path / "b.bin").read_bytes() == b"\x00\xff"
    assert names(tmp_path) == ["a.txt", "b.bin"]


def test_text_that_utf8_cannot_hold_does_not_stop_a_report(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a.txt", "a\ud800b")
    append_lines(tmp_path / "b.txt", "a\ud800b")
    assert (tmp_path / "a.txt").read_text() == "a?b"
    assert (tmp_path / "b.txt").read_text() == "a?b\n"


def test_an_old_file_is_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old and much longer")
    path.chmod(0o640)
    write_atomic(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@posix
def test_a_new_file_has_the_mode_the_umask_asks_for(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write_atomic(tmp_path / "a.txt", "x")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == 0o640


@posix
def test_a_link_stays_a_link_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "link.txt").symlink_to(tmp_path / "store" / "a.txt")
    write_atomic(tmp_path / "link.txt", "one")  # the target does not exist yet
    write_atomic(tmp_path / "link.txt", "two")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "store" / "a.txt").read_text() == "two"
    assert names(tmp_path / "store") == ["a.txt"]


@posix
def test_a_device_is_written_to_and_not_replaced() -> None:
    write_atomic("/dev/null", "x")
    append_lines("/dev/null", "x")
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@posix
def test_standard_output_can_be_the_target() -> None:
    code = "from reason_iad.files import *; write_atomic('/dev/stdout', 'a\\n'); append_lines('/dev/stdout', 'b')"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert run.stdout == "a\nb\n"


@pytest.mark.parametrize("write", [write_atomic, append_lines])
def test_a_missing_folder_is_named(tmp_path: Path, write: object) -> None:
    with pytest.raises(OutputError, match=r"the folder '.*nowhere' does not exist; create it first\.$"):
        write(tmp_path / "nowhere" / "a.txt", "x")  # type: ignore[operator]
    assert names(tmp_path) == []


@pytest.mark.parametrize("write", [write_atomic, append_lines])
def test_a_folder_as_target_is_refused(tmp_path: Path, write: object) -> None:
    with pytest.raises(OutputError, match="it is a folder; add a file name"):
        write(tmp_path, "x")  # type: ignore[operator]


@pytest.mark.parametrize("write", [write_atomic, append_lines])
@pytest.mark.parametrize(
    ("name", "reason"),
    [("a.txt/b.txt", "a part of its path is a file"), ("x" * 300, "too long"), ("a\0", "null")],
)
def test_impossible_paths_are_refused(tmp_path: Path, write: object, name: str, reason: str) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(OutputError, match=reason):
        write(tmp_path / name, "x")  # type: ignore[operator]
    assert names(tmp_path) == ["a.txt"]


@posix
@pytest.mark.usefixtures("nobody")
@pytest.mark.parametrize("write", [write_atomic, append_lines])
def test_a_folder_without_permission_is_refused(tmp_path: Path, write: object) -> None:
    if os.geteuid() != 65534:
        tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match=r"'a\.txt': permission denied; choose a folder you may write to\.$"):
        write("a.txt", "x")  # type: ignore[operator]


@pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs /proc")
@pytest.mark.parametrize("write", [write_atomic, append_lines])
def test_a_place_where_even_root_cannot_write_is_refused(write: object) -> None:
    with pytest.raises(OutputError, match=r"^Cannot write '/proc/self/a.txt': .*\.$"):
        write("/proc/self/a.txt", "x")  # type: ignore[operator]


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tiny_disk: Path) -> None:
    path = tiny_disk / "report.html"
    write_atomic(path, "old")
    with pytest.raises(OutputError, match=r"report\.html': the disk is full .*; free some space\.$"):
        write_atomic(path, b"x" * 200_000)
    assert path.read_text() == "old"
    assert names(tiny_disk) == ["report.html"]
    write_atomic(path, "new")  # and the space is free again
    assert path.read_text() == "new"


def test_a_line_that_does_not_fit_on_the_disk_leaves_the_file_as_it_was(tiny_disk: Path) -> None:
    path = tiny_disk / "results.jsonl"
    append_lines(path, '{"n": 1}')
    with pytest.raises(OutputError, match="the disk is full"):
        append_lines(path, json.dumps({"n": "x" * 200_000}))
    assert path.read_text() == '{"n": 1}\n'
    append_lines(path, '{"n": 2}')
    assert list(read_lines(path)) == ['{"n": 1}', '{"n": 2}']


@posix
def test_a_file_size_limit_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("old")
    code = "try: write_atomic('report.html', 'x' * 9000)\nexcept OutputError as error: print(error)"
    assert "the disk is full or the file would exceed a size limit" in limited(code, tmp_path)
    assert (tmp_path / "report.html").read_text() == "old"
    assert names(tmp_path) == ["report.html"]


@posix
def test_a_line_cut_short_by_a_limit_is_taken_back(tmp_path: Path) -> None:
    """The first write is short here: 4096 of 9001 bytes; the second one fails."""
    code = (
        "append_lines('results.jsonl', '{\"n\": 1}')\n"
        "try: append_lines('results.jsonl', '{\"n\": \"' + 'x' * 9000 + '\"}')\n"
        "except OutputError as error: print(error)"
    )
    assert "the disk is full" in limited(code, tmp_path)
    assert (tmp_path / "results.jsonl").read_text() == '{"n": 1}\n'


def test_an_interrupt_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("old")

    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a.txt", "new")
    with pytest.raises(KeyboardInterrupt):
        append_lines(tmp_path / "b.txt", "{}")
    assert (tmp_path / "a.txt").read_text() == "old"
    assert (tmp_path / "b.txt").read_text() == ""
    assert names(tmp_path) == ["a.txt", "b.txt"]


@posix
def test_a_long_file_is_replaced_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "long.bin"
    path.write_bytes(b"old")
    with replacing(path) as file:
        for _ in range(3):
            file.write(b"new")
        assert path.read_bytes() == b"old"
        assert [is_temporary(each.name) for each in sorted(tmp_path.iterdir())] == [True, False]
    assert path.read_bytes() == b"newnewnew" and list(tmp_path.iterdir()) == [path]


def test_a_long_file_that_fails_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "long.bin"
    path.write_bytes(b"old")
    with pytest.raises(KeyError), replacing(path) as file:
        file.write(b"new")
        raise KeyError
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
    with pytest.raises(OutputError, match="does not exist"), replacing(tmp_path / "none" / "x"):
        pass
    with pytest.raises(OutputError, match="no ordinary file"), replacing(tmp_path):
        pass


def test_kill_9_loses_at_most_the_line_in_flight(tmp_path: Path) -> None:
    """A process appends long lines until it is killed; every line it had reported as written is there."""
    code = (
        "import json, sys\n"
        "from reason_iad.files import append_lines\n"
        "for n in range(10**9):\n"
        "    append_lines('results.jsonl', json.dumps({'n': n, 'pad': 'x' * 200_000}))\n"
        "    print(n, flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tmp_path, env=ENV, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    reported = 4 + len(process.stdout.read().splitlines())
    process.wait()
    numbers = [json.loads(line)["n"] for line in read_lines(tmp_path / "results.jsonl")]
    assert numbers == list(range(len(numbers)))
    assert len(numbers) >= reported + 1


def test_lines_are_appended_and_read_back(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    for n in range(3):
        append_lines(path, json.dumps({"n": n, "part": "деталь"}, ensure_ascii=False))
    assert [json.loads(line)["n"] for line in read_lines(path)] == [0, 1, 2]


@pytest.mark.parametrize(
    "torn", ["{", '{"n"', '{"n": 2, "s": "дет'.encode()[:-1].decode("utf-8", "ignore"), '{"n": 2']
)
def test_a_torn_last_line_is_ignored_and_cut_off_by_the_next(tmp_path: Path, torn: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"n": 1}\n' + torn.encode())
    assert list(read_lines(path)) == ['{"n": 1}']
    append_lines(path, '{"n": 3}')
    assert path.read_text() == '{"n": 1}\n{"n": 3}\n'


def test_a_line_torn_inside_a_character_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"n": 1}\n{"s": "\xd0')
    assert list(read_lines(path)) == ['{"n": 1}']


def test_a_torn_line_longer_than_a_block_is_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_bytes(b'{"n": 1}\n{"pad": "' + b"x" * 200_000)
    append_lines(path, '{"n": 2}')
    assert list(read_lines(path)) == ['{"n": 1}', '{"n": 2}']


def test_a_whole_last_line_without_its_newline_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text('{"n": 1}\n\n{"n": 2}')
    assert list(read_lines(path)) == ['{"n": 1}', '{"n": 2}']
    append_lines(path, '{"n": 3}')
    assert list(read_lines(path)) == ['{"n": 1}', '{"n": 2}', '{"n": 3}']


def test_a_file_of_somebody_else_is_not_continued(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("call the supplier")
    with pytest.raises(OutputError, match="not a JSON-lines file; choose another file"):
        append_lines(path, "{}")
    assert path.read_text() == "call the supplier"


def test_a_line_break_inside_a_line_is_a_programming_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="line break"):
        append_lines(tmp_path / "a.jsonl", "a\nb")


def test_reading_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is no file; name a file with one result per line"):
        next(read_lines(tmp_path))


def test_a_missing_file_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"^Cannot read '.*nowhere': .*; choose another file"):
        next(read_lines(tmp_path / "nowhere"))


def test_lines_are_read_one_by_one_and_none_is_longer_than_allowed(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    append_lines(path, '{"n": 1}', json.dumps({"n": "x" * 100}))
    lines = read_lines(path, longest=20)
    assert next(lines) == '{"n": 1}'
    with pytest.raises(OutputError, match=r"A line of '.*results\.jsonl' is too long for a result"):
        next(lines)


def test_several_lines_are_appended_in_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    append_lines(tmp_path / "a.jsonl", '{"n": 1}', '{"n": 2}')
    assert len(synced) == 1 and list(read_lines(tmp_path / "a.jsonl")) == ['{"n": 1}', '{"n": 2}']
