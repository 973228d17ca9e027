"""Brushes: they draw defects on a picture, so that what a comparison can see is known without real defects."""

from reason_iad.expert.brushes.defects import KINDS, DrawnDefect, draw_defect

__all__ = ["KINDS", "DrawnDefect", "draw_defect"]
