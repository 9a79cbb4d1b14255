"""Options that commands share, and the values that operators write."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, TypedDict, TypeVar

import click

from sts.core.errors import OperatorError
from sts.core.model import Kind, Use
from sts.core.spans import parse_instant, parse_span
from sts.operations.rings import RingName, Selection, parse_thumbprint

Command = TypeVar("Command", bound=Callable[..., Any])
CERTIFICATE_USES = (Use.SIGNING, Use.DECRYPTION)
KEY_USES = (Use.SIGNING,)


class Instant(click.ParamType[datetime]):
    """An instant with its zone, such as 2026-01-01T00:00:00Z."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it; what is no instant is a usage error."""
        try:
            return value if isinstance(value, datetime) else parse_instant(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Span(click.ParamType[timedelta]):
    """A span of time, such as 90d or 2y."""

    name = "span"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it; what is no span is a usage error."""
        try:
            return value if isinstance(value, timedelta) else parse_span(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Thumbprint(click.ParamType[str]):
    """A SHA-1 or SHA-256 thumbprint in hexadecimal."""

    name = "hex"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read it; what is no thumbprint is a usage error."""
        try:
            return parse_thumbprint(value)
        except OperatorError as error:
            self.fail(error.message, param, ctx)


def examples(*lines: str) -> str:
    """The end of a help text: commands to copy."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def namespace_option(command: Command) -> Command:
    """--namespace NS."""
    return click.option("--namespace", required=True, metavar="NS", help="The namespace.")(command)


def relying_party_option(command: Command) -> Command:
    """--relying-party RP."""
    text = "A relying party, for its dedicated credentials; otherwise the namespace's own."
    return click.option("--relying-party", metavar="RP", help=text)(command)


def json_option(command: Command) -> Command:
    """--json."""
    text = "Print one JSON value on the standard output; everything else goes to the standard error stream."
    return click.option("--json", "as_json", is_flag=True, help=text)(command)


def yes_option(command: Command) -> Command:
    """--yes."""
    return click.option("--yes", is_flag=True, help="Do it without asking.")(command)


class RingArguments(TypedDict):
    """What names one ring."""

    namespace: str
    relying_party: str | None
    use: str


class SelectionArguments(RingArguments):
    """What names one credential of a ring."""

    index: int | None
    thumbprint: str | None


def ring_options(*uses: Use) -> Callable[[Command], Command]:
    """The options that name one ring, of one of these uses."""
    choice = click.Choice([use.value for use in uses])

    def add(command: Command) -> Command:
        text = "What the credential is for."
        use = click.option("--use", type=choice, default=uses[0].value, show_default=True, help=text)
        return namespace_option(relying_party_option(use(command)))

    return add


def selection_options(*uses: Use) -> Callable[[Command], Command]:
    """The options that name one credential of such a ring."""

    def add(command: Command) -> Command:
        return ring_options(*uses)(credential_options(command))

    return add


def credential_options(command: Command) -> Command:
    """--index N and --thumbprint HEX."""
    index = click.option("--index", type=click.IntRange(min=1), metavar="N", help="Its number in the list.")
    text = "Its thumbprint: SHA-1 or SHA-256 of a certificate, the fingerprint of a key."
    thumbprint = click.option("--thumbprint", type=Thumbprint(), metavar="HEX", help=text)
    return index(thumbprint(command))


def ring_name(kind: Kind, arguments: RingArguments) -> RingName:
    """The ring that the options name."""
    return RingName(arguments["namespace"], Use(arguments["use"]), kind, arguments["relying_party"])


def selection(kind: Kind, arguments: SelectionArguments) -> Selection:
    """The credential that the options name, the active one if they name none; raises UsageError for two names."""
    return choose(ring_name(kind, arguments), arguments["index"], arguments["thumbprint"])


def choose(ring: RingName, index: int | None, thumbprint: str | None) -> Selection:
    """One credential of a ring, the active one if nothing names another; raises UsageError for two names."""
    if index is not None and thumbprint is not None:
        raise click.UsageError("--index and --thumbprint exclude each other")
    return Selection(ring, index, thumbprint)


def require_named(chosen: Selection) -> Selection:
    """The same selection, if it names a credential; raises UsageError."""
    if chosen.index is None and chosen.thumbprint is None:
        raise click.UsageError("name the credential with --index N or --thumbprint HEX")
    return chosen
