"""What can be wrong with an envelope and its headers, before anybody reads the request in it."""

from collections.abc import Sequence
from typing import Final

from lxml import etree

from sts.core.errors import BadRequest

_MOST_NAMED: Final = 8  # of the headers that are not understood: an answer does not grow with what a stranger sent


class BadEnvelope(BadRequest):
    """The message is no SOAP envelope with one request in it."""

    code = "ACS10000"


class OtherSoapVersion(BadEnvelope):
    """The envelope is of a version of SOAP that is not spoken here (SOAP 1.2, 5.4.7)."""


class UnsupportedMediaType(BadEnvelope):
    """HTTP says that the message is something else than a SOAP envelope in UTF-8 (SOAP 1.2 Part 2, 7.5.2.2)."""


class BadHeader(BadRequest):
    """A SOAP header that cannot be read or believed."""

    code = "ACS10001"


class HeaderNotUnderstood(BadHeader):
    """Headers that must be understood and are not (SOAP 1.2, 5.4.8)."""

    def __init__(self, tags: Sequence[str]) -> None:
        names = [etree.QName(tag) for tag in tags[:_MOST_NAMED]]
        told = ", ".join(f"{{{name.namespace or ''}}}{name.localname}"[:200] for name in names)
        more = f" and {len(tags) - len(names)} more" if len(tags) > len(names) else ""
        super().__init__(f"mandatory SOAP headers are not understood: {told}{more}")
        self.names = tuple(names)


class BadAddressing(BadHeader):
    """A WS-Addressing header that is malformed, or doubled, or asks for what is not done."""

    def __init__(self, problem: str, message: str) -> None:
        super().__init__(message)
        self.problem = problem  # the local name of the subsubcode (WS-Addressing 1.0 SOAP Binding, 6.4.1)


class AddressingRequired(BadHeader):
    """A WS-Addressing header that a request needs is not there."""


class UnreachableDestination(BadHeader):
    """The message is for somebody else."""


class UnsupportedAction(BadHeader):
    """The Action is none of this endpoint's."""


class BadSecurity(BadRequest):
    """The security header is not one that this endpoint takes."""

    code = "ACS10003"


class MessageExpired(BadSecurity):
    """The message is too old, or from the future."""


class UnsupportedSecurityToken(BadSecurity):
    """The security header holds a kind of token that this endpoint does not take."""
