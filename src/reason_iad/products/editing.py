"""Changes worked out: from a state and what people give to the next state, in words, with the files it needs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reason_iad.errors import ConfigError, ProductError, did_you_mean
from reason_iad.files import file_sha256
from reason_iad.images import printable, white_of
from reason_iad.products.gathering import (
    GivenDefect,
    GivenGood,
    Read,
    ReadMask,
    Tell,
    label,
    read_all,
    read_mask,
    tell_remarks,
)
from reason_iad.products.names import folder_name
from reason_iad.products.state import (
    DEFECTS,
    GOOD,
    DefectRecord,
    FileRecord,
    GoodRecord,
    State,
    taken_back,
)
from reason_iad.products.storing import Copy, Edit, Workbench, now

_BACK = "Took back change"
_TOLD = 5
"""Pictures that a message names one by one; the others are counted."""


@dataclass(frozen=True, slots=True)
class Good:
    """Pictures of good parts, read and checked."""

    given: tuple[tuple[GivenGood, Read], ...]

    @classmethod
    def read(cls, given: Sequence[GivenGood]) -> Good:
        """Read them.

        Raises:
            ImageError: one or more cannot be used.
        """
        return cls(tuple(zip(given, read_all(given), strict=True)))


@dataclass(frozen=True, slots=True)
class Defective:
    """Pictures of defects, read and checked, each with its mask."""

    given: tuple[tuple[GivenDefect, Read, ReadMask | None], ...]

    @classmethod
    def read(cls, given: Sequence[GivenDefect]) -> Defective:
        """Read them.

        Raises:
            ProductError: a type has a name that cannot be printed.
            ImageError: one or more cannot be used, or a mask cannot.
        """
        given = [replace(each, type=label(each.type, "type")) for each in given]
        return cls(
            tuple(
                (each, image, None if each.mask is None else read_mask(Path(each.mask), image))
                for each, image in zip(given, read_all(given), strict=True)
            )
        )


def joined(edits: Iterable[Edit], begin: str = "") -> Edit:
    """Several changes, each worked out on the one before, as one."""
    edits = list(edits)
    words = " ".join(filter(None, (begin, *(edit.words for edit in edits))))
    return Edit(edits[-1].after, words, tuple(copy for edit in edits for copy in edit.copies))


def require_good(state: State) -> None:
    """Refuse a product without a good picture: there is nothing to compare with.

    Raises:
        ProductError: it has none.
    """
    if not state.good:
        raise ProductError("A product needs at least one picture of a good part. Keep one, or add one first.")


def require_apart(good: Good, defects: Defective) -> None:
    """Refuse a picture that is given both as good and as defective.

    Raises:
        ProductError: there is one.
    """
    paths = {read.sha256: read.path for _, read in good.given}
    for given, read, _ in defects.given:
        if read.sha256 in paths:
            raise ProductError(
                f"The same picture is given as good, '{printable(paths[read.sha256])}', and as '{given.type}', "
                f"'{printable(read.path)}'. Give it as one of the two."
            )


def add_good(
    bench: Workbench, state: State, good: Good, *, move: bool = False, counts: bool = True, tell: Tell
) -> Edit:
    """Add pictures of good parts; those that are there already are left out.

    Args:
        bench: where the product is changed.
        state: before.
        good: the pictures.
        move: a picture that is there as a defect becomes a good one.
        counts: whether their scores count for the limits.
        tell: is told what was left out.

    Raises:
        ProductError: one is a defect of the product, and `move` is off.
    """
    known = {each.sha256: each.file for each in state.good}
    defects = {each.sha256: each for each in state.defects}
    added: dict[str, GoodRecord] = {}
    copies: list[Copy] = []
    twice: list[str] = []
    moved: set[str] = set()
    for given, read in good.given:
        same = known.get(read.sha256) or (added[read.sha256].file if read.sha256 in added else None)
        if same:
            twice.append(f"'{printable(read.path)}' (as '{same}')")
            continue
        if read.sha256 in defects:
            if not move:
                raise _contradiction(read.path, defects[read.sha256].file, defects[read.sha256].type, GOOD)
            moved.add(read.sha256)
        folder = GOOD if given.view is None else f"{GOOD}/{folder_name(given.view)}"
        file = bench.place(folder, read.path, read.sha256)
        record = GoodRecord(file=file, **facts(read), view=given.view, added=now(), counts=counts)
        added[read.sha256] = record
        copies.append(Copy(read.path, record))
    _tell_twice(twice, tell)
    apart = "" if counts else ", not for the limits"
    words = f"Added {_views(list(added.values()))}{apart}." if added else ""
    if moved:
        words += f" {_were(len(moved))} taken for a defect before."
    white, said = _white(state, [read for _, read in good.given], tell)
    words += said
    after = state.model_copy(
        update={
            "settings": state.settings.model_copy(update={"white": white}),
            "good": (*state.good, *added.values()),
            "defects": tuple(each for each in state.defects if each.sha256 not in moved),
        }
    )
    return Edit(after, words, tuple(copies))


def _white(state: State, images: Sequence[Read], tell: Tell) -> tuple[float | None, str]:
    """The white of a product once it has these good pictures, and what to say of it.

    It is found once, over all that are there when the first picture with more than 8 bits comes. From then on it
    stays, so that parts keep their meaning.
    """
    found, white = white_of([each.depth for each in images]), state.settings.white
    if white is None:
        return found, "" if found is None else f" White is {found:g} in pictures with more than 8 bits."
    brighter = [each for each in images if each.depth is not None and each.depth.white > white]
    if brighter:
        tell(
            f"{counted(len(brighter), 'image')} {'is' if len(brighter) == 1 else 'are'} brighter than white, which "
            f"is {white:g} in this product. What is brighter is cut off. If white is {found:g}, say so: reason-iad "
            f"product set NAME --white {found:g}"
        )
    return white, ""


def add_defects(bench: Workbench, state: State, defects: Defective, *, move: bool = False, tell: Tell) -> Edit:
    """Add pictures of defects. One that is there already gets a mask or a box that it did not have.

    Raises:
        ProductError: one is a good picture of the product, or of another type, and `move` is off.
        ConfigError: a box is not inside its picture.
    """
    known = {each.sha256: each for each in state.defects}
    good = {each.sha256: each.file for each in state.good}
    records: dict[str, DefectRecord] = {}
    copies: list[Copy] = []
    twice: list[str] = []
    moved: set[str] = set()
    for given, read, mask in defects.given:
        record, brought = _defect(bench, given, read, mask)
        before = records.get(read.sha256) or known.get(read.sha256)
        if before is not None:
            if before.type != record.type and not (move and read.sha256 in known):
                raise _contradiction(read.path, before.file, before.type, record.type)
            record, brought = _more(before, record, brought)
            if record == before:
                twice.append(f"'{printable(read.path)}' (as '{before.file}')")
                continue
        if read.sha256 in good:
            if not move:
                raise _contradiction(read.path, good[read.sha256], GOOD, record.type)
            moved.add(read.sha256)
        records[read.sha256] = record
        copies += brought
    _tell_twice(twice, tell)
    tell_remarks([(Path(given.mask), mask) for given, _, mask in defects.given if given.mask and mask], tell)
    new = [record for sha256, record in records.items() if sha256 not in known]
    words = f"Added {_types(new)}." if new else ""
    if moved:
        words += f" {_were(len(moved))} taken for good before."
    if len(new) < len(records):
        words = f"{words} Changed {_types([each for each in records.values() if each not in new])}.".strip()
    after = state.model_copy(
        update={
            "good": tuple(each for each in state.good if each.sha256 not in moved),
            "defects": (*(each for each in state.defects if each.sha256 not in records), *records.values()),
        }
    )
    return Edit(after, words, tuple(copies))


def drop(state: State, images: Iterable[str | Path]) -> Edit:
    """Take pictures out, named by their files in the product, or by any files with the same content.

    Raises:
        ProductError: one is not in the product.
    """
    records: list[GoodRecord | DefectRecord] = [*state.good, *state.defects]
    names = {record.file: record.sha256 for record in records}
    names |= {record.file.rpartition("/")[2]: record.sha256 for record in records}
    hashes = set(names.values())
    gone: set[str] = set()
    for image in images:
        sha256 = names.get(Path(image).as_posix()) or file_sha256(Path(image))
        if sha256 not in hashes:
            shown = printable(Path(image))
            raise ProductError(f"'{shown}' is not a picture of this product.{did_you_mean(shown, names)}")
        gone.add(sha256)
    after = state.model_copy(
        update={
            "good": tuple(each for each in state.good if each.sha256 not in gone),
            "defects": tuple(each for each in state.defects if each.sha256 not in gone),
        }
    )
    good = len(state.good) - len(after.good)
    defects = len(state.defects) - len(after.defects)
    what = [counted(n, noun) for n, noun in ((good, "good image"), (defects, "defect")) if n]
    return Edit(after, f"Took out {' and '.join(what)}.")


def undo(bench: Workbench, to: int | None) -> Edit:
    """Go back to the state before the last change, or to that after change number `to`.

    Raises:
        ProductError: there is no such change, or files of that state are missing.
    """
    state, history = bench.state, {change.revision: change for change in bench.history}
    to = state.revision - 1 if to is None else to
    if not 1 <= to < state.revision:
        possible = f"Choose a number from 1 to {state.revision - 1}." if state.revision > 1 else (
            "This product was only created. To take it away, use 'reason-iad product remove'."
        )  # fmt: skip
        raise ProductError(f"There is no change to go back to. {possible}")
    target = state
    for revision in range(state.revision, to, -1):
        try:
            target = taken_back(target, history[revision])
        except (KeyError, ValueError):
            raise ProductError(
                f"Change {revision} cannot be taken back, because the history does not fit the product. It was "
                "changed by hand, or the history was deleted."
            ) from None
    for record in target.files():
        if file_sha256(bench.folder / record.file) != record.sha256:
            raise ProductError(
                f"'{record.file}' of that state is missing or changed. An export holds only the files of the "
                "present state. Use the original product, or add the pictures again."
            )
    last = history[state.revision].words
    what = "." if last.startswith(_BACK) else f": {last}"
    words = f"{_BACK} {state.revision}{what}" if to == state.revision - 1 else f"Went back to change {to}."
    return Edit(target, words)


def counted(number: int, noun: str) -> str:
    """'1 defect', '2 defects'."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _defect(
    bench: Workbench, given: GivenDefect, read: Read, marked: ReadMask | None
) -> tuple[DefectRecord, list[Copy]]:
    folder = f"{DEFECTS}/{folder_name(given.type)}"
    mask = None
    copies: list[Copy] = []
    if given.mask is not None and marked is not None:
        source = Path(given.mask)
        file = bench.place(f"{folder}/masks", source, marked.sha256)
        mask = FileRecord(file=file, sha256=marked.sha256)
        copies.append(Copy(source, mask))
    file = bench.place(folder, read.path, read.sha256)
    try:
        record = DefectRecord(file=file, **facts(read), type=given.type, mask=mask, box=given.box, added=now())
    except ValidationError:
        raise ConfigError(
            f"The box is not inside '{printable(read.path)}', which is {read.width}x{read.height} pixels. Give "
            "left, top, right and bottom: --box 10,20,30,40."
        ) from None
    return record, [Copy(read.path, record), *copies]


