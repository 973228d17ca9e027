"""The options that several commands share, each defined once."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from reason_iad.backbones.chat_use import TIMEOUT
from reason_iad.cli.checks import check_device, check_model
from reason_iad.cli.choices import EncoderName, OneOf
from reason_iad.cli.engine import Engine, make_config
from reason_iad.cli.headings import INPUT, MODEL, OUTPUT, REFERENCES, RESEARCH, VERDICT, F, option
from reason_iad.cli.threads import use_threads
from reason_iad.cli.values import Choice, ExistingPath
from reason_iad.config import METHODS, InspectorConfig
from reason_iad.expert.detectors import DETECTORS

_DEFAULTS = InspectorConfig()
_DEFAULT_MODEL = "nano"
DETECT, NONE = "detect", "none"
"""The method, and the model, where no language model is asked."""


def _set_up_threads(ctx: click.Context, param: click.Parameter, threads: int | None) -> int | None:
    if not ctx.resilient_parsing:
        use_threads(threads)
    return threads


knowledge_option = option(
    INPUT, "--knowledge", type=ExistingPath(), metavar="DIR_OR_STORE",
    help="What you know of your parts and their defects, in words: a folder of .md or .yaml files, or a store made "
    "by 'reason-iad knowledge add' (docs/knowledge.md). Without it, the knowledge that comes with the package is "
    "used.",
)  # fmt: skip
category_option = option(
    INPUT, "--category", metavar="NAME",
    help="Kind of part, such as pcb, to look up the written knowledge. Without it, the kind is recognised with "
    "--gallery, or stays unknown.",
)  # fmt: skip
reference_option = option(
    REFERENCES, "--reference", "references", multiple=True, metavar="GOOD...", type=click.Path(path_type=Path),
    help="Images of good parts of the same product, or folders of such images.",
)  # fmt: skip
products_option = option(
    INPUT, "--products", "products", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Folder of all products. Without it, the one that the environment variable REASON_IAD_PRODUCTS names, or "
    "one in your data folder.",
)  # fmt: skip
model_option = option(
    MODEL, "--model", default=_DEFAULT_MODEL, show_default=True, metavar="MODEL",
    help="nano (it comes with the package), a model folder, a name on Hugging Face (OWNER/NAME), or openai:NAME "
    "for a model on a server. For `inspect`, also none: then the comparison with good parts decides alone.",
)  # fmt: skip
base_url_option = option(
    MODEL,
    "--base-url",
    metavar="URL",
    help="Only with openai:NAME. Address of the server, for example http://localhost:8000/v1.",
)
timeout_option = option(
    MODEL, "--timeout", type=float, default=TIMEOUT, show_default=True, metavar="SECONDS",
    help="Only with openai:NAME. How long to wait for each reply of the server.",
)  # fmt: skip
device_option = option(
    MODEL, "--device", default="auto", show_default=True, metavar="DEVICE",
    help="Where to compute: cpu, cuda (a graphics card) or cuda:N (one of several cards). With auto, a graphics "
    "card is used if there is one.",
)  # fmt: skip
threads_option = option(
    MODEL, "--threads", type=click.IntRange(1, 256), metavar="N", callback=_set_up_threads,
    help="Use this many processor cores. Without it, all of them are used.",
)  # fmt: skip
formats_option = option(
    OUTPUT, "--formats", metavar="NAMES",
    help="What to export, with commas between: overlay, mask, coco, labelme.  [default: all]",
)  # fmt: skip
format_option = option(
    OUTPUT, "--format", "format_", type=Choice(["md", "json"]), default="md", show_default=True,
    help="Print tables (md) or JSON.",
)  # fmt: skip


def dtype_option(heading: str = RESEARCH) -> Callable[[F], F]:
    """`--dtype`."""
    return option(
        heading, "--dtype", type=Choice(["auto", "float32", "bfloat16"]), default="auto", show_default=True,
        help="Number format of the model's weights.",
    )  # fmt: skip


def seed_option(help_text: str, heading: str = RESEARCH) -> Callable[[F], F]:
    """`--seed`; every command says what it draws at random."""
    return option(
        heading, "--seed", type=click.IntRange(min=0), default=_DEFAULTS.seed, show_default=True, metavar="N",
        help=help_text,
    )  # fmt: skip


def run_options(command: F) -> F:
    """`--resume` and `--overwrite` of commands that write into a folder RUN_DIR."""
    for each in (
        option(OUTPUT, "--overwrite", is_flag=True, help="Replace the results in RUN_DIR."),
        option(OUTPUT, "--resume", is_flag=True,
               help="Continue with the results in RUN_DIR. Images that failed are tried again."),
    ):  # fmt: skip
        command = each(command)
    return command


_RESEARCH_OPTIONS = (
    option(RESEARCH, "--method", type=Choice([*METHODS, DETECT]), default=_DEFAULTS.method, show_default=True,
           help="How the model comes to its answers (docs/method.md). detect is the same as --model none."),
    option(RESEARCH, "--fuse/--no-fuse", default=_DEFAULTS.fuse, show_default=True,
           help="Use the difference from the good parts in the verdict."),
    option(RESEARCH, "--detector", type=OneOf(DETECTORS), metavar="NAME",
           help="Compare with the good parts by this registered detector instead of the built-in comparison. "
           "--align does not move the good parts for it."),
    option(RESEARCH, "--encoder", type=EncoderName(), default=_DEFAULTS.encoder, show_default=True,
           metavar="NAME",
           help="The network that sees where a part differs from good ones: that of the model (tower), a small one "
           "trained on photos (efficientnet_lite0), or the vision model in a folder. A product has its own."),
    option(RESEARCH, "--option-orders", type=Choice(["given", "types", "cyclic"]),
           default=_DEFAULTS.option_orders, show_default=True,
           help="Ask with the options in every order and average the answers: never (given), for defect types "
           "only (types), or always (cyclic)."),
    option(RESEARCH, "--steps", type=int, metavar="N", help="Number of steps that optimise the think tokens."),
    option(RESEARCH, "--candidates", type=int, metavar="N", help="Number of candidates that each step tries."),
    option(RESEARCH, "--sigma", type=float, metavar="X",
           help="Size of the noise, relative to the size of the token embeddings."),
    option(RESEARCH, "--budget-ms", type=float, metavar="MS",
           help="Stop optimising after this many milliseconds per question."),
    seed_option("Start value of the random noise. The same value gives the same result."),
    dtype_option(),
    option(RESEARCH, "--compile", "compile_steps", is_flag=True,
           help="Compile the reasoning steps. This takes minutes at first and helps only in long runs on a GPU."),
)  # fmt: skip

check_picture_option = option(
    VERDICT, "--check-picture/--no-check-picture", default=_DEFAULTS.check_picture, show_default=True,
    help="Give no verdict about a picture that does not look like the good parts at all: it is blank, blurred, "
    "much too dark or bright, half covered, or shows another part. It cannot be judged.",
)  # fmt: skip

white_option = option(
    INPUT, "--white", type=click.FloatRange(min=0, min_open=True), metavar="VALUE",
    help="The value that is white in images with more than 8 bits, for example 4095 for a camera with 12 bits. "
    "Without it, the files say it, or it follows from all images that are compared (docs/pictures.md).",
)  # fmt: skip

_gallery_option = option(
    INPUT, "--gallery", type=ExistingPath(), metavar="DIR",
    help="Folder with one subfolder of good images per product. If --category is not given, the product is "
    "recognised by these images. To compare the part with good parts, give --reference, too.",
)  # fmt: skip
_ENGINE_OPTIONS = (
    knowledge_option,
    option(REFERENCES, "--align/--no-align", default=_DEFAULTS.align, show_default=True,
           help="Before comparing, shift and turn the good parts to lie as the inspected part does; use --no-align "
           "if a shifted or turned part is a defect."),
    model_option,
    base_url_option,
    timeout_option,
    device_option,
    threads_option,
    *_RESEARCH_OPTIONS,
)  # fmt: skip


def engine_options(command: F) -> F:
    """Add the options of `Engine` to a command, which receives them as `engine`.

    Options `threshold`, `check_picture` and `white` of the command go into the configuration, too.
    """
    return _gallery_option(engine_options_of_product(command))


def engine_options_of_product(command: F) -> F:
    """The same without the options that find out what a part is."""

    @functools.wraps(command)
    def wrapper(**options: Any) -> Any:
        def take(*names: str) -> dict[str, Any]:
            return {name: options.pop(name) for name in names}

        options.pop("threads")  # set up when the option was read
        method, model = options.pop("method"), options.pop("model")
        engine = Engine(
            model=_DEFAULT_MODEL if model == NONE else check_model(model),
            detect=method == DETECT or model == NONE,
            config=make_config(
                _DEFAULTS.method if method == DETECT else method,
                reasoning=take("steps", "candidates", "sigma", "budget_ms"),
                threshold=options.pop("threshold", None),
                check_picture=options.pop("check_picture", _DEFAULTS.check_picture),
                white=options.pop("white", None),
                **take("seed", "option_orders", "align", "fuse", "detector", "encoder"),
            ),
            device=check_device(options.pop("device")),
            gallery=options.pop("gallery", None),
            **take("knowledge", "dtype", "base_url", "timeout", "compile_steps"),
        )
        return command(engine=engine, **options)

    for each in reversed(_ENGINE_OPTIONS):
        wrapper = each(wrapper)
    return wrapper  # type: ignore[return-value]
