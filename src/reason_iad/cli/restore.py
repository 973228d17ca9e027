"""`reason-iad restore`: make a service of a copy that `reason-iad backup` wrote."""

from __future__ import annotations

from pathlib import Path

import click

from reason_iad.cli.headings import HeadedCommand
from reason_iad.cli.printing import say
from reason_iad.cli.serve import data_option, database_option, needed


@click.command(cls=HeadedCommand)
@click.argument("source", type=click.Path(path_type=Path), metavar="DIR")
@data_option
@database_option
def restore(source: Path, data: Path, database: str) -> None:
    """Make a service of the copy in the folder DIR. Every file of the copy is checked.

    The data folder must be empty, or not exist.

    \b
    reason-iad restore /media/copies/monday --data line-2
    """
    with needed():
        from reason_iad.service.keeping import backup
    from reason_iad.service.settings import Settings

    copied = backup.restore(source, Settings(data, database))
    say(f"'{data}' holds {copied.in_words()} again.")
