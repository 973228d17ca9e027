"""A folder of good images becomes a gallery, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reason_iad import Inspector
from reason_iad.backbones import load_backbone
from reason_iad.errors import ImageError, KnowledgeError
from reason_iad.expert.encoders.tower import TowerEncoder
from reason_iad.inspection.galleries import open_gallery


@pytest.fixture
def folder(make_image: Callable[..., Path], tmp_path: Path) -> Path:
    for category, brightness in (("pcb", 40), ("magnetic_tile", 215)):
        for shade in (0, 5):
            make_image(f"gallery/{category}/{shade}.png", brightness + shade)
    return tmp_path / "gallery"


def test_the_category_is_found_from_a_folder(folder: Path, make_image: Callable[..., Path]) -> None:
    inspector = Inspector.from_pretrained("fake", gallery=folder)
    for category, brightness in (("pcb", 43), ("magnetic tile", 212)):
        evidence = inspector.inspect(make_image("part.png", brightness)).evidence
        assert (evidence.category.name, evidence.category.origin) == (category, "gallery")
        assert {found.entry.category for found in evidence.knowledge} == {category}, "the folder's name is resolved"


def test_a_folder_is_embedded_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = load_backbone("fake")
    first = open_gallery(folder, TowerEncoder(backbone))
    monkeypatch.setattr(backbone, "patch_features", None)  # embedding again would fail
    again = open_gallery(folder, TowerEncoder(backbone))
    assert again.path == first.path
    assert again.categories() == {"magnetic_tile": 2, "pcb": 2}


def test_a_new_image_makes_a_new_gallery(folder: Path, make_image: Callable[..., Path]) -> None:
    backbone = load_backbone("fake")
    before = open_gallery(folder, TowerEncoder(backbone))
    make_image("gallery/pcb/9.png", 49)
    assert open_gallery(folder, TowerEncoder(backbone)).path != before.path


def test_what_systems_leave_is_no_category(folder: Path, make_image: Callable[..., Path]) -> None:
    backbone = load_backbone("fake")
    before = open_gallery(folder, TowerEncoder(backbone))
    for left in ("@eaDir", "#recycle", "__MACOSX", ".thumbnails", "pcb/@eaDir"):
        make_image(f"gallery/{left}/0.png", 99)
    assert open_gallery(folder, TowerEncoder(backbone)).path == before.path


def test_what_is_no_gallery_is_refused(tmp_path: Path, folder: Path) -> None:
    backbone = load_backbone("fake")
    with pytest.raises(KnowledgeError):
        open_gallery(tmp_path / "nowhere", TowerEncoder(backbone))
    (folder / "pcb" / "broken.png").write_bytes(b"not an image")
    with pytest.raises(ImageError, match=r"broken\.png"):
        open_gallery(folder, TowerEncoder(backbone))


@pytest.mark.parametrize("name", ["good", "OK", "Normal"])
def test_a_folder_of_good_parts_is_no_product(name: str, folder: Path, make_image: Callable[..., Path]) -> None:
    make_image(f"gallery/{name}/0.png", 99)
    with pytest.raises(KnowledgeError, match=f"a folder '{name}', which names good parts and no product"):
        open_gallery(folder, TowerEncoder(load_backbone("fake")))
