"""Well-known claim types and the two issuers that rules know besides identity providers."""

from collections.abc import Mapping
from typing import Final

from sts.core.uris import CLAIM

LOCAL_AUTHORITY: Final = "LOCAL AUTHORITY"

NAME_IDENTIFIER: Final = CLAIM + "nameidentifier"
NAME: Final = CLAIM + "name"
EMAIL_ADDRESS: Final = CLAIM + "emailaddress"
GIVEN_NAME: Final = CLAIM + "givenname"
SURNAME: Final = CLAIM + "surname"
UPN: Final = CLAIM + "upn"
ROLE: Final = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
IDENTITY_PROVIDER: Final = "http://schemas.microsoft.com/accesscontrolservice/2010/07/claims/identityprovider"
AUTHENTICATION_METHOD: Final = "http://schemas.microsoft.com/ws/2008/06/identity/claims/authenticationmethod"
ACTOR: Final = "http://schemas.xmlsoap.org/ws/2009/09/identity/claims/actor"
AUTHENTICATION_INSTANT: Final = "http://schemas.microsoft.com/ws/2008/06/identity/claims/authenticationinstant"

JWT_NAMES: Final[Mapping[str, str]] = {  # what JSON web tokens call them, as those of ACS did
    NAME_IDENTIFIER: "nameid",
    NAME: "unique_name",
    EMAIL_ADDRESS: "email",
    GIVEN_NAME: "given_name",
    SURNAME: "family_name",
    ROLE: "role",
    UPN: "upn",
    IDENTITY_PROVIDER: "identityprovider",
}
# In the JSON web token of ours: which short names stand there for themselves, as the claim types that they are.
LITERAL_NAMES: Final = "literal_names"
LONG_NAMES: Final[Mapping[str, str]] = {short: long for long, short in JWT_NAMES.items()}

# By which claims would say who acts for a subject: that is the service's alone to say. As `actort`, readers on .NET
# take an unsigned token inside for the actor.
_ACTOR_TYPES: Final = frozenset({ACTOR, "actort"})

# Names that tokens keep for themselves, in lower case: of simple web tokens, of JSON web tokens (RFC 7519, 4.1), and of
# who acts for a subject or must hold a key (RFC 8693, 4.1; RFC 7800, 3.1).
_RESERVED_TYPES: Final = _ACTOR_TYPES | {
    *("issuer", "audience", "expireson", "hmacsha256"),
    *("iss", "sub", "aud", "exp", "nbf", "iat", "jti"),
    *("act", "cnf"),
    LITERAL_NAMES,
}

MAX_INPUT_CLAIMS: Final = 80
MAX_VALUE_LENGTH: Final = 65_536


def is_reserved(claim_type: str) -> bool:
    """Whether tokens keep a name for themselves, as careless readers compare it."""
    return _plain(claim_type) in _RESERVED_TYPES


def names_actor(claim_type: str) -> bool:
    """Whether a claim of this type would say who acts for the subject, to careless readers too."""
    return _plain(claim_type) in _ACTOR_TYPES


def _plain(claim_type: str) -> str:
    return claim_type.strip().lower()
