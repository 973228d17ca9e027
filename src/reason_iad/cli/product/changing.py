"""Commands that make and change a product. After each, what follows from the product is brought up to date."""

from __future__ import annotations

import functools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import click

from reason_iad.cli.choices import EncoderName
from reason_iad.cli.headings import INPUT, METHOD, VERDICT, F, HeadedCommand, option
from reason_iad.cli.options import products_option
from reason_iad.cli.printing import say, shown_progress
from reason_iad.cli.product.fitting import fit_embedded
from reason_iad.cli.product.values import NOTHING, BoxValue, OrNone, Scale, Share, Size
from reason_iad.cli.values import Choice, ExistingPath, ManyValues
from reason_iad.errors import ConfigError
from reason_iad.products import GivenDefect, Product, Products, derive, find_defects
from reason_iad.products.limits import kept_limits

if TYPE_CHECKING:
    from reason_iad.schema import Box

_DEFECTS_HELP = (
    "Folder of images of defective parts. Its sub-folders are the types. Masks are found by their names."
)
_GOOD_HELP = "Images of good parts, or folders of them. Sub-folders are views or variants of the part."
_FILE = ExistingPath(dir_okay=False)
_SETTINGS = (
    option(VERDICT, "--false-alarms", type=Share(), metavar="SHARE",
           help="At most this share of good parts is called defective, as the mean over many such products: 0.02 "
           "means 2 %. The default is 0.05, which needs 19 good images."),
    option(VERDICT, "--missed", type=OrNone(Share()), metavar="SHARE",
           help="At most this share of defective parts passes, as such a mean: 0.05 means 5 %. Doubtful parts are "
           "handed to a person. It needs images of real defects: 19 or more for 5 %."),
    option(VERDICT, "--min-size", type=OrNone(Size()), metavar="LENGTH",
           help="Defects that are shorter do not count: 0.5mm or 12px. Millimetres need --scale."),
    option(VERDICT, "--scale", type=OrNone(Scale()), metavar="LENGTH",
           help="How many millimetres a pixel shows: 0.05mm."),
    option(VERDICT, "--ignore", type=OrNone(_FILE), metavar="PNG",
           help="A black-and-white image of the size of a good one. Its white areas are not inspected."),
    option(VERDICT, "--inspect", type=OrNone(_FILE), metavar="PNG",
           help="A black-and-white image of the size of a good one. Only its white areas are inspected."),
    option(INPUT, "--white", type=click.FloatRange(0, 65535, min_open=True), metavar="VALUE",
           help="The value that is white in images with more than 8 bits: 4095 for a camera with 12 bits. Without "
           "it, it follows from the good images, and then stays."),
    option(INPUT, "--knowledge", type=OrNone(ExistingPath()), metavar="FILE|DIR",
           help="What is normal for the part, and what defects it can have (docs/knowledge.md)."),
    option(METHOD, "--encoder", type=EncoderName(), metavar="NAME",
           help="The network that turns images into the numbers that are compared. The default is "
           "efficientnet_lite0."),
    option(METHOD, "--resolution", type=OrNone(click.IntRange(32, 8192)), metavar="PIXELS",
           help="Side to which images are scaled for the comparison. Without it, they are compared at 224 and "
           "at 320 pixels."),
    option(METHOD, "--details", type=Choice(["auto", "on", "off"]),
           help="Look at images in detail, too, piece by piece: always (on), never (off), or where they are so "
           "large that small defects could not be seen otherwise (auto). It takes seconds for each image."),
    option(METHOD, "--orientation", type=Choice(["auto", "fixed", "any"]),
           help="How parts lie: always the same way (fixed), or at any angle (any). With auto, the good images "
           "show it."),
)  # fmt: skip


