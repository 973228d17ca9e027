"""`reason-iad doctor`: print the checks of `reason_iad.cli.installation` as they are made."""

from __future__ import annotations

from pathlib import Path

import click

from reason_iad.cli import EXIT_INPUT

_COLOURS = {"ok": "green", "note": "yellow", "error": "red"}


@click.command()
@click.option("--model", default="nano", show_default=True, metavar="nano|DIR|HUB_ID", help="Check this model.")
@click.option("--knowledge", type=click.Path(path_type=Path), metavar="DIR_OR_STORE", help="Check this knowledge.")
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda[:N]", help="Where to compute.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(model: str, knowledge: Path | None, device: str, as_json: bool) -> None:
    """Check versions, devices, models and knowledge, and say how to mend what is missing.

    Exit code: 0 everything needed works, 2 otherwise.
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
                click.echo(f"{'':<24}mend: {check.mend}")
    errors = sum(check.status == "error" for check in checks)
    if as_json:
        click.echo(json.dumps({"ok": not errors, "checks": [asdict(check) for check in checks]}, indent=2))
    else:
        click.echo(f"{errors} to mend" if errors else "everything needed works")
    click.get_current_context().exit(EXIT_INPUT if errors else 0)
