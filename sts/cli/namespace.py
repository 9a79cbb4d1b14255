"""`sts namespace`: the tenants of the installation."""

import sys

import click

from sts.assemble import utc_now
from sts.cli.opening import open_home
from sts.cli.options import examples, json_option, yes_option
from sts.cli.output import print_json, print_table, printable
from sts.core.errors import OperatorError
from sts.core.model import Namespace
from sts.operations import namespaces


@click.group(epilog=examples("sts namespace list"))
def namespace() -> None:
    """Namespaces: list, create, delete. What is in one is described by a file, see `sts apply --help`."""


@namespace.command("list", epilog=examples("sts namespace list --json"))
@json_option
def list_(as_json: bool) -> None:
    """List the namespaces."""
    found = namespaces.list_all(open_home(utc_now()))
    if as_json:
        print_json([_summary(each) for each in found])
    else:
        print_table(("NAME", "ISSUER", "HOSTS"), ((each.name, each.issuer, ", ".join(each.hosts)) for each in found))


@namespace.command(epilog=examples("sts namespace create contoso"))
@click.argument("name", metavar="NAME")
@json_option
def create(name: str, as_json: bool) -> None:
    """Make a namespace with a signing and a decryption certificate, a symmetric key and a tenant CA, each primary."""
    now = utc_now()
    made = namespaces.create(open_home(now), name, now)
    if as_json:
        print_json(_summary(made))
    else:
        click.echo(f"created namespace {made.name}, whose issuer is {made.issuer}")


@namespace.command(epilog=examples("sts namespace delete contoso", "sts namespace delete contoso --yes"))
@click.argument("name", metavar="NAME")
@yes_option
@json_option
def delete(name: str, yes: bool, as_json: bool) -> None:
    """Delete a namespace, all that is in it and all its keys, for good. You are asked for its name."""
    now = utc_now()
    installation = open_home(now)
    found = namespaces.find(installation, name)
    if not yes:
        _ask_for(name)
    namespaces.delete(installation, name, now)
    if as_json:
        print_json(_summary(found))
    else:
        click.echo(f"deleted namespace {printable(name)}")


def _ask_for(name: str) -> None:
    if not sys.stdin.isatty():
        raise OperatorError("a namespace is deleted with all its keys; without a terminal that takes --yes")
    typed = click.prompt(f"This destroys {name} and all its keys for good. Type its name", err=True)
    if typed != name:
        raise OperatorError("that is not its name; nothing was deleted")


def _summary(found: Namespace) -> dict[str, object]:
    return {"name": found.name, "issuer": found.issuer, "hosts": found.hosts}
