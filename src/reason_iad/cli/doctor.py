"""`reason-iad doctor`: print the checks of `reason_iad.cli.installation` as they are made."""

from __future__ import annotations

from pathlib import Path

import click

from reason_iad.cli import EXIT_INPUT
from reason_iad.cli.headings import OUTPUT, HeadedCommand, option
from reason_iad.cli.options import device_option, knowledge_option, model_option, threads_option

_COLOURS = {"ok": "green", "note": "yellow", "error": "red"}


@click.command(cls=HeadedCommand)
@knowledge_option
@model_option
@device_option
@threads_option
@option(OUTPUT, "--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(model: str, knowledge: Path | None, device: str, threads: int | None, as_json: bool) -> None:
    """Check the installation, and say how to repair what is missing.

    The last check loads the model and inspects a small image.

    The exit code is 0 if everything that an inspection needs works, and 2 otherwise.
    """
    import json
    from dataclasses import asdict

    from reason_iad.cli.installation import examine

    checks = []
    for check in examine(model, knowledge, device):
        checks.append(check)
        if not as_json:
            click.echo(
                f"{click.style(f'{check.status:<6}', fg=_COLOURS[check.status])} {check.name:<16} {check.detail}"
            )
            if check.mend:
                click.echo(f"{'':<24}to repair it: {check.mend}")
    errors = sum(check.status == "error" for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": not errors, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        click.echo(_summary(errors))
    click.get_current_context().exit(EXIT_INPUT if errors else 0)


def _summary(errors: int) -> str:
    """The last line."""
    if not errors:
        return "Everything that an inspection needs works."
    return f"{errors} {'check' if errors == 1 else 'checks'} failed. Repair what is marked as an error above."
