"""Whether a token that came from a partner would be accepted: an identity provider's, or a service identity's own."""

import os
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sts.core.errors import InvalidToken, StsError
from sts.core.exchange import TokenProof, TokenUse, TokenView
from sts.core.model import Namespace
from sts.core.parts import Parts
from sts.core.presented import Presented
from sts.core.redemption import redeem
from sts.crypto import issued
from sts.operations.installation import Installation
from sts.operations.token_finding import FORMATS
from sts.store.directory import SqlDirectory
from sts.store.failures import FailureCounters
from sts.store.passwords import LimitedPasswords
from sts.tokens import saml


class Verdict(NamedTuple):
    """Who vouches for a token that would be accepted, or why it would be refused."""

    partner: str | None
    reason: str | None


class _Unrecorded:
    """Records no use and counts no failure: an operator looks at a token, and nobody presents it."""

    def use(self, namespace: Namespace, used: TokenUse, now: datetime) -> None:
        """Let it pass, used before or not."""

    def use_all(self, namespace: Namespace, uses: Sequence[TokenUse], now: datetime) -> None:
        """Let them pass."""

    def check(self, namespace: Namespace, name: str, source: str, now: datetime) -> None:
        """Let it pass."""

    def record(self, namespace: Namespace, name: str, source: str, now: datetime) -> None:
        """Let it be."""


def judge_partner_token(
    installation: Installation, namespace: Namespace, token: tuple[bytes, TokenView], now: datetime
) -> Verdict | None:
    """Say what the doors of a namespace would make of a token, were it never used; None if no partner's issuer is its.

    An encrypted one shows its issuer only once it is open. Raises StoreUnavailable, KeyUnreadable.
    """
    text, view = token
    directory = SqlDirectory(installation.database, installation.base_url)
    if not (view.encrypted or _is_partner(directory, namespace, view.issuer or "")):
        return None
    proof = TokenProof(None if view.encrypted else view.format, text)
    doors = Presented.at_token_endpoint(namespace, proof, "")
    sign_in = Presented.at_sign_in(namespace, proof, "")
    anywhere = sign_in._replace(recipients=sign_in.recipients | doors.recipients)
    try:
        redeemed = redeem(anywhere, _parts(installation, directory), now)
    except InvalidToken as error:
        return Verdict(None, error.detail or error.message)
    except StsError as error:
        return Verdict(None, error.message)
    if redeemed.provider is None:
        return Verdict(f"service identity {redeemed.principal.name}", None)
    return Verdict(f"identity provider {redeemed.provider}", None)


def _is_partner(directory: SqlDirectory, namespace: Namespace, issuer: str) -> bool:
    if any(provider.issuer == issuer for provider in directory.identity_providers(namespace)):
        return True
    return directory.service_identity(namespace, issuer) is not None


def _parts(installation: Installation, directory: SqlDirectory) -> Parts:
    unrecorded = _Unrecorded()
    return Parts(
        directory=directory,
        key_ring=installation.key_ring,
        passwords=LimitedPasswords(FailureCounters(installation.database)),
        replays=unrecorded,
        formats=FORMATS,
        encryptions={},
        new_token_id=lambda: os.urandom(16).hex(),
        client_certificates=issued,
        decrypt=saml.decrypted,
        decryption_failures=unrecorded,
    )
