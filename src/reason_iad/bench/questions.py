"""Questions in: files laid out like MMAD's `mmad.json` become units of work, or one error lists all that is wrong.

    {"DS-MVTec/bottle/image/broken_large/000.png": {
        "mask_path": "rbg_mask/broken_large/000_rbg_mask.png",
        "conversation": [{"Question": …, "Options": {"A": …, "B": …}, "Answer": "A", "type": "Anomaly Detection"}],
        "similar_templates": ["MVTec-AD/bottle/train/good/001.png", …], "random_templates": […]}, …}

Keys and templates are paths under the folder of images and begin with dataset and category; masks are relative to
these two. Notable: everything is checked before a model is loaded, and entries are found by key, never by position.
An image in a folder 'good' or 'normal' is normal, and another one with a mask is abnormal. Without a mask, as in
the files of IAD-R1, the right answer to the question whether there is a defect says it, or else the name of the
folder ('bad', 'defect'). An image of which nothing says it may not be asked whether it has a defect.

Paths may have been written on Windows: one that is not there is looked for with '/', too.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import stat
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Literal

from reason_iad.bench.entries import Conversation, Entry, load_entries, read_entry
from reason_iad.bench.paths import WrittenPaths
from reason_iad.bench.subtasks import DETECTION, KINDS, subtask_of
from reason_iad.bench.work import BenchQuestion, Unit
from reason_iad.errors import DatasetError, ImageError
from reason_iad.images import MAX_FILE_BYTES, check_header, is_normal_name, printable
from reason_iad.images.kinds import SPLITS, is_abnormal_name
from reason_iad.inspection.intents import of_benchmark
from reason_iad.inspection.questions import LETTERS, Question

Templates = Literal["random", "similar"]

SHOWN_PROBLEMS = 50
"""So many problems are listed one by one; the rest is counted."""

_UNKNOWN = "is of the unknown type"
_TURN = "the path has backslashes, as Windows writes it; write '/'"
_UNTOLD = (
    "nothing says whether it shows a defect. Give it a mask_path, put it in a folder 'good' or 'bad', or ask "
    "'Is there any defect?' with the options yes and no."
)


@dataclass(frozen=True, slots=True)
class _Selection:
    """Which templates are shown."""

    shots: int
    templates: Templates


def read_units(
    files: Sequence[Path],
    images: Path,
    *,
    shots: int = 1,
    templates: Templates = "random",
    limit: int | None = None,
    seed: int = 0,
    tell: Callable[[str], object] = lambda note: None,
) -> tuple[Unit, ...]:
    """Read questions files and check everything that they name.

    Args:
        files: in the layout of `mmad.json`; merged.
        images: the folder that keys are relative to.
        shots: normal templates per image.
        templates: which list they are taken from, from its beginning.
        limit: keep so many images, in proportion to datasets and categories; each of these stays represented as
            long as the limit allows. None: all.
        seed: of that choice.
        tell: is told, in sentences, what was decided on the way.

    Raises:
        DatasetError: a list of everything that is wrong.
    """
    if not images.is_dir():
        raise DatasetError(f"The folder of images '{printable(images)}' does not exist; check --images.")
    problems: list[str] = []
    units: list[Unit] = []
    paths = WrittenPaths(images)
    seen: dict[str, Path] = {}  # key to the file it is in
    for file in _each_once(files, problems):
        for written, raw in load_entries(file, problems):
            key = paths.plain(written)
            if key in seen:
                problems.append(f"{printable(key)}: {_twice(seen[key], file)}")
                continue
            seen[key] = file
            if (unit := _unit(key, raw, paths, _Selection(shots, templates), problems)) is not None:
                units.append(unit)
    chosen = _draw(units, limit, seed)
    problems += _missing(chosen, images)
    few = [
        f"{printable(unit.image)}: {_few(len(unit.templates), templates, shots)}"
        for unit in chosen
        if len(unit.templates) < shots
    ]
    if problems or few:
        raise DatasetError(_listed(problems, few))
    if not chosen:
        raise DatasetError("The questions files ask nothing; check --questions and --limit.")
    for note in paths.notes("the questions"):
        tell(note)
    return tuple(replace(unit, number=number) for number, unit in enumerate(chosen))


def unreadable_images(units: Sequence[Unit], images: Path) -> list[str]:
    """The images asked about that will fail, as far as their headers tell; no pixel is decoded.

    They stop no run: their answers say why they failed, and they are tried again when it goes on.
    """
    return [unit.image for unit in units if _bad_header(images / unit.image) is not None]


def _each_once(files: Sequence[Path], problems: list[str]) -> list[Path]:
    """The files, but for those that are given again."""
    found: dict[str, Path] = {}
    for file in files:
        place = os.path.realpath(file)
        if place in found:
            problems.append(f"{printable(file)}: is given twice.")
        found.setdefault(place, file)
    return list(found.values())


def _twice(first: Path, second: Path) -> str:
    if first == second:
        return "there is another entry of this key."
    return f"is in '{printable(first)}' and in '{printable(second)}'."


def _few(count: int, templates: Templates, shots: int) -> str:
    return f"lists {count} {templates} template{'' if count == 1 else 's'}, --shots asks for {shots}."


def questions_sha256(units: Sequence[Unit]) -> str:
    """Hash of what is asked: images, templates, questions and options, in order."""
    plain = [asdict(unit) | {"mask": None} for unit in units]  # the mask is read afterwards, if it is there at all
    for unit in plain:
        for question in unit["questions"]:
            question["options"] = list(question["options"].items())
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def _unit(key: str, raw: Any, paths: WrittenPaths, selection: _Selection, problems: list[str]) -> Unit | None:
    """One entry, checked as far as that takes no look at its images; None if it asks nothing that can be asked."""
    name = printable(key)
    parts = PurePosixPath(key).parts
    if _escapes(key) or len(parts) < 3:
        advice = f"; {_TURN}" if "\\" in key else ""
        problems.append(
            f"{name}: the key must be a path like DATASET/CATEGORY/…/IMAGE inside the images' folder{advice}."
        )
        return None
    entry = read_entry(raw)
    if not isinstance(entry, Entry):
        problems += [f"{name}: {complaint}" for complaint in entry]
        return None
    listed = entry.random_templates if selection.templates == "random" else entry.similar_templates
    templates = tuple(map(paths.plain, listed[: selection.shots]))
    before = len(problems)
    problems += [f"{name}: {complaint}" for complaint in _astray((*templates, entry.mask_path or ""))]
    questions = tuple(_question(i, each, name, problems) for i, each in enumerate(entry.conversation))
    abnormal = _side(parts[:-1], entry.mask_path, questions)
    if abnormal is None and any(subtask_of(each.kind) == DETECTION for each in questions):
        problems.append(f"{name}: {_UNTOLD}")
    if len(problems) > before or not questions:
        return None
    return Unit(
        number=0,
        image=key,
        dataset=parts[0],
        category=_category(parts),
        abnormal=bool(abnormal),
        mask=_mask(paths, parts, entry.mask_path),
        templates=templates,
        questions=questions,
    )


def _side(folders: Sequence[str], mask: str | None, questions: Sequence[BenchQuestion]) -> bool | None:
    """Whether an image is abnormal; None if nothing says it."""
    if any(map(is_normal_name, folders)):
        return False
    if mask:
        return True
    said = {told for each in questions if (told := _told(each)) is not None}
    if len(said) == 1:
        return said.pop()
    return True if any(map(is_abnormal_name, folders)) else None


def _told(question: BenchQuestion) -> bool | None:
    """Whether there is a defect, as the right answer says; None if the question asks something else."""
    if subtask_of(question.kind) != DETECTION:
        return None
    intent = of_benchmark(Question("asked", question.text, tuple(question.options.values()))).intent
    if intent is None or intent.asks != "whether" or intent.yes is None or intent.at is not None:
        return None
    return question.truth == list(question.options)[LETTERS.index(intent.yes)]


def _category(parts: tuple[str, ...]) -> str:
    """The part's name: the second folder; the first, if the second is a split or says what the images show."""
    second = parts[1]
    generic = second.lower() in SPLITS or is_normal_name(second) or is_abnormal_name(second)
    return parts[0] if generic else second


