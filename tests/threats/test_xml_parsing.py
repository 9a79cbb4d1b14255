"""Threat rows X: documents that the parser refuses, each for the reason that the row names."""

import pytest

from sts.core.errors import BadRequest, InvalidSamlToken, PayloadTooLarge, StsError
from sts.crypto.xml import MESSAGE, parse, root_tag
from sts.crypto.xmldsig import verify
from tests.crypto.identities import certificate
from tests.threats.signatures import ASSERTION, EXPECTED, Recipe, signed

SIGNED = signed(Recipe())
TEXT = SIGNED.decode()
NAME = "alice@corp.example"


def entities(where: str) -> bytes:
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    return f'<!DOCTYPE a [<!ENTITY e0 "lol">{levels}]><a {where}</a>'.encode()


def declarations(count: int) -> str:
    return " ".join(f'xmlns:p{n}="urn:{n}"' for n in range(count))


ROWS = {
    "X01": (TEXT.encode("utf-16"), "encoding"),
    "X01 without mark": (TEXT.encode("utf-16-le"), "syntax: NUL"),
    "X02": (b'<?xml version="1.0" encoding="ISO-8859-1"?>' + SIGNED, "processing instruction or declaration"),
    "X03": (b'<?xml version="1.0" encoding="UTF-7"?>' + SIGNED, "processing instruction or declaration"),
    "X04": (b'<?xml version="1.1"?>' + SIGNED, "processing instruction or declaration"),
    "X05": (b"<!DOCTYPE x>" + SIGNED, "DTD"),
    "X06": (f'<!DOCTYPE x [<!ENTITY n "{NAME}">]>{TEXT.replace(NAME, "&n;")}'.encode(), "DTD"),
    "X07": (
        f'<!DOCTYPE x [<!ENTITY n SYSTEM "file:///etc/hostname">]>{TEXT.replace(NAME, "&n;")}'.encode(),
        "DTD",
    ),
    "X08": (b'<!DOCTYPE x [<!ENTITY % n SYSTEM "http://127.0.0.1:1/"> %n;]>' + SIGNED, "DTD"),
    "X09": (entities(">&e9;"), "DTD"),
    "X10": (entities('b="&e9;">'), "DTD"),
    "X11": (b"<a>" * 100_000 + b"</a>" * 100_000, "size"),
    "X12": (b"<a>" * 257 + b"</a>" * 257, "syntax"),
    "X13": (b"<a>" + b"x" * 1024**2 + b"</a>", "size"),
    "X14": (b"<a " + b" ".join(b'a%d=""' % n for n in range(22_000)) + b"/>", "shape"),
    "X15 empty": (b"", "syntax"),
    "X15 NUL": (b"\x00", "syntax"),
    "X15 byte order mark": (b"\xef\xbb\xbf", "syntax"),
    "X16": (b"<!DOCTYPE html><html><body><p>Sign in<br></body></html>", "DTD"),
    "X16 without doctype": (b"<html><body><p>Sign in<br></body></html>", "syntax"),
    "X17": (SIGNED + b"<a/>", "syntax"),
    "X17 text": (SIGNED + b"x", "syntax"),
    "X18": (TEXT.replace(NAME, f"<![CDATA[{NAME}]]>").encode(), "CDATA"),
    "X20": (b'<!DOCTYPE x [<!ATTLIST NameID ID CDATA "_a">]>' + SIGNED, "DTD"),
    "X21": (f"<a {declarations(1000)}/>".encode(), "namespaces"),
    "X22": (f"<a {declarations(1000)}>{'<b/>' * 2000}</a>".encode(), "namespaces"),
    "X23": ((f"<a {declarations(20)}>" * 250 + "</a>" * 250).encode(), "namespaces"),
    "X24": (f"<a {declarations(65)}/>".encode(), "namespaces"),
    "X25": (b"<a>" + b"<b/>" * 4000 + b"</a>", "shape"),
    "X26": (f"<a {declarations(8000)}/>".encode(), "namespaces"),
    "X26 one prefix": (("<a " + " ".join(f'xml:p{n}=""' for n in range(8000)) + "/>").encode(), "shape"),
    "33 attributes": (b"<a " + b" ".join(b'a%d=""' % n for n in range(33)) + b"/>", "shape"),
    "2001 elements": (b"<a>" + b"<b/>" * 2000 + b"</a>", "shape: more than 2000 elements"),
    "4001 attributes": (
        ("<a>" + ("<b " + " ".join(f'c{n}=""' for n in range(32)) + "/>") * 125 + '<b c=""/></a>').encode(),
        "shape: 1 attributes on one element, 4001 so far",
    ),
    "undefined entity": (b"<a>&n;</a>", "syntax"),
    "invalid UTF-8": (b"<a>\xff</a>", "encoding"),
    "second declaration": (b'<?xml version="1.0"?><?xml version="1.0"?><a/>', "processing instruction or declaration"),
    "forbidden character": (b"<a>&#0;</a>", "syntax"),
}


@pytest.mark.parametrize("row", ROWS)
def test_document_is_refused_for_its_reason(row: str) -> None:
    document, reason = ROWS[row]
    with pytest.raises(StsError) as refused:
        parse(document)
    assert refused.value.detail.startswith(reason)
    assert type(refused.value) is (PayloadTooLarge if reason == "size" else BadRequest)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<a" * MESSAGE.size, "size"),
        (b"<!" + b"xmlns" * 100, "DTD"),
        (b"xmlns" * 65, "namespaces"),
    ],
)
def test_cheap_limits_come_before_the_parser(document: bytes, reason: str) -> None:
    for refuse in (parse, root_tag):
        with pytest.raises(StsError) as refused:
            refuse(document)
        assert (refused.value.detail or "").startswith(reason), "it is no XML, which only the parser would see"


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        pytest.param(b"<html><body><p>Sign in</p></body></html>", "root: html", id="X16"),
        pytest.param(signed(Recipe(), ASSERTION.replace(":assertion", ":Assertion")), "root: ", id="X19"),
    ],
)
def test_document_of_another_kind_is_no_assertion(document: bytes, reason: str) -> None:
    with pytest.raises(InvalidSamlToken) as refused:
        verify(document, [certificate("rsa2048")], EXPECTED)
    assert refused.value.detail.startswith(reason)
