"""Refusals as SOAP faults: which code each cause has, and how it is written (SOAP 1.2, 5.4; SOAP 1.1, 4.4)."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

from sts.core.errors import (
    AccessDenied,
    AuthenticationFailed,
    BadRequest,
    FormatNotOffered,
    InsecureTransport,
    InvalidScope,
    InvalidTimeRange,
    InvalidToken,
    IssuingFailed,
    KeyNotOffered,
    MethodNotAllowed,
    NamespaceNotFound,
    PayloadTooLarge,
    RelyingPartyNotFound,
    RulesFailed,
    StoreUnavailable,
    StsError,
    TooManyRequests,
    UnableToRenew,
    UnsupportedCoding,
)
from sts.crypto.xml import escape_attribute, escape_text
from sts.protocols.http import Answer, timestamp
from sts.protocols.refusals import ISSUING_FAILED, retry_headers
from sts.protocols.wstrust.addressing import Reply
from sts.protocols.wstrust.errors import (
    AddressingRequired,
    BadAddressing,
    BadSecurity,
    HeaderNotUnderstood,
    MessageExpired,
    OtherSoapVersion,
    UnreachableDestination,
    UnsupportedAction,
    UnsupportedMediaType,
    UnsupportedSecurityToken,
)
from sts.protocols.wstrust.names import SOAP11, SOAP12, WSA10, WSSE, WSU, Dialect
from sts.protocols.wstrust.soap import SoapVersion, answer, written


class Code(Enum):
    """Whose fault it is; in SOAP 1.2 the status of the answer follows (SOAP 1.2 Part 2, 7.5.2.2)."""

    SENDER = "Sender"
    RECEIVER = "Receiver"
    MUST_UNDERSTAND = "MustUnderstand"
    VERSION_MISMATCH = "VersionMismatch"


class Space(Enum):
    """Where a subcode's name comes from: its conventional prefix."""

    TRUST = "t"
    SECURITY = "wsse"
    UTILITY = "wsu"
    ADDRESSING = "a"


class Fault(NamedTuple):
    """What is made of one cause."""

    code: Code
    space: Space
    name: str


class Circumstances(NamedTuple):
    """What was asked, how, and when: what a fault is written with."""

    dialect: Dialect
    reply: Reply
    trace_id: str
    now: datetime


def _trust(name: str, code: Code = Code.SENDER) -> Fault:
    return Fault(code, Space.TRUST, name)


# WS-Trust 1.3, 11; WS-Security 1.1, 12; WS-Addressing 1.0 SOAP Binding, 6.4.
_FAULTS: Final[Mapping[type[StsError], Fault]] = {
    BadRequest: _trust("InvalidRequest"),
    PayloadTooLarge: _trust("InvalidRequest"),
    OtherSoapVersion: _trust("InvalidRequest", Code.VERSION_MISMATCH),
    HeaderNotUnderstood: _trust("InvalidRequest", Code.MUST_UNDERSTAND),
    BadAddressing: Fault(Code.SENDER, Space.ADDRESSING, "InvalidAddressingHeader"),
    AddressingRequired: Fault(Code.SENDER, Space.ADDRESSING, "MessageAddressingHeaderRequired"),
    UnreachableDestination: Fault(Code.SENDER, Space.ADDRESSING, "DestinationUnreachable"),
    NamespaceNotFound: Fault(Code.SENDER, Space.ADDRESSING, "DestinationUnreachable"),
    UnsupportedAction: Fault(Code.SENDER, Space.ADDRESSING, "ActionNotSupported"),
    BadSecurity: Fault(Code.SENDER, Space.SECURITY, "InvalidSecurity"),
    InsecureTransport: Fault(Code.SENDER, Space.SECURITY, "InvalidSecurity"),
    UnsupportedSecurityToken: Fault(Code.SENDER, Space.SECURITY, "UnsupportedSecurityToken"),
    MessageExpired: Fault(Code.SENDER, Space.UTILITY, "MessageExpired"),
    AuthenticationFailed: _trust("FailedAuthentication"),
    InvalidToken: _trust("FailedAuthentication"),
    AccessDenied: _trust("RequestFailed"),
    RulesFailed: _trust("RequestFailed"),
    RelyingPartyNotFound: _trust("InvalidScope"),
    InvalidScope: _trust("InvalidScope"),
    InvalidTimeRange: _trust("InvalidTimeRange"),
    FormatNotOffered: _trust("RequestFailed"),
    KeyNotOffered: _trust("RequestFailed"),
    UnableToRenew: _trust("UnableToRenew"),
    IssuingFailed: _trust("RequestFailed"),
    TooManyRequests: _trust("RequestFailed"),
    StoreUnavailable: _trust("RequestFailed", Code.RECEIVER),
    StsError: _trust("RequestFailed", Code.RECEIVER),
}
_NAMES_OF_2004: Final = {
    "InvalidAddressingHeader": "InvalidMessageInformationHeader",
    "MessageAddressingHeaderRequired": "MessageInformationHeaderRequired",
}
_CODES_OF_SOAP11: Final = {Code.MUST_UNDERSTAND: "s:MustUnderstand", Code.VERSION_MISMATCH: "s:VersionMismatch"}