def settings_options(command: F) -> F:
    """Add the options for settings to a command, which receives those that were given as `settings`."""

    @functools.wraps(command)
    def wrapper(**options: Any) -> Any:
        names = [parameter.removeprefix("--").replace("-", "_") for parameter in _NAMES]
        given = {name: options.pop(name) for name in names}
        settings = {name: None if value is NOTHING else value for name, value in given.items() if value is not None}
        encoder = Path(str(settings.get("encoder", "")))
        if "encoder" in settings and encoder.is_dir():  # another working folder must not matter
            settings["encoder"] = str(encoder.resolve())
        return command(settings=settings, **options)

    for each in reversed(_SETTINGS):
        wrapper = each(wrapper)
    return wrapper  # type: ignore[return-value]


_NAMES = (
    "--false-alarms", "--missed", "--min-size", "--scale", "--ignore", "--inspect", "--white", "--knowledge",
    "--encoder", "--resolution", "--details", "--orientation",
)  # fmt: skip


class _Pictures(ManyValues):
    """A command whose pictures may be many."""

    many: ClassVar[frozenset[str]] = frozenset({"--good", "--defect"})

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Refuse several types, which could not be told from pictures; then parse as usual."""
        if args.count("--defect") > 1:
            ctx.fail("Give --defect once. Run the command again for another type, or use --defects DIR.")
        return super().parse_args(ctx, args)


good_option = option(
    INPUT, "--good", "good", multiple=True, metavar="PATH...", type=click.Path(path_type=Path), help=_GOOD_HELP
)
template_option = option(
    INPUT, "--template", type=ExistingPath(), metavar="FILE|DIR",
    help="Compare parts with their templates. They are in a folder: for each image the file of the same name, "
    "whatever its ending. One file is the template of all.",
)  # fmt: skip
defects_option = option(INPUT, "--defects", type=ExistingPath(file_okay=False), metavar="DIR", help=_DEFECTS_HELP)


@click.command(cls=_Pictures)
@click.argument("name")
@good_option
@defects_option
@template_option
@settings_options
@option(
    METHOD, "--fit", is_flag=True,
    help="Let the answers of nano count for the verdicts, if they help. This takes a few minutes, and needs "
    "19 good images for 5 % false alarms. For other models, and for later, `reason-iad product fit` does the same.",
)  # fmt: skip
@products_option
def create(
    name: str, good: tuple[Path, ...], defects: Path | None, template: Path | None, settings: dict[str, Any],
    fit: bool, products: Path | None,
) -> None:  # fmt: skip
    """Make a product from images of good parts and of defects.

    Images of defects are not needed.

    \b
    reason-iad product create bracket --good photos/good --defects photos/bad
    """
    if not good:
        raise click.UsageError("Give images of good parts: --good DIR.")
    made = Products(products).create(
        name, good, defects=() if defects is None else defects, settings=settings, template=template, tell=say
    )
    _finish(made)
    elsewhere = "" if products is None else f" --products {shlex.quote(str(products))}"
    say(f"Next, see how well it will work: reason-iad product check {made.name}{elsewhere}")
    if fit:
        fit_embedded(made)


@click.command(cls=_Pictures)
@click.argument("name")
@good_option
@option(
    INPUT, "--defect", "defect", multiple=True, metavar="TYPE IMAGE...",
    help="Images of defective parts of one type: first the type, then the images.",
)  # fmt: skip
@defects_option
@option(
    INPUT, "--mask", type=_FILE, metavar="PNG",
    help="With --defect and one image: an image as large, black but for the defect.",
)  # fmt: skip
@option(
    INPUT, "--box", type=BoxValue(), metavar="X1,Y1,X2,Y2",
    help="With --defect and one image: the box around the defect, in pixels.",
)  # fmt: skip
@option(
    INPUT, "--move", is_flag=True,
    help="Correct the product: a good image becomes a defect, a defect a good image, or its type changes.",
)  # fmt: skip
@template_option
@products_option
def add(
    name: str, good: tuple[Path, ...], defect: tuple[str, ...], defects: Path | None, mask: Path | None,
    box: Box | None, move: bool, template: Path | None, products: Path | None,
) -> None:  # fmt: skip
    """Add images to a product: of good parts, or of defects.

    \b
    reason-iad product add bracket --good late_shift/
    reason-iad product add bracket --defect scratch part.png --mask part_mask.png
    """
    if sum(map(bool, (good, defect, defects))) != 1:
        raise click.UsageError("Give one of --good, --defect and --defects.")
    before = Products(products).open(name)
    given = _labelled(defect, mask, box)
    if good:
        after = before.with_good(*good, move=move, template=template, tell=say)
    else:
        found = given or find_defects(Path(str(defects)), say)
        after = before.with_defects(found, move=move, template=template, tell=say)
    _finish(after, before)


@click.command(cls=HeadedCommand)
@click.argument("name")
@click.argument("images", nargs=-1, required=True, metavar="IMAGE...")
@products_option
def drop(name: str, images: tuple[str, ...], products: Path | None) -> None:
    """Take images out of a product.

    An image is named by its file in the product, or by any file with the same content.
    """
    before = Products(products).open(name)
    _finish(before.without(*images), before)


@click.command("set", cls=HeadedCommand)
@click.argument("name")
@settings_options
@option(
    INPUT, "--template", type=OrNone(_FILE), metavar="FILE",
    help="The template of all parts, in place of all templates that there are.",
)  # fmt: skip
@products_option
def set_(name: str, settings: dict[str, Any], template: Any, products: Path | None) -> None:
    """Change settings of a product. The word none takes a setting away.

    \b
    reason-iad product set bracket --false-alarms 0.02 --missed 0.05
    reason-iad product set bracket --min-size 0.5mm --scale 0.05mm --ignore area.png
    """
    if template is not None:
        settings = {**settings, "template": None if template is NOTHING else template}
    if not settings:
        raise click.UsageError("Give a setting, for example --false-alarms 0.02.")
    before = Products(products).open(name)
    _finish(before.with_settings(**settings), before)


@click.command(cls=HeadedCommand)
@click.argument("name")
@option(
    INPUT, "--to", type=click.IntRange(min=1), metavar="N",
    help="Go back to the state after change number N of the history. Without it, the last change is taken back.",
)  # fmt: skip
@products_option
def undo(name: str, to: int | None, products: Path | None) -> None:
    """Take back the last change of a product.

    To take back the undoing, run the command again.
    """
    before = Products(products).open(name)
    _finish(before.undone(to), before)


def finish(product: Product) -> None:
    """Bring what follows from a product up to date, and show how far that is."""
    with shown_progress() as progress:
        derive(product, progress)


def _finish(product: Product, before: Product | None = None) -> None:
    """Say what was changed, and what became of the limits."""
    revision = 0 if before is None else before.state.revision
    new = [change for change in product.history() if change.revision > revision]
    for change in new:
        say(f"{product.name}: {change.words}")
    if not new:
        say(f"{product.name}: nothing was changed.")
        return
    old = None if before is None else kept_limits(before)
    try:
        finish(product)
    except ConfigError as error:  # the change is made; what it leads to has to be mended before parts are inspected
        say(f"The limits cannot be set. {error}")
        return
    if (now := kept_limits(product)) is not None:
        moved = old is not None and old.in_words() != now.in_words()
        say(f"{now.in_words()}{f' Before: {old.in_words()}' if moved and old is not None else ''}")
        if old is None or old.promise != now.promise:
            say(now.promise)


def _labelled(words: tuple[str, ...], mask: Path | None, box: Box | None) -> list[GivenDefect]:
    """What --defect, --mask and --box say together."""
    if len(words) == 1 or (words and Path(words[0]).is_file()):
        raise click.UsageError("--defect takes the type and then the images: --defect scratch part.png")
    if (mask or box) and len(words) != 2:
        raise click.UsageError("--mask and --box belong to one image: --defect scratch part.png --mask mask.png")
    return [GivenDefect(Path(word), words[0].strip(), mask, box) for word in words[1:]]
