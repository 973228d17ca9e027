"""The families of parts. A new family is one entry here; tests cover every entry with every defect it names."""

from __future__ import annotations

from reason_iad.expert.brushes import marks
from reason_iad.expert.brushes.types import Apply
from reason_iad_nano.world import assemblies, boards, compositions
from reason_iad_nano.world.surfaces import SURFACES
from reason_iad_nano.world.types import Family

COMPOSED: dict[str, Apply] = {
    "missing part": compositions.missing_shape, "extra part": compositions.extra_shape,
    "wrong part": compositions.wrong_shape, "misplaced part": compositions.misplaced_shape,
    "scratch": marks.scratch, "crack": marks.crack, "hole": marks.hole, "stain": marks.stain,
    "contamination": marks.contamination, "break": marks.edge_piece,
}  # fmt: skip
"""What can be wrong with a composition of shapes."""

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family(
            "pcb", "bare printed circuit board", "pcb", boards.design, boards.render,
            {"open circuit": boards.open_circuit, "short circuit": boards.short_circuit,
             "mousebite": boards.mousebite, "spur": boards.spur, "pin-hole": boards.pin_hole,
             "spurious copper": boards.spurious_copper}, grey=1.0, marked=False,
        ),
        Family(
            "brushed metal", "brushed metal plate", "metal surface", *SURFACES["brushed"],
            {"scratch": marks.scratch, "dent": marks.dent, "pitting": marks.pitting, "stain": marks.stain,
             "contamination": marks.contamination, "burn": marks.burn},
        ),
        Family(
            "magnetic tile", "granular magnetic tile", "magnetic tile", *SURFACES["granular"],
            {"blowhole": marks.blowhole, "crack": marks.crack, "break": marks.edge_piece, "fray": marks.fray,
             "uneven": marks.uneven, "stain": marks.stain, "scratch": marks.scratch}, grey=1.0,
        ),
        Family(
            "molded surface", "molded plastic surface", "molded commutator surface", *SURFACES["molded"],
            {"crack": marks.crack, "stain": marks.stain, "scratch": marks.scratch}, grey=1.0,
        ),
        Family(
            "spindle", "threaded spindle", "ball screw spindle", *SURFACES["threaded"],
            {"pitting": marks.pitting, "scratch": marks.scratch, "contamination": marks.contamination},
        ),
        Family(
            "fabric", "woven fabric", "fabric", *SURFACES["woven"],
            {"hole": marks.hole, "stain": marks.stain, "contamination": marks.contamination,
             "loose thread": marks.loose_thread, "burn": marks.burn},
        ),
        Family(
            "wood", "wooden board", "wood", *SURFACES["grained"],
            {"scratch": marks.scratch, "hole": marks.hole, "stain": marks.stain, "crack": marks.crack},
        ),
        Family(
            "ceramic tile", "ceramic tile", "ceramic tile", *SURFACES["tiled"],
            {"crack": marks.crack, "stain": marks.stain, "break": marks.edge_piece, "scratch": marks.scratch},
        ),
        Family(
            "assembly", "assembly of components", "assembly", assemblies.assembly_design,
            assemblies.assembly_render,
            {"missing part": assemblies.missing_part, "extra part": assemblies.extra_part,
             "wrong part": assemblies.wrong_part, "misplaced part": assemblies.misplaced_part,
             "scratch": marks.scratch, "contamination": marks.contamination},
        ),
        Family(
            "leather", "leather hide", "leather", *SURFACES["pebbled"],
            {"scratch": marks.scratch, "hole": marks.hole, "stain": marks.stain, "fold": marks.fold},
        ),
        Family(
            "glass", "glass pane", "glass", *SURFACES["glassy"],
            {"scratch": marks.scratch, "bubble": marks.bubble, "crack": marks.crack, "chip": marks.chip},
        ),
        Family(
            "gear", "gear wheel", "gear", assemblies.gear_design, assemblies.gear_render,
            {"missing tooth": assemblies.missing_tooth, "crack": marks.crack}, grey=0.8,
        ),
        Family(
            "pill", "pill", "pill", assemblies.pill_design, assemblies.pill_render,
            {"crack": marks.crack, "chip": marks.chip, "contamination": marks.contamination,
             "scratch": marks.scratch, "color": marks.wrong_colour},
        ),
        Family(
            "label", "printed label", "label", assemblies.label_design, assemblies.label_render,
            {"misprint": assemblies.misprint, "stain": marks.stain},
        ),
        Family(
            "cable", "cut cable", "cable", assemblies.cable_design, assemblies.cable_render,
            {"missing wire": assemblies.missing_wire, "cut insulation": assemblies.cut_insulation}, held_out=True,
        ),
        Family(
            "bottle", "bottle mouth", "bottle", assemblies.bottle_design, assemblies.bottle_render,
            {"break": marks.edge_piece, "crack": marks.crack, "contamination": marks.contamination}, held_out=True,
        ),
        Family(
            "grid", "wire grid", "grid", assemblies.grid_design, assemblies.grid_render,
            {"break": assemblies.broken_mesh, "contamination": marks.contamination,
             "blocked opening": assemblies.blocked_opening}, held_out=True,
        ),
        Family(
            "panel", "stamped panel", "panel", compositions.strewn_design, compositions.render, COMPOSED,
            weight=2.0,
        ),
        Family(
            "array", "array of contacts", "array", compositions.rows_design, compositions.render, COMPOSED,
            weight=2.0,
        ),
        Family(
            "flange", "round flange", "flange", compositions.flange_design, compositions.render, COMPOSED,
            weight=2.0,
        ),
    )
}  # fmt: skip
"""Name to family. The order is the numbering of training targets: append, never insert."""
