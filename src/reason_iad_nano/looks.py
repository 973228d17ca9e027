"""More descriptions of the world's defect kinds: the same look in other words.

Keys are the world's kinds; a kind without an entry has only the world's own description.
"""

from __future__ import annotations

LOOKS: dict[str, tuple[str, ...]] = {
    "open circuit": (
        "A trace is interrupted; the copper on both sides no longer touches.",
        "The conductor stops and goes on after a gap.",
        "A cut goes across the whole width of a line.",
    ),
    "short circuit": (
        "Copper joins two traces that should be apart.",
        "Two lines touch: the space between them is filled at one place.",
        "A bridge between neighbouring conductors.",
    ),
    "mousebite": (
        "A rounded notch in the edge of a trace, which gets narrower but is not interrupted.",
        "A small half-round piece is missing at the border of a line.",
        "The edge of a conductor is nibbled at one place.",
    ),
    "spur": (
        "A small spike of copper sticks out of the edge of a trace.",
        "A short tip grows from a line into the gap without reaching the neighbour.",
        "An extra point at the border of a conductor.",
    ),
    "pin-hole": (
        "A small hole inside a pad or trace shows the base material.",
        "A dot without copper, surrounded by copper on all sides.",
        "A tiny gap in the middle of a copper area.",
    ),
    "spurious copper": (
        "An isolated spot of copper where the drawing has none.",
        "Extra material lies between the lines and touches none of them.",
        "A lone island of copper.",
    ),
    "scratch": (
        "A thin line, straight or slightly bent, cut into the surface.",
        "A long narrow mark left by something sharp.",
        "A fine bright stroke across the part.",
    ),
    "crack": (
        "A thin dark irregular line.",
        "A narrow fracture line that runs zigzag.",
        "The material has split along a jagged dark line.",
    ),
    "pitting": (
        "Many small dark holes close together.",
        "A group of tiny dark pits, as from wear.",
        "The surface has crumbled out in little spots.",
    ),
    "blowhole": (
        "A small dark round hole in the surface, with a sharp edge.",
        "A single round cavity, dark inside.",
        "A pore left by a bubble of gas.",
    ),
    "stain": (
        "A patch of another color with a soft edge.",
        "A discolored area; the surface itself is intact.",
        "A blot that changes the shade without a sharp border.",
    ),
    "contamination": (
        "Small foreign grains lie on the part.",
        "Specks or fibres that do not belong there.",
        "Dirt particles are scattered over an area.",
    ),
    "missing part": (
        "One of the components is not there; its place is empty.",
        "Something that the reference shows is absent.",
        "A place where a component belongs shows only the base.",
    ),
    "extra part": (
        "A component too many: the reference has nothing there.",
        "Something has been added that does not belong.",
        "An additional piece sits at a place that should be empty.",
    ),
    "break": (
        "A piece is missing at an edge or corner.",
        "Material has broken away at the border of the part.",
        "The outline is chipped.",
    ),
    "hole": (
        "The material is pierced; the background shows through.",
        "An opening where the surface should be closed.",
        "A spot where the material is gone all the way through.",
    ),
    "burn": (
        "A dark brown, scorched area.",
        "The surface is charred by heat.",
    ),
    "dent": (
        "A shallow hollow, one side light and the other in shadow.",
        "The surface is pressed in at one place.",
    ),
    "bubble": (
        "A round spot with a bright ring, enclosed in the material.",
        "An enclosed pocket of air, seen as a small circle.",
    ),
    "misprint": (
        "Some of the printing is missing, smeared or doubled.",
        "Letters or bars are incomplete.",
    ),
    "missing tooth": (
        "One tooth of the wheel is gone; there is a wide gap.",
        "The row of teeth has a hole.",
    ),
    "loose thread": (
        "A single yarn lies across the weave.",
        "A thin curved thread that is not part of the pattern.",
    ),
    "wrong part": (
        "A component has been swapped for another one.",
        "At one place sits a piece of a different color or shape.",
    ),
    "misplaced part": (
        "A component has been shifted from where it belongs.",
        "One piece is out of its position.",
    ),
    "fray": (
        "An area near the edge looks rough and crumbled.",
        "The rim is ragged, with many small notches.",
    ),
    "uneven": (
        "A wide area is lighter or darker than the rest, without a border.",
        "The shade of the surface changes slowly where it should not.",
    ),
    "chip": (
        "A small flake is broken out of the edge.",
        "The border has a small sharp gap.",
    ),
    "color": (
        "A part of the object has a color it should not have.",
        "The color differs from the reference over an area.",
    ),
    "fold": (
        "A straight crease, one side light and the other dark.",
        "The material has been folded and a line remains.",
    ),
    "missing wire": (
        "One of the wires is not there.",
        "The cross-section shows one wire less than the reference.",
    ),
    "cut insulation": (
        "The outer sheath has a slit.",
        "The jacket around the wires is opened by a cut.",
    ),
    "blocked opening": (
        "One of the openings is closed with material.",
        "A mesh of the grid is filled.",
    ),
}
