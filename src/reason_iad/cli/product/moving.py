"""Commands that mail products, take them in, and delete them."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from reason_iad.cli.checks import check_output
from reason_iad.cli.headings import INPUT, OUTPUT, HeadedCommand, option
from reason_iad.cli.options import products_option
from reason_iad.cli.printing import say
from reason_iad.cli.product.changing import finish
from reason_iad.cli.values import ExistingPath
from reason_iad.errors import OutputError
from reason_iad.products import Products
from reason_iad.products import export as write_archive
from reason_iad.products.editing import counted


@click.command(cls=HeadedCommand)
@click.argument("name")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.zip")
@option(OUTPUT, "--overwrite", is_flag=True, help="Replace FILE.zip if it is there.")
@products_option
def export(name: str, file: Path, overwrite: bool, products: Path | None) -> None:
    """Write a product into one ZIP file, to mail it or to keep it.

    The file holds the images as they are now. Images that only earlier states had stay at home.
    """
    product = Products(products).open(name)
    check_output(file, ())
    if file.exists() and not overwrite:
        raise OutputError(f"'{file}' exists. Replace it with --overwrite, or choose another file.")
    write_archive(product, file)
    say(f"{product.name}: exported to {file}. Read it with 'reason-iad product import'.")
    if Path(product.settings.encoder).is_absolute():
        say(
            "The encoder is a folder of this machine. Elsewhere, name another one with 'reason-iad product set "
            f"{product.name} --encoder'."
        )


@click.command("import", cls=HeadedCommand)
@click.argument("source", type=ExistingPath(), metavar="FILE.zip|FOLDER")
@option(INPUT, "--as", "name", metavar="NAME", help="Name of the product here. Without it, the name it had.")
@products_option
def import_(source: Path, name: str | None, products: Path | None) -> None:
    """Take in a product that was exported.

    It may also be the folder of a product. Every file is checked. Nothing is taken in unless all of it is right.
    """
    product = Products(products).take(source, name)
    images = len(product.state.good)
    defects = len(product.state.defects)
    say(f"{product.name}: imported with {counted(images, 'good image')} and {counted(defects, 'defect')}.")
    finish(product)


@click.command(cls=HeadedCommand)
@click.argument("name")
@option(OUTPUT, "--yes", is_flag=True, help="Do not ask.")
@products_option
def remove(name: str, yes: bool, products: Path | None) -> None:
    """Delete a product with all its images. This cannot be taken back."""
    catalogue = Products(products)
    product = catalogue.open(name)
    if not yes:
        if not sys.stdin.isatty():
            raise click.UsageError("Give --yes to delete the product without a question.")
        click.confirm(
            f"Delete '{product.folder}' with {len(product.state.good)} good images?", abort=True, err=True
        )
    catalogue.remove(name)
    say(f"{name}: deleted.")