def _more(before: DefectRecord, record: DefectRecord, brought: list[Copy]) -> tuple[DefectRecord, list[Copy]]:
    """A defect that was there, with what is new of it, and the files that this takes."""
    told = {"mask": record.mask or before.mask, "box": record.box or before.box}
    if before.type == record.type:
        return before.model_copy(update=told), [copy for copy in brought if copy.record == record.mask]
    return record.model_copy(update={**told, "added": before.added}), brought


def facts(read: Read) -> dict[str, Any]:
    """What the record of a picture says of its content."""
    return {"sha256": read.sha256, "width": read.width, "height": read.height}


def _contradiction(path: Path, file: str, before: str, now_: str) -> ProductError:
    return ProductError(
        f"'{printable(path)}' is given as '{now_}', but the product has the same picture as '{before}': '{file}'. "
        "To correct the product, use 'reason-iad product add' with --move."
    )


def _were(number: int) -> str:
    return "1 of them was" if number == 1 else f"{number} of them were"


def _tell_twice(twice: list[str], tell: Tell) -> None:
    if twice:
        more = f" and {len(twice) - _TOLD} more" if len(twice) > _TOLD else ""
        tell(f"Left out because the same picture is there already: {', '.join(twice[:_TOLD])}{more}.")


def _views(records: Sequence[GoodRecord]) -> str:
    return counted(len(records), "good image") + by_name(each.view for each in records)


def _types(records: Sequence[DefectRecord]) -> str:
    return counted(len(records), "defect") + by_name(each.type for each in records)


def by_name(names: Iterable[str | None]) -> str:
    """' (dent 2, scratch 5)'; '' if none has a name."""
    counts = Counter(name or "other" for name in names)
    return f" ({', '.join(f'{name} {counts[name]}' for name in sorted(counts))})" if set(counts) - {"other"} else ""
