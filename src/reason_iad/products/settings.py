"""Settings, areas and knowledge of a product: checked, changed, and said in words."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reason_iad.errors import ConfigError, KnowledgeError, did_you_mean
from reason_iad.images import printable
from reason_iad.products.editing import facts, joined
from reason_iad.products.gathering import read_area
from reason_iad.products.names import folder_name
from reason_iad.products.state import AREAS, KNOWLEDGE, FileRecord, ImageRecord, Settings, State
from reason_iad.products.storing import Copy, Edit, Workbench
from reason_iad.products.templates import set_template

_TOLD = 5
"""Knowledge files that the history names one by one."""

LABELS = {
    "false_alarms": "false alarms", "missed": "missed defects", "min_size": "smallest size that counts",
    "scale": "scale", "encoder": "encoder", "resolution": "resolution", "details": "details",
    "orientation": "orientation", "ignore": "area to ignore", "inspect": "area to inspect", "white": "white",
    "template": "template of all parts",
}  # fmt: skip
"""Name of a setting, and what people call it."""


_FILES = ("ignore", "inspect", "template", "knowledge")
"""Settings that are files."""


def set_up(bench: Workbench, state: State, values: Mapping[str, Any]) -> Edit:
    """Change settings by their names. What `_FILES` names is a file, or None to take it away.

    Raises:
        ConfigError: a value is out of its range, or two do not go together.
        ImageError: an area or the template cannot be used.
        ProductError: the template does not fit the good images.
        KnowledgeError: the knowledge cannot be used.
    """
    files = {name: values[name] for name in _FILES if name in values}
    paths = {name: None if file is None else Path(file) for name, file in files.items()}
    others = {name: value for name, value in values.items() if name not in files}
    knowledge = [set_knowledge(state, paths.pop("knowledge"))] if "knowledge" in paths else []
    before = knowledge[0].after if knowledge else state
    edits = [*knowledge]
    if "template" in paths:
        edits.append(set_template(bench, before, paths.pop("template")))
        before = edits[-1].after
    return joined((*edits, change_settings(bench, before, others, paths)))


def change_settings(
    bench: Workbench, state: State, values: Mapping[str, Any], areas: Mapping[str, Path | None]
) -> Edit:
    """Change settings by their names, and the areas 'ignore' and 'inspect'; None takes an area away.

    Raises:
        ConfigError: a value is out of its range, or two do not go together.
        ImageError: an area cannot be used.
        ModelError: the folder of the encoder is no model.
    """
    copies: list[Copy] = []
    update = dict(values)
    if "encoder" in update:
        from reason_iad.expert.encoders import check_encoder
        from reason_iad.expert.encoders.model_directory import check_directory

        check_encoder(str(update["encoder"]))
        if Path(str(update["encoder"])).is_dir():
            check_directory(Path(str(update["encoder"])))
    for name, path in areas.items():
        update[name] = None
        if path is not None:
            read = read_area(path)
            if state.good and (read.width, read.height) not in {(each.width, each.height) for each in state.good}:
                first = state.good[0]
                raise ConfigError(
                    f"The area '{printable(path)}' is {read.width}x{read.height} pixels, a good image is "
                    f"{first.width}x{first.height}. Draw it on a good image."
                )
            file = bench.place(AREAS, Path(f"{name}{path.suffix}"), read.sha256)
            update[name] = ImageRecord(file=file, **facts(read))
            copies.append(Copy(path, update[name]))
    settings = checked({**dict(state.settings), **update})
    old, new = dict(state.settings), dict(settings)
    changed = [f"{LABELS[name]}: {in_words(name, new[name])}" for name in new if new[name] != old[name]]
    words = f"Set {', '.join(changed)}." if changed else ""
    return Edit(state.model_copy(update={"settings": settings}), words, tuple(copies))


def checked(values: Mapping[str, Any]) -> Settings:
    """Settings, if each is possible and they go together.

    Raises:
        ConfigError: they do not.
    """
    if unknown := set(values) - set(LABELS):
        name = sorted(unknown)[0]
        raise ConfigError(f"There is no setting '{name}'.{did_you_mean(name, LABELS)}")
    try:
        settings = Settings.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        name = LABELS.get(str(first["loc"][0]), str(first["loc"][0]))
        raise ConfigError(f"The setting '{name}' is not possible: {first['msg']}.") from None
    if settings.min_size and settings.min_size.unit == "mm" and settings.scale is None:
        raise ConfigError(
            "A size in millimetres needs the scale. Give the millimetres per pixel, for example --scale 0.05mm, "
            "or give the size in pixels."
        )
    return settings


def in_words(name: str, value: Any) -> str:
    """The value of a setting, for people."""
    if value is None:
        return {"missed": "no limit", "resolution": "224 and 320 pixels", "min_size": "any"}.get(name, "none")
    if name in ("false_alarms", "missed"):
        return f"{value:.3g}" if value < 0.001 else f"{value * 100:.3g} %"
    if name == "white":
        return f"{value:g}"
    if name == "scale":
        return f"{value:g} mm per pixel"
    if isinstance(value, ImageRecord):
        return value.file
    return f"{value} pixels" if name == "resolution" else str(value)


def set_knowledge(state: State, path: Path | None) -> Edit:
    """Put knowledge in place of what is there: a file, or a folder of files; None takes it away.

    Raises:
        KnowledgeError: it cannot be used.
    """
    if path is None:
        words = "Took the knowledge away." if state.knowledge else ""
        return Edit(state.model_copy(update={"knowledge": ()}), words)
    files = _knowledge_files(path)
    hashes = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}
    together = hashlib.sha256(repr(sorted(hashes.items())).encode()).hexdigest()
    records: list[FileRecord] = []
    for name in sorted(hashes):
        stem = folder_name(Path(name).stem)
        file = f"{KNOWLEDGE}/{together[:8]}/{stem}{Path(name).suffix.lower()}"
        records.append(FileRecord(file=file, sha256=hashes[name]))
    if len({record.file.casefold() for record in records}) < len(records):
        raise KnowledgeError(f"Two knowledge files in '{printable(path)}' have the same name. Rename one.")
    copies = tuple(
        Copy(file, record) for file, record in zip(sorted(files, key=lambda file: file.name), records, strict=True)
    )
    if tuple(records) == state.knowledge:
        return Edit(state, "")
    more = f" and {len(hashes) - _TOLD} more" if len(hashes) > _TOLD else ""
    words = f"Set the knowledge: {', '.join(map(printable, sorted(hashes)[:_TOLD]))}{more}."
    return Edit(state.model_copy(update={"knowledge": tuple(records)}), words, copies)


def _knowledge_files(path: Path) -> list[Path]:
    """The files of knowledge, once they were read without a problem."""
    from reason_iad.knowledge import import_mmad, read_documents
    from reason_iad.knowledge.files import knowledge_files

    if path.suffix.lower() == ".json" and path.is_file():
        import_mmad(path)
        return [path]
    files = knowledge_files(path) if path.is_dir() else [path]
    read_documents(files)
    return files
