"""Results as files for other programs: pictures, masks, COCO and LabelMe.

`ExportFolder` writes them for one inspection or many; each format is one function of one file here.
"""

from __future__ import annotations

from reason_iad.exports.coco import CocoImage, coco
from reason_iad.exports.folder import ExportFolder
from reason_iad.exports.formats import FORMATS, formats
from reason_iad.exports.labelme import labelme
from reason_iad.exports.pictures import anomaly_map, mask, overlay
from reason_iad.exports.shapes import Shape, shapes_of

__all__ = [
    "FORMATS",
    "CocoImage",
    "ExportFolder",
    "Shape",
    "anomaly_map",
    "coco",
    "formats",
    "labelme",
    "mask",
    "overlay",
    "shapes_of",
]
