"""Signing in by browser: which step comes next, free of HTTP (WS-Federation 1.2, 13; threats.md, 2.4 and 2.5)."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from hmac import compare_digest
from typing import Final, NamedTuple

from sts.core.acceptance import Case, Examined, examine
from sts.core.addresses import check_url, origin_of
from sts.core.claims import LOCAL_AUTHORITY, NAME_IDENTIFIER
from sts.core.errors import (
    AuthenticationFailed,
    InvalidReply,
    InvalidState,
    IssuingFailed,
    NamespaceNotFound,
    ReplayedToken,
    StoreUnavailable,
    StsError,
    TooManyRequests,
)
from sts.core.exchange import PasswordAttempt, Principal, TokenProof
from sts.core.issue import TokenOrder, find_relying_party, issue_to
from sts.core.model import Claim, IdentityProvider, Namespace, ProviderKind, RelyingParty, TokenFormat
from sts.core.parts import Parts
from sts.core.presented import SKEW, Presented
from sts.core.sign_in_sessions import (
    may_sign_in,
    named,
    new_session,
    secrets_of,
    still_good,
    thumbprint,
    usable_session,
)
from sts.core.sign_in_steps import (
    AskPassword,
    AtProvider,
    Choose,
    Completed,
    Deliver,
    Desk,
    PendingSignIn,
    Returned,
    Session,
    SignInRefused,
    Step,
    Typed,
    Unsolicited,
    Visit,
    Wish,
    Witnessed,
)
from sts.core.uris import AuthenticationMethod, authentication_method

EVERY_FORMAT: Final = frozenset(TokenFormat)
_LOCAL_METHOD: Final = AuthenticationMethod.PASSWORD_PROTECTED_TRANSPORT
_PASSWORDS: Final = frozenset({AuthenticationMethod.PASSWORD, _LOCAL_METHOD})


def begin(visit: Visit, wish: Wish, desk: Desk) -> Step:
    """The first step of a sign-in: a token at once by the session, an identity provider, or a choice of them.

    Raises RelyingPartyNotFound and InvalidReply before anything is sent anywhere; whatever else is refused comes as
    SignInRefused.
    """
    relying_party = find_relying_party(visit.namespace, wish.realm, desk.parts.directory)
    pending = PendingSignIn(
        namespace=visit.namespace.name,
        realm=wish.realm,
        reply=_reply(visit.namespace, relying_party, wish.reply),
        context=wish.context,
        provider="",
        nonce="",
        browser=visit.browser.mark,
        started_at=visit.now.replace(microsecond=0),
        fresh=wish.fresh,
        delivery=wish.delivery,
        method=authentication_method(wish.authentication or ""),
    )
    with _telling(pending, relying_party):
        allowed = allowed_providers(visit.namespace, relying_party, desk.parts)
        wanted = by_home_realm(allowed, wish.home_realm)
        session = usable_session(visit, wish, desk)
        if session is not None and still_good(visit, session, wanted or allowed, desk):
            delivered = _by_session(visit, pending, session, desk)
            if delivered is not None:
                return delivered
        return _discover(pending, relying_party, _Candidates(allowed, wanted, wish), desk)


class _Candidates(NamedTuple):
    """The identity providers that a relying party lets people sign in at, and those of them that were asked for."""

    allowed: tuple[IdentityProvider, ...]
    wanted: tuple[IdentityProvider, ...]
    wish: Wish


def _discover(pending: PendingSignIn, relying_party: RelyingParty, candidates: _Candidates, desk: Desk) -> Step:
    """Straight to the identity provider if there is but one, else a choice."""
    wish = candidates.wish
    offered = candidates.wanted or candidates.allowed
    is_unknown_address = "@" in (wish.home_realm or "") and not candidates.wanted
    if wish.choose or len(offered) > 1 or is_unknown_address:
        return Choose(relying_party, candidates.allowed, wish.home_realm if is_unknown_address else None)
    (provider,) = offered
    pending = pending._replace(provider=provider.name, nonce=desk.states.new_nonce())
    if provider.kind is ProviderKind.LOCAL:
        _require_as_asked(pending, _LOCAL_METHOD)
        return AskPassword(relying_party, provider, pending)
    return AtProvider(provider, pending)


def allowed_providers(namespace: Namespace, relying_party: RelyingParty, parts: Parts) -> tuple[IdentityProvider, ...]:
    """The enabled identity providers of a relying party in its order; raises IssuingFailed where there is none."""
    known = {provider.name: provider for provider in parts.directory.identity_providers(namespace)}
    named = [known[name] for name in relying_party.identity_providers if name in known]
    allowed = tuple(provider for provider in named if provider.enabled)
    if not allowed:
        raise IssuingFailed(
            f"nobody can sign in to relying party '{relying_party.name}': it has no identity provider that is enabled; "
            "name one in its identity_providers"
        )
    return allowed


def by_home_realm(providers: Sequence[IdentityProvider], home_realm: str | None) -> tuple[IdentityProvider, ...]:
    """Those that a home realm means: by issuer or name, else by domain, of an e-mail address too; none if none fits."""
    if not home_realm:
        return ()
    exact = tuple(provider for provider in providers if home_realm in (provider.issuer, provider.name))
    domain = home_realm.rpartition("@")[2].strip().lower()
    return exact or tuple(provider for provider in providers if domain in provider.email_domains)


def _by_session(visit: Visit, pending: PendingSignIn, session: Session, desk: Desk) -> Deliver | None:
    """A token by the session, None if somebody has signed out of it meanwhile: nobody would tell the relying party."""
    pending = pending._replace(provider=session.provider)
    issued = issue_to(session.principal, _order(visit, pending), desk.parts, visit.now)
    return Deliver(issued, pending) if desk.sessions.join(session, pending.realm, pending.reply) else None


def _order(visit: Visit, pending: PendingSignIn) -> TokenOrder:
    return TokenOrder(visit.namespace, pending.realm, EVERY_FORMAT, pending.provider)


def take(visit: Visit, returned: Returned, desk: Desk) -> Deliver:
    """Take an identity provider's answer to a sign-in that this browser began; raises InvalidState, SignInRefused.

    One sign-in is good for one answer, whatever becomes of that (threats.md, 7.3): what is refused uses it up too, be
    it unreadable, but for want of the database. What comes without a state of this browser's own is not read.
    """
    pending = _own(visit, returned.state, desk)
    relying_party = _still_there(visit, pending, desk)
    with _telling(pending, relying_party):
        try:
            proof = returned.proof()
            if proof.format is None:
                desk.states.require_unused(visit.namespace, pending)  # before anything is decrypted for it
            return _completed(visit, pending, proof, desk)
        except (InvalidState, StoreUnavailable, NamespaceNotFound):  # it is over already, or nothing can be on record
            raise
        except StsError as refused:
            if not isinstance(refused.__cause__ or refused, ReplayedToken):  # with which it is over
                desk.states.use(visit.namespace, pending)  # or it was before: then nobody is told
            raise


def take_unsolicited(visit: Visit, unsolicited: Unsolicited, desk: Desk) -> Deliver:
    """Take an answer that nobody asked for, from an identity provider whose record allows it, to a default reply.

    Nothing is read where no record does. Raises InvalidState then, RelyingPartyNotFound, SignInRefused.
    """
    welcome = [p for p in desk.parts.directory.identity_providers(visit.namespace) if p.unsolicited and p.enabled]
    if not welcome:
        raise _unasked()
    relying_party = find_relying_party(visit.namespace, unsolicited.realm, desk.parts.directory)
    reply = _reply(visit.namespace, relying_party, None)
    now, realm = visit.now.replace(microsecond=0), unsolicited.realm
    pending = PendingSignIn(visit.namespace.name, realm, reply, None, "", "", visit.browser.mark, now)
    with _telling(pending, relying_party):
        proof = unsolicited.proof()
        pending = pending._replace(provider=_issuer(welcome, proof, desk.parts).name)
    with _telling(pending, relying_party):
        return _completed(visit, pending, proof, desk)


def _completed(visit: Visit, pending: PendingSignIn, proof: TokenProof, desk: Desk) -> Deliver:
    """A token for what an identity provider sent, and a session; handed out only once both are on record."""
    provider = _required(visit.namespace, pending.provider, desk.parts)
    presented = Presented.at_sign_in(visit.namespace, proof, visit.browser.source)

    def deliver(examined: Examined) -> Deliver:
        principal = examined.principal
        _refuse_actors(examined)
        _require_fresh(pending, principal)
        _require_as_asked(pending, principal.method)
        issued = issue_to(principal, _order(visit, pending), desk.parts, visit.now)
        session = new_session(visit, pending, Witnessed(principal, thumbprint(examined.certificate)), desk)
        completed = Completed(pending, examined.use, session)
        return Deliver(issued, pending, desk.records.complete(visit.namespace, completed, visit.now))

    return examine(Case(presented, provider), deliver, desk.parts, visit.now)


def _issuer(welcome: Sequence[IdentityProvider], proof: TokenProof, parts: Parts) -> IdentityProvider:
    """Whose unsolicited answer this would be: the issuer's that it names, or the only one's if it is encrypted."""
    if proof.format is not None:
        claimed = parts.formats[proof.format].claimed(proof.token).issuer
        welcome = [provider for provider in welcome if provider.issuer == claimed]
    if len(welcome) != 1:
        raise _unasked()
    return welcome[0]


def _unasked() -> InvalidState:
    return InvalidState(detail="an answer without state, and no one identity provider that may send such")


def _own(visit: Visit, state: str, desk: Desk) -> PendingSignIn:
    """The sign-in of a state, if this browser began it here."""
    pending = desk.states.open(state, visit.now)
    if pending.namespace != visit.namespace.name:
        raise InvalidState(detail=f"the sign-in was begun at namespace '{pending.namespace}'")
    if not visit.browser.mark or not compare_digest(pending.browser, visit.browser.mark):
        reason = "another browser" if visit.browser.mark else "a browser that has or sends no cookie of ours"
        raise InvalidState(detail=f"the answer came from {reason}")
    return pending


def _still_there(visit: Visit, pending: PendingSignIn, desk: Desk) -> RelyingParty:
    """The relying party as it is now; raises RelyingPartyNotFound, InvalidReply where its reply address is gone."""
    relying_party = find_relying_party(visit.namespace, pending.realm, desk.parts.directory)
    _reply(visit.namespace, relying_party, pending.reply)
    return relying_party


def _refuse_actors(examined: Examined) -> None:
    """Refuse a token by which somebody acts for a person: no session says so, and all its tokens would be about him."""
    if examined.actors:
        chain = ", ".join(f"'{actor.name}'" for actor in examined.actors)
        detail = f"{chain} would sign in for '{examined.principal.name}' (actor), and nobody signs in for somebody else"
        raise AuthenticationFailed(detail=detail)


def _require_fresh(pending: PendingSignIn, principal: Principal) -> None:
    """Refuse an old sign-in where a fresh one was asked for, and silence: not every identity provider heeds wfresh."""
    if pending.fresh is None:
        return
    if not principal.dated:
        detail = f"a fresh sign-in was asked for, and the token does not say when '{principal.name}' signed in"
        raise AuthenticationFailed(detail=detail)
    if principal.authenticated_at < pending.started_at - pending.fresh - SKEW:
        at = principal.authenticated_at.isoformat(timespec="seconds")
        raise AuthenticationFailed(detail=f"a fresh sign-in was asked for, and '{principal.name}' signed in at {at}")


def _require_as_asked(pending: PendingSignIn, method: AuthenticationMethod) -> None:
    """Refuse another way of signing in than was asked for (SAML 2.0 Core, 3.3.2.2.1: exact); silence is no other way.

    Password and password over a protected transport are the same here: SAML 1.1 has one name for both.
    """
    both = {pending.method, method}
    if len(both) == 2 and AuthenticationMethod.UNSPECIFIED not in both and not both <= _PASSWORDS:
        raise AuthenticationFailed(detail=f"{pending.method} was asked for, and the sign-in was by {method}")


def sign_in_locally(visit: Visit, typed: Typed, desk: Desk) -> Deliver | AskPassword:
    """Check a local account; after a wrong password the answer asks again, under a new state.

    Raises InvalidState, SignInRefused.
    """
    pending = _own(visit, typed.state, desk)
    relying_party = _still_there(visit, pending, desk)
    desk.states.use(visit.namespace, pending)
    with _telling(pending, relying_party):
        provider = _required(visit.namespace, pending.provider, desk.parts)
        if provider.kind is not ProviderKind.LOCAL:
            raise InvalidState(detail=f"identity provider '{provider.name}' takes no passwords here")
        try:
            vouched = _check_password(visit, typed, desk)
        except (AuthenticationFailed, TooManyRequests) as refused:
            again = pending._replace(nonce=desk.states.new_nonce(), started_at=visit.now.replace(microsecond=0))
            return AskPassword(relying_party, provider, again, refused, typed.name)
        claims = (Claim(NAME_IDENTIFIER, typed.name, LOCAL_AUTHORITY),)
        principal = Principal(typed.name, provider.name, claims, visit.now, _LOCAL_METHOD)
        device = desk.devices.remember(visit.namespace, typed.name)
        issued = issue_to(principal, _order(visit, pending), desk.parts, visit.now)
        session = new_session(visit, pending, Witnessed(principal, vouched), desk)
        return Deliver(issued, pending, desk.sessions.start(visit.namespace, session, visit.now), device)


def _check_password(visit: Visit, typed: Typed, desk: Desk) -> str:
    """The secrets of the account whose password was typed; raises AuthenticationFailed or TooManyRequests.

    A name that does not exist, is disabled, is not interactive or has another password costs and answers the same. A
    browser in which the name has signed in before is counted by itself: strangers who guess do not lock its owner out.
    """
    parts = desk.parts
    identity = parts.directory.service_identity(visit.namespace, typed.name)
    is_usable = may_sign_in(identity)
    device = desk.devices.recognised(visit.namespace, typed.name, visit.browser.device)
    counted = typed.name if device is None else f"{typed.name} {device}"
    attempt = PasswordAttempt(visit.namespace, counted, typed.password, visit.browser.source)
    try:
        parts.passwords.check(identity if is_usable else None, attempt, visit.now)
    except AuthenticationFailed as error:
        if identity is not None and not is_usable:  # a truer reason
            state = "disabled" if not identity.enabled else "not interactive"
            raise AuthenticationFailed(detail=f"service identity '{identity.name}' is {state}") from error
        raise
    return secrets_of(identity)


def _required(namespace: Namespace, name: str, parts: Parts) -> IdentityProvider:
    provider = named(parts.directory.identity_providers(namespace), name)
    if provider is None or not provider.enabled:
        reason = "is gone" if provider is None else "is disabled"
        raise AuthenticationFailed(detail=f"identity provider '{name}' {reason}")
    return provider


def _reply(namespace: Namespace, relying_party: RelyingParty, asked: str | None) -> str:
    """The address that the answer goes to: registered byte for byte, and still one that browsers may be sent to."""
    if not relying_party.reply:
        raise InvalidReply(f"relying party '{relying_party.name}' has no reply address; register one as its reply")
    reply = relying_party.reply[0] if asked is None else asked
    if reply not in relying_party.reply:
        raise InvalidReply(
            f"the reply address is not registered for relying party '{relying_party.name}'; wreply must equal one of "
            "its reply addresses exactly",
            detail=f"wreply {reply[:200]!r}",
        )
    return usable_address(reply, namespace)


def usable_address(address: str, namespace: Namespace) -> str:
    """The stored address, if browsers may be sent there; raises InvalidReply for one that got round the checks."""
    try:
        return _checked_address(address, namespace.issuer)
    except ValueError as error:
        raise InvalidReply("a registered address cannot be used", detail=str(error)) from error


@lru_cache(maxsize=4096)
def _checked_address(address: str, base_url: str) -> str:
    origin_of(check_url(address, base_url))
    return address


@contextmanager
def _telling(pending: PendingSignIn, relying_party: RelyingParty) -> Iterator[None]:
    """Have the relying party hear of what is refused from here on.

    Not of a sign-in that is none of its browser's; and where its namespace is gone, so is the relying party.
    """
    try:
        yield
    except (InvalidState, NamespaceNotFound):
        raise
    except StsError as error:
        raise SignInRefused(error, pending, relying_party) from error
