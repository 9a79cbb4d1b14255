"""`sts apply`, `sts export`, `sts schema`: a namespace as a file."""

import os
import sys
from pathlib import Path

import click

from sts.assemble import utc_now
from sts.cli.files import STANDARD_INPUT, read_input
from sts.cli.opening import open_home
from sts.cli.options import examples, json_option
from sts.cli.output import print_json, printable, warn
from sts.operations import apply as operation
from sts.operations import export as exporting
from sts.operations.apply import Applied, ApplyRequest, Progress
from sts.operations.configuration.schema import schema_text

_LONG = 200  # steps; what takes longer shows how far it is


@click.command(epilog=examples("sts apply contoso.yaml --dry-run", "sts apply contoso.yaml", "sts schema"))
@click.argument("file", metavar="FILE")
@click.option("--dry-run", is_flag=True, help="Print what would change, and change nothing.")
@click.option("--prune", is_flag=True, help="Delete what the file's sections leave out.")
@json_option
def apply(file: str, dry_run: bool, prune: bool, as_json: bool) -> None:
    """Make a namespace be what a YAML file says, and print what that changed; a second time it changes nothing.

    A file with a fault changes nothing, and every fault is listed with its line. Sections that the file does not have
    are left alone. Secrets are written env:NAME or file:PATH; paths are relative to the file. `-` reads the standard
    input.
    """
    now = utc_now()
    folder = Path() if file == STANDARD_INPUT else Path(file).parent
    request = ApplyRequest(read_input(file), folder, os.environ, prunes=prune, is_rehearsal=dry_run)
    applied = operation.apply(open_home(now), request, now, _progress())
    if as_json:
        print_json({"dry_run": dry_run, **_values(applied)})
    else:
        _print(applied, dry_run=dry_run)
    warn(applied.warnings)


def _progress() -> Progress:
    def show(done: int, total: int) -> None:
        if total >= _LONG and sys.stderr.isatty():
            click.echo(f"\r{done} of {total}", err=True, nl=done == total)

    return show


def _values(applied: Applied) -> dict[str, object]:
    return {
        "namespace": applied.namespace,
        "changes": applied.changes,
        "left_out": applied.left_out,
        "warnings": applied.warnings,
    }


def _print(applied: Applied, *, dry_run: bool) -> None:
    for change in applied.changes:
        click.echo(printable(f"{'would have ' if dry_run else ''}{change}"))
    if not applied.changes:
        click.echo("no changes")
    for change in applied.left_out:
        click.echo(printable(f"not in the file and kept: {change.noun} {change.name} (--prune deletes it)"))


@click.command(epilog=examples("sts export contoso > contoso.yaml"))
@click.argument("namespace", metavar="NAMESPACE")
def export(namespace: str) -> None:
    """Print a namespace as a file that `sts apply` takes. Secrets are not in it; comments say which are missing."""
    click.echo(exporting.export(open_home(utc_now()), namespace), nl=False)


@click.command(epilog=examples("sts schema > sts.schema.json"))
def schema() -> None:
    """Print the JSON Schema of configuration files; editors that know it complete and check what you write."""
    click.echo(schema_text(), nl=False)
