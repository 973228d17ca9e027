"""Products by mail: what is exported comes in again, and nothing else does."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reason_iad.errors import ImageError, ProductError, ReasonIADError
from reason_iad.products import GivenDefect, Product, Products, exchange, export

Draw = Callable[..., Path]


@pytest.fixture
def full(bracket: Product, draw: Draw, mark: Draw, tmp_path: Path) -> Product:
    """A product with everything in it."""
    (tmp_path / "bracket.md").write_text("---\ncategory: bracket\n---\n\n# Normal\n\nA bent sheet.\n")
    product = bracket.with_defects([GivenDefect(draw("d.png", 30), "dent", mark("d_mask.png"))])
    product = product.with_settings(ignore=mark("area.png"), knowledge=tmp_path / "bracket.md")
    return product.with_good(draw("gone.png", 31)).undone()


@pytest.fixture
def archive(full: Product, tmp_path: Path) -> Path:
    export(full, tmp_path / "bracket.zip")
    return tmp_path / "bracket.zip"


def test_what_is_exported_comes_in_again(full: Product, archive: Path, tmp_path: Path) -> None:
    taken = Products(tmp_path / "there").take(archive)
    assert taken.name == "bracket" and taken.state == full.state and taken.history() == full.history()
    for one, other in zip(full.state.files(), taken.state.files(), strict=True):
        assert (full.folder / one.file).read_bytes() == (taken.folder / other.file).read_bytes()
    with pytest.raises(ProductError, match="An export holds only the files of the present state"):
        taken.undone(to=4)
    assert taken.undone(to=2).good == taken.good


def test_an_export_is_the_same_every_time_and_holds_no_more_than_it_must(
    full: Product, archive: Path, tmp_path: Path
) -> None:
    (full.cache_dir / "memory.bin").write_bytes(b"x")
    shutil.copytree(full.folder, tmp_path / "copies" / "bracket")
    export(Product.read(tmp_path / "copies" / "bracket"), tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == archive.read_bytes()
    names = zipfile.ZipFile(archive).namelist()
    assert len(names) == 2 + 3 + 2 + 1 + 1 + 1 and not [
        name for name in names if "gone" in name or ".cache" in name
    ]
    assert str(tmp_path).encode() not in archive.read_bytes()


def test_a_product_that_is_not_whole_is_not_exported(full: Product, archive: Path) -> None:
    before = archive.read_bytes()
    full.good[0].path.write_bytes(b"other")
    with pytest.raises(ProductError, match="another content"):
        export(full, archive)
    full.good[0].path.unlink()
    with pytest.raises(ProductError, match="cannot be read"):
        export(full, archive)
    assert archive.read_bytes() == before and not list(archive.parent.glob("*.tmp"))


def test_a_folder_comes_in_too(full: Product, tmp_path: Path) -> None:
    (full.folder / "notes.txt").write_text("mine")
    taken = Products(tmp_path / "there").take(full.folder, "clamp")
    assert taken.name == "clamp" and taken.state_sha256 == full.state_sha256
    assert not (taken.folder / "notes.txt").exists()


def test_a_taken_name_is_not_replaced(products: Products, archive: Path) -> None:
    with pytest.raises(ProductError, match="already"):
        products.take(archive)
    assert products.take(archive, "two").name == "two"


def changed(archive: Path, change: Callable[[dict[str, bytes]], Any], **attributes: int) -> Path:
    """The archive with other entries."""
    with zipfile.ZipFile(archive) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    change(entries)
    path = archive.with_name("changed.zip")
    with zipfile.ZipFile(path, "w") as new:
        for name, content in entries.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = attributes.get("mode", stat.S_IFREG | 0o644) << 16
            new.writestr(info, content, zipfile.ZIP_DEFLATED)
    return path


def with_state(change: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, bytes]], None]:
    def apply(entries: dict[str, bytes]) -> None:
        state = json.loads(entries["bracket/product.json"])
        change(state)
        entries["bracket/product.json"] = json.dumps(state).encode()

    return apply


def first(entries: dict[str, bytes], part: str = "/good/") -> str:
    return next(name for name in entries if part in name)


def replaced_picture(entries: dict[str, bytes]) -> None:
    """A file that is no picture, with the hash it should have."""
    name, content = first(entries), b"#!/bin/sh"
    old = hashlib.sha256(entries[name]).hexdigest().encode()
    new = hashlib.sha256(content).hexdigest().encode()
    entries[name] = content
    for file in ("bracket/product.json", "bracket/history.jsonl"):
        entries[file] = entries[file].replace(old, new)


HOSTILE: dict[str, tuple[Callable[[dict[str, bytes]], Any], str]] = {
    "zip slip": (lambda e: e.update({"bracket/../../evil.png": b"x"}), "does not belong"),
    "zip slip beside": (lambda e: e.update({"../evil.png": b"x"}), "not one folder"),
    "absolute": (lambda e: e.update({"/evil.png": b"x"}), "not one folder"),
    "another file": (lambda e: e.update({"bracket/good/evil.exe": b"x"}), "does not belong"),
    "a cache": (lambda e: e.update({"bracket/.cache/memory": b"x"}), "does not belong"),
    "a missing file": (lambda e: e.pop(first(e)), "is missing"),
    "no history": (lambda e: e.pop("bracket/history.jsonl"), "is missing"),
    "no state": (lambda e: e.pop("bracket/product.json"), "no product"),
    "another content": (lambda e: e.update({first(e): b"x"}), "another content"),
    "a bomb": (lambda e: e.update({first(e): b"\0" * 2**26}), "another content"),
    "no picture": (replaced_picture, "not an image"),
    "a damaged history": (lambda e: e.update({"bracket/history.jsonl": b"{}\n"}), "Line 1"),
    "a path outside": (with_state(lambda s: s["good"][0].update(file="good/../../x.png")), "is damaged"),
    "a hidden name": (with_state(lambda s: s.update(name="../x")), "cannot be the name"),
    "a reserved name": (with_state(lambda s: s.update(name="con")), "another name"),
    "another version": (with_state(lambda s: s.update(format=2)), "another version"),
    "nothing in it": (lambda e: e.clear(), "no product"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_archive_leaves_nothing_behind(name: str, archive: Path, tmp_path: Path) -> None:
    change, said = HOSTILE[name]
    place = Products(tmp_path / "place" / "there")
    with pytest.raises(ReasonIADError, match=said):
        place.take(changed(archive, change))
    assert place.names() == () and not list(tmp_path.rglob("*evil*"))
    assert not [path for path in tmp_path.glob("place/**/*") if path.is_file()]


def test_links_are_refused(archive: Path, products: Products) -> None:
    with pytest.raises(ProductError, match="is a link"):
        products.take(changed(archive, lambda entries: None, mode=stat.S_IFLNK | 0o777), "two")


def test_two_files_of_one_name_are_refused(archive: Path, products: Products) -> None:
    with zipfile.ZipFile(archive, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("bracket/product.json", "{}")
    with pytest.raises(ProductError, match="two files of one name"):
        products.take(archive, "two")


def test_sizes_are_limited(archive: Path, products: Products, monkeypatch: pytest.MonkeyPatch) -> None:
    for limit in ("MOST_FILES", "MOST_TOGETHER"):
        with monkeypatch.context() as patch, pytest.raises(ProductError, match="more than"):
            patch.setattr(exchange, limit, 5)
            products.take(archive, "two")
    monkeypatch.setattr(exchange, "MOST_BYTES", 10)
    with pytest.raises(ProductError, match="is larger than"):
        products.take(archive, "two")


@pytest.mark.parametrize("keep", [0, 10, 300, 2000, -30])
def test_an_archive_that_was_cut_off(archive: Path, products: Products, keep: int) -> None:
    archive.write_bytes(archive.read_bytes()[:keep])
    with pytest.raises(ProductError, match="not a ZIP file"):
        products.take(archive, "two")


def test_flipped_bits_never_come_in(archive: Path, tmp_path: Path) -> None:
    content = archive.read_bytes()
    place = Products(tmp_path / "there")
    for at in range(0, len(content), max(1, len(content) // 60)):
        archive.write_bytes(content[:at] + bytes([content[at] ^ 0x41]) + content[at + 1 :])
        try:
            taken = place.take(archive)
        except ReasonIADError:
            assert place.names() == ()
        else:  # a date or another field that nothing rests on, or a word of the history
            for image in (*taken.good, *taken.defects):
                assert hashlib.sha256(image.path.read_bytes()).hexdigest() == image.sha256
            place.remove(taken.name)


def test_a_folder_with_links_is_refused(full: Product, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    shutil.move(full.good[0].path, secret)
    full.good[0].path.symlink_to(secret)
    with pytest.raises(ProductError, match="no ordinary file"):
        Products(tmp_path / "there").take(full.folder)


def test_what_is_no_product(products: Products, tmp_path: Path, draw: Draw) -> None:
    for path, said in (
        (tmp_path, "is not a product"),
        (tmp_path / "none.zip", "does not exist"),
        (draw("a.png", 1), "ZIP"),
    ):
        with pytest.raises(ProductError, match=said):
            products.take(path)
    assert issubclass(ImageError, ReasonIADError)
