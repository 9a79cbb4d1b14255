"""Escaping, instants and the limits of the parser."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sts.core.errors import BadRequest, InvalidSamlToken, PayloadTooLarge, StsError, UnwritableClaim
from sts.crypto.xml import MESSAGE, escape_attribute, escape_text, instant, parse, parse_instant, root_tag, serialise

LEGAL = st.text(
    st.one_of(
        st.sampled_from("&<>\"'\t\n\r ]/=\x7f\x85\u2028\ufffd\U0001f600"),
        st.characters(exclude_categories=["Cs"]).filter(
            lambda c: c in "\t\n\r" or (c >= " " and c not in "\ufffe\uffff")
        ),
    )
)


def canonical(element: etree._Element) -> str:
    return etree.tostring(element, method="c14n", exclusive=True, with_comments=False).decode()


@given(LEGAL)
def test_escaped_text_is_canonical(value: str) -> None:
    element = etree.Element("a")
    element.text = value
    assert f"<a>{escape_text(value)}</a>" == canonical(element)


@given(LEGAL)
def test_escaped_attribute_is_canonical(value: str) -> None:
    assert f'<a b="{escape_attribute(value)}"></a>' == canonical(etree.Element("a", b=value))


@given(LEGAL)
def test_escaped_values_come_back_through_the_parser(value: str) -> None:
    root = parse(f'<a b="{escape_attribute(value)}">{escape_text(value)}</a>'.encode())
    assert (root.get("b"), root.text or "") == (value, value)


@pytest.mark.parametrize("character", ["\x00", "\x0b", "\x0c", "\x1f", "\ufffe", "\uffff", "\ud800"])
@pytest.mark.parametrize("escape", [escape_text, escape_attribute])
def test_what_xml_cannot_carry_is_refused(escape: Callable[[str], str], character: str) -> None:
    with pytest.raises(UnwritableClaim) as refused:
        escape(f"a{character}b")
    assert refused.value.detail == f"U+{ord(character):04X} at 1"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (datetime(2026, 11, 21, 22, tzinfo=UTC), "2026-11-21T22:00:00.000Z"),
        (datetime(2026, 11, 21, 22, 0, 1, 123_999, tzinfo=UTC), "2026-11-21T22:00:01.123Z"),
        (datetime(2026, 11, 21, 23, tzinfo=timezone(timedelta(hours=1))), "2026-11-21T22:00:00.000Z"),
    ],
)
def test_an_instant_is_written_in_utc_with_milliseconds(value: datetime, text: str) -> None:
    assert instant(value) == text


def test_an_instant_without_zone_is_not_written() -> None:
    with pytest.raises(ValueError, match="zone"):
        instant(datetime(2026, 11, 21))  # noqa: DTZ001


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T22:00:00Z",
        "2026-11-21T22:00:00.9999999Z",
        "2026-11-21T23:30:00+01:30",
        "2026-11-21T14:00:00-08:00",
        "2026-11-22T12:00:00+14:00",
    ],
)
def test_an_instant_is_read_in_any_zone(text: str) -> None:
    assert parse_instant(text) == datetime(2026, 11, 21, 22, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("9999-12-31T23:59:59Z", id="A20"),
        pytest.param("2026-11-21T22:00:00", id="A21"),
        pytest.param("2026-W47-6T22:00:00Z", id="A22-week"),
        pytest.param("20261121T220000Z", id="A22-basic"),
        pytest.param("2026-11-21 22:00:00Z", id="A22-blank"),
        pytest.param(f"2026-11-21T22:00:00.{'9' * 100_000}Z", id="A23"),
        "",
        "0001-01-01T00:00:00+14:00",
        "2026-02-30T00:00:00Z",
        "2026-11-21T24:00:00Z",
        "2026-11-21T22:00:60Z",
        "2026-11-21T22:00:00+14:01",
        "2026-11-21T22:00:00+01:60",
        "2026-11-21T22:00:00z",
        "2026-11-21T22:00:00Z\n",
        " 2026-11-21T22:00:00Z",
        "٢٠٢٦-11-21T22:00:00Z",
    ],
)
def test_an_instant_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(InvalidSamlToken) as refused:
        parse_instant(text)
    assert refused.value.detail.startswith("time: ")
    assert len(refused.value.detail) < 100


@pytest.mark.parametrize(
    "document",
    [
        b"<a/>",
        b" \r\n<a/>\n ",
        b"\xef\xbb\xbf<a/>",
        b'<?xml version="1.0"?><a/>',
        b"<?xml version='1.0' encoding='UTF-8'?>\n<a/>",
        b'<?xml version="1.0" encoding="utf-8" standalone="no" ?><a/>',
        b'\xef\xbb\xbf<?xml version="1.0" encoding="utf-8"?><a/>',
    ],
)
def test_one_plain_declaration_is_accepted(document: bytes) -> None:
    assert parse(document).tag == "a"


def nested(depth: int) -> bytes:
    return b"<a>" * depth + b"</a>" * depth


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(b"<a " + b" ".join(b'xmlns:p%d="urn:x"' % n for n in range(64)) + b"/>", id="64 namespaces"),
        pytest.param(b'<a xmlns:p="urn:' + b"x" * 251 + b'"/>', id="a namespace of 255 bytes"),
        pytest.param(b"<a>xmlns:p=" + b"x" * 100 + b" xmlns</a>", id="text about namespaces"),
        pytest.param(b"<a>" + b"<b/>" * 1999 + b"</a>", id="2000 elements"),
        pytest.param(b"<a>" + b"<b c='' d='' e='' f=''/>" * 1000 + b"</a>", id="4000 attributes"),
        pytest.param(b"<a " + b" ".join(b'p%d=""' % n for n in range(32)) + b"/>", id="32 attributes"),
        pytest.param(nested(256), id="256 levels"),
        pytest.param(b"<a>" + b"x" * (256 * 1024 - 7) + b"</a>", id="256 KiB"),
        pytest.param(b'<a ID="a"><b Id="b" xml:id="c"/><c AssertionID="d" id="e"/></a>', id="different IDs"),
    ],
)
def test_a_document_at_the_limit_is_accepted(document: bytes) -> None:
    assert parse(document).tag == "a"


@pytest.mark.parametrize(
    "declaration",
    [
        'xmlns="urn:{long}"',
        "xmlns:p='urn:{long}'",
        "xmlns:p = \n\t 'urn:\"x\"{long}'",
        'xmlns:{long}="urn:{long}"',
        'xmlns:p{spaces}="urn:{long}"',
        'xmlns:p="urn:x" xmlns:q="urn:{long}"',
    ],
)
def test_a_namespace_with_a_long_name_is_refused_as_canonical_text_would_repeat_it(declaration: str) -> None:
    document = f"<a {declaration.format(long='x' * 252, spaces=' ' * 300)}/>"
    with pytest.raises(BadRequest) as refused:
        parse(document.encode())
    assert (refused.value.detail or "").startswith("namespaces: a name of more than 255 bytes")


def test_the_reason_stays_out_of_the_message() -> None:
    with pytest.raises(BadRequest) as refused:
        parse(b"<!DOCTYPE secret><a/>")
    assert refused.value.message == "The XML document is not acceptable."


@given(st.binary(max_size=200) | st.text("<>/a:=\"' &;#x1\n\r\u00e4").map(lambda text: f"<a>{text}</a>".encode()))
def test_any_bytes_are_parsed_or_refused(data: bytes) -> None:
    try:
        root = parse(data)
    except (BadRequest, PayloadTooLarge):
        return
    assert canonical(parse(serialise(root))) == canonical(root)


@pytest.mark.parametrize(
    ("document", "tag"),
    [
        (b"<a/>", "a"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<p:a xmlns:p="urn:p"><b/>', "{urn:p}a"),
        (b"<a b='" + b"x" * 5000 + b"'><c/>", "a"),
        (b"<a></b>", "a"),
        (b"", ""),
        (b"what is no XML", ""),
    ],
    ids=["alone", "within", "long", "wrong further on", "empty", "text"],
)
def test_the_root_is_seen_without_the_rest(document: bytes, tag: str) -> None:
    assert root_tag(document) == tag


@pytest.mark.parametrize("document", [b"<!DOCTYPE a><a/>", b"<a>\xff</a>", b"<a>" + b"x" * MESSAGE.size, b"<a>\0</a>"])
def test_no_root_is_seen_in_what_may_not_be_parsed(document: bytes) -> None:
    with pytest.raises(StsError):
        root_tag(document)


def test_a_serialised_element_stands_alone() -> None:
    root = parse(b'<a xmlns:p="urn:p"><p:b c="p:x">\xc3\xa4</p:b>tail</a>')
    assert serialise(root[0]) == '<p:b xmlns:p="urn:p" c="p:x">ä</p:b>'.encode()