def _question(index: int, raw: Conversation, name: str, problems: list[str]) -> BenchQuestion:
    if raw.answer not in raw.options:
        problems.append(f"{name}: question {index} has the answer {raw.answer}, which is none of its options.")
    if subtask_of(raw.kind) is None:
        said = f"question {index} {_UNKNOWN} '{printable(raw.kind)}'"
        told = any(_UNKNOWN in problem for problem in problems)
        problems.append(f"{name}: {said}." if told else f"{name}: {said}; known: {', '.join(KINDS)}.")
    return BenchQuestion(index, raw.kind, raw.text, dict(raw.options), raw.answer)


def _mask(paths: WrittenPaths, parts: tuple[str, ...], mask: str | None) -> str | None:
    """The mask's path under the images' folder, if the file is there; trees differ in what it is relative to."""
    if not mask:
        return None
    for place in ("/".join((*parts[:depth], mask)) for depth in (2, 3, 0)):
        plain = paths.plain(place)
        if (paths.root / plain).is_file():
            return plain
    return None


def _astray(paths: Sequence[str]) -> list[str]:
    """What is wrong with the paths of templates and, at the end, of a mask, as far as the paths themselves tell."""
    found = []
    *templates, mask = paths
    for path in filter(None, (*templates, mask)):
        if _escapes(path.replace("\\", "/")):
            found.append(f"the path '{printable(path)}' leads out of the images' folder.")
    found += [f"there is no '{printable(path)}'; {_TURN}." for path in templates if "\\" in path]
    return found


