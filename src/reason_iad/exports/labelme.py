"""The findings of one image as LabelMe writes labels, so that people can correct them there."""

from __future__ import annotations

import json

from reason_iad.exports.shapes import shapes_of
from reason_iad.schema import Inspection

VERSION = "5.5.0"
"""Of LabelMe's format."""


def labelme(inspection: Inspection, image_path: str) -> str:
    """The document.

    Args:
        inspection: the result.
        image_path: the picture, relative to the folder that the document will be in.
    """
    document: dict[str, object] = {
        "version": VERSION,
        "flags": {inspection.verdict: True},
        "shapes": [
            {
                "label": shape.label,
                "points": [[float(x), float(y)] for x, y in shape.polygon],
                "group_id": None,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
            }
            for shape in shapes_of(inspection)
        ],
        "imagePath": image_path,
        "imageData": None,
        "imageHeight": inspection.image.height,
        "imageWidth": inspection.image.width,
    }
    return json.dumps(document, indent=1) + "\n"
