"""A process is killed at every step of a change. Then the old state is there or the new one, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reason_iad.errors import OutputError, ProductError
from reason_iad.files import file_sha256, is_temporary
from reason_iad.products import Product, Products, export, storing
from reason_iad.products.storing import Workbench

Draw = Callable[..., Path]

KILLING = """
import os, signal, sys
from pathlib import Path
from reason_iad.products import GivenDefect, Products, export

folder, pictures, step = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
products = Products(folder)
STEPS = {
    "create": lambda: products.create("bracket", [pictures / "good"], defects=pictures / "bad"),
    "add": lambda: products.open("bracket").with_good(pictures / "late"),
    "undo": lambda: products.open("bracket").undone(),
    "import": lambda: products.take(pictures / "bracket.zip"),
    "remove": lambda: products.remove("bracket"),
}
TOUCHING = ("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.truncate", "shutil.rmtree")

def run(number):
    seen = 0
    def hook(event, args):
        nonlocal seen
        paths = [os.fsdecode(arg) for arg in args if isinstance(arg, (str, bytes, os.PathLike))]
        if event not in TOUCHING or not any(str(folder) in path for path in paths):
            return
        seen += 1
        if seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(hook)
    STEPS[step]()

child = os.fork()
if child == 0:
    run(int(sys.argv[4]))
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

SERVER = """
import sys
for line in sys.stdin:
    sys.argv = ["", *line.rstrip("\\n").split("\\t")]
    exec(CODE)
    sys.stdout.flush()
"""


