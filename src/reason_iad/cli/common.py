"""What `inspect` and `ask` share: options that choose the engine, and the checks made before it is loaded."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from reason_iad.backbones.chat_use import TIMEOUT, api_name, check_use, is_api
from reason_iad.config import METHODS, InspectorConfig, OptionOrders
from reason_iad.errors import ConfigError, ModelError, OutputError

if TYPE_CHECKING:
    from reason_iad.inspection.inspector import Inspector
    from reason_iad.schema.verdict import OperatingPoint

F = TypeVar("F", bound=Callable[..., Any])

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+")
_DEVICE = re.compile(r"auto|cpu|cuda(:\d+)?")


@dataclass(frozen=True, slots=True)
class Engine:
    """Everything that `Inspector.from_pretrained` needs, checked as far as that is cheap."""

    model: str
    knowledge: Path | None
    gallery: Path | None
    device: str
    dtype: str
    config: InspectorConfig
    base_url: str | None = None
    timeout: float = TIMEOUT
    compile_steps: bool = False
    operating_point: OperatingPoint | None = None

    def __post_init__(self) -> None:
        gallery = self.gallery is not None
        check_use(
            self.model, base_url=self.base_url, timeout=self.timeout, method=self.config.method, gallery=gallery
        )

    @property
    def model_name(self) -> str:
        """The name that results will give the model."""
        if is_api(self.model):
            return api_name(self.model, self.base_url)
        path = Path(self.model).expanduser()
        return path.resolve().name if self.model != "nano" and path.exists() else self.model

    @property
    def threshold(self) -> float:
        """The threshold in force."""
        return self.config.threshold if self.operating_point is None else self.operating_point.threshold

    def load(self) -> Inspector:
        """Load the model (seconds)."""
        if not is_api(self.model) and not self.compile_steps:
            from reason_iad.cli.quick_start import quick_start

            quick_start()
        from reason_iad.inspection.inspector import Inspector

        inspector = Inspector.from_pretrained(
            self.model,
            knowledge=self.knowledge,
            config=self.config,
            device=self.device,
            dtype=self.dtype,
            gallery=self.gallery,
            base_url=self.base_url,
            timeout=self.timeout,
            compile_steps=self.compile_steps,
        )
        inspector.operating_point = self.operating_point
        return inspector


fuse_option = click.option(
    "--fuse/--no-fuse",
    default=True,
    show_default=True,
    help="Look again where it differs from the references, and weigh that, where the model has weights for it.",
)


def engine_options(command: F) -> F:
    """Add the options of `Engine` to a command, which receives them as `engine`.

    The options `threshold` and `fuse` of the command go into the configuration, too.
    """

    @functools.wraps(command)
    def wrapper(**options: Any) -> Any:
        engine = Engine(
            model=check_model(options.pop("model")),
            config=make_config(
                **{name: options.pop(name, None) for name in ("method", "threshold", "seed")},
                **{name: options.pop(name) for name in ("steps", "candidates", "sigma", "budget_ms")},
                option_orders=options.pop("option_orders"),
                align=options.pop("align"),
                fuse=options.pop("fuse", True),
            ),
            device=check_device(options.pop("device")),
            **{name: options.pop(name) for name in ("knowledge", "gallery", "dtype", "base_url", "timeout")},
            compile_steps=options.pop("compile_steps"),
        )
        return command(engine=engine, **options)

    defaults = InspectorConfig()
    folder = click.Path(exists=True, path_type=Path)
    for option in reversed(
        (
            click.option("--model", default="nano", show_default=True, metavar="nano|DIR|HUB_ID|openai:NAME",
                         help="The embedded model, a local model directory, a hub id, or a model behind an API."),
            click.option("--base-url", metavar="URL", help="Address of the API, such as http://localhost:8000/v1."),
            click.option("--timeout", type=float, default=TIMEOUT, show_default=True, metavar="SECONDS",
                         help="How long to wait for the API, per attempt."),
            click.option("--knowledge", type=folder, metavar="DIR_OR_STORE",
                         help="Your knowledge base; without it, what the package ships."),
            click.option("--gallery", type=folder, metavar="DIR",
                         help="Good images, one folder per category, to find the category by."),
            click.option("--method", type=click.Choice(list(METHODS)), default=defaults.method,
                         show_default=True, help="How to reason."),
            click.option("--steps", type=int, help="Optimisation steps of the think tokens."),
            click.option("--candidates", type=int, help="Candidates per step."),
            click.option("--sigma", type=float, help="Noise scale, relative to the token embeddings."),
            click.option("--budget-ms", type=float,
                         help="Stop reasoning about a question after so many milliseconds."),
            click.option("--option-orders", type=click.Choice(["given", "types", "cyclic"]),
                         default=defaults.option_orders, show_default=True,
                         help="Read options as given, or the mean over their rotations: of types, or of all."),
            click.option("--align/--no-align", default=defaults.align, show_default=True,
                         help="Shift and turn references to lie as the part does, where both then agree."),
            click.option("--seed", type=click.IntRange(min=0), default=defaults.seed, show_default=True,
                         help="Seed of the noise."),
            click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]",
                         help="Where to compute."),
            click.option("--dtype", type=click.Choice(["auto", "float32", "bfloat16"]), default="auto",
                         show_default=True, help="Number format of the weights."),
            click.option("--compile", "compile_steps", is_flag=True,
                         help="Compile the reasoning steps: minutes at first; for long runs on a GPU."),
        )
    ):  # fmt: skip
        wrapper = option(wrapper)
    return wrapper  # type: ignore[return-value]


def make_config(
    *,
    method: str,
    threshold: float | None,
    seed: int,
    steps: int | None,
    candidates: int | None,
    sigma: float | None,
    budget_ms: float | None = None,
    option_orders: OptionOrders = "types",
    align: bool = True,
    fuse: bool = True,
) -> InspectorConfig:
    """The configuration that options ask for.

    Raises:
        ConfigError: a value is out of its range, or the method has no use for it.
    """
    changes = {"steps": steps, "candidates": candidates, "sigma": sigma, "budget_ms": budget_ms}
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    if candidates is not None and candidates % 2:  # an odd number cannot come in pairs
        given["antithetic"] = False
        given["leave_one_out"] = candidates > 1
    preset = METHODS[method].reasoning
    if given and preset is None:
        option = next(iter(given)).replace("_", "-")
        reasoning = ", ".join(name for name, each in METHODS.items() if each.reasoning)
        raise ConfigError(
            f"--{option} has no effect with the method '{method}', which does not optimise think tokens; "
            f"choose one of: {reasoning}."
        )
    config = InspectorConfig(
        method=method,
        seed=seed,
        reasoning=replace(preset, **given) if given and preset else None,
        option_orders=option_orders,
        align=align,
        fuse=fuse,
    )
    return config if threshold is None else replace(config, threshold=threshold)


def check_resume(resume: bool, overwrite: bool) -> None:
    """Refuse to both continue and replace results.

    Raises:
        OutputError: both were asked for.
    """
    if resume and overwrite:
        raise OutputError("--resume and --overwrite exclude each other; choose one.")


def check_model(model: str) -> str:
    """Refuse what cannot be a model, before anything heavy is imported.

    Raises:
        ModelError: it is neither 'nano', a model directory, a hub id nor a model behind an API.
    """
    if model in ("nano", "fake") or is_api(model):
        return model
    path = Path(model).expanduser()
    if path.is_dir():
        from reason_iad.backbones.loading import check_directory

        check_directory(path)
    elif path.exists():
        raise ModelError(f"'{model}' is a file; give the model's directory.")
    elif not _HUB_ID.fullmatch(model):
        raise ModelError(f"The model '{model}' was not found; give 'nano', a directory, or a hub id (owner/name).")
    return model


def check_device(device: str) -> str:
    """Refuse a device that cannot exist.

    Raises:
        ConfigError: it is not 'auto', 'cpu', 'cuda' or 'cuda:N'.
    """
    if not _DEVICE.fullmatch(device):
        raise ConfigError(f"Unknown device '{device}'; choose auto, cpu, cuda or cuda:N.")
    return device


def make_folder(path: Path, option: str) -> None:
    """Make a folder for outputs, before the long part.

    Raises:
        OutputError: it cannot be made, or not be written to; the message names the option.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"The folder '{path}' cannot be made ({error.strerror}); choose another {option}."
        ) from None
    if not os.access(path, os.W_OK):
        raise OutputError(f"The folder '{path}' cannot be written to; choose another {option}.")


def check_output(path: Path, inputs: tuple[Path, ...]) -> None:
    """Make sure, before the long part, that a file can be written and is not one of the inputs.

    Raises:
        OutputError: it cannot be, or it is.
    """
    if path.is_dir():
        raise OutputError(f"'{path}' is a folder; add a file name.")
    if not path.parent.is_dir():
        raise OutputError(f"The folder '{path.parent}' does not exist; create it first.")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OutputError(f"'{path}' cannot be written; choose a place you may write to.")
    if any(path.exists() and source.exists() and path.samefile(source) for source in inputs):
        raise OutputError(f"'{path}' is one of the inputs; choose another file for the output.")
