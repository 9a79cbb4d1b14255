"""The dear half of verifying an XML signature: what an enveloped one covers, answered as it was digested."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from hashlib import sha1, sha256, sha384, sha512
from hmac import compare_digest
from pathlib import Path
from typing import Final

from lxml import etree

from sts.core.errors import InvalidSignature
from sts.crypto.xml import NS, parser

SHA1: Final = NS["ds"] + "sha1"
_MORE: Final = "http://www.w3.org/2001/04/xmldsig-more#"
DIGESTS: Final[Mapping[str, Callable[[bytes], bytes]]] = {  # by the URI of the method
    SHA1: lambda data: sha1(data).digest(),  # noqa: S324 (only where it is allowed)
    NS["xenc"] + "sha256": lambda data: sha256(data).digest(),
    _MORE + "sha384": lambda data: sha384(data).digest(),
    NS["xenc"] + "sha512": lambda data: sha512(data).digest(),
}
STRONG_DIGESTS: Final = frozenset(DIGESTS) - {SHA1}
ALL_DIGESTS: Final = frozenset(DIGESTS)

# Compiled on import, by one thread: libxml2 sets up what it knows of types without a lock.
_SCHEMA: Final = etree.XMLSchema(file=str(Path(__file__).with_name("schemas") / "signature.xsd"))
_MAX_TOLD: Final = 200  # characters of what a stranger wrote, in the log


def signed_parent(signature: etree._Element, digests: frozenset[str]) -> etree._Element:
    """What a signature covers: the element around it, parsed from the very octets whose digest was signed.

    The signature refers to its parent, transformed as enveloped and exclusively canonicalised; the value of its
    SignedInfo is known to be good, which holds nothing that canonical text would not; its digest method is one of
    `digests`. The signature is taken out of its tree. Raises InvalidSignature, whatever is wrong (XML Signature 1.1,
    3.2.1 and 6.6.4).
    """
    try:
        if not _SCHEMA.validate(signature):  # why, the schema knows only as long as no other thread asks it
            raise _refused("DocumentInvalid: Signature does not fit its schema")
        _, method, value = signature[0][2]
        algorithm = method.get("Algorithm")
        if algorithm not in digests:
            raise _refused(f"InvalidInput: digest method {algorithm}")
        canonical = etree.tostring(_without(signature), method="c14n", exclusive=True, with_comments=False)
        claimed = b"".join((value.text or "").encode("ascii").split())
        if not compare_digest(b64encode(DIGESTS[algorithm](canonical)), claimed):
            raise _refused("InvalidDigest: of what surrounds the signature")
        return etree.fromstring(canonical, parser())
    except (etree.LxmlError, ValueError) as error:
        raise _refused(f"{type(error).__name__}: {str(error)[:_MAX_TOLD]}") from error


def _without(signature: etree._Element) -> etree._Element:
    """The signature's parent, which keeps the text that follows it."""
    parent, before, text = signature.getparent(), signature.getprevious(), signature.tail
    if parent is None:
        raise ValueError("the signature stands alone")
    if text and before is not None:
        before.tail = (before.tail or "") + text
    elif text:
        parent.text = (parent.text or "") + text
    parent.remove(signature)
    return parent


def _refused(detail: str) -> InvalidSignature:
    return InvalidSignature("The signature is not valid.", detail=detail)