class Killer:
    """A process that imports once, and forks one that is killed at the n-th touch of the products' folder."""

    def __init__(self, folder: Path, pictures: Path) -> None:
        self.folder, self.pictures = folder, pictures
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"CODE = {KILLING!r}\n{SERVER}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def killed(self, step: str, number: int) -> bool:
        """Whether the step was killed, not finished."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{self.folder}\t{self.pictures}\t{step}\t{number}\n")
        self._process.stdin.flush()
        code = int(self._process.stdout.readline())
        assert code in (0, -9), code
        return code == -9

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")


@pytest.fixture
def pictures(draw: Draw, mark: Draw, tmp_path: Path) -> Path:
    for name, seed in (("front/a", 1), ("b", 2)):
        draw(f"in/good/{name}.png", seed)
    draw("in/bad/scratch/a.png", 11)
    mark("in/bad/scratch/a_mask.png")
    for name, seed in (("side/x", 21), ("y", 22)):
        draw(f"in/late/{name}.png", seed)
    there = Products(tmp_path / "elsewhere")
    made = there.create("bracket", [tmp_path / "in" / "good"], defects=tmp_path / "in" / "bad")
    export(made, tmp_path / "in" / "bracket.zip")
    return tmp_path / "in"


@pytest.fixture
def killer(products: Products, pictures: Path) -> Killer:
    process = Killer(products.folder, pictures)
    yield process
    process.close()


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def whole(product: Product) -> bool:
    """Whether every file is there, and the history leads to the state."""
    records = list(product.state.files())
    named = all(file_sha256(product.folder / record.file) == record.sha256 for record in records)
    return named and [change.revision for change in product.history()] == list(range(1, product.state.revision + 1))


@pytest.mark.parametrize("step", ["create", "import"])
def test_making_a_product_is_all_or_nothing(step: str, products: Products, killer: Killer) -> None:
    number = 0
    while killer.killed(step, number := number + (2 if step == "create" else 4)):
        names = products.names()
        assert names in ((), ("bracket",))
        if names:
            assert whole(products.open("bracket"))
            products.remove("bracket")
            assert not [path for path in products.folder.iterdir() if path.suffix != ".lock"]
    assert number > 30, "it is killed at many points"
    assert whole(products.open("bracket"))
    assert [path.name for path in products.folder.iterdir()] == ["bracket"], "nothing is left of the others"


@pytest.mark.parametrize("step", ["add", "undo"])
def test_a_change_is_all_or_nothing(step: str, products: Products, pictures: Path, killer: Killer) -> None:
    product = products.create("bracket", [pictures / "good"], defects=pictures / "bad")
    product = product.with_settings(false_alarms=0.1)
    number = 0
    before = products.open("bracket")
    while killer.killed(step, number := number + 1):
        after = products.open("bracket")
        assert whole(after)
        if after.state.revision == before.state.revision:
            assert after == before
            continue
        assert after.state.revision == before.state.revision + 1
        before = after.undone() if step == "add" else after.with_settings(false_alarms=0.1 + number / 10**6)
    assert number > 8
    last = products.open("bracket")
    assert whole(last) and last.state.revision == before.state.revision + 1
    known = {record.file for change in last.history() for record in change.files()}
    left = files(last.folder) - known - {"product.json", "history.jsonl", ".cache/.gitignore"}
    assert not left and not any(is_temporary(Path(name).name) for name in files(last.folder))


def test_removing_is_all_or_nothing(products: Products, pictures: Path, killer: Killer) -> None:
    number, killed = 0, True
    while killed:
        if not products.names():
            products.create("bracket", [pictures / "good"])
        killed = killer.killed("remove", number := number + 1)
        if products.names():
            assert whole(products.open("bracket"))
    assert number > 3 and products.names() == ()
    assert not list(products.folder.iterdir())


def test_what_people_put_there_by_hand_is_never_removed(products: Products, pictures: Path, killer: Killer) -> None:
    product = products.create("bracket", [pictures / "good"])
    own = [
        product.folder / "good" / "mine.png",
        product.folder / "notes.txt",
        product.folder / "good" / "b-12345678.png",
    ]
    for path in own:
        path.write_text("mine")
    number = 0
    while killer.killed("add", number := number + 4):
        pass
    products.open("bracket").with_settings(false_alarms=0.3)
    assert all(path.read_text() == "mine" for path in own)


def test_a_change_that_fails_leaves_nothing(bracket: Product, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    before = files(bracket.folder)
    real = storing.write_atomic

    def full(path: Path, data: str | bytes, **options: bool) -> None:
        if path.name == "product.json":
            raise OutputError("the disk is full")
        real(path, data, **options)

    monkeypatch.setattr(storing, "write_atomic", full)
    with pytest.raises(OutputError, match="full"):
        bracket.with_good(draw("c.png", 5))
    assert files(bracket.folder) == before and Product.read(bracket.folder) == bracket and whole(bracket)


def test_an_interrupt_right_after_a_change_does_not_harm_it(
    bracket: Product, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = storing.write_atomic

    def interrupted(path: Path, data: str | bytes, **options: bool) -> None:
        real(path, data, **options)
        if path.name == "product.json":
            raise KeyboardInterrupt

    monkeypatch.setattr(storing, "write_atomic", interrupted)
    with pytest.raises(KeyboardInterrupt):
        bracket.with_good(draw("c.png", 5))
    after = Product.read(bracket.folder)
    assert len(after.good) == 4 and whole(after)


def test_a_picture_that_changes_while_it_is_read_is_refused(bracket: Product, draw: Draw) -> None:
    picture = draw("c.png", 5)

    def replaced(bench: Workbench, *given: object, **options: object) -> object:
        draw("c.png", 6)
        return real(bench, *given, **options)

    real = Workbench.place
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Workbench, "place", replaced)
        with pytest.raises(ProductError, match=r"c\.png' changed while it was read"):
            bracket.with_good(picture)
    assert Product.read(bracket.folder) == bracket


def test_readers_and_writers_at_once(products: Products, bracket: Product, tmp_path: Path, draw: Draw) -> None:
    """Two processes add; this one reads all the while."""
    for number in range(12):
        draw(f"more/{number % 2}/{number}.png", 100 + number)
    code = (
        "import sys\nfrom pathlib import Path\nfrom reason_iad.products import Products\n"
        "for picture in sorted(Path(sys.argv[2]).iterdir()):\n"
        "    Products(sys.argv[1]).open('bracket').with_good(picture)\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", code, str(products.folder), str(tmp_path / "more" / str(side))])
        for side in range(2)
    ]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        product = products.open("bracket")
        assert whole(product) and all(each.path.is_file() for each in product.good)
        seen.add(product.state.revision)
        time.sleep(0.002)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(products.open("bracket").good) == 15 and len(seen) > 3


def test_a_writer_waits_and_says_for_whom(bracket: Product, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "PATIENCE", 0.1)
    started, go_on = threading.Event(), threading.Event()

    def hold() -> None:
        with Workbench.at(bracket.folder):
            started.set()
            go_on.wait(10)

    other = threading.Thread(target=hold)
    other.start()
    started.wait(10)
    try:
        with pytest.raises(OutputError, match=f"Process {os.getpid()} is writing '.*bracket'"):
            bracket.with_good(draw("c.png", 5))
    finally:
        go_on.set()
        other.join()
    assert len(bracket.with_good(draw("c.png", 5)).good) == 4
