"""RequestSecurityTokenResponse, written in the order that ACS had (WS-Trust 1.3, 3.2 and 4.4; acs.md, 4.4)."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Final

from sts.core.trust import ProofKey, Renewing, Status, TrustAction, TrustAnswer
from sts.crypto.xml import escape_attribute, escape_text, instant
from sts.protocols.rstr import TRUST_13, TRUST_2005
from sts.protocols.token_elements import reference, token_element
from sts.protocols.wstrust.names import WSA10, WSP2004, WSU, Dialect

_PREFIXES: Final[Mapping[str, str]] = {TRUST_13: "trust", TRUST_2005: "t"}  # some clients look for them


def render(answers: Sequence[TrustAnswer], dialect: Dialect) -> bytes:
    """Write what goes in the body of an answer; every token stands in it byte for byte, so that its signature holds.

    In WS-Trust 1.3 that is a collection where tokens are issued and where a collection asked (3.2, 4.3); for one token
    to be validated, renewed or cancelled, and in February 2005, it is the bare response.
    """
    prefix = _PREFIXES[dialect.namespace]
    declaration = f' xmlns:{prefix}="{dialect.namespace}"'
    collected = dialect.namespace == TRUST_13 and (
        len(answers) > 1 or any(answer.request.action is TrustAction.ISSUE for answer in answers)
    )
    if not collected:
        return b"".join([_response(answer, dialect, declaration) for answer in answers])
    responses = b"".join([_response(answer, dialect, "") for answer in answers])
    name = f"{prefix}:RequestSecurityTokenResponseCollection"
    return b"<%b>%b</%b>" % (f"{name}{declaration}".encode(), responses, name.encode())


def _response(answer: TrustAnswer, dialect: Dialect, declaration: str) -> bytes:
    prefix = _PREFIXES[dialect.namespace]
    context = answer.request.context
    named = "" if context is None else f' Context="{escape_attribute(context)}"'
    before = f"<{prefix}:RequestSecurityTokenResponse{named}{declaration}>{_about(answer, dialect, prefix)}"
    after = f"{_proof(answer.proof, dialect, prefix)}{_rest(answer, dialect, prefix)}"
    token = b""
    if answer.issued is not None:
        before += f"<{prefix}:RequestedSecurityToken>"
        token = token_element(answer.issued)
        after = f"</{prefix}:RequestedSecurityToken>{after}"
    return b"%b%b%b" % (before.encode(), token, f"{after}</{prefix}:RequestSecurityTokenResponse>".encode())


def _about(answer: TrustAnswer, dialect: Dialect, prefix: str) -> str:
    """What comes before the token: the service's part of the key, the key's size, the lifetime, for whom it is."""
    issued, proof = answer.issued, answer.proof
    written = ""
    if proof is not None:
        if proof.server_entropy is not None:
            nonce = _secret(proof.server_entropy, f"{dialect.namespace}/Nonce", prefix)
            written += f"<{prefix}:Entropy>{nonce}</{prefix}:Entropy>"
        written += f"<{prefix}:KeySize>{proof.bits}</{prefix}:KeySize>"
    if issued is not None:
        begin, end = instant(issued.issued_at.replace(microsecond=0)), instant(issued.expires_at)
        written += (
            f'<{prefix}:Lifetime><wsu:Created xmlns:wsu="{WSU}">{begin}</wsu:Created>'
            f'<wsu:Expires xmlns:wsu="{WSU}">{end}</wsu:Expires></{prefix}:Lifetime>'
            f'<wsp:AppliesTo xmlns:wsp="{WSP2004}"><wsa:EndpointReference xmlns:wsa="{WSA10}">'
            f"<wsa:Address>{escape_text(issued.audience)}</wsa:Address></wsa:EndpointReference></wsp:AppliesTo>"
        )
    return written


def _proof(proof: ProofKey | None, dialect: Dialect, prefix: str) -> str:
    """The key, or how the caller computes it from its entropy and ours (WS-Trust 1.3, 4.4.3 and 4.4.4)."""
    if proof is None:
        return ""
    if proof.server_entropy is None:
        content = _secret(proof.key, f"{dialect.namespace}/SymmetricKey", prefix)
    else:
        content = f"<{prefix}:ComputedKey>{dialect.namespace}/CK/PSHA1</{prefix}:ComputedKey>"
    return f"<{prefix}:RequestedProofToken>{content}</{prefix}:RequestedProofToken>"


def _secret(octets: bytes, kind: str, prefix: str) -> str:
    return f'<{prefix}:BinarySecret Type="{kind}">{b64encode(octets).decode()}</{prefix}:BinarySecret>'


def _rest(answer: TrustAnswer, dialect: Dialect, prefix: str) -> str:
    """What comes after the token: how it is referred to, what was asked, what became of it."""
    issued, action = answer.issued, answer.request.action
    written = ""
    if issued is not None and issued.format.is_saml:
        referred = reference(issued)
        for name in ("RequestedAttachedReference", "RequestedUnattachedReference"):
            written += f"<{prefix}:{name}>{referred}</{prefix}:{name}>"
    if answer.token_type is not None:
        written += f"<{prefix}:TokenType>{escape_text(answer.token_type)}</{prefix}:TokenType>"
    written += f"<{prefix}:RequestType>{dialect.namespace}/{action}</{prefix}:RequestType>"
    if issued is not None and answer.key is not None:
        written += f"<{prefix}:KeyType>{dialect.key_type(answer.key)}</{prefix}:KeyType>"
    if issued is not None and answer.request.renewing is not None:  # what is granted, whatever was asked (5.2)
        refused = answer.request.renewing is Renewing.REFUSED or not answer.renewable
        renewable = "false" if refused or issued.encrypted else "true"  # only its relying party can show us such a one
        written += f'<{prefix}:Renewing Allow="{renewable}" OK="false"/>'
    if answer.status is not None:
        written += _status(answer.status, dialect, prefix)
    if action is TrustAction.CANCEL:
        written += f"<{prefix}:RequestedTokenCancelled/>"
    return written


def _status(status: Status, dialect: Dialect, prefix: str) -> str:
    return (
        f"<{prefix}:Status><{prefix}:Code>{dialect.namespace}/status/{status.code}</{prefix}:Code>"
        f"<{prefix}:Reason>{escape_text(status.reason)}</{prefix}:Reason></{prefix}:Status>"
    )
