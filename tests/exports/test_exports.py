"""Exports: masks to the pixel, documents that other programs read, and files that never collide."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from PIL import Image
from tests.cli.stub import StubInspector

from reason_iad.errors import ConfigError, ImageError, OutputError
from reason_iad.exports import FORMATS, CocoImage, ExportFolder, coco, formats, labelme, mask, overlay, shapes_of
from reason_iad.images import LoadedImage, load_image
from reason_iad.schema import Box, Finding, Heat, Inspection, MapEvidence

SIDE = 60
COCO = {
    "type": "object",
    "required": ["images", "annotations", "categories"],
    "properties": {
        "images": {"items": {
            "required": ["id", "file_name", "width", "height"],
            "properties": {"id": {"type": "integer"}, "file_name": {"type": "string"}},
        }},
        "annotations": {"items": {
            "required": ["id", "image_id", "category_id", "bbox", "segmentation", "area", "iscrowd"],
            "properties": {
                "bbox": {"items": {"type": "number"}, "minItems": 4, "maxItems": 4},
                "segmentation": {"minItems": 1, "items": {"minItems": 6, "items": {"type": "number"}}},
                "area": {"type": "number", "exclusiveMinimum": 0},
                "iscrowd": {"enum": [0, 1]},
            },
        }},
        "categories": {"items": {"required": ["id", "name"], "properties": {"id": {"minimum": 1}}}},
    },
}  # fmt: skip
"""The parts of the format that readers rely on."""


def finding(box: tuple[int, int, int, int], kind: str | None = None, **more: Any) -> Finding:
    x1, y1, x2, y2 = box
    values: dict[str, Any] = {
        "box": Box(x1=x1, y1=y1, x2=x2, y2=y2), "polygon": ((x1, y1), (x2, y1), (x2, y2), (x1, y2)),
        "place": "center", "area_px": float((x2 - x1) * (y2 - y1)), "share": 0.1, "length_px": 12.0, "type": kind,
        "score": 3.0,
    }  # fmt: skip
    return Finding(**(values | more))


@pytest.fixture
def part(make_image: Callable[..., Path]) -> Path:
    return make_image("a/part.png", 200, SIDE)


def result(part: Path, *findings: Finding, **changes: Any) -> Inspection:
    return StubInspector().inspect(part).model_copy(update={"findings": findings, **changes})


def pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        assert image.format == "PNG"
        return np.asarray(image)


def test_a_mask_holds_exactly_what_is_marked(part: Path) -> None:
    triangle = finding((40, 40, 50, 50), polygon=((40, 40), (50, 40), (40, 50)))
    drawn = pixels(mask(result(part, finding((10, 5, 20, 8)), triangle)))
    assert drawn.dtype == np.uint8 and set(np.unique(drawn)) == {0, 255}
    rectangle = np.zeros((SIDE, SIDE), bool)
    rectangle[5:8, 10:20] = True
    assert np.array_equal(drawn[:30] > 0, rectangle[:30])
    assert (drawn[30:] > 0).sum() == pytest.approx(50, abs=6)


def test_marks_never_leave_the_picture_and_empty_ones_are_left_out(part: Path) -> None:
    outside = result(part, finding((50, 50, 90, 90)), finding((70, 70, 90, 90)))
    (one,) = shapes_of(outside)
    assert one.box == (50, 50, 10, 10) and one.area == 100
    assert (pixels(mask(outside)) > 0).sum() == 100


def test_a_result_of_an_impossible_size_costs_no_memory(part: Path) -> None:
    image = result(part).image.model_copy(update={"width": 10**9, "height": 10**9})
    with pytest.raises(ImageError, match="impossible size"):
        mask(result(part, image=image))


def test_a_result_of_before_has_the_box_of_its_region_and_a_pass_has_nothing(
    part: Path, make_image: Callable[..., Path]
) -> None:
    (old,) = shapes_of(result(part))
    assert (old.label, old.box, old.score) == ("glare", (0, 1, 9, 8), None)
    passed = result(make_image("good.png", 60, SIDE))
    assert not shapes_of(passed) and not pixels(mask(passed)).any()


def test_an_overlay_shows_the_picture_the_map_and_outlines(part: Path) -> None:
    values = np.zeros((6, 6))
    values[5, 5] = 1.0
    heat = MapEvidence(rows=6, columns=6, values=tuple(values.ravel()), gate_passed=True, calibrated_on=1)
    plain = result(part, finding((10, 10, 30, 30)))
    found = plain.model_copy(update={"evidence": plain.evidence.model_copy(update={"anomaly_map": heat})})
    before, drawn = np.asarray(load_image(part).pixels).astype(int), pixels(overlay(found, load_image(part)))
    changed = np.abs(drawn.astype(int) - before).max(-1)
    assert drawn.shape == before.shape
    assert tuple(drawn[10, 20]) == (255, 45, 32) and changed[20, 20] < 3, "outlined, not filled"
    assert changed[55, 55] > 40 and changed[40, 10] < 3, "red where it differs only"
    broken = Heat(rows=9, columns=9, values=(1.0,))
    torn = found.evidence.model_copy(update={"anomaly_map": heat.model_copy(update=broken.model_dump())})
    overlay(found.model_copy(update={"evidence": torn}), load_image(part))


def test_several_results_are_one_coco_document(part: Path, make_image: Callable[..., Path]) -> None:
    two = result(part, finding((10, 10, 20, 20), "scratch"), finding((30, 30, 35, 40)))
    passed = result(make_image("good.png", 60, SIDE))
    images = [CocoImage.of(two, "b/part.png"), CocoImage.of(passed, "a/good.png")]
    document = json.loads(coco(images))
    jsonschema.validate(document, COCO)
    assert coco(images) == coco(images[::-1])
    assert [each["file_name"] for each in document["images"]] == ["a/good.png", "b/part.png"]
    assert {each["name"] for each in document["categories"]} == {"scratch", "defect"}
    names = {each["id"]: each["name"] for each in document["categories"]}
    first, second = document["annotations"]
    assert first["image_id"] == second["image_id"] == 2 and first["id"] != second["id"]
    assert names[first["category_id"]] == "scratch" and first["bbox"] == [10, 10, 10, 10]
    assert first["area"] == 100 and first["segmentation"] == [[10, 10, 20, 10, 20, 20, 10, 20]]
    jsonschema.validate(json.loads(coco([])), COCO)


def test_labelme_finds_the_picture_and_its_polygons(part: Path) -> None:
    document = json.loads(labelme(result(part, finding((10, 10, 20, 20), "scratch")), "../a/part.png"))
    (shape,) = document["shapes"]
    assert (shape["label"], shape["shape_type"]) == ("scratch", "polygon")
    assert shape["points"] == [[10, 10], [20, 10], [20, 20], [10, 20]]
    assert document["imagePath"] == "../a/part.png" and document["imageData"] is None
    assert (document["imageWidth"], document["imageHeight"]) == (SIDE, SIDE)
    assert document["flags"] == {"defect": True}


def test_images_of_one_name_have_files_of_their_own(tmp_path: Path, make_image: Callable[..., Path]) -> None:
    parts = [make_image(f"in/{name}", 200, SIDE) for name in ("a/x.png", "b/x.png", "a/x.jpg", "a/x.png.mask.png")]
    folder = ExportFolder(tmp_path / "out", tmp_path / "in")
    for each in parts:
        folder.add(result(each), each, lambda each=each: load_image(each))  # type: ignore[misc]
    folder.close()
    written = {path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*.*")}
    assert len(written) == 3 * len(parts) + 1
    assert {"a/x.png.overlay.png", "b/x.png.mask.png", "a/x.jpg.labelme.json", "coco.json"} <= written
    listed = json.loads((tmp_path / "out" / "coco.json").read_text())["images"]
    assert [each["file_name"] for each in listed] == ["a/x.jpg", "a/x.png", "a/x.png.mask.png", "b/x.png"]
    label = json.loads((tmp_path / "out" / "b" / "x.png.labelme.json").read_text())
    assert (tmp_path / "out" / "b" / label["imagePath"]).resolve() == parts[1].resolve()


def test_what_is_there_is_left_alone_for_earlier_results(tmp_path: Path, part: Path) -> None:
    folder = ExportFolder(tmp_path / "out", part.parent)
    folder.add(result(part), part, lambda: load_image(part))
    there, missing = tmp_path / "out" / "part.png.overlay.png", tmp_path / "out" / "part.png.mask.png"
    there.write_text("mine")
    missing.unlink()
    again = ExportFolder(tmp_path / "out", part.parent)
    again.add(result(part), part, lambda: pytest.fail("the picture is not needed"), missing_only=True)
    again.close()
    assert there.read_text() == "mine" and missing.exists()
    assert len(json.loads((tmp_path / "out" / "coco.json").read_text())["images"]) == 1


def test_only_the_formats_that_are_wanted(tmp_path: Path, part: Path) -> None:
    folder = ExportFolder(tmp_path / "out", part.parent, formats(["mask"]))
    folder.add(result(part), part, lambda: pytest.fail("the picture is not needed"))
    folder.close()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["part.png.mask.png"]
    assert formats(()) == FORMATS and formats(("labelme", "overlay")) == ("overlay", "labelme")
    with pytest.raises(ConfigError, match="no export format 'maks'"):
        formats(["maks"])


def test_another_picture_is_refused_and_so_is_a_folder_that_cannot_be_made(
    tmp_path: Path, part: Path, make_image: Callable[..., Path]
) -> None:
    other: LoadedImage = load_image(make_image("other.png", 60, SIDE + 1))
    with pytest.raises(ImageError, match="Inspect it again"):
        ExportFolder(tmp_path / "out", part.parent).add(result(part), part, lambda: other)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Choose another folder"):
        ExportFolder(tmp_path / "file" / "out", part.parent).add(result(part), part, lambda: load_image(part))
