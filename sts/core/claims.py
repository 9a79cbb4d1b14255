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

# Names that tokens keep for themselves, in lower case: of simple web tokens, of JSON web tokens (RFC 7519, 4.1), and of
# who acts for a subject or must hold a key (RFC 8693, 4.1; RFC 7800, 3.1).
RESERVED_TYPES: Final = frozenset(
    {
        *("issuer", "audience", "expireson", "hmacsha256"),
        *("iss", "sub", "aud", "exp", "nbf", "iat", "jti"),
        *("act", "cnf", ACTOR),
    }
)

MAX_INPUT_CLAIMS: Final = 80
MAX_VALUE_LENGTH: Final = 65_536
