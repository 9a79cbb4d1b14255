"""What WS-Trust and the specifications around it call things, in both dialects."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from sts.core.trust import KeyKind, TrustAction
from sts.protocols.rstr import TRUST_13, TRUST_2005

SOAP11: Final = "http://schemas.xmlsoap.org/soap/envelope/"
SOAP12: Final = "http://www.w3.org/2003/05/soap-envelope"
WSA10: Final = "http://www.w3.org/2005/08/addressing"
WSA2004: Final = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
WSSE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"
WSSE11: Final = "http://docs.oasis-open.org/wss/oasis-wss-wssecurity-secext-1.1.xsd"
WSU: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd"
WSP2004: Final = "http://schemas.xmlsoap.org/ws/2004/09/policy"
WSP15: Final = "http://www.w3.org/ns/ws-policy"
TRUST_14: Final = "http://docs.oasis-open.org/ws-sx/ws-trust/200802"  # ActAs
SC2005: Final = "http://schemas.xmlsoap.org/ws/2005/02/sc"
SC13: Final = "http://docs.oasis-open.org/ws-sx/ws-secureconversation/200512"
XOP: Final = "http://www.w3.org/2004/08/xop/include"

NO_PROOF_KEY: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey"

_SOAP_SECURITY: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-soap-message-security-1.0#"
_USERNAME_PROFILE: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#"
BASE64_BINARY: Final = f"{_SOAP_SECURITY}Base64Binary"
X509_V3: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-x509-token-profile-1.0#X509v3"
PASSWORD_TEXT: Final = f"{_USERNAME_PROFILE}PasswordText"
PASSWORD_DIGEST: Final = f"{_USERNAME_PROFILE}PasswordDigest"


class Credential(StrEnum):
    """What an endpoint takes as the proof of who calls; the last part of its address."""

    USERNAME = "username"
    CERTIFICATE = "certificate"
    BEARER = "issuedtoken-bearer"
    SYMMETRIC = "issuedtoken-symmetric"
    ASYMMETRIC = "issuedtoken-asymmetric"

    @property
    def key(self) -> KeyKind:
        """What kind of token this endpoint takes; of no meaning where it takes none."""
        return _KEYS.get(self, KeyKind.BEARER)


_KEYS: Final[Mapping[Credential, KeyKind]] = {
    Credential.SYMMETRIC: KeyKind.SYMMETRIC,
    Credential.ASYMMETRIC: KeyKind.PUBLIC,
}


class Dialect(NamedTuple):
    """One version of WS-Trust: its names for the same things."""

    path: str  # the part of an address that says which version is spoken there
    namespace: str
    request_actions: Mapping[str, TrustAction]  # by the Action of a request
    answer_actions: Mapping[TrustAction, str]  # the Action of an answer
    request_types: Mapping[str, TrustAction]  # by URI
    batch_types: Mapping[str, TrustAction]  # the same for each request of a collection
    key_types: Mapping[str, KeyKind]  # by URI; the first of a kind is what is written

    def tag(self, name: str) -> str:
        """The tag of an element of this version."""
        return f"{{{self.namespace}}}{name}"

    def key_type(self, kind: KeyKind) -> str:
        """The URI of a key type."""
        return next(uri for uri, known in self.key_types.items() if known is kind)

    def answer_action(self, action: TrustAction, requests: int) -> str:
        """The Action of the answer to so many requests: several are answered together (WS-Trust 1.3, 3.4)."""
        told = self.answer_actions[action]
        return told if requests == 1 else told.replace("/RSTR/", "/RSTRC/")


WS_TRUST_13: Final = Dialect(
    path="13",
    namespace=TRUST_13,
    request_actions={
        **{f"{TRUST_13}/RST/{action}": action for action in TrustAction},
        **{f"{TRUST_13}/RST/Batch{action}": action for action in TrustAction},
        **{f"{TRUST_13}/Batch{action}": action for action in TrustAction},  # as CXF names it
    },
    answer_actions={
        TrustAction.ISSUE: f"{TRUST_13}/RSTRC/IssueFinal",
        TrustAction.VALIDATE: f"{TRUST_13}/RSTR/ValidateFinal",
        TrustAction.RENEW: f"{TRUST_13}/RSTR/RenewFinal",
        TrustAction.CANCEL: f"{TRUST_13}/RSTR/CancelFinal",
    },
    request_types={f"{TRUST_13}/{action}": action for action in TrustAction},
    batch_types={f"{TRUST_13}/Batch{action}": action for action in TrustAction},
    key_types={
        f"{TRUST_13}/Bearer": KeyKind.BEARER,
        f"{TRUST_13}/SymmetricKey": KeyKind.SYMMETRIC,
        f"{TRUST_13}/PublicKey": KeyKind.PUBLIC,
        NO_PROOF_KEY: KeyKind.BEARER,
    },
)
FEBRUARY_2005: Final = Dialect(
    path="2005",
    namespace=TRUST_2005,
    request_actions={f"{TRUST_2005}/RST/{action}": action for action in TrustAction},
    answer_actions={action: f"{TRUST_2005}/RSTR/{action}" for action in TrustAction},
    request_types={f"{TRUST_2005}/{action}": action for action in TrustAction},
    batch_types={},
    key_types={
        NO_PROOF_KEY: KeyKind.BEARER,
        f"{TRUST_2005}/SymmetricKey": KeyKind.SYMMETRIC,
        f"{TRUST_2005}/PublicKey": KeyKind.PUBLIC,
        f"{TRUST_13}/Bearer": KeyKind.BEARER,  # old clients with new key types
    },
)
DIALECTS: Final = (WS_TRUST_13, FEBRUARY_2005)


_ADDRESSES: Final[Mapping[tuple[str, Credential], str]] = {
    (dialect.path, credential): f"v2/wstrust/{dialect.path}/{credential}"
    for dialect in DIALECTS
    for credential in Credential
}


def address(dialect: Dialect, credential: Credential) -> str:
    """The address of an endpoint below its namespace."""
    return _ADDRESSES[dialect.path, credential]
