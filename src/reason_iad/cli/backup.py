"""`reason-iad backup`: copy everything that a service has to keep, while it runs."""

from __future__ import annotations

from pathlib import Path

import click

from reason_iad.cli.headings import HeadedCommand
from reason_iad.cli.printing import say
from reason_iad.cli.serve import data_option, database_option, needed


@click.command(cls=HeadedCommand)
@click.argument("target", type=click.Path(path_type=Path), metavar="DIR")
@data_option
@database_option
def backup(target: Path, data: Path, database: str) -> None:
    """Copy database, pictures and products of a service into the new folder DIR.

    The service may be running. On the same disk, pictures are linked and take no further room; to be safe
    from the loss of a disk, choose a folder on another one.

    \b
    reason-iad backup /media/copies/monday --data line-2
    """
    with needed():
        from reason_iad.service.keeping.backup import back_up
    from reason_iad.service.settings import Settings

    copied = back_up(Settings(data, database), target)
    say(f"'{target}' holds {copied.in_words()}.")
    if copied.damaged:
        say(f"{copied.damaged} pictures are damaged on the disk of the service. Check that disk.")
