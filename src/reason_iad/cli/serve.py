"""`reason-iad serve`: the service on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from reason_iad.cli.at_server import VARIABLE, read_key
from reason_iad.cli.headings import MACHINES, MODEL, PEOPLE, SERVICE, HeadedCommand, option
from reason_iad.cli.printing import say
from reason_iad.cli.threads import use_threads
from reason_iad.cli.values import ExistingPath
from reason_iad.errors import ConfigError, MissingExtraError

if TYPE_CHECKING:
    from reason_iad.service.settings import Settings

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
@option(SERVICE, "--worker", is_flag=True,
        help="Only inspect parts, for a server on another machine. Needs --server, and its PostgreSQL as "
        "--database. The folder holds copies of its products.")  # fmt: skip
@option(SERVICE, "--server", metavar="URL", help="With --worker, the address of the server.")
@option(SERVICE, "--key", type=_FILE, metavar="FILE",
        help="With --worker, a file with a key of the server. Without it, the variable "
        f"{VARIABLE} is used.")  # fmt: skip
@option(MACHINES, "--ray", metavar="ADDRESS",
        help="Inspect parts on a Ray cluster: HOST:PORT, or 'auto' for the one that runs on this machine. Workers "
        "are started when parts wait, up to --workers.")  # fmt: skip
@option(MACHINES, "--gpus", type=float, default=0.0, show_default=True, metavar="SHARE",
        help="With --ray, GPUs for each worker: 0, a share such as 0.25, or a whole number.")  # fmt: skip
@option(SERVICE, "--demo", is_flag=True,
        help="Show the service: in a new folder, with a product and parts that come with the package. The folder "
        "is deleted at the end, unless it is given with --data.")  # fmt: skip
@option(PEOPLE, "--first-admin", metavar="NAME",
        help="Make an administrator of this name, ask for a password, and end.")  # fmt: skip
@option(PEOPLE, "--password-file", type=_FILE, metavar="FILE",
        help="With --first-admin, a file with the password. Without it, the program asks.")  # fmt: skip
@option(PEOPLE, "--new-key", metavar="NAME",
        help="Make a key of this name for a program, print it, and end.")  # fmt: skip
@option(PEOPLE, "--role", type=click.Choice(["inspect", "review", "administer"]), default="inspect",
        show_default=True, help="With --new-key, what the program may do.")  # fmt: skip
@option(PEOPLE, "--keys", is_flag=True, help="List the keys of programs, and end.")
@option(PEOPLE, "--revoke-key", metavar="NAME", help="Let the key of this name work no more, and end.")
def serve(
    data: Path, host: str, port: int, workers: int, database: str, certificate: Path | None,
    private_key: Path | None, config: Path | None, model: str | None, worker: bool, server: str | None,
    key: Path | None, ray: str | None, gpus: float, demo: bool, first_admin: str | None,
    password_file: Path | None, new_key: str | None, role: str, keys: bool, revoke_key: str | None,
) -> None:  # fmt: skip
    """Run the service: parts come in over HTTP, and people see, correct and teach in the browser.

    \b
    reason-iad serve --data line-2
    reason-iad serve --demo
    """
    use_threads(None)
    with needed():
        from reason_iad.service.server import run_server, run_workers
    from reason_iad.service.configuration import Configuration, read_configuration
    from reason_iad.service.logs import write_log
    from reason_iad.service.settings import Settings

    write_log()
    if gpus and ray is None:
        raise ConfigError("--gpus has no effect without --ray. Add --ray, or leave it out.")
    if worker != (server is not None):
        raise ConfigError("--worker and --server go together. Give both, or neither.")
    if key is not None and not worker:
        raise ConfigError("--key is for --worker. Add --worker, or leave it out.")
    if password_file is not None and first_admin is None:
        raise ConfigError("--password-file is for --first-admin. Add --first-admin NAME, or leave it out.")
    settings = Settings(
        data, database, host, port, workers, model, certificate=certificate, private_key=private_key,
        server=server, key=_key(key) if worker else None, ray=ray, gpus=gpus,
        configuration=Configuration() if config is None else read_configuration(config),
    )  # fmt: skip
    if first_admin is not None or new_key is not None:
        _people(settings, first_admin, password_file, new_key, role)
    if revoke_key is not None or keys:
        _keys(settings, revoke_key, listed=keys)
    if keys or any(name is not None for name in (first_admin, new_key, revoke_key)):
        return
    if worker:
        run_workers(settings, lambda: say(f"Workers inspect parts for {server}. Stop them with Ctrl-C."))
        return
    with ExitStack() as stack:
        if demo:
            settings = stack.enter_context(_demo(settings))
        scheme = "http" if certificate is None else "https"
        run_server(settings, lambda: say(f"The service listens at {scheme}://{host}:{port}/. Stop it with Ctrl-C."))


def _people(
    settings: Settings, first_admin: str | None, password_file: Path | None, new_key: str | None, role: str
) -> None:
    """Make an administrator, a key, or both."""
    from reason_iad.service.options import read_secret
    from reason_iad.service.server import add_administrator, add_key

    if first_admin is not None:
        if password_file is None:
            password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
        else:
            password = read_secret(password_file, "the password")
        add_administrator(settings, first_admin, password)
        say(f"'{first_admin}' may log in and administer.")
    if new_key is not None:
        made, anybody = add_key(settings, new_key, role)
        if not anybody:
            say("From now on the service asks for credentials, and nobody has a password. Add --first-admin NAME.")
        say(f"The key '{new_key}' may {role}. It is shown only now:")
        click.echo(made)


def _keys(settings: Settings, revoked: str | None, *, listed: bool) -> None:
    """Take a key away, list those that are left, or both."""
    from reason_iad.service.server import keys_of, revoke_key

    if revoked is not None:
        revoke_key(settings, revoked)
        say(f"The key '{revoked}' works no more.")
    if listed:
        left = keys_of(settings)
        if not left:
            say("There are no keys. Make one with --new-key NAME.")
        for name, role in left.items():
            click.echo(f"{name}  {role}")


def _key(file: Path | None) -> str | None:
    return os.environ.get(VARIABLE) or None if file is None else read_key(file)


@contextmanager
def _demo(settings: Settings) -> Iterator[Settings]:
    """The same service with something to show."""
    from reason_iad.cli.service_demo import demo_folder, set_up_demo

    given = click.get_current_context().get_parameter_source("data") is not ParameterSource.DEFAULT
    with demo_folder(settings.data if given else None) as data:
        say("A product is made of pictures that come with the package ...")
        yield replace(settings, data=data, configuration=set_up_demo(data))
