"""The key that a token is asked for with (WS-Trust 1.3, 4.4.4 and 9.2)."""

from typing import Final

from lxml import etree

from sts.core.errors import BadRequest
from sts.core.trust import KeyKind, KeyRequest
from sts.crypto.key_info import NamedKey, certified, named_key
from sts.crypto.pem import NotPem, from_base64
from sts.crypto.xml import NS
from sts.protocols.token_elements import BINARY_TOKEN, binary_octets
from sts.protocols.wstrust.names import X509_V3
from sts.protocols.wstrust.request_elements import Parameters, only_child, refuse_other_attributes, refuse_text
from sts.protocols.wstrust.token_targets import REFERENCE_TO_TOKEN, direct_reference

_KEY_INFO: Final = f"{{{NS['ds']}}}KeyInfo"
_X509_DATA: Final = f"{{{NS['ds']}}}X509Data"
_KEY_VALUE: Final = f"{{{NS['ds']}}}KeyValue"
PARAMETERS: Final = frozenset({"KeyType", "KeySize", "Entropy", "ComputedKeyAlgorithm", "UseKey"})
_MAX_DIGITS: Final = 9


def key_request(found: Parameters, signing: frozenset[str]) -> KeyRequest | None:
    """What the parameters of a request say about the key, None where they say nothing.

    Without a KeyType an Entropy asks for a symmetric key, and a UseKey for its own. `signing` are the IDs of the
    message's signature and of the token whose key made it. Raises BadRequest.
    """
    if not found.has_any(PARAMETERS):
        return None
    kind = _kind(found)
    bits = _bits(found)
    entropy = _entropy(found)
    use_key = found.elements.get("UseKey")
    _require_known_computation(found)
    if kind is None:
        return None
    if entropy is not None and kind is not KeyKind.SYMMETRIC:
        raise BadRequest(f"Entropy makes a symmetric key, and the KeyType asks for {_ASKED[kind]}")
    if use_key is None:
        return KeyRequest(kind, bits, entropy) if kind is KeyKind.SYMMETRIC else KeyRequest(kind)
    if kind is not KeyKind.PUBLIC:
        raise BadRequest(f"UseKey names a public key, and the KeyType asks for {_ASKED[kind]}")
    named = _used_key(use_key, signing)
    if named is None:
        return KeyRequest(kind)
    is_signing = use_key.get("Sig") is not None
    return KeyRequest(kind, public_key=named.public_key, certificate=named.certificate, signed=is_signing)


_ASKED: Final = {
    KeyKind.BEARER: "a bearer token",
    KeyKind.SYMMETRIC: "a symmetric key",
    KeyKind.PUBLIC: "a public key",
}


def _kind(found: Parameters) -> KeyKind | None:
    uri = found.text("KeyType")
    if uri is not None:
        kind = found.dialect.key_types.get(uri)
        if kind is None:
            raise BadRequest(f"the KeyType is none of {', '.join(found.dialect.key_types)}")
        return kind
    if found.elements.get("UseKey") is not None:
        return KeyKind.PUBLIC
    return None if found.elements.get("Entropy") is None else KeyKind.SYMMETRIC


def _bits(found: Parameters) -> int | None:
    """KeySize; what sizes there are is decided where keys are made."""
    value = found.text("KeySize")
    if value is None:
        return None
    if not (value.isascii() and value.isdigit()) or len(value) > _MAX_DIGITS:
        raise BadRequest("the KeySize is no number of bits")
    return int(value)


def _entropy(found: Parameters) -> bytes | None:
    """The nonce in Entropy (WS-Trust 1.3, 3.3 and 4.1)."""
    element = found.elements.get("Entropy")
    if element is None:
        return None
    dialect = found.dialect
    secret = only_child(element)
    if secret.tag != dialect.tag("BinarySecret"):
        raise BadRequest("Entropy holds a BinarySecret; secrets are kept by TLS")
    if secret.get("Type", f"{dialect.namespace}/Nonce") != f"{dialect.namespace}/Nonce":
        raise BadRequest(f"the BinarySecret in Entropy is of Type {dialect.namespace}/Nonce")
    if len(secret):
        raise BadRequest("a BinarySecret holds text only")
    try:
        return from_base64((secret.text or "").encode())
    except NotPem as error:
        raise BadRequest(f"the BinarySecret in Entropy cannot be read: {error}") from error


def _require_known_computation(found: Parameters) -> None:
    known = f"{found.dialect.namespace}/CK/PSHA1"
    if found.text("ComputedKeyAlgorithm") not in (None, known):
        raise BadRequest(f"the ComputedKeyAlgorithm is not {known}")


def _used_key(element: etree._Element, signing: frozenset[str]) -> NamedKey | None:
    """The key of UseKey; None: the one that signed the message, which a reference or an empty UseKey means (9.2).

    A key that is named beside the Sig must be that one, too, which the core sees to.
    """
    refuse_other_attributes(element, "Sig")
    refuse_text(element)
    signature = element.get("Sig")
    if signature is not None and signature.removeprefix("#") not in signing:
        raise BadRequest("the Sig of UseKey is not the signature of the message")
    if not len(element):
        if not signing:
            raise BadRequest("UseKey names no key, and the message is not signed")
        return None
    return _named(only_child(element), signing)


def _named(content: etree._Element, signing: frozenset[str]) -> NamedKey | None:
    if content.tag == _KEY_INFO:
        reference = content.find(REFERENCE_TO_TOKEN)
        if reference is None:
            return named_key(content)
        content = only_child(content)
    if content.tag == REFERENCE_TO_TOKEN:
        return _behind(content, signing)
    if content.tag == BINARY_TOKEN and content.get("ValueType") == X509_V3:
        return certified(binary_octets(content))
    raise BadRequest(
        "UseKey holds a KeyInfo, an X.509 certificate in a BinarySecurityToken, or a reference to the token that "
        "signed the message"
    )


def _behind(reference: etree._Element, signing: frozenset[str]) -> NamedKey | None:
    """A SecurityTokenReference in UseKey: to what signed the message, or around an X509Data or KeyValue."""
    if reference.find(_X509_DATA) is not None or reference.find(_KEY_VALUE) is not None:
        return named_key(reference)
    if direct_reference(reference) not in signing:
        raise BadRequest("the reference in UseKey does not mean the token that signed the message")
    return None
