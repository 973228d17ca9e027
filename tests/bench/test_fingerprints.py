"""What a unit is shown, by its bytes: any file that changes is noticed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bench.mmad_files import write_set

from reason_iad.bench.fingerprints import Fingerprints
from reason_iad.bench.questions import read_units
from reason_iad.bench.work import Unit


@pytest.fixture
def unit(tmp_path: Path) -> Unit:
    return read_units([write_set(tmp_path)], tmp_path)[1]


def test_the_same_bytes_have_the_same_hash_wherever_they_lie(unit: Unit, tmp_path: Path) -> None:
    before = Fingerprints(tmp_path).of(unit)
    write_set(tmp_path / "copy")
    assert before is not None and Fingerprints(tmp_path / "copy").of(unit) == before


@pytest.mark.parametrize("which", ["image", "template", "mask"])
def test_every_file_that_changes_is_noticed(which: str, unit: Unit, tmp_path: Path) -> None:
    before = Fingerprints(tmp_path).of(unit)
    file = tmp_path / str({"image": unit.image, "template": unit.templates[0], "mask": unit.mask}[which])
    file.write_bytes(file.read_bytes() + b"\0")
    assert Fingerprints(tmp_path).of(unit) not in (before, None)
    file.unlink()
    assert Fingerprints(tmp_path).of(unit) is None
