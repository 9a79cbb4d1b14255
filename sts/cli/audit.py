"""`sts audit`: who changed what, and whether the trail is whole."""

import json

import click

from sts.assemble import utc_now
from sts.cli.opening import open_home
from sts.cli.options import examples, json_option
from sts.cli.output import print_json, print_table
from sts.operations import audit as operation


@click.group(epilog=examples("sts audit list --namespace contoso"))
def audit() -> None:
    """The audit trail: one record for every change, each chained to the one before it by its hash."""


@audit.command("list", epilog=examples("sts audit list --limit 20", "sts audit list --namespace contoso --json"))
@click.option("--namespace", metavar="NS", help="Only the records of this namespace, even if it is gone.")
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="How many, the newest.")
@json_option
def list_(namespace: str | None, limit: int, as_json: bool) -> None:
    """List the newest records, oldest first."""
    records = operation.list_newest(open_home(utc_now()), namespace, limit)
    if as_json:
        print_json(records)
        return
    heads = ("SEQUENCE", "AT", "BY", "NAMESPACE", "ACTION", "SUBJECT", "DETAILS")
    print_table(
        heads,
        (
            (each.sequence, each.at, each.actor, each.namespace, each.action, each.subject, _details(each.details))
            for each in records
        ),
    )


@audit.command(epilog=examples("sts audit verify"))
@json_option
def verify(as_json: bool) -> None:
    """Recompute the chain of hashes. Exit status 1 names the first record that was altered, moved or removed.

    Note the last number and hash elsewhere: only with them will you see if the end of the trail is cut off.
    """
    head = operation.verify(open_home(utc_now()))
    if as_json:
        print_json(head)
    else:
        click.echo(f"whole: {head.sequence} records, the last one's hash is {head.hash}")


def _details(details: object) -> str:
    return json.dumps(details, ensure_ascii=False, sort_keys=True)
