"""Products: what is known of one kind of part, each in one folder that people can read, copy and mail.

    from reason_iad.products import Products

    bracket = Products("products").create("bracket", ["photos/good"], defects="photos/bad")
    bracket = bracket.with_good("late_shift/").with_settings(false_alarms=0.02)
    for image in bracket.good:
        print(image.path, image.view)

A product is an unchanging value; each change gives a new one. docs/products.md shows the folder.
"""

from __future__ import annotations

from reason_iad.products.catalogue import VARIABLE, Products, products_folder
from reason_iad.products.exchange import export
from reason_iad.products.gathering import GivenDefect, Tell, find_defects
from reason_iad.products.judging import derive
from reason_iad.products.learning import Progress
from reason_iad.products.lengths import Length
from reason_iad.products.product import DefectImage, GoodImage, Product
from reason_iad.products.state import Change, Contents, FileRecord, ImageRecord, Settings, State

__all__ = [
    "VARIABLE",
    "Change",
    "Contents",
    "DefectImage",
    "FileRecord",
    "GivenDefect",
    "GoodImage",
    "ImageRecord",
    "Length",
    "Product",
    "Products",
    "Progress",
    "Settings",
    "State",
    "Tell",
    "derive",
    "export",
    "find_defects",
    "products_folder",
]
