"""`sts metadata`: the federation metadata that partners read, and theirs."""

from pathlib import Path

import click

from sts.assemble import utc_now
from sts.cli.files import write_public
from sts.cli.opening import open_home
from sts.cli.options import examples, json_option, namespace_option
from sts.cli.output import print_json
from sts.cli.partner_metadata import import_, list_
from sts.operations import namespaces
from sts.operations.publish import federation_metadata_document

_PATH = "FederationMetadata/2007-06/FederationMetadata.xml"


@click.group(
    epilog=examples(
        "sts metadata export --namespace contoso",
        "sts metadata import adfs-metadata.xml --namespace contoso --identity-provider",
        "sts metadata list",
    )
)
def metadata() -> None:
    """Federation metadata: who issues, which certificates verify, where the endpoints are.

    `show` and `export` are for our own, which partners read. `import` and `list` are for theirs, which register them.
    """


metadata.add_command(import_)
metadata.add_command(list_)


@metadata.command(epilog=examples("sts metadata show --namespace contoso"))
@namespace_option
@json_option
def show(namespace: str, as_json: bool) -> None:
    """Print the signed metadata of a namespace, as partners get it at its address."""
    now = utc_now()
    installation = open_home(now)
    found = namespaces.find(installation, namespace)
    document = federation_metadata_document(found, installation.key_ring, installation.defaults, now)
    if as_json:
        address = found.issuer + _PATH
        print_json({"namespace": found.name, "address": address, "document": document.decode("utf-8")})
    else:
        click.echo(document)


@metadata.command(epilog=examples("sts metadata export --namespace contoso --destination contoso-metadata.xml"))
@namespace_option
@click.option("--destination", metavar="FILE", help="Where to write it; by default metadata/NS.xml in STS_HOME.")
@json_option
def export(namespace: str, destination: str | None, as_json: bool) -> None:
    """Write the signed metadata of a namespace to a file, to be handed out."""
    now = utc_now()
    installation = open_home(now)
    found = namespaces.find(installation, namespace)
    document = federation_metadata_document(found, installation.key_ring, installation.defaults, now)
    file = Path(destination) if destination else installation.home / "metadata" / f"{found.name}.xml"
    write_public(str(file), document)
    if as_json:
        print_json({"namespace": found.name, "destination": str(file)})
    else:
        click.echo(f"wrote {file}")
