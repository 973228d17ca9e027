"""`reason-iad schema`: the published JSON schemas, generated from the models that write the JSON."""

from __future__ import annotations

from pathlib import Path

import click

from reason_iad.cli.checks import make_folder
from reason_iad.cli.values import Choice

NAMES = ("inspection", "summary", "failure", "reply", "comparison")


@click.command()
@click.argument("name", type=Choice(NAMES), default="inspection")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write all schemas into this folder instead of printing one. The folder is made if it is missing.",
)
def schema(name: str, out: Path | None) -> None:
    """Print the JSON schema of a result.

    It is the schema of an inspection (without a name), of its short form (summary), of the line about an image that
    failed (failure), of the answer to a question (reply), or of two parts compared (comparison).
    """
    from reason_iad.files import write_atomic

    if out is None:
        click.echo(schema_text(name), nl=False)
        return
    make_folder(out, "--out")
    for each in NAMES:
        write_atomic(out / f"{each}.schema.json", schema_text(each))
        click.echo(out / f"{each}.schema.json")


def schema_text(name: str) -> str:
    """One schema as it is published: two spaces of indent, one newline at the end."""
    import json

    from reason_iad.inspection.many import Failure
    from reason_iad.schema import SCHEMA_VERSION, Inspection, Record, Reply, Summary
    from reason_iad.schema.comparison import PartComparison

    models: dict[str, type[Record]] = {
        "inspection": Inspection,
        "summary": Summary,
        "failure": Failure,
        "reply": Reply,
        "comparison": PartComparison,
    }
    content = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:reason-iad:{name}:{SCHEMA_VERSION}",
        **models[name].model_json_schema(mode="serialization"),
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"
