"""Names on the wire that more than one layer needs; each URI is written here and nowhere else."""

from enum import StrEnum
from typing import Final

CLAIM: Final = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/"
SWT_TOKEN: Final = "http://schemas.xmlsoap.org/ws/2009/11/swt-token-profile-1.0"
JWT_TOKEN: Final = "urn:ietf:params:oauth:token-type:jwt"
SAML11_TOKEN: Final = "urn:oasis:names:tc:SAML:1.0:assertion"
SAML20_TOKEN: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
WSS_SAML11_TOKEN: Final = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV1.1"
WSS_SAML20_TOKEN: Final = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1#SAMLV2.0"
OAUTH_SAML11: Final = "urn:ietf:params:oauth:token-type:saml1"
OAUTH_SAML20: Final = "urn:ietf:params:oauth:token-type:saml2"


class AuthenticationMethod(StrEnum):
    """How somebody signed in: SAML 2.0 authentication context classes (SAML 2.0 AuthnContext, section 3.4)."""

    PASSWORD = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
    PASSWORD_PROTECTED_TRANSPORT = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport"
    X509 = "urn:oasis:names:tc:SAML:2.0:ac:classes:X509"
    UNSPECIFIED = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"


_OTHER_NAMES: Final = {  # SAML 1.1 Core, 7.1, and the Windows Identity Foundation's
    "urn:oasis:names:tc:SAML:1.0:am:password": AuthenticationMethod.PASSWORD,
    "urn:oasis:names:tc:SAML:1.0:am:X509-PKI": AuthenticationMethod.X509,
    "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/password": AuthenticationMethod.PASSWORD,
    "http://schemas.microsoft.com/ws/2008/06/identity/authenticationmethod/x509": AuthenticationMethod.X509,
}


def authentication_method(uri: str) -> AuthenticationMethod:
    """How somebody signed in, in the words of either version of SAML; UNSPECIFIED for words that are unknown."""
    try:
        return AuthenticationMethod(uri)
    except ValueError:
        return _OTHER_NAMES.get(uri, AuthenticationMethod.UNSPECIFIED)
