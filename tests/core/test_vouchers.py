"""Which identity providers would be taken for somebody else."""

import pytest

from sts.core.model import IdentityProvider, ProviderKind
from sts.core.vouchers import confusion

OURS = "https://sts.example/contoso/"
KNOWN = (
    IdentityProvider(1, "adfs", issuer="https://idp.example/"),
    IdentityProvider(2, "accounts", ProviderKind.LOCAL),
    IdentityProvider(3, "unfinished"),
)


def partner(name: str, issuer: str | None) -> IdentityProvider:
    """An identity provider that is to be saved."""
    return IdentityProvider(9, name, issuer=issuer)


def local(name: str) -> IdentityProvider:
    """Accounts of our own under a name."""
    return IdentityProvider(9, name, ProviderKind.LOCAL)


CONFUSED = {
    "our issuer": (partner("x", OURS), "reads like the issuer of this namespace"),
    "our issuer without its slash": (partner("x", OURS[:-1]), "reads like the issuer of this namespace"),
    "our issuer in capitals": (partner("x", f" {OURS.upper()}//"), "reads like the issuer of this namespace"),
    "local authority": (partner("x", "LOCAL AUTHORITY"), "reads like LOCAL AUTHORITY"),
    "local authority by name": (partner("Local Authority", "urn:x"), "reads like LOCAL AUTHORITY"),
    "our accounts": (partner("x", "accounts"), "reads like the name of identity provider 'accounts'"),
    "our accounts in capitals": (partner("x", "Accounts"), "reads like the name of identity provider 'accounts'"),
    "another's name": (partner("x", "adfs"), "reads like the name of identity provider 'adfs'"),
    "another's issuer almost": (partner("x", "https://IDP.example"), "the issuer of identity provider 'adfs'"),
    "named like another's issuer": (partner("HTTPS://idp.example", "urn:x"), "by which tokens name identity provider"),
    "named like our accounts": (partner("ACCOUNTS", "urn:x"), "by which tokens name identity provider 'accounts'"),
    "accounts named like another": (local("ADFS"), "reads like the name of identity provider 'adfs'"),
    "accounts named like an issuer": (local("https://idp.example"), "by which tokens name identity provider 'adfs'"),
    "accounts named like us": (local(OURS), "reads like the issuer of this namespace"),
}  # fmt: skip
HONEST = {
    "another": partner("x", "https://elsewhere.example/"),
    "an issuer that is the name": partner("x", "x"),
    "an issuer that is almost the name": partner("x", "X/"),
    "below our issuer": partner("x", f"{OURS}x"),
    "one and the same issuer": partner("x", "https://idp.example/"),
    "without issuer": partner("x", None),
    "itself": KNOWN[0],
    "itself in another spelling": partner("adfs", "https://idp.example"),
    "more accounts": local("more"),
}


@pytest.mark.parametrize(("provider", "sentence"), CONFUSED.values(), ids=CONFUSED)
def test_whoever_reads_like_somebody_else_is_told_so(provider: IdentityProvider, sentence: str) -> None:
    assert sentence in (confusion(provider, OURS, (*KNOWN, provider)) or "")


@pytest.mark.parametrize("provider", HONEST.values(), ids=HONEST)
def test_whoever_has_names_of_its_own_is_nobody_else(provider: IdentityProvider) -> None:
    assert confusion(provider, OURS, (*KNOWN, provider)) is None
