"""`reason-iad ask`: any question about an image, on the same engine as an inspection."""

from __future__ import annotations

from pathlib import Path

import click

from reason_iad.cli.checks import check_output, note_unknown_category
from reason_iad.cli.engine import Engine
from reason_iad.cli.headings import INPUT, OUTPUT, option
from reason_iad.cli.options import category_option, engine_options, reference_option, white_option
from reason_iad.cli.outputs import STDOUT
from reason_iad.cli.printing import say
from reason_iad.cli.values import ManyValues


@click.command(cls=ManyValues)
@click.argument("part", metavar="PART", type=click.Path(path_type=Path))
@click.argument("question", metavar="QUESTION")
@option(
    INPUT,
    "--options",
    multiple=True,
    metavar="ANSWER...",
    help="Answers to choose from, such as 'A) yes' or just 'yes'. Without this option, a yes-or-no question is "
    "answered with yes or no, and any other in words. nano cannot answer in words, and says so.",
)
@category_option
@reference_option
@white_option
@engine_options
@option(
    OUTPUT,
    "--json",
    "json",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT.json",
    help="Write the answer and what it is based on as JSON. With '-', the JSON is printed.",
)
@option(OUTPUT, "--quiet", is_flag=True, help="Print nothing but the JSON of '--json -'.")
def ask(
    engine: Engine, part: Path, question: str, options: tuple[str, ...], references: tuple[Path, ...],
    category: str | None, json: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Ask a QUESTION about PART, an image.

    \b
    reason-iad ask part.png "Is there any defect?" --options yes no --reference good.png
    reason-iad ask part.png "Where is the defect?" --options "top left" center "bottom right" --reference good.png

    Good parts help only with questions about a defect that have --options: whether there is a defect, which
    one it is, where it is, or how large it is.
    """
    from reason_iad.cli.show import show_reply
    from reason_iad.files import write_atomic
    from reason_iad.images import find_images, load_image
    from reason_iad.inspection.answerable import check_nano
    from reason_iad.inspection.questions import Question, parse_options

    checked = Question("question", question, parse_options(options))
    good = find_images(references, None if quiet else say) if references else []
    for image in (part, *good):
        load_image(image)
    if json is not None and json != STDOUT:
        check_output(json, (part, *good))
    if engine.model == "nano":
        check_nano(checked)
    note_unknown_category(category, engine.config.method, engine.knowledge)
    reply = engine.load().ask(part, checked.text, options=checked.options, references=good, category=category)
    if json == STDOUT:
        click.echo(reply.to_json(indent=2))
    elif json is not None:
        write_atomic(json, reply.to_json(indent=2) + "\n")
    if not quiet:
        show_reply(reply, err=json == STDOUT)
