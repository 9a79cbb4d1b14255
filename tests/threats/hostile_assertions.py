"""Every hostile assertion of rows X, D and A that one message can be: for each door where an assertion arrives.

A row makes the bytes that stand where the assertion of `adfs` would; the reason begins the log's detail.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from cryptography.hazmat.primitives import hashes
from lxml import etree

from sts.crypto.xmldsig import sign_element
from tests.crypto.identities import signer
from tests.threats.identity_providers import (
    ADFS,
    NAMESPACE,
    OTHER,
    SAML11,
    Said,
    Stage,
    assertion,
    instant,
    restriction,
    unsigned,
)
from tests.threats.signatures import Recipe
from tests.threats.test_xml_parsing import declarations, entities
from tests.threats.test_xml_signature import EMPTY_SIGNATURE, MADE, key_info, rsa, x509_data

Make = Callable[[Stage], bytes]
Edit = Callable[["Written"], str]
NAME = "alice@corp.example"
PROTOCOL = "urn:oasis:names:tc:SAML:2.0:protocol"


@dataclass(frozen=True)
class Written:
    """An honest assertion as text, and its parts, to be put together otherwise."""

    at: Stage

    @property
    def good(self) -> str:
        """The assertion with its signature."""
        return assertion(self.at).decode()

    @property
    def plain(self) -> str:
        """The same without."""
        return unsigned(self.at)

    @property
    def signature(self) -> str:
        """Its signature."""
        return _cut(self.good, "ds:Signature")

    @property
    def forged(self) -> str:
        """The unsigned assertion about somebody else, under the same ID."""
        return self.plain.replace(NAME, "admin")

    @property
    def evil(self) -> str:
        """The same under another ID."""
        return self.forged.replace(self.at.id, "_evil")

    @property
    def evil_signed(self) -> str:
        """The same with the honest signature, which is over the honest assertion."""
        return self.evil.replace("</saml:Issuer>", f"</saml:Issuer>{self.signature}")

    def response(self, *parts: str) -> str:
        """A response of SAML's own protocol around these parts."""
        return f'<samlp:Response xmlns:samlp="{PROTOCOL}" ID="_r">{"".join(parts)}</samlp:Response>'


def _cut(text: str, name: str) -> str:
    return text[text.index(f"<{name}") : text.index(f"</{name}>") + len(f"</{name}>")]


def _inside(outer: str, addition: str) -> str:
    return outer.removesuffix("</saml:Assertion>") + addition + "</saml:Assertion>"


def _object(outer: str, content: str) -> str:
    return outer.replace("</ds:Signature>", f"<ds:Object>{content}</ds:Object></ds:Signature>")


def _elsewhere(text: str, name: str) -> str:
    return f"<samlp:{name}>{text}</samlp:{name}>"


@dataclass(frozen=True)
class Row:
    """One hostile assertion: its id in the catalogue, how it is made, and why it must be refused."""

    id: str
    make: Make
    reason: str

    @property
    def is_text(self) -> bool:
        """Whether a form can carry it as it is: UTF-8 without NUL."""
        return self.id not in ("X01-UTF-16", "X01-without mark", "X15-NUL", "X15-empty", "other-invalid UTF-8")


