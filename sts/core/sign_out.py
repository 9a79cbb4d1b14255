"""Signing out by browser: who must forget, and where it leads (WS-Federation 1.2, 13.2.4; acs.md, 3.4)."""

from collections.abc import Sequence
from typing import NamedTuple

from sts.core.addresses import check_url, origin_of
from sts.core.model import IdentityProvider, Namespace, ProviderKind, RelyingParty
from sts.core.parts import Parts
from sts.core.realms import candidates
from sts.core.sign_in_sessions import named
from sts.core.sign_in_steps import Desk, Visit


class SigningOut(NamedTuple):
    """What somebody asks for who signs out."""

    realm: str | None = None
    reply: str | None = None


class SignedOut(NamedTuple):
    """What is left to do once the session is over."""

    principal: str | None = None  # who was signed in
    cleanups: tuple[str, ...] = ()  # reply addresses of the relying parties that must forget
    provider: IdentityProvider | None = None  # where the sign-in was, unless that was here
    reply: str | None = None  # where it leads, if that is registered
    realm: str | None = None  # whose address that is


def sign_out(visit: Visit, wanted: SigningOut, desk: Desk) -> SignedOut:
    """End the browser's sessions at the namespace; raises StoreUnavailable.

    Sign-ins of several tabs that come back at once begin a session each, of which the browser keeps one; so does an
    answer that nobody asked for, with which the browser withheld its cookies, its mark too.
    Whoever signs out is signed out, whatever else is wrong: an address that is not registered leads nowhere.
    """
    session = desk.sessions.find(visit.namespace, visit.browser.session, visit.now) if visit.browser.session else None
    if session is not None and not session.browser:
        session = session._replace(browser=visit.browser.mark)
    parties = () if session is None else desk.sessions.end(visit.namespace, session, visit.now)
    owner = _owner(visit.namespace, wanted, [realm for realm, _ in parties], desk.parts)
    reply = wanted.reply if owner is not None else None
    realm = owner.realm if owner is not None else None
    if session is None:
        return SignedOut(reply=reply, realm=realm)
    return SignedOut(
        principal=session.principal.name,
        cleanups=tuple(address for realm, address in parties if _is_its(visit, realm, address, desk)),
        provider=_provider(visit.namespace, session.provider, desk.parts),
        reply=reply,
        realm=realm,
    )


def _owner(namespace: Namespace, wanted: SigningOut, realms: Sequence[str], parts: Parts) -> RelyingParty | None:
    """The relying party whose registered address the reply is.

    It is the one that asks, one of those signed in to, or the one in whose realm the reply is: those can be found
    without a look at all there are.
    """
    if wanted.reply is None or not _is_usable(wanted.reply, namespace):
        return None
    for realm in (*([wanted.realm] if wanted.realm else []), *realms, wanted.reply):
        relying_party = parts.directory.relying_party(namespace, candidates(realm))
        if relying_party is not None and wanted.reply in relying_party.reply:
            return relying_party
    return None


def _is_its(visit: Visit, realm: str, address: str, desk: Desk) -> bool:
    """Whether the address is still the relying party's."""
    relying_party = desk.parts.directory.relying_party(visit.namespace, candidates(realm))
    return relying_party is not None and address in relying_party.reply and _is_usable(address, visit.namespace)


def _is_usable(address: str, namespace: Namespace) -> bool:
    try:
        origin_of(check_url(address, namespace.issuer))
    except ValueError:
        return False
    return True


def _provider(namespace: Namespace, name: str, parts: Parts) -> IdentityProvider | None:
    """The identity provider, if people are signed in there and can be signed out."""
    provider = named(parts.directory.identity_providers(namespace), name)
    if provider is None or provider.kind is not ProviderKind.WS_FEDERATION:
        return None
    address = provider.sign_out_url or provider.sign_in_url
    return provider if address is not None and _is_usable(address, namespace) else None
