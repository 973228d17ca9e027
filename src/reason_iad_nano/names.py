"""Names that nobody knows: what a defect is called *here* can only be read in the knowledge."""

from __future__ import annotations

import random

_ONSETS = [
    "b",
    "br",
    "d",
    "dr",
    "f",
    "fl",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "r",
    "s",
    "sk",
    "sp",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "z",
]
_VOWELS = ["a", "e", "i", "o", "u", "au", "ei", "ai"]
_CODAS = ["", "", "n", "r", "l", "s", "m", "k", "t", "x", "nd", "st", "rk"]

FOREIGN = (
    "kratzer",
    "delle",
    "riss",
    "fleck",
    "loch",
    "grat",
    "bruch",
    "rost",
    "rayure",
    "fissure",
    "trou",
    "tache",
    "bosse",
    "bavure",
    "usure",
    "grieta",
    "mancha",
    "hueco",
    "rebaba",
    "golpe",
    "desgaste",
    "graffio",
    "crepa",
    "macchia",
    "foro",
    "bava",
    "ammaccatura",
    "rysa",
    "plama",
    "otwor",
    "kras",
    "deuk",
    "scheur",
    "vlek",
    "repa",
    "hul",
    "ripa",
    "buckla",
    "naarmu",
    "reika",
    "kizu",
    "hibi",
    "yogore",
    "ana",
    "kake",
    "hekomi",
)
PLAIN = (
    "reject",
    "issue",
    "case",
    "finding",
    "class",
    "mark",
    "type",
    "fault",
    "note",
    "group",
    "grade",
    "alpha",
    "bravo",
    "delta",
    "echo",
    "foxtrot",
    "kilo",
    "lima",
    "oscar",
    "tango",
    "victor",
    "zulu",
    "red",
    "blue",
    "amber",
    "copper",
    "falcon",
    "otter",
    "birch",
    "maple",
    "river",
    "stone",
    "comet",
    "ember",
    "raven",
    "pike",
    "sable",
    "thorn",
)


def invented_word(rng: random.Random) -> str:
    """A pronounceable word of two or three syllables."""
    syllables = rng.choice((2, 2, 2, 3))
    return "".join(rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(syllables)) + rng.choice(_CODAS)


def invented_code(rng: random.Random) -> str:
    """A code as factories use them: 'K7', 'D-214', 'QX 3'."""
    letters = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXZ") for _ in range(rng.choice((1, 1, 2))))
    digits = str(rng.randint(1, 9) if rng.random() < 0.4 else rng.randint(10, 499))
    return letters + rng.choice(("", "-", "-", " ")) + digits


def invented_name(rng: random.Random) -> str:
    """One new name for a defect type."""
    draw = rng.random()
    if draw < 0.40:
        return invented_word(rng)
    if draw < 0.60:
        return invented_code(rng)
    if draw < 0.80:
        return rng.choice(FOREIGN)
    return f"{rng.choice(PLAIN)} {rng.choice((*PLAIN, rng.randint(1, 99)))}"


def distinct_names(rng: random.Random, count: int, taken: frozenset[str] = frozenset()) -> list[str]:
    """Different new names, none of them in `taken` and none a part of another."""
    names: list[str] = []
    while len(names) < count:
        name = invented_name(rng)
        others = [*names, *taken]
        if not any(name.lower() in other.lower() or other.lower() in name.lower() for other in others):
            names.append(name)
    return names
