"""What a SAML assertion says of itself, unverified: to choose whose keys may verify it, and for people to see."""

from base64 import b64decode
from functools import partial
from hashlib import sha1

from lxml import etree

from sts.core.errors import InvalidSamlToken
from sts.core.exchange import Claimed, TokenView
from sts.crypto.decoy import verify_decoy
from sts.crypto.xml import NS
from sts.crypto.xmldsig import parsed
from sts.tokens.saml import Document, Version, document, read_document, refused

_DS = f"{{{NS['ds']}}}"
_SIGNATURE = f"{_DS}Signature"
_SIGNATURE_METHOD = f"{_DS}SignedInfo/{_DS}SignatureMethod"
_CERTIFICATE = f"{_DS}KeyInfo/{_DS}X509Data/{_DS}X509Certificate"


def claimed(version: Version, token: bytes) -> Claimed:
    """Say who an assertion claims that issued it, and for whom; of an encrypted one only that it is one.

    All else is for its reader to refuse, which goes on with what was parsed here. Raises InvalidSamlToken when the
    document is no assertion of this version, or has not one issuer.
    """
    came = document(version, token)
    read = partial(read_document, came)
    if came.element.tag == version.encrypted_root:
        return Claimed(version.format, None, (), read, encrypted=True)
    if came.element.tag != version.root:
        raise refused(f"root: {came.element.tag}")
    named = tuple(audience.text or "" for audience in came.element.iterfind(version.audience))
    return Claimed(version.format, _issuer(came), named, read)


def view(version: Version, token: bytes) -> TokenView:
    """Say what an assertion claims to be, verifying nothing; of an encrypted one that is only its format.

    Raises InvalidSamlToken when the document is no assertion of this version.
    """
    element = parsed(token)
    if element.tag == version.encrypted_root:
        return TokenView(version.format, None, None, None, None, None, (), None, encrypted=True)
    if element.tag != version.root:
        raise refused(f"root: {element.tag}")
    signature = element.find(_SIGNATURE)
    if signature is not None:
        element.remove(signature)
    assertion = version.assertion(element)
    expiries = [assertion.expires_at, *(confirmation.expires_at for confirmation in assertion.confirmations)]
    return TokenView(
        format=version.format,
        id=assertion.id,
        issuer=assertion.issuer,
        audience=assertion.audience,
        not_before=assertion.not_before,
        expires_at=min((expiry for expiry in expiries if expiry is not None), default=None),
        claims=assertion.claims,
        key_hint=_thumbprint(signature),
        algorithm=_algorithm(signature),
    )


def _issuer(came: Document) -> str:
    try:
        return came.version.issuer(came.element)
    except InvalidSamlToken:
        verify_decoy(came.size)  # as where nobody made its signature: it may have been encrypted
        raise


def _thumbprint(signature: etree._Element | None) -> str | None:
    certificate = None if signature is None else signature.findtext(_CERTIFICATE)
    if certificate is None:
        return None
    try:
        der = b64decode("".join(certificate.split()), validate=True)
    except ValueError:
        return None
    return sha1(der, usedforsecurity=False).hexdigest()


def _algorithm(signature: etree._Element | None) -> str | None:
    method = None if signature is None else signature.find(_SIGNATURE_METHOD)
    return None if method is None else method.get("Algorithm")
