"""What a token says, who signed it, and whether and why not it verifies here."""

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sts.core import credentials as rules
from sts.core.errors import InvalidToken, KeyUnreadable, NamespaceNotFound
from sts.core.exchange import HolderPolicy, TokenView, Trusted, VerificationKey
from sts.core.model import NAMESPACE_SCOPE, Credential, Kind, Namespace, TokenFormat, Use, relying_party_scope
from sts.operations.installation import Installation
from sts.operations.partner_tokens import judge_partner_token
from sts.operations.token_finding import FORMATS, find_token
from sts.store import credentials as table
from sts.store import namespaces, relying_parties
from sts.store.bounded import is_storable
from sts.store.connection import Connection

_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class SignedBy:
    """The credential that made a token's signature."""

    namespace: str
    relying_party: str | None  # None: the namespace's own
    subject: str | None
    thumbprint: str
    thumbprint_sha256: str


@dataclass(frozen=True, slots=True)
class Inspection:
    """A token's words and this installation's verdict."""

    view: TokenView
    verified: bool | None  # None: encrypted, so nobody but its recipient can tell
    reasons: tuple[str, ...] = ()  # why it does not verify
    signed_by: SignedBy | None = None
    vouched_by: str | None = None  # the partner of the namespace that sent it


@dataclass(frozen=True, slots=True)
class _Case:
    """A token, the namespace whose credentials may have signed it, and the time."""

    installation: Installation
    namespace: Namespace
    token: bytes = field(repr=False)
    view: TokenView
    now: datetime

    @property
    def living_instant(self) -> datetime:
        """The instant nearest to now at which the token is good: to tell its signature from its times."""
        begins, ends = self.view.not_before, self.view.expires_at
        at = self.now if ends is None else min(self.now, ends - _SECOND)
        return at if begins is None else max(at, begins)


def inspect(installation: Installation, pasted: bytes, namespace: str | None, now: datetime) -> Inspection:
    """Read a token and hold it against the credentials of a namespace, by default that of its issuer.

    Where a namespace is given, a token of one of its partners is held against that one as the doors would, used or not.
    Raises BadRequest for what is no token, InvalidToken for one that cannot be read, NamespaceNotFound.
    """
    token, view = find_token(pasted)
    came = None if namespace is None else _came(installation, namespace, (token, view), now)
    if came is not None:
        return came
    if view.encrypted:
        return Inspection(view, None, ("it is encrypted: only its relying party can read it",))
    with installation.database.reading() as connection:
        found = _namespace(connection, installation.base_url, view, namespace)
        held = () if found is None else table.list_all(connection, found)
    if found is None:
        return Inspection(view, False, ("its issuer is no namespace of this installation",))
    return _judge(_Case(installation, found, token, view, now), _in_order(held, view))


def _came(installation: Installation, name: str, token: tuple[bytes, TokenView], now: datetime) -> Inspection | None:
    """What becomes of a token that came to a namespace, None if it is no partner's; raises NamespaceNotFound."""
    with installation.database.reading() as connection:
        namespace = namespaces.find(connection, installation.base_url, name)
    verdict = judge_partner_token(installation, namespace, token, now)
    if verdict is None:
        return None
    reasons = () if verdict.reason is None else (verdict.reason,)
    return Inspection(token[1], not reasons, reasons, vouched_by=verdict.partner)


def _judge(case: _Case, credentials: Sequence[Credential]) -> Inspection:
    refusals = []
    for credential, key in _keys(case, credentials):
        refusal = _refusal(case, key, case.living_instant)
        if refusal is None:
            reasons = _reasons(case, credential, key)
            return Inspection(case.view, not reasons, reasons, _signed_by(case, credential))
        refusals.append(refusal.detail or refusal.message)
    why = f" ({refusals[0]})" if refusals else ""
    return Inspection(case.view, False, (f"no credential of namespace {case.namespace.name} made its signature{why}",))


def _namespace(connection: Connection, base_url: str, view: TokenView, name: str | None) -> Namespace | None:
    """The namespace that is asked for, or (None) that of the issuer; raises NamespaceNotFound."""
    if name is not None:
        return namespaces.find(connection, base_url, name)
    named = (view.issuer or "").removeprefix(namespaces.issuer(base_url, "").removesuffix("/")).removesuffix("/")
    if not is_storable(named):
        return None
    try:
        found = namespaces.find(connection, base_url, named)
    except NamespaceNotFound:
        return None
    return found if found.issuer == view.issuer else None


def _in_order(held: Sequence[Credential], view: TokenView) -> list[Credential]:
    """What may have signed the token, the credential that it names first, then newest first."""
    kind = Kind.SYMMETRIC if view.format is TokenFormat.SWT or view.algorithm == "HS256" else Kind.CERTIFICATE
    able = [c for c in held if c.use is Use.SIGNING and c.kind is kind and (c.certificate or c.deleted_at is None)]
    return sorted(able, key=lambda c: (view.key_hint in (c.thumbprint, _key_id(c)), c.id), reverse=True)


def _key_id(credential: Credential) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(credential.thumbprint)).rstrip(b"=").decode("ascii")


def _keys(case: _Case, credentials: Sequence[Credential]) -> Iterator[tuple[Credential, VerificationKey]]:
    for credential in credentials:
        try:
            material = credential.certificate or case.installation.key_ring.secret(case.namespace, credential)
        except KeyUnreadable:  # it verifies nothing; `sts key` says what is wrong with it
            continue
        yield credential, VerificationKey(_key_id(credential), credential.kind, material)


def _refusal(case: _Case, key: VerificationKey, at: datetime) -> InvalidToken | None:
    taken = HolderPolicy.ACCEPTED  # whoever holds its key: nobody proves it here
    trusted = Trusted(
        case.view.issuer or "", None, (key,), max_lifetime=None, require_expiry=False, holder_of_key=taken
    )
    try:
        FORMATS[case.view.format].read(case.token, trusted, at)
    except InvalidToken as error:
        return error
    return None


def _reasons(case: _Case, credential: Credential, key: VerificationKey) -> tuple[str, ...]:
    """Why a token with a good signature is not good now."""
    reasons, name = [], rules.describe(credential)
    if case.view.issuer != case.namespace.issuer:
        reasons.append(f"its issuer is not that of the namespace, {case.namespace.issuer}")
    if credential.deleted_at is not None:
        reasons.append(f"{name} was deleted on {rules.instant(credential.deleted_at)}")
    elif credential.revoked_at is not None:
        reasons.append(f"{name} was revoked on {rules.instant(credential.revoked_at)}")
    if rules.has_expired(credential, case.now):
        reasons.append(f"{name} expired on {rules.instant(credential.not_after)}")
    elif case.now < credential.not_before:
        reasons.append(f"{name} is not valid before {rules.instant(credential.not_before)}")
    elif (refusal := _refusal(case, key, case.now)) is not None:
        reasons.append(refusal.detail or refusal.message)
    return tuple(reasons)


def _signed_by(case: _Case, credential: Credential) -> SignedBy:
    party = None
    if credential.scope != NAMESPACE_SCOPE:
        with case.installation.database.reading() as connection:
            parties = relying_parties.list_all(connection, case.namespace)
        party = next((p.name for p in parties if relying_party_scope(p.id) == credential.scope), None)
    thumbprints = credential.thumbprint, credential.thumbprint_sha256
    return SignedBy(case.namespace.name, party, credential.subject, *thumbprints)
