"""Drawn parts as a question benchmark in MMAD's layout, so that `bench run` measures on them like on any other set.

    OUT/questions.json
    OUT/world/<category>/test/<kind or good>/N.png         the query images
    OUT/world/<category>/train/good/N.png                  each one's reference, its only template
    OUT/world/<category>/ground_truth/<kind>/N_mask.png
    OUT/knowledge/<category>.md                            what normal looks like and what each defect is called
    OUT/knowledge-wrong/<category>.md                      with invented names: the same, descriptions swapped

With invented names only the knowledge says what an option means. The folder appears when it is complete.
"""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from reason_iad.errors import OutputError
from reason_iad.inspection.questions import LETTERS
from reason_iad.schema import PLACES, SIZES
from reason_iad_nano.facts import Facts, facts_of
from reason_iad_nano.names import distinct_names
from reason_iad_nano.pairs import Purpose, draw, kind_index
from reason_iad_nano.texts import world_vocabulary
from reason_iad_nano.wording import GENERIC_NORMAL, KindText, kind_texts

DATASET = "world"
Asked = dict[str, Any]


class _Category:
    """One family as a category: its folder, its kinds, and what they are called here."""

    def __init__(self, family: Any, texts: dict[str, KindText], *, invented: bool) -> None:
        self.family, self.texts = family, texts
        self.folder = family.category.replace(" ", "_")
        kinds = [kind for kind in family.defects if kind in texts]
        names = [texts[kind].name for kind in kinds]
        if invented:
            names = distinct_names(random.Random(f"names/{family.name}"), len(kinds), frozenset(names))
        self.names = dict(zip(kinds, names, strict=True))

    def knowledge(self, *, wrong: bool = False) -> str:
        """Its knowledge file; `wrong` moves every description on to the next name."""
        kinds = list(self.names)
        described = kinds[1:] + kinds[:1] if wrong else kinds
        lines = ["---", f"category: {self.family.category}", "---", "", "# Normal", "", GENERIC_NORMAL[0], ""]
        lines += ["# Defects", ""]
        for kind, other in zip(kinds, described, strict=True):
            lines += [f"## {self.names[kind]}", "", self.texts[other].looks[0], ""]
        return "\n".join(lines)


def export_world(
    out: Path,
    count: int,
    *,
    purpose: Purpose = "new",
    size: int = 336,
    invented: bool = False,
    progress: Callable[[int], None] | None = None,
) -> int:
    """Draw parts and write them with their questions; returns how many questions there are.

    Args:
        out: folder to make; must not exist.
        count: image pairs.
        purpose: which seeds; 'new' and 'held_out' are never trained on.
        size: pixels each way.
        invented: give the defect types names that nobody knows.
        progress: told how many images are done.

    Raises:
        OutputError: the folder exists or cannot be written; nothing is left behind.
    """
    if out.exists():
        raise OutputError(f"'{out}' exists; choose another folder.")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise OutputError(f"'{out}' cannot be written: {error.strerror}.") from error
    try:
        questions = _write(scratch, count, purpose, size, invented, progress)
        scratch.chmod(0o755)
        scratch.rename(out)
    except OSError as error:
        raise OutputError(f"'{out}' cannot be written: {error.strerror}.") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return questions


def _write(
    out: Path, count: int, purpose: Purpose, size: int, invented: bool, progress: Callable[[int], None] | None
) -> int:
    from reason_iad_nano.world import FAMILIES, KINDS

    texts = kind_texts(KINDS)
    categories = {name: _Category(family, texts, invented=invented) for name, family in FAMILIES.items()}
    used: dict[str, None] = {}
    entries: dict[str, Any] = {}
    for number in range(count):
        sample = draw(number, purpose, size)
        category = categories[sample.family]
        used[sample.family] = None
        facts = facts_of(sample, kind_index())
        key, entry = _save(out, number, sample, facts, category)
        rng = random.Random(f"questions/{purpose}/{number}")
        entry["conversation"] = list(_questions(facts, category, rng))
        entries[key] = entry
        if progress is not None:
            progress(number + 1)
    for folder, wrong in (("knowledge", False), *((("knowledge-wrong", True),) if invented else ())):
        (out / folder).mkdir()
        for name in used:
            category = categories[name]
            text = category.knowledge(wrong=wrong)
            (out / folder / f"{category.folder}.md").write_text(text, encoding="utf-8")
    (out / "questions.json").write_text(json.dumps(entries, indent=1), encoding="utf-8")
    return sum(len(entry["conversation"]) for entry in entries.values())


