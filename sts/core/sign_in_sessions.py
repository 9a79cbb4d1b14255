"""Who is signed in already: which sessions still count, and the session that a sign-in begins."""

from collections.abc import Sequence
from hashlib import sha256

from sts.core.model import IdentityProvider, ProviderKind, ServiceIdentity
from sts.core.sign_in_steps import RETIRED, Desk, PendingSignIn, Session, Visit, Wish, Witnessed
from sts.core.uris import AuthenticationMethod, authentication_method


def usable_session(visit: Visit, wish: Wish, desk: Desk) -> Session | None:
    """The browser's session, unless the relying party wants a choice, a fresher sign-in or another way of it."""
    if wish.choose or not visit.browser.session:
        return None
    session = desk.sessions.find(visit.namespace, visit.browser.session, visit.now)
    if session is None or not _is_as_asked(wish.authentication, session.principal.method):
        return None
    if wish.fresh is None:
        return session
    principal = session.principal
    return session if principal.dated and visit.now - principal.authenticated_at < wish.fresh else None


def _is_as_asked(asked: str | None, method: AuthenticationMethod) -> bool:
    """Whether somebody signed in by the method that is asked for; one that we do not know is met by none."""
    if asked in (None, AuthenticationMethod.UNSPECIFIED):
        return True
    wanted = authentication_method(asked or "")
    if wanted is AuthenticationMethod.PASSWORD:
        return method in (wanted, AuthenticationMethod.PASSWORD_PROTECTED_TRANSPORT)
    return method is wanted is not AuthenticationMethod.UNSPECIFIED


def still_good(visit: Visit, session: Session, providers: Sequence[IdentityProvider], desk: Desk) -> bool:
    """Whether the session is of one of these identity providers, and what vouched for it does so now.

    Whatever changes ends the sessions that are there; one that begins by what another process, or a sign-in under way,
    still knows is there only afterwards.
    """
    principal = session.principal
    provider = named(providers, session.provider)
    if provider is None:
        return False
    if provider.kind is not ProviderKind.LOCAL:
        return provider.issuer == principal.identity_provider and _is_trusted(session.vouched, provider)
    identity = desk.parts.directory.service_identity(visit.namespace, principal.name)
    if principal.identity_provider != provider.name or not may_sign_in(identity):
        return False
    return session.vouched == secrets_of(identity)


def named(providers: Sequence[IdentityProvider], name: str) -> IdentityProvider | None:
    """The identity provider of that name, None if it is none of these."""
    return next((provider for provider in providers if provider.name == name), None)


def _is_trusted(vouched: str, provider: IdentityProvider) -> bool:
    return vouched == RETIRED or vouched in [thumbprint(pinned.der) for pinned in provider.certificates]


def may_sign_in(identity: ServiceIdentity | None) -> bool:
    """Whether this is a local account that may be used at our form."""
    return identity is not None and identity.enabled and identity.interactive


def thumbprint(certificate: bytes) -> str:
    """What a session keeps of the certificate (DER) that vouched for it: its SHA-256, in hex."""
    return sha256(certificate).hexdigest()


def secrets_of(identity: ServiceIdentity | None) -> str:
    """What a session keeps of the secrets of the account by which it began: since when they are what they are."""
    return f"secrets since {None if identity is None else identity.secrets_since}"


def new_session(visit: Visit, pending: PendingSignIn, witnessed: Witnessed, desk: Desk) -> Session:
    """The session that begins: a new one, so that no token from before the sign-in is worth anything after it."""
    token = visit.browser.session
    known = desk.sessions.find(visit.namespace, token, visit.now) if token else None
    return Session(
        id=0 if known is None else known.id,
        provider=pending.provider,
        principal=witnessed.principal,
        relying_parties=((pending.realm, pending.reply),),
        vouched=witnessed.vouched,
        browser=visit.browser.mark,
    )
