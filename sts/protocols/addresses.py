"""The addresses of a namespace, relative to its issuer (design, section 6)."""

from typing import Final

INSTALLATION: Final = frozenset({"api", "console", "health", "metrics", "static", ".well-known"})  # never a namespace
WS_FEDERATION: Final = "v2/wsfederation"
LOCAL_SIGN_IN: Final = "v2/wsfederation/local"
IDENTITY_PROVIDERS: Final = "v2/metadata/IdentityProviders.js"
FEDERATION_METADATA: Final = "FederationMetadata/2007-06/FederationMetadata.xml"
WS_TRUST: Final = "v2/wstrust/"
WS_TRUST_13: Final = (
    "v2/wstrust/13/username",
    "v2/wstrust/13/certificate",
    "v2/wstrust/13/issuedtoken-bearer",
    "v2/wstrust/13/issuedtoken-symmetric",
    "v2/wstrust/13/issuedtoken-asymmetric",
)
WS_TRUST_MEX: Final = "v2/wstrust/mex"
WRAP: Final = "WRAPv0.9"
OAUTH2_ACS: Final = "v2/OAuth2-13"
OAUTH2: Final = "oauth2/token"
OPENID_CONFIGURATION: Final = ".well-known/openid-configuration"
JWKS: Final = ".well-known/jwks.json"
EST: Final = ".well-known/est/"
EST_CACERTS: Final = f"{EST}cacerts"
EST_SIMPLEENROLL: Final = f"{EST}simpleenroll"
EST_SIMPLEREENROLL: Final = f"{EST}simplereenroll"
