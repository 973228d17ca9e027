"""`reason-iad serve`: the service on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from reason_iad.cli.headings import MODEL, PEOPLE, SERVICE, HeadedCommand, option
from reason_iad.cli.printing import say
from reason_iad.cli.threads import use_threads
from reason_iad.cli.values import ExistingPath
from reason_iad.errors import MissingExtraError

_FILE = ExistingPath(dir_okay=False)

data_option = option(
    SERVICE, "--data", type=click.Path(file_okay=False, path_type=Path), default="reason-iad-data",
    show_default=True, metavar="DIR", help="Folder of database, pictures and products.",
)  # fmt: skip
database_option = option(
    SERVICE, "--database", default="", metavar="URL",
    help="PostgreSQL to use: postgresql://USER@HOST/NAME. Without it, a file in the data folder.",
)  # fmt: skip


@contextmanager
def needed() -> Iterator[None]:
    """Import what only the service needs.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"The service (package {error.name})", "service") from None


@click.command(cls=HeadedCommand)
@data_option
@option(SERVICE, "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
        help="Address to listen on. With the default, only this machine reaches the service.")  # fmt: skip
@option(SERVICE, "--port", type=click.IntRange(1, 65535), default=8340, show_default=True,
        help="Port to listen on.")  # fmt: skip
@option(SERVICE, "--workers", type=click.IntRange(0, 64), default=1, show_default=True,
        help="Number of processes that inspect parts.")  # fmt: skip
@database_option
@option(SERVICE, "--certificate", type=_FILE, metavar="PEM", help="Certificate for HTTPS. Needs --private-key.")
@option(SERVICE, "--private-key", type=_FILE, metavar="PEM", help="Private key of the certificate.")
@option(SERVICE, "--config", type=_FILE, metavar="TOML",
        help="File that names folders and cameras where parts come from, places where outcomes go, and how long "
        "parts are kept (docs/sources-and-sinks.md).")  # fmt: skip
@option(MODEL, "--model", metavar="NAME|DIR",
        help="Model that is asked about doubtful parts and that explains defects. Without it, the comparison with "
        "good parts decides alone.")  # fmt: skip
@option(PEOPLE, "--first-admin", metavar="NAME",
        help="Make an administrator of this name, ask for a password, and end.")  # fmt: skip
def serve(
    data: Path, host: str, port: int, workers: int, database: str, certificate: Path | None,
    private_key: Path | None, config: Path | None, model: str | None, first_admin: str | None,
) -> None:  # fmt: skip
    """Run the service: parts come in over HTTP, and people see, correct and teach in the browser.

    \b
    reason-iad serve --data line-2
    """
    use_threads(None)
    with needed():
        from reason_iad.service.server import add_administrator, run_server
    from reason_iad.service.configuration import Configuration, read_configuration
    from reason_iad.service.settings import Settings

    settings = Settings(
        data, database, host, port, workers, model, certificate=certificate, private_key=private_key,
        configuration=Configuration() if config is None else read_configuration(config),
    )  # fmt: skip
    if first_admin is not None:
        add_administrator(
            settings, first_admin, click.prompt("Password", hide_input=True, confirmation_prompt=True)
        )
        say(f"'{first_admin}' may log in and administer.")
        return
    scheme = "http" if certificate is None else "https"
    run_server(settings, lambda: say(f"The service listens at {scheme}://{host}:{port}/. Stop it with Ctrl-C."))
