"""A world of parts: seeded drawings of good and defective products with the truth about every pixel.

Nothing here was traced from a data set. Style was taken from a look at four cut-outs of real circuit boards.
"""

from __future__ import annotations

from reason_iad_nano.world.families import FAMILIES
from reason_iad_nano.world.kinds import KINDS
from reason_iad_nano.world.preview import contact_sheet
from reason_iad_nano.world.sampling import make_sample
from reason_iad_nano.world.types import Defect, Family, Kind, Sample

__all__ = ["FAMILIES", "KINDS", "Defect", "Family", "Kind", "Sample", "contact_sheet", "make_sample"]