XML: dict[str, tuple[Callable[[Written], str | bytes], str]] = {
    "X01-UTF-16": (lambda w: w.good.encode("utf-16"), "encoding"),
    "X01-without mark": (lambda w: w.good.encode("utf-16-le"), "syntax: NUL"),
    "X02": (lambda w: '<?xml version="1.0" encoding="ISO-8859-1"?>' + w.good, "processing instruction"),
    "X03": (lambda w: '<?xml version="1.0" encoding="UTF-7"?>' + w.good, "processing instruction"),
    "X04": (lambda w: '<?xml version="1.1"?>' + w.good, "processing instruction"),
    "X05": (lambda w: "<!DOCTYPE x>" + w.good, "DTD"),
    "X06": (lambda w: f'<!DOCTYPE x [<!ENTITY n "{NAME}">]>' + w.good.replace(NAME, "&n;"), "DTD"),
    "X07": (lambda w: '<!DOCTYPE x [<!ENTITY n SYSTEM "file:///etc/hostname">]>' + w.good.replace(NAME, "&n;"), "DTD"),
    "X08": (lambda w: '<!DOCTYPE x [<!ENTITY % n SYSTEM "http://127.0.0.1:1/"> %n;]>' + w.good, "DTD"),
    "X09": (lambda w: entities(">&e9;"), "DTD"),
    "X10": (lambda w: entities('b="&e9;">'), "DTD"),
    "X11": (lambda w: "<a>" * 40_000, "syntax"),
    "X12": (lambda w: "<a>" * 257 + "</a>" * 257, "syntax"),
    "X14": (lambda w: "<a " + " ".join(f'a{n}=""' for n in range(12_000)) + "/>", "shape"),
    "X15-NUL": (lambda w: b"\0", "syntax"),
    "X15-byte order mark": (lambda w: "\ufeff", "syntax"),
    "X16": (lambda w: "<!DOCTYPE html><html><body><p>Sign in<br></body></html>", "DTD"),
    "X16-without doctype": (lambda w: "<html><body>Sign in</body></html>", "root"),
    "X17": (lambda w: w.good + "<a/>", "syntax"),
    "X17-text": (lambda w: w.good + "x", "syntax"),
    "X18": (lambda w: w.good.replace(NAME, f"<![CDATA[{NAME}]]>"), "CDATA"),
    "X19": (lambda w: w.good.replace(":2.0:assertion", ":2.0:Assertion"), "root"),
    "X20": (lambda w: '<!DOCTYPE x [<!ATTLIST NameID ID CDATA "_a">]>' + w.good, "DTD"),
    "X21": (lambda w: w.good.replace("<saml:Assertion ", f"<saml:Assertion {declarations(1000)} "), "namespaces"),
    "X22": (lambda w: f"<a {declarations(1000)}>{'<b/>' * 2000}</a>", "namespaces"),
    "X23": (lambda w: f"<a {declarations(20)}>" * 250 + "</a>" * 250, "namespaces"),
    "X24": (lambda w: w.good.replace("<saml:Assertion ", f"<saml:Assertion {declarations(64)} "), "namespaces"),
    "X25": (lambda w: _inside(w.good, "<b/>" * 4000), "shape"),
    "X26": (lambda w: w.good.replace("<saml:Assertion ", f"<saml:Assertion {declarations(8000)} "), "namespaces"),
    "other-invalid UTF-8": (lambda w: w.good.encode().replace(b"alice", b"\xff"), "encoding"),
}

WRAPPED: dict[str, tuple[Edit, str]] = {
    "D01": (lambda w: w.plain, "signature count"),
    "D01-admin": (lambda w: w.forged, "signature count"),
    "D02": (lambda w: w.good.replace(NAME, "admin"), "InvalidDigest"),
    "D03": (lambda w: w.response(_object(w.evil_signed, w.plain)), "root"),
    "D04": (lambda w: w.response(w.plain, w.signature), "root"),
    "D05": (lambda w: w.response(w.evil, w.good), "root"),
    "D06": (lambda w: _inside(w.evil, w.good), ""),
    "D06-same ID": (lambda w: _inside(w.forged, w.good), "duplicate ID"),
    "D07": (lambda w: w.response(w.evil_signed, w.plain), "root"),
    "D08": (lambda w: _object(w.evil_signed, w.plain), "assertion count"),
    "D09": (lambda w: w.response(_elsewhere(w.evil, "Extensions"), w.good), "root"),
    "D10": (lambda w: _object(w.evil_signed, w.good), ""),
    "D11": (lambda w: w.response(w.good, w.evil), "root"),
    "D11-after the root": (lambda w: w.good + w.evil, "syntax"),
    "D12": (lambda w: w.response(_elsewhere(w.good, "Extensions"), w.evil), "root"),
    "D13": (lambda w: w.response(w.good, w.forged), "duplicate ID"),
    "D14-Id": (lambda w: _inside(w.good, f'<saml:Advice Id="{w.at.id}"/>'), "duplicate ID"),
    "D14-x:ID": (lambda w: _inside(w.good, f'<saml:Advice xmlns:x="urn:x" x:ID="{w.at.id}"/>'), "duplicate ID"),
    "D14-xml:id": (lambda w: _inside(w.good, f'<saml:Advice xml:id="{w.at.id}"/>'), "duplicate ID"),
    "D15": (lambda w: w.good.replace(NAME, NAME[:-1]), "InvalidDigest"),
    "D16": (lambda w: w.good.replace(NAME, "admin@corp.example<!--x-->.evil.example"), "comment"),
    "D17": (lambda w: w.good.replace(NAME, "admin@corp.example<?x?>.evil.example"), "processing instruction"),
    "D19": (lambda w: w.response(_elsewhere(w.good, "StatusDetail"), w.evil_signed), "root"),
    "D20": (lambda w: w.response(_elsewhere(_cut(w.good, "ds:DigestValue"), "StatusDetail"), w.forged), ""),
    "D21": (
        lambda w: w.good.replace(_cut(w.good, "ds:SignedInfo"), _cut(w.good, "ds:SignedInfo") * 2),
        "children of Signature",
    ),
    "D22": (lambda w: w.good.replace("<ds:DigestValue>", "<ds:DigestValue><!--forged-->"), "comment"),
    "D23": (lambda w: w.good.replace("<ds:SignedInfo ", '<ds:SignedInfo xmlns:z="1" '), "C14NError"),
    "D24": (lambda w: w.good.replace("<saml:Assertion ", '<saml:Assertion xmlns:z="1" '), "C14NError"),
    "D27": (lambda w: re.sub("<ds:SignatureValue>[^<]*", "<ds:SignatureValue>", w.good), "signature"),
    "D28": (lambda w: w.good.replace(_cut(w.good, "ds:Reference"), ""), "reference"),
    "D29": (lambda w: w.good.replace(w.signature, w.signature + EMPTY_SIGNATURE * 60), ""),
}


