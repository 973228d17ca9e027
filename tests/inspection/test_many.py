"""Many images: lazy, one outcome per image, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from cli.stub import StubInspector
from reason_iad.inspection.many import Failure, inspect_many
from reason_iad.schema import Inspection

Make = Callable[..., Path]


def test_one_outcome_per_path_in_order(make_image: Make, tmp_path: Path) -> None:
    paths = [make_image("a.png"), tmp_path / "missing.png", make_image("b.png")]
    outcomes = list(inspect_many(StubInspector(), paths))
    assert [type(outcome) for outcome in outcomes] == [Inspection, Failure, Inspection]


def test_an_image_is_read_when_its_turn_comes(make_image: Make) -> None:
    seen: list[Path] = []

    def paths() -> Iterator[Path]:
        for name in ("a.png", "b.png"):
            seen.append(make_image(name))
            yield seen[-1]

    outcomes = inspect_many(StubInspector(), paths())
    next(outcomes)
    assert len(seen) == 1


def test_images_of_the_same_file_name_stay_apart(make_image: Make) -> None:
    paths = [make_image("left/part.png"), make_image("right/part.png")]
    outcomes = [o for o in inspect_many(StubInspector(), paths) if isinstance(o, Inspection)]
    assert [outcome.image.name for outcome in outcomes] == [str(path) for path in paths]
