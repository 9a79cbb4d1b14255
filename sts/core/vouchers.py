"""By which names tokens and rules say who vouches for somebody, and which of them careless readers would mix up."""

from collections.abc import Iterable, Iterator

from sts.core.claims import LOCAL_AUTHORITY
from sts.core.model import IdentityProvider, ProviderKind


def spelt(name: str) -> str:
    """The name of whoever vouches, as careless readers compare it."""
    return name.strip().rstrip("/").casefold()


def vouching_name(provider: IdentityProvider) -> str | None:
    """What tokens of ours call an identity provider whose word they carry."""
    return provider.name if provider.kind is ProviderKind.LOCAL else provider.issuer


def confusion(provider: IdentityProvider, issuer: str, others: Iterable[IdentityProvider]) -> str | None:
    """Whom an identity provider would be taken for besides itself, as a sentence; None: for nobody.

    `issuer` is that of the namespace, `others` are all its identity providers. Two with one and the same issuer are not
    meant: of those none is taken by a token.
    """
    ours = {spelt(issuer): "the issuer of this namespace", spelt(LOCAL_AUTHORITY): LOCAL_AUTHORITY}
    for name in _names(provider):
        if spelt(name) in ours:
            return f"'{name}' reads like {ours[spelt(name)]}, and what this identity provider says would pass for ours"
    clashes = (found for other in others if other.name != provider.name for found in _clashes(provider, other))
    return next(clashes, None)


def _clashes(provider: IdentityProvider, other: IdentityProvider) -> Iterator[str]:
    vouching, another = vouching_name(provider), vouching_name(other)
    if vouching is not None and spelt(vouching) == spelt(other.name):
        yield f"'{vouching}' reads like the name of identity provider '{other.name}'"
    if another is not None and spelt(another) == spelt(provider.name):
        yield f"'{provider.name}' reads like '{another}', by which tokens name identity provider '{other.name}'"
    if vouching is not None and another not in (None, vouching) and spelt(vouching) == spelt(another or ""):
        yield f"'{vouching}' reads like '{another}', the issuer of identity provider '{other.name}'"


def _names(provider: IdentityProvider) -> tuple[str, ...]:
    return tuple(name for name in (provider.name, provider.issuer) if name)
