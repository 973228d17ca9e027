"""`inspect --server`: a server inspects the parts, and the command shows and writes what it found."""

from __future__ import annotations

import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from reason_iad.cli.headings import SERVICE, F, option
from reason_iad.cli.printing import say
from reason_iad.cli.values import ExistingPath
from reason_iad.errors import ConfigError, ImageError, ServiceError

if TYPE_CHECKING:
    from reason_iad.client import Client
    from reason_iad.images import LoadedImage
    from reason_iad.products.templates import GivenTemplates
    from reason_iad.schema import Inspection

VARIABLE = "REASON_IAD_KEY"
"""Environment variable with the key of a server."""
PATIENCE_S = 600.0
"""Seconds to wait for a result."""
MOST_KEY = 1000
_TOGETHER = frozenset((
    "parts", "server", "key", "product", "template", "jobs",
    "report", "export", "formats", "json", "sinks", "overwrite", "quiet",
))  # fmt: skip
"""Parameters that have a meaning with `--server`."""


@dataclass(frozen=True, slots=True)
class Server:
    """The server that inspects.

    Attributes:
        url: its address.
        key: for programs; None: without.
        product: that the parts belong to.
        templates: of the parts; None: they have none of their own.
    """

    url: str
    key: str | None
    product: str
    templates: GivenTemplates | None = None

    def check(self, parts: Sequence[Path]) -> None:
        """Make sure that it will inspect these parts of the product, before anything is written or sent.

        Raises:
            ProductError: a part has no template, and others have.
            ServiceError: the address is not one, the server cannot be reached, the key is not valid, or there is no
                such product.
        """
        from reason_iad.client import Client

        if self.templates is not None:
            self.templates.required(parts)
        with Client(self.url, self.key) as client:
            client.check(self.product)

    def beside(self, result: Inspection) -> tuple[Path, ...]:
        """The picture that a report of this machine shows beside that of the part: its template."""
        product = result.evidence.product
        if self.templates is None or product is None or product.template is None:
            return ()
        template = self.templates.of(result.image.name)
        return () if template is None else (template,)

    def open(self) -> ServerInspector:
        """Connect to it.

        Raises:
            ServiceError: the address is not one.
        """
        from reason_iad.client import Client

        return ServerInspector(Client(self.url, self.key), self.product, self.templates)


class ServerInspector:
    """Lets a server inspect images; several threads may use it.

    Args:
        client: of the server.
        product: that the parts belong to.
        templates: of the parts; None: they have none of their own.
    """

    def __init__(self, client: Client, product: str, templates: GivenTemplates | None = None) -> None:
        self._client, self._product, self._templates = client, product, templates

    def inspect(
        self,
        image: Path | LoadedImage,
        *,
        references: Sequence[Path | LoadedImage] = (),
        category: str | None = None,
        question: str | None = None,
    ) -> Inspection:
        """Inspect the image in a file.

        Raises:
            ImageError: the file cannot be read, or the server cannot inspect it.
            ServiceError: the server cannot be reached, refuses it, or takes too long.
        """
        from pydantic import ValidationError

        from reason_iad.images import printable
        from reason_iad.schema import Inspection

        assert isinstance(image, Path), "the server gets the file as it is"
        own = None if self._templates is None else self._templates.of(image)
        part = self._client.inspect(image, self._product, name=printable(image.name), wait=PATIENCE_S, template=own)
        if part.state == "failed":
            raise ImageError(str(part.error))
        result = self._client.get(part.id).result if part.ended else None
        if result is None:
            raise ServiceError(f"The server has no result yet. Ask it for inspection {part.id} later.")
        try:
            return Inspection.model_validate(result)
        except ValidationError:
            raise ServiceError("The result comes from another version of the program. Update this one.") from None


def server_options(command: F) -> F:
    """Add `--server` and `--key` to a command, which receives them as `server`; None without."""

    @functools.wraps(command)
    def wrapper(**options: Any) -> Any:
        url, key = options.pop("server"), options.pop("key")
        if url is None and key is not None:
            raise ConfigError("--key is for a server. Give its address with --server URL.")
        server = None if url is None else _chosen(url, key, options["product"], options["template"])
        if server is not None:
            options |= {"product": None, "template": None}  # the server knows them, not this machine
        return command(server=server, **options)

    for each in (
        option(SERVICE, "--key", type=ExistingPath(dir_okay=False), metavar="FILE",
               help=f"With --server, a file with the key. Without it, the variable {VARIABLE} is used."),
        option(SERVICE, "--server", metavar="URL",
               help="Let a server inspect the parts (`reason-iad serve`). Needs --product, which then names a "
               "product of the server."),
    ):  # fmt: skip
        wrapper = each(wrapper)
    return wrapper  # type: ignore[return-value]


def _chosen(url: str, key: Path | None, product: str | None, template: Path | None) -> Server:
    """The server.

    Raises:
        ConfigError: an option has no meaning with it, or one is missing.
    """
    context = click.get_current_context()
    for each in context.command.params:
        given = context.get_parameter_source(str(each.name)) is ParameterSource.COMMANDLINE
        if given and each.name not in _TOGETHER:
            raise ConfigError(
                f"{each.opts[0]} cannot be used with --server, which decides itself how parts are inspected. Leave "
                f"out {each.opts[0]}, or leave out --server."
            )
    if product is None:
        raise ConfigError("--server needs --product NAME, the name of a product of the server.")
    from reason_iad.products.templates import find_templates

    said = os.environ.get(VARIABLE) or None if key is None else read_key(key)
    return Server(url, said, product, None if template is None else find_templates(template, say))


def read_key(path: Path) -> str:
    """The key of a server, from a file.

    Raises:
        ConfigError: there is none in it.
    """
    try:
        with path.open("rb") as file:
            key = file.read(MOST_KEY).decode("ascii").strip()
    except (OSError, ValueError):
        key = ""
    if not key:
        raise ConfigError(f"'{path}' holds no key. Write the key into it that the server showed.")
    return key
