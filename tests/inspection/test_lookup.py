"""What is known of a part before it is looked at."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from reason_iad import Inspector, InspectorConfig
from reason_iad.backbones.fake import FakeBackbone
from reason_iad.inspection.questions import LETTERS
from reason_iad.knowledge import open_knowledge


def knowledge(folder: Path, types: int) -> Path:
    entries = "".join(f"\n## type {number:02}\n\nMark number {number} on the plate.\n" for number in range(types))
    folder.mkdir()
    (folder / "plate.md").write_text(
        f"---\ncategory: plate\n---\n\n# Normal\n\nA grey plate.\n\n# Defects\n{entries}"
    )
    return folder


def inspected(folder: Path) -> tuple[list[str], tuple[str, ...]]:
    """The types that the model could choose from, and those that were left out."""
    config = InspectorConfig(method="knowledge", threshold=1e-9)
    inspector = Inspector(FakeBackbone(), open_knowledge(folder), config)
    evidence = inspector.inspect(Image.new("RGB", (64, 64), "grey"), category="plate").evidence
    (asked,) = [answer for answer in evidence.answers if answer.key == "type"]
    return list(asked.options.values()), evidence.types_left_out


def test_types_that_found_no_letter_are_named(tmp_path: Path) -> None:
    asked, left_out = inspected(knowledge(tmp_path / "many", 30))
    assert len(asked) == len(LETTERS) == 26 and len(left_out) == 4
    assert sorted([*asked, *left_out]) == [f"type {number:02}" for number in range(30)]


def test_with_fewer_types_none_is_left_out(tmp_path: Path) -> None:
    asked, left_out = inspected(knowledge(tmp_path / "few", 26))
    assert len(asked) == 26 and left_out == ()