def fault(error: StsError) -> Fault:
    """What is made of an error; a class that has no row takes that of its nearest base."""
    return next(_FAULTS[cause] for cause in type(error).__mro__ if cause in _FAULTS)


def refuse(error: StsError, circumstances: Circumstances) -> Answer:
    """The answer that refuses: always a code, a subcode and a reason, which ends in the trace id."""
    reply, found = circumstances.reply, fault(error)
    told = f"{_told(error).removesuffix('.')}. Trace ID: {circumstances.trace_id}."
    told = f"{told} Timestamp: {timestamp(circumstances.now)}"
    body = (_soap11 if reply.version is SoapVersion.SOAP11 else _soap12)(error, told, circumstances)
    header = reply.header(_action(found, reply)) + _explanation(error, reply.version)
    message = written(reply.version, header, body.encode())
    return answer(reply.version, _status(error, found, reply.version), message, retry_headers(error))


def _told(error: StsError) -> str:
    """What the caller is told, beginning with the code; one answer to whoever presents what cannot be believed."""
    if isinstance(error, InvalidToken):
        return AuthenticationFailed(detail="").codes
    if isinstance(error, IssuingFailed) and error.code != StsError.code:
        return f"{ISSUING_FAILED} {error.codes}"
    return ISSUING_FAILED if fault(error) is _FAULTS[StsError] else error.codes


def _status(error: StsError, found: Fault, version: SoapVersion) -> int:
    """400 for what is the sender's fault, else 500, in SOAP 1.1 always; what HTTP refuses by itself has its own."""
    if isinstance(error, MethodNotAllowed):
        return 405
    if isinstance(error, UnsupportedCoding | UnsupportedMediaType):
        return 415
    return 500 if version is SoapVersion.SOAP11 or found.code is Code.RECEIVER else 400


def _action(found: Fault, reply: Reply) -> str:
    if reply.namespace != WSA10 or found.space is Space.ADDRESSING:
        return f"{reply.namespace}/fault"
    return f"{reply.namespace}/soap/fault"


def _soap12(error: StsError, told: str, circumstances: Circumstances) -> str:
    found = fault(error)
    subcode = _value("s:Value", found, circumstances) + _subsubcode(error, circumstances)
    return (
        f"<s:Fault><s:Code><s:Value>s:{found.code.value}</s:Value><s:Subcode>{subcode}</s:Subcode></s:Code>"
        f'<s:Reason><s:Text xml:lang="en">{escape_text(told)}</s:Text></s:Reason></s:Fault>'
    )


def _soap11(error: StsError, told: str, circumstances: Circumstances) -> str:
    """SOAP 1.1 has one code, where the subcode stands that says more."""
    found = fault(error)
    own = _CODES_OF_SOAP11.get(found.code)
    code = f"<faultcode>{own}</faultcode>" if own else _value("faultcode", found, circumstances)
    return f"<s:Fault>{code}<faultstring>{escape_text(told)}</faultstring></s:Fault>"


def _value(tag: str, found: Fault, circumstances: Circumstances) -> str:
    """An element that holds the qualified name of a subcode."""
    namespace = {
        Space.TRUST: circumstances.dialect.namespace,
        Space.SECURITY: WSSE,
        Space.UTILITY: WSU,
        Space.ADDRESSING: circumstances.reply.namespace,
    }[found.space]
    name = found.name if namespace in (WSA10, WSSE, WSU) else _NAMES_OF_2004.get(found.name, found.name)
    prefix = found.space.value
    return f'<{tag} xmlns:{prefix}="{namespace}">{prefix}:{name}</{tag}>'


def _subsubcode(error: StsError, circumstances: Circumstances) -> str:
    """What exactly is wrong with an addressing header, which WS-Addressing 1.0 has names for."""
    if not isinstance(error, BadAddressing) or circumstances.reply.namespace != WSA10:
        return ""
    value = _value("s:Value", Fault(Code.SENDER, Space.ADDRESSING, error.problem), circumstances)
    return f"<s:Subcode>{value}</s:Subcode>"


def _explanation(error: StsError, version: SoapVersion) -> bytes:
    """The headers that SOAP 1.2 has for two faults: what was not understood (5.4.8), what would have been (5.4.7)."""
    if isinstance(error, OtherSoapVersion):
        envelopes = (("e2", SOAP12), ("e1", SOAP11))
        shown = "".join(
            f'<s:SupportedEnvelope qname="{prefix}:Envelope" xmlns:{prefix}="{namespace}"/>'
            for prefix, namespace in envelopes
        )
        return f'<s:Upgrade xmlns:s="{SOAP12}">{shown}</s:Upgrade>'.encode()
    if not isinstance(error, HeaderNotUnderstood) or version is SoapVersion.SOAP11:
        return b""
    return "".join(
        f'<s:NotUnderstood qname="n:{name.localname}" xmlns:n="{escape_attribute(name.namespace or "")}"/>'
        if name.namespace
        else f'<s:NotUnderstood qname="{name.localname}"/>'
        for name in error.names
    ).encode()
