"""What can be checked before anything heavy is loaded: models, devices, and places to write to."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from reason_iad.backbones.chat_use import is_api
from reason_iad.config import PRESETS
from reason_iad.errors import ConfigError, KnowledgeError, ModelError, OutputError, did_you_mean, nearest_file

if TYPE_CHECKING:
    from reason_iad.cli.engine import Engine

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


def check_model(model: str) -> str:
    """Refuse what cannot be a model.

    Raises:
        ModelError: it is neither 'nano', a model folder, a name on Hugging Face nor a model behind an API.
    """
    if model in ("nano", "fake") or is_api(model):
        return model
    path = Path(model).expanduser()
    if path.is_dir():
        from reason_iad.backbones.loading import check_directory

        check_directory(path)
    elif path.exists():
        raise ModelError(f"The model '{model}' is a file. Give the folder that it is in.")
    elif not _HUB_ID.fullmatch(model):
        raise ModelError(
            f"The model '{model}' was not found.{did_you_mean(model, ['nano']) or nearest_file(path)} "
            "Give 'nano', a model folder, or a name on Hugging Face (owner/name)."
        )
    return model


def check_device(device: str) -> str:
    """Refuse a device that cannot exist.

    Raises:
        ConfigError: it is not 'auto', 'cpu', 'cuda' or 'cuda:N'.
    """
    if not _DEVICE.fullmatch(device):
        raise ConfigError(
            f"There is no device '{device}'.{did_you_mean(device, ['auto', 'cpu', 'cuda'])} "
            "Choose auto, cpu, cuda or cuda:N."
        )
    return device


def note_unknown_category(
    category: str | None, method: str, knowledge: Path | None, *, required: bool = False
) -> None:
    """Say that the knowledge has nothing on a category, where the method goes on without it.

    A method that shows knowledge to the model refuses such a category.

    Args:
        category: as it was given; None: there is none.
        method: name of the method.
        knowledge: where knowledge is; None: what comes with the package.
        required: refuse it here already, because the model may be asked late.

    Raises:
        KnowledgeError: the knowledge cannot be opened, or the category is required and unknown.
    """
    if category is None or (PRESETS[method].knowledge and not required):
        return
    from reason_iad.knowledge import open_knowledge, resolve_category

    store = open_knowledge(knowledge)
    try:
        resolve_category(store, category)
    except KnowledgeError as error:
        if PRESETS[method].knowledge:
            raise
        click.echo(f"Note: {error} Nothing is known about the defects of this product.", err=True)


def check_question(engine: Engine, text: str | None) -> None:
    """Refuse a further question that the embedded model cannot answer; None: there is none.

    Raises:
        ModelError: it is a free question, and the model cannot write.
    """
    if text is not None and engine.model == "nano" and not engine.detect:
        from reason_iad.inspection.answerable import check_nano
        from reason_iad.inspection.questions import Question

        check_nano(Question("question", text))


def check_resume(resume: bool, overwrite: bool) -> None:
    """Refuse to both continue and replace results.

    Raises:
        OutputError: both were asked for.
    """
    if resume and overwrite:
        raise OutputError("--resume and --overwrite cannot be used together. Choose one of them.")


def make_folder(path: Path, option: str) -> None:
    """Make a folder for outputs, before the long part.

    Raises:
        OutputError: it cannot be made, or not be written to; the message names the option.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder '{path}' cannot be made ({error.strerror}). Choose another folder for {option}."
        ) from None
    if not os.access(path, os.W_OK):
        raise OutputError(f"The folder '{path}' cannot be written to. Choose another folder for {option}.")


def check_output(path: Path, inputs: tuple[Path, ...]) -> None:
    """Make sure, before the long part, that a file can be written and is not one of the inputs.

    Raises:
        OutputError: it cannot be, or it is.
    """
    if path.is_dir():
        raise OutputError(f"'{path}' is a folder. Add a file name.")
    if not path.parent.is_dir():
        raise OutputError(
            f"The folder '{path.parent}' does not exist.{nearest_file(path.parent) or ' Create it first.'}"
        )
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OutputError(f"'{path}' cannot be written. Choose a place that you may write to.")
    if any(path.exists() and source.exists() and path.samefile(source) for source in inputs):
        raise OutputError(f"'{path}' is one of the inputs. Choose another file for the output.")
