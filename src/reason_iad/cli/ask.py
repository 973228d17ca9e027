"""`reason-iad ask`: any question about an image, on the same engine as an inspection."""

from __future__ import annotations

from pathlib import Path

import click

from reason_iad.cli.common import Engine, check_output, engine_options, fuse_option
from reason_iad.cli.inspect import STDOUT
from reason_iad.cli.values import ManyValues


@click.command(cls=ManyValues)
@click.argument("part", metavar="PART", type=click.Path(path_type=Path))
@click.argument("question", metavar="QUESTION")
@click.option(
    "--options",
    multiple=True,
    metavar="OPTION...",
    help="Answers to choose from, 'A) yes' or just 'yes'; without them the answer is free text.",
)
@click.option(
    "--reference",
    "references",
    multiple=True,
    metavar="GOOD...",
    type=click.Path(path_type=Path),
    help="Good parts of the same product: images or folders.",
)
@click.option("--category", help="Name of the product; found from the gallery if left out.")
@engine_options
@fuse_option
@click.option(
    "--json",
    "json",
    type=click.Path(path_type=Path, allow_dash=True),
    metavar="OUT.json",
    help="Write the answer with its evidence as JSON ('-': to standard output).",
)
@click.option("--quiet", is_flag=True, help="Print nothing but what --json asks for.")
def ask(
    engine: Engine, part: Path, question: str, options: tuple[str, ...], references: tuple[Path, ...],
    category: str | None, json: Path | None, quiet: bool,
) -> None:  # fmt: skip
    """Ask QUESTION about the image PART.

    \b
    reason-iad ask part.png "How many pins are there?" --options "A) 4" "B) 8"
    reason-iad ask part.png "Is there any defect?" --options yes no --reference good.png

    The second is weighed like a verdict: with references and options to choose from, questions that plainly ask
    whether there is a defect (yes, no), or which, where ("top left") or how large it is.
    """
    from reason_iad.cli.show import show_reply
    from reason_iad.files import write_atomic
    from reason_iad.images import find_images, load_image
    from reason_iad.inspection.questions import Question, parse_options

    checked = Question("question", question, parse_options(options))
    good = find_images(references) if references else []
    for image in (part, *good):
        load_image(image)
    if json is not None and json != STDOUT:
        check_output(json, (part, *good))
    reply = engine.load().ask(part, checked.text, options=checked.options, references=good, category=category)
    if json == STDOUT:
        click.echo(reply.to_json(indent=2))
    elif json is not None:
        write_atomic(json, reply.to_json(indent=2) + "\n")
    if not quiet:
        show_reply(reply, err=json == STDOUT)
