"""Findings of many images in one file, as COCO lists objects (cocodataset.org, "Data format", object detection)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from reason_iad.exports.shapes import UNKNOWN, Shape, shapes_of
from reason_iad.schema import Inspection


@dataclass(frozen=True, slots=True)
class CocoImage:
    """What the file says of one image; small enough to be kept for very many.

    Attributes:
        name: path of the image, with '/' between folders.
        width, height: in pixels, upright.
        verdict: what was decided.
        shapes: the marked places.
    """

    name: str
    width: int
    height: int
    verdict: str
    shapes: tuple[Shape, ...]

    @classmethod
    def of(cls, inspection: Inspection, name: str) -> CocoImage:
        """What the file says of a result."""
        image = inspection.image
        return cls(name, image.width, image.height, inspection.verdict, shapes_of(inspection))


def coco(images: Iterable[CocoImage]) -> str:
    """The document. Images stand in the order of their names, so that the same results make the same file."""
    ordered = sorted(images, key=lambda image: image.name)
    categories = _categories(ordered)
    annotations = [
        (number, shape) for number, image in enumerate(ordered, 1) for shape in image.shapes
    ]  # fmt: skip
    document = {
        "info": {"description": "Findings of Reason-IAD"},
        "images": [
            {
                "id": number, "file_name": image.name, "width": image.width, "height": image.height,
                "verdict": image.verdict,
            }
            for number, image in enumerate(ordered, 1)
        ],
        "annotations": [
            _annotation(number, image, categories[shape.label], shape)
            for number, (image, shape) in enumerate(annotations, 1)
        ],
        "categories": [
            {"id": number, "name": name, "supercategory": UNKNOWN} for name, number in categories.items()
        ],
    }  # fmt: skip
    return json.dumps(document, indent=1) + "\n"


def _categories(images: Sequence[CocoImage]) -> dict[str, int]:
    """Type of defect to its number, from 1."""
    names = sorted({shape.label for image in images for shape in image.shapes})
    return {name: number for number, name in enumerate(names, 1)}


def _annotation(number: int, image: int, category: int, shape: Shape) -> dict[str, Any]:
    more = {} if shape.score is None else {"score": shape.score}
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": list(shape.box),
        "segmentation": [[side for corner in shape.polygon for side in corner]],
        "area": shape.area,
        "iscrowd": 0,
        **more,
    }