def _by_identity_provider(document: str) -> bytes:
    """Any document, honestly signed by the identity provider."""
    element = etree.fromstring(document)
    return sign_element(element, element.get("ID", ""), signer("rsa2048"), 0)


def _metadata(at: Stage) -> bytes:
    evil = Written(at).evil
    return _by_identity_provider(
        f'<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" ID="_m"><Extensions>{evil}</Extensions>'
        "</EntityDescriptor>"
    )


def _logout(at: Stage) -> bytes:
    return _by_identity_provider(f'<LogoutRequest xmlns="{PROTOCOL}" ID="_l"/>')


def _stolen_name(at: Stage) -> bytes:
    """An attacker's signature, with the honest certificate in KeyInfo."""
    recipe = Recipe(sign=rsa("rsa2048", "attacker", hashes.SHA256()), key_info=key_info(x509_data("rsa2048", "idp")))
    return assertion(at, recipe=recipe)


def _said(said: Callable[[Stage], Said]) -> Make:
    return lambda at: assertion(at, said(at))


def _lasting(**changes: str) -> Make:
    return _said(lambda at: replace(Said(), **changes))


def _confirmed(method: str, data: str) -> str:
    return (
        f'<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:{method}">{data}</saml:SubjectConfirmation>'
    )


def _until(at: Stage, seconds: int) -> str:
    return instant(at.now + timedelta(seconds=seconds))


def honest_saml11(at: Stage, issuer: str = ADFS, owner: str = "idp") -> bytes:
    """An honest SAML 1.1 assertion, signed with its owner's key."""
    text = (
        f'<saml:Assertion xmlns:saml="{SAML11}" AssertionID="{at.id}" Issuer="{issuer}"'
        f' IssueInstant="{instant(at.now)}" MajorVersion="1" MinorVersion="1"><saml:Conditions NotBefore='
        f'"{instant(at.now)}" NotOnOrAfter="{_until(at, 3600)}"><saml:AudienceRestrictionCondition><saml:Audience>'
        f"{at.audience}</saml:Audience></saml:AudienceRestrictionCondition></saml:Conditions>"
        "<saml:AttributeStatement><saml:Subject><saml:NameIdentifier>alice@corp.example</saml:NameIdentifier>"
        "<saml:SubjectConfirmation><saml:ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:bearer"
        "</saml:ConfirmationMethod></saml:SubjectConfirmation></saml:Subject>"
        '<saml:Attribute AttributeName="role" AttributeNamespace="http://schemas.microsoft.com/ws/2008/06/identity/'
        'claims"><saml:AttributeValue>reader</saml:AttributeValue></saml:Attribute></saml:AttributeStatement>'
        "</saml:Assertion>"
    )
    element = etree.fromstring(text)
    return sign_element(element, at.id, signer("rsa2048", owner), len(element))


