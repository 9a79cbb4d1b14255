"""The `sts` command."""

from typing import Any

import click

from sts.cli.apply import apply, export, schema
from sts.cli.audit import audit
from sts.cli.ca_certificate import ca_certificate
from sts.cli.certificate import certificate
from sts.cli.key import key
from sts.cli.master_key import master_key
from sts.cli.metadata import metadata
from sts.cli.namespace import namespace
from sts.cli.options import examples
from sts.cli.output import printable
from sts.cli.rollover import rollover
from sts.cli.serve import serve
from sts.cli.token import token
from sts.cli.trusted_ca import trusted_ca
from sts.core.errors import StsError


class RefusingGroup(click.Group):
    """Tells what is refused in one sentence on the standard error stream, with exit status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except StsError as error:
            detail = f"\n({printable(error.detail)})" if error.detail else ""
            raise click.ClickException(printable(error.message) + detail) from error


@click.group(
    cls=RefusingGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples("sts apply contoso.yaml", "sts serve", "sts certificate list --namespace contoso"),
)
@click.version_option(package_name="sts", message="sts %(version)s")
def main() -> None:
    """A security token service: signed SWT, JWT and SAML tokens over WS-Federation, WS-Trust, OAuth 2.0 and OAuth WRAP.

    Everything lies in the folder STS_HOME (by default the current one): the database sts.db, keys/ with the master
    key, metadata/ with documents to exchange. STS_BASE_URL is the service's own address.

    Exit status: 0 done, 1 refused or in need of a person, 2 wrong usage.
    """


for command in (
    *(serve, apply, export, schema, namespace, certificate, key, ca_certificate, trusted_ca),
    *(rollover, metadata, token, audit, master_key),
):
    main.add_command(command)