def _escapes(path: str) -> bool:
    """Whether a path is anything but a plain relative one, on any system."""
    unusual = "\\" in path or "\0" in path or path.startswith("/") or bool(PureWindowsPath(path).drive)
    return unusual or ".." in path.split("/")


def _draw(units: list[Unit], limit: int | None, seed: int) -> list[Unit]:
    """So many units, in their order: every category in proportion, and in it normal and abnormal images."""
    if limit is None or limit >= len(units):
        return units
    groups: dict[tuple[str, str], dict[bool, list[Unit]]] = {}
    for unit in units:
        groups.setdefault((unit.dataset, unit.category), {}).setdefault(unit.abnormal, []).append(unit)
    ranked: list[tuple[bool, float, str]] = []
    for group, halves in groups.items():
        ordered: list[tuple[float, str]] = []
        for abnormal, members in halves.items():
            # Drawn by name, so that the choice does not depend on what else is in the files.
            names = sorted(unit.image for unit in members)
            random.Random(f"{seed}/{group}/{abnormal}").shuffle(names)
            ordered += _spread(names)
        names = [name for _, name in sorted(ordered)]
        ranked += [(index > 0, place, name) for index, (place, name) in enumerate(_spread(names))]
    kept = {name for _, _, name in sorted(ranked)[:limit]}
    return [unit for unit in units if unit.image in kept]


def _spread(names: list[str]) -> list[tuple[float, str]]:
    """Names with places evenly over (0, 1): cutting several such lists at one place keeps their proportions."""
    return [((index + 0.5) / len(names), name) for index, name in enumerate(names)]


def _missing(units: Sequence[Unit], images: Path) -> list[str]:
    """What is wrong with the files of images and templates, each once, from a look at size, kind and header.

    The header of an image that is asked about is not looked at here: it alone fails, its template would fail many.
    """
    shown = {path for unit in units for path in unit.templates}
    problems = []
    for path in dict.fromkeys(path for unit in units for path in (unit.image, *unit.templates)):
        try:
            found = (images / path).stat()
        except (OSError, ValueError):
            problems.append(f"{printable(path)}: there is no such image in '{printable(images)}'.")
            continue
        if not stat.S_ISREG(found.st_mode):
            problems.append(f"{printable(path)}: is not a file.")
        elif not 0 < found.st_size <= MAX_FILE_BYTES:
            problems.append(f"{printable(path)}: has {found.st_size} bytes (allowed: 1 to {MAX_FILE_BYTES}).")
        elif path in shown and (complaint := _bad_header(images / path)):
            problems.append(f"{printable(path)}: is a template. {complaint}")
    return problems


def _bad_header(path: Path) -> str | None:
    try:
        check_header(path)
    except ImageError as error:
        return str(error)
    return None


def _listed(problems: list[str], few: list[str]) -> str:
    """All problems as one message: those of files, and that they list fewer templates than are asked for."""
    advice = ["correct the files or the folder"] * bool(problems) + ["lower --shots or list more templates"] * bool(
        few
    )
    every = problems + few
    noun = "problem" if len(every) == 1 else "problems"
    shown = every[:SHOWN_PROBLEMS]
    rest = [f"… and {len(every) - len(shown)} more"] if len(every) > len(shown) else []
    heading = f"The questions have {len(every)} {noun}; {', and '.join(advice)}:"
    return "\n  ".join([heading, *shown, *rest])