MEANT: dict[str, tuple[Make, str]] = {
    "A02": (_lasting(issuer=OTHER), "signature"),
    "A03": (_said(lambda at: Said(conditions=restriction(NAMESPACE.replace("contoso", "fabrikam")))), "audience"),
    "A04-blank": (_lasting(issuer="https://idp.example/ "), ""),
    "A04-case": (_lasting(issuer="https://IDP.example/"), ""),
    "A04-NFKC": (_lasting(issuer="https://\uff49dp.example/"), ""),
    "A08": (_lasting(conditions=""), "audience"),
    "A09": (_said(lambda at: Said(conditions=restriction(at.audience + "/"))), "audience"),
    "A10": (
        _said(lambda at: Said(conditions=restriction(at.audience) + restriction("https://other.example/"))),
        "audience",
    ),
    "A11": (_said(lambda at: Said(conditions=restriction("http://127.0.0.1:8000.evil.example/contoso/"))), "audience"),
    "A16": (_said(lambda at: Said(begins="", ends=_until(at, -180))), "time: expired"),
    "A16-confirmation": (
        _said(
            lambda at: Said(
                confirmation=_confirmed(
                    "bearer",
                    f'<saml:SubjectConfirmationData NotOnOrAfter="{_until(at, -180)}" Recipient="{at.recipient}"/>',
                )
            )
        ),
        "time",
    ),
    "A17": (_said(lambda at: Said(begins=_until(at, 181))), "time: not yet valid"),
    "A18": (
        _said(lambda at: Said(ends="", confirmation=_confirmed("bearer", ""))),
        "time: no expiry",
    ),
    "A19": (
        _said(lambda at: Said(ends="2036-06-01T12:00:00Z", confirmation=_confirmed("bearer", ""))),
        "time: the lifetime is too long",
    ),
    "A19-a second over": (
        _said(lambda at: Said(ends=_until(at, 12 * 3600 + 1), confirmation=_confirmed("bearer", ""))),
        "time: the lifetime is too long",
    ),
    "A20": (
        _said(lambda at: Said(ends="9999-12-31T23:59:59Z", confirmation=_confirmed("bearer", ""))),
        "time",
    ),
    "A21": (_said(lambda at: Said(ends=_until(at, 60)[:-1])), "time"),
    "A22-week": (_lasting(ends="2026-W47-6T22:00:00Z"), "time"),
    "A22-basic": (_lasting(ends="20261121T220000Z"), "time"),
    "A22-blank": (_said(lambda at: Said(ends=_until(at, 60).replace("T", " "))), "time"),
    "A23": (_said(lambda at: Said(ends=_until(at, 60)[:-1] + "." + "0" * 100_000 + "Z")), "time"),
    "A24": (_said(lambda at: Said(begins=_until(at, 60), ends=_until(at, 30))), "time"),
    "A29": (_lasting(subject="<saml:NameID>alice<saml:b/></saml:NameID>"), "shape"),
    "A30-names": (_lasting(subject="<saml:NameID>alice</saml:NameID><saml:NameID>admin</saml:NameID>"), "shape"),
    "A30-subjects": (
        _lasting(more="<saml:Subject><saml:NameID>admin</saml:NameID></saml:Subject>"),
        "shape",
    ),
    "A31": (_lasting(confirmation=_confirmed("holder-of-key", "")), "confirmation"),
    "A31-none": (_lasting(confirmation=""), "confirmation"),
    "A32": (
        _said(
            lambda at: Said(
                confirmation=_confirmed(
                    "bearer",
                    f'<saml:SubjectConfirmationData NotOnOrAfter="{_until(at, 60)}" Recipient="https://evil.example/"/>',
                )
            )
        ),
        "recipient",
    ),
    "A33": (lambda at: honest_saml11(at).replace(b"AssertionID=", b"ID="), ""),
}


def _edited(edit: Callable[[Written], str | bytes]) -> Make:
    def make(at: Stage) -> bytes:
        made = edit(Written(at))
        return made if isinstance(made, bytes) else made.encode()

    return make


def _made(recipe: Recipe) -> Make:
    return lambda at: assertion(at, recipe=recipe)


def _rows() -> Iterator[Row]:
    for name, (edit, reason) in {**XML, **WRAPPED}.items():
        yield Row(name, _edited(edit), reason)
    for name, (recipe, reason) in MADE.items():
        if name[0] == "D":
            yield Row(name.replace(" ", "-", 1), _made(recipe), reason.partition(":")[0])
    yield Row("D25", _metadata, "root")
    yield Row("D26", _logout, "root")
    yield Row("D30-honest certificate", _stolen_name, "signature")
    for name, (make, reason) in MEANT.items():
        yield Row(name, make, reason)


HOSTILE: tuple[Row, ...] = tuple(_rows())
