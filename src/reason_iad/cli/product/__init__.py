"""`reason-iad product`: make, change, look at, mail and remove products."""

from __future__ import annotations

import click

from reason_iad.cli.headings import SuggestingGroup
from reason_iad.cli.product.changing import add, create, drop, set_, undo
from reason_iad.cli.product.checking import check
from reason_iad.cli.product.fitting import fit
from reason_iad.cli.product.looking import history, list_, show
from reason_iad.cli.product.moving import export, import_, remove


class _InOrder(SuggestingGroup):
    """Lists its commands as they were added."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=_InOrder)
def product() -> None:
    """Keep what is known of one kind of part: good images, known defects, areas, settings.

    A product is one folder. docs/products.md shows what is in it.

    \b
    reason-iad product create bracket --good photos/good --defects photos/bad
    reason-iad product add bracket --good late_shift/
    reason-iad product show bracket
    reason-iad product check bracket
    """


for _command in (create, add, drop, set_, undo, fit, list_, show, history, check, export, import_, remove):
    product.add_command(_command)
