"""The shape of what partners encrypt to us: all that is refused before any key is used."""

from base64 import b64decode
from typing import Final, NamedTuple

from lxml import etree

from sts.core.errors import BadRequest, InvalidEncryptedToken, PayloadTooLarge
from sts.core.model import ContentEncryption, KeyTransport
from sts.crypto.xml import NS, parse

ELEMENT: Final = NS["xenc"] + "Element"
CONTENT_METHODS: Final = {
    ContentEncryption.AES256_CBC: NS["xenc"] + "aes256-cbc",
    ContentEncryption.AES256_GCM: NS["xenc11"] + "aes256-gcm",
}
RSA_OAEP: Final = NS["xenc"] + "rsa-oaep-mgf1p"
_RSA_OAEP_11 = NS["xenc11"] + "rsa-oaep"
_SHA1, _SHA256, _MGF1_SHA256 = NS["ds"] + "sha1", NS["xenc"] + "sha256", NS["xenc11"] + "mgf1sha256"
_TRANSPORTS = {  # by algorithm, digest and mask generation function
    (RSA_OAEP, None, None): KeyTransport.RSA_OAEP_MGF1P_SHA1,  # the digest's default (XML Encryption 1.1, 5.5.2)
    (RSA_OAEP, _SHA1, None): KeyTransport.RSA_OAEP_MGF1P_SHA1,
    (RSA_OAEP, _SHA256, None): KeyTransport.RSA_OAEP_MGF1P_SHA256,
    (_RSA_OAEP_11, _SHA256, _MGF1_SHA256): KeyTransport.RSA_OAEP_11_SHA256,
}

_ENCRYPTED_ASSERTION = f"{{{NS['saml20']}}}EncryptedAssertion"
_ENCRYPTED_DATA = f"{{{NS['xenc']}}}EncryptedData"
_ENCRYPTED_KEY = f"{{{NS['xenc']}}}EncryptedKey"
_METHOD = f"{{{NS['xenc']}}}EncryptionMethod"
_CIPHER_DATA = f"{{{NS['xenc']}}}CipherData"
_CIPHER_VALUE = f"{{{NS['xenc']}}}CipherValue"
_KEY_INFO = f"{{{NS['ds']}}}KeyInfo"
_DIGEST_METHOD = f"{{{NS['ds']}}}DigestMethod"
_MGF = f"{{{NS['xenc11']}}}MGF"

_ONCE = ("EncryptedData", "EncryptedKey")
_TRICKS = frozenset(  # other ways to say what is encrypted, with which key, or what to do with it first
    {
        *("CipherReference", "RetrievalMethod", "KeyInfoReference", "ReferenceList", "CarriedKeyName"),
        *("Transforms", "Transform", "AgreementMethod", "DerivedKey", "EncryptedAssertion", "Assertion"),
    }
)
_BLOCK = 16
_GCM_OVERHEAD = 28  # nonce and tag


class EncryptedElement(NamedTuple):
    """What was encrypted, and the key to it, each as it was sent."""

    transport: KeyTransport
    wrapped_key: bytes
    content: bytes  # the vector or nonce first


def cut(element: bytes, algorithm: ContentEncryption) -> EncryptedElement:
    """Take an EncryptedAssertion (SAML 2.0) or an EncryptedData apart.

    It holds one EncryptedData and, inside its KeyInfo, one EncryptedKey; `algorithm` is the only content encryption
    that is accepted. A key beside the data is refused as are references, since what ties the two together can lie.
    Raises InvalidEncryptedToken, whose `detail` begins with `structure` or `algorithm` (XML Encryption 1.1, 3).
    """
    root = _parsed(element)
    _refuse_tricks(root)
    data = _encrypted_data(root)
    if data.get("Type", ELEMENT) != ELEMENT:
        raise _structure("not the encryption of an element")
    if _tags(data) != [_METHOD, _KEY_INFO, _CIPHER_DATA]:
        raise _structure("children of EncryptedData")
    method, key_info, cipher_data = data
    if method.get("Algorithm") != CONTENT_METHODS[algorithm] or len(method):
        raise _algorithm(f"content encryption {method.get('Algorithm')}, not {algorithm}")
    if _tags(key_info) != [_ENCRYPTED_KEY]:
        raise _structure("children of KeyInfo")
    transport, wrapped_key = cut_key(key_info[0])
    return EncryptedElement(transport, wrapped_key, _content(cipher_data, algorithm))


def _parsed(element: bytes) -> etree._Element:
    try:
        return parse(element)
    except (BadRequest, PayloadTooLarge) as error:
        raise InvalidEncryptedToken(detail=error.detail or error.message) from error


def _encrypted_data(root: etree._Element) -> etree._Element:
    data = root[0] if root.tag == _ENCRYPTED_ASSERTION and len(root) == 1 else root
    if data.tag != _ENCRYPTED_DATA:
        raise _structure(f"root {root.tag}")
    return data


def _refuse_tricks(root: etree._Element) -> None:
    names = [etree.QName(element).localname for element in root.iterdescendants()]
    names += [etree.QName(root).localname] * (root.tag != _ENCRYPTED_ASSERTION)
    for name in _ONCE:
        if names.count(name) != 1:
            raise _structure(f"{names.count(name)} of {name}")
    found = _TRICKS.intersection(names)
    if found:
        raise _structure(f"{', '.join(sorted(found))} is not accepted")


def cut_key(key: etree._Element) -> tuple[KeyTransport, bytes]:
    """Take an EncryptedKey apart, whose form is held to as `cut` does; raises InvalidEncryptedToken."""
    children = _tags(key)
    if children not in ([_METHOD, _CIPHER_DATA], [_METHOD, _KEY_INFO, _CIPHER_DATA]):
        raise _structure("children of EncryptedKey")
    return _transport(key[0]), _value(key[-1])


def _transport(method: etree._Element) -> KeyTransport:
    parameters = {child.tag: child.get("Algorithm") for child in method}
    form = (method.get("Algorithm"), parameters.get(_DIGEST_METHOD), parameters.get(_MGF))
    understood = parameters.keys() <= {_DIGEST_METHOD, _MGF} and not any(len(child) for child in method)
    if not understood or len(parameters) != len(method) or form not in _TRANSPORTS:
        raise _algorithm(f"key transport {', '.join(str(part) for part in form)}")
    return _TRANSPORTS[form]


def _content(cipher_data: etree._Element, algorithm: ContentEncryption) -> bytes:
    content = _value(cipher_data)
    if algorithm is ContentEncryption.AES256_CBC and (len(content) % _BLOCK or len(content) < 2 * _BLOCK):
        raise _structure(f"{len(content)} bytes are not a vector and blocks")
    if len(content) < _GCM_OVERHEAD:
        raise _structure(f"{len(content)} bytes hold no nonce and tag")
    return content


def _value(cipher_data: etree._Element) -> bytes:
    """What CipherData holds; base64 may be wrapped in lines."""
    if _tags(cipher_data) != [_CIPHER_VALUE] or len(cipher_data[0]):
        raise _structure("children of CipherData")
    try:
        return b64decode(b"".join((cipher_data[0].text or "").encode("ascii").split()), validate=True)
    except ValueError as error:
        raise _structure("CipherValue is not base64") from error


def _tags(element: etree._Element) -> list[str]:
    return [str(child.tag) for child in element]


def _structure(detail: str) -> InvalidEncryptedToken:
    return InvalidEncryptedToken(detail=f"structure: {detail}")


def _algorithm(detail: str) -> InvalidEncryptedToken:
    return InvalidEncryptedToken(detail=f"algorithm: {detail}")