def _save(out: Path, number: int, sample: Any, facts: Facts, category: _Category) -> tuple[str, dict[str, Any]]:
    """Write one pair's images; returns the entry's key, and the entry without questions."""
    root = f"{DATASET}/{category.folder}"
    kind = facts.main.kind.replace(" ", "_") if facts.defective else "good"
    query, reference = f"test/{kind}/{number:05d}.png", f"{root}/train/good/{number:05d}.png"
    mask = f"ground_truth/{kind}/{number:05d}_mask.png" if facts.defective else None
    images = {f"{root}/{query}": sample.query, reference: sample.references[0]}
    if mask is not None:
        images[f"{root}/{mask}"] = np.asarray(sample.mask, np.uint8) * 255
    for path, pixels in images.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(out / path)
    entry = {
        "image_path": query,
        "mask_path": mask,
        "similar_templates": [reference],
        "random_templates": [reference],
    }
    return f"{root}/{query}", entry


def _questions(facts: Facts, category: _Category, rng: random.Random) -> Iterator[Asked]:
    """What is asked about one image: every kind of question that its truth can answer."""

    def asked(kind: str, text: str, right: str, wrong: list[str]) -> Asked:
        options = rng.sample(wrong, min(3, len(wrong)))
        place = rng.randrange(len(options) + 1)
        options.insert(place, right)
        return {
            "Question": text,
            "Answer": LETTERS[place],
            "Options": {
                letter: f"{option[:1].upper()}{option[1:]}."
                for letter, option in zip(LETTERS, options, strict=False)
            },
            "type": kind,
            "annotation": True,
        }

    part = category.family.object_name
    yes, no = ("Yes", "No") if facts.defective else ("No", "Yes")
    yield asked("Anomaly Detection", f"Is there any defect in the {part}?", yes, [no])
    others = [name for name in world_vocabulary().objects if name != part]
    yield asked("Object Classification", "What kind of part is shown?", part, others)
    yield asked("Object Analysis", f"What should a good {part} look like?", *_looks(rng))
    if not facts.defective:
        return
    main = facts.main
    present = {defect.kind for defect in facts.defects}
    names = [name for kind, name in category.names.items() if kind not in present]
    if names and main.kind in category.names:
        yield asked(
            "Defect Classification", f"Which defect does the {part} have?", category.names[main.kind], names
        )
    taken = {defect.place for defect in facts.defects}
    places = [place for place in PLACES if place not in taken]
    yield asked("Defect Localization", f"Where is the defect on the {part}?", main.place, places)
    sizes = [size for size in SIZES if size != main.size]
    yield asked("Defect Description", "How large is the defect?", main.size, sizes)
    for kind, text in (
        ("cause", "What is the likely cause of the defect?"),
        ("why", "Why does this defect matter?"),
    ):
        right: str = getattr(category.texts[main.kind], kind)
        wrong = {getattr(t, kind) for k, t in category.texts.items() if k not in present} - {right}
        yield asked("Defect Analysis", text, right.rstrip("."), sorted(w.rstrip(".") for w in wrong))


def _looks(rng: random.Random) -> tuple[str, list[str]]:
    """A look that is normal for every part, and three that are those of defects."""
    looks = [text.looks[0].rstrip(".") for text in world_vocabulary().kinds.values()]
    return rng.choice(GENERIC_NORMAL).rstrip("."), rng.sample(sorted(set(looks)), 3)
