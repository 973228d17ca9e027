"""A change is tried on a copy: the product stays as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.products.conftest import Draw

from reason_iad.errors import OutputError
from reason_iad.products import Product
from reason_iad.products.trial import trial_copy


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_becomes_of_a_copy_changes_nothing(bracket: Product, draw: Draw, tmp_path: Path) -> None:
    (bracket.make_cache() / "learnt.bin").write_bytes(b"learnt")
    before = files(bracket.folder)
    with trial_copy(bracket, tmp_path) as copy:
        assert files(copy.folder) == before and copy.state == bracket.state and copy.name == bracket.name
        assert copy.folder.is_relative_to(tmp_path)
        changed = copy.with_good(draw("new.png", 9)).without(bracket.good[0].path)
        (copy.cache_dir / "learnt.bin").write_bytes(b"other")
        assert (
            len(changed.good) == 3
            and changed.undone(bracket.state.revision).state.contents == bracket.state.contents
        )
    assert files(bracket.folder) == before and not copy.folder.exists()


def test_pictures_are_not_copied_where_they_can_be_linked(bracket: Product, tmp_path: Path) -> None:
    with trial_copy(bracket, tmp_path) as copy:
        assert copy.good[0].path.samefile(bracket.good[0].path)


def test_it_works_without_links(bracket: Product, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("no links here")

    monkeypatch.setattr(os, "link", refuse)
    with trial_copy(bracket, tmp_path) as copy:
        assert files(copy.folder) == files(bracket.folder)


def test_a_place_that_is_not_there_is_one_sentence(bracket: Product, tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match="No copy can be made of the product"),
        trial_copy(bracket, tmp_path / "no"),
    ):
        pass
