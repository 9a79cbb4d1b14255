"""Changes to XML documents, of the tree and of the bytes: those of known attacks, and any others at random."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from random import Random

from lxml import etree

DS = "http://www.w3.org/2000/09/xmldsig#"
XENC = "http://www.w3.org/2001/04/xmlenc#"
IDENTIFIERS = ("ID", "AssertionID", "Id", "id", "{http://www.w3.org/XML/1998/namespace}id", "{urn:x}ID")
ALGORITHMS = (
    "http://www.w3.org/2001/10/xml-exc-c14n#",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    f"{DS}enveloped-signature",
    f"{DS}base64",
    f"{DS}rsa-sha1",
    f"{DS}hmac-sha1",
    f"{XENC}sha256",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256",
    "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256",
    "http://www.w3.org/TR/1999/REC-xslt-19991116",
    f"{XENC}aes256-cbc",
    f"{XENC}rsa-1_5",
)
WRAPPERS = ("Response", "Advice", "Extensions", "Subject", f"{{{DS}}}Object", f"{{{DS}}}KeyInfo", "Conditions", "b")
WORDS = (
    "admin",
    "",
    " ",
    "true",
    "2099-01-01T00:00:00Z",
    "\u017f",
    "x" * 300,
    "https://evil.example/",
    "0",
    "&",
    "]]>",
)
TOKENS = (
    *(b"<!---->", b"<!--x-->", b"<?x?>", b"<![CDATA[admin]]>", b"<!DOCTYPE x>", b"]]>", b"&#0;", b"&amp;", b"&lt;"),
    *(b"&x;", b"\x00", b"\xff", b"\xef\xbb\xbf", b"\r\n", b'xmlns:z="1"', b' xmlns="urn:x"', b' ID="_b"', b"<a>"),
    *(b"</a>", b"<a/>", b'<?xml version="1.0"?>', b'<?xml version="1.1"?>', b"admin", b">", b"<", b'"', b"/"),
)
MOST_CHANGES = 4
LARGEST = 64 * 1024  # what has grown beyond is not changed any more

Change = Callable[[Random, etree._Element, Sequence[bytes]], None]


@dataclass(frozen=True, slots=True)
class Mutator:
    """Changes documents, with parts of others."""

    random: Random
    donors: Sequence[bytes]

    def changed(self, document: bytes) -> bytes:
        """The document after one change or a few, mostly of the tree while it is one."""
        for _ in range(self.random.randint(1, MOST_CHANGES)):
            if len(document) > LARGEST:
                break
            document = self._tree(document) if self.random.random() < 0.7 else self._bytes(document)
        return document

    def _tree(self, document: bytes) -> bytes:
        try:
            root = etree.fromstring(document, etree.XMLParser(resolve_entities=False))
            self.random.choice(TREE)(self.random, root, self.donors)
            return etree.tostring(root)
        except (etree.XMLSyntaxError, ValueError, TypeError, IndexError):  # nothing there to change in this way
            return self._bytes(document)

    def _bytes(self, document: bytes) -> bytes:
        at = self.random.randrange(len(document) + 1)
        until = min(len(document), at + self.random.choice((0, 1, 1, 2, 8, 64, 512)))
        kind = self.random.randrange(5)
        if kind == 0:
            middle = self.random.choice(TOKENS)
        elif kind == 1:
            middle = bytes(byte ^ (1 << self.random.randrange(8)) for byte in document[at:until])
        elif kind == 2:
            middle = document[at:until] * 2
        elif kind == 3:
            other = self.random.choice(self.donors)
            begin = self.random.randrange(len(other))
            middle = other[begin : begin + self.random.choice((1, 16, 256, 4096))]
        else:
            middle = b""
        return document[:at] + middle + document[until:]


def _some(random: Random, root: etree._Element) -> etree._Element:
    return random.choice(list(root.iter("*")))


def _donor(random: Random, donors: Sequence[bytes]) -> etree._Element:
    return etree.fromstring(random.choice(donors))


def _delete(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    element = _some(random, root)
    parent = element.getparent()
    if parent is not None:
        parent.remove(element)


def _repeat(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    element = _some(random, root)
    parent = element.getparent()
    if parent is not None:
        parent.insert(random.randint(0, len(parent)), deepcopy(element))


def _move(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    element, parent = _some(random, root), _some(random, root)
    if element is not root and parent not in element.iter("*"):
        parent.insert(random.randint(0, len(parent)), element)


def _transplant(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    parent = _some(random, root)
    parent.insert(random.randint(0, len(parent)), _some(random, _donor(random, donors)))


def _replace(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    """A part by the part of the same name in another document."""
    element, donor = _some(random, root), _donor(random, donors)
    same = list(donor.iter(element.tag))
    parent = element.getparent()
    if same and parent is not None:
        parent.replace(element, random.choice(same))


def _wrap(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    element = _some(random, root)
    parent = element.getparent()
    if parent is not None:
        wrapper = etree.Element(random.choice(WRAPPERS))
        parent.replace(element, wrapper)
        wrapper.append(element)


def _wrap_signature(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    """A whole copy of the original goes somewhere into a forged one, which keeps or loses the signature (XSW)."""
    original = deepcopy(root)
    for name in IDENTIFIERS[:2]:
        if root.get(name) and random.random() < 0.7:
            root.set(name, "_forged")
    for leaf in [element for element in root.iter("*") if element.text and not len(element)]:
        if random.random() < 0.3:
            leaf.text = random.choice(WORDS)
    signature = root.find(f"{{{DS}}}Signature")
    if signature is not None and random.random() < 0.5:
        root.remove(signature)
    parent = _some(random, root)
    wrapper = parent if random.random() < 0.4 else etree.SubElement(parent, random.choice(WRAPPERS))
    wrapper.insert(random.randint(0, len(wrapper)), original)


def _say(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    leaves = [element for element in root.iter("*") if not len(element)]
    random.choice(leaves).text = random.choice(WORDS).replace("\x00", "")


def _name(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    _some(random, root).tag = _some(random, _donor(random, donors)).tag


def _set(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    element = _some(random, root)
    if element.attrib and random.random() < 0.6:
        name = random.choice(list(element.attrib))
        values = (*ALGORITHMS, *WORDS, f"#{root.get('ID')}", "", "#_b", "http://127.0.0.1:1/", "#xpointer(/)")
        element.set(name, random.choice(values))
    else:
        identifier = root.get("ID") or root.get("AssertionID") or "_b"
        element.set(random.choice(IDENTIFIERS), random.choice((identifier, "_b")))


def _unset(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    element = _some(random, root)
    if element.attrib:
        del element.attrib[random.choice(list(element.attrib))]


def _comment(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    node = etree.Comment("x") if random.random() < 0.5 else etree.ProcessingInstruction("x")
    node.tail = random.choice(WORDS)
    parent = _some(random, root)
    parent.insert(random.randint(0, len(parent)), node)


def _bits(random: Random, root: etree._Element, donors: Sequence[bytes]) -> None:
    """Change base64: of a ciphertext, a digest, a signature, a certificate."""
    coded = [element for element in root.iter("*") if element.text and len(element.text) > 20 and not len(element)]
    if not coded:
        return
    element = random.choice(coded)
    octets = bytearray(b64decode(element.text or ""))
    for _ in range(random.randint(1, 3)):
        octets[random.choice((0, -1, random.randrange(len(octets))))] ^= random.randrange(256)
    element.text = b64encode(octets[: random.choice((len(octets), len(octets), -1, -16))]).decode()


TREE: tuple[Change, ...] = (
    *(_delete, _repeat, _move, _transplant, _replace, _wrap, _wrap_signature, _wrap_signature),
    *(_say, _name, _set, _set, _unset, _comment, _bits),
)
