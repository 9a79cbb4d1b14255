"""The form parser, strict where the standard one is lenient."""

from datetime import timedelta
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.core.errors import BadRequest, MethodNotAllowed, MissingField, PayloadTooLarge
from sts.protocols.http import MAX_BODY, MAX_FIELDS, Form, parse_form, posted_form, seconds_left
from tests.protocols.requests import ISSUED, NOW, post

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)


@given(st.dictionaries(TEXT, TEXT, max_size=10))
def test_every_form_that_a_browser_encodes_is_read_back(fields: dict[str, str]) -> None:
    assert parse_form(urlencode(fields).encode()).values == fields


@given(
    st.lists(
        st.sampled_from([b"a", b"b", b"=", b"&", b"+", b"%41", b"%3D", b"%0a", b"\r\n", b" ", b"%c3%a9", "é".encode()])
    )
)
def test_agrees_with_the_standard_library_where_both_accept(pieces: list[bytes]) -> None:
    body = b"".join(pieces)
    assert parse_form(body).values == dict(parse_qsl(body.decode(), keep_blank_values=True, errors="strict"))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_form_or_a_bad_request(body: bytes) -> None:
    try:
        form = parse_form(body)
    except BadRequest:
        return
    for value in form.values.values():
        assert "\0" not in value
        value.encode()


@pytest.mark.parametrize(
    ("body", "values"),
    [
        (b"", {}),
        (b"a=1&b=2", {"a": "1", "b": "2"}),
        (b"a=1&&b=2&", {"a": "1", "b": "2"}),
        (b"a", {"a": ""}),
        (b"a=b=c", {"a": "b=c"}),
        (b"a=1;b=2", {"a": "1;b=2"}),
        (b"a+b=c+d", {"a b": "c d"}),
        (b"a=%2b%2B%25", {"a": "++%"}),
        (b"a=%C3%A9", {"a": "é"}),
        ("a=é".encode(), {"a": "é"}),
    ],
)
def test_form_is_read(body: bytes, values: dict[str, str]) -> None:
    assert parse_form(body).values == values


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"a=%", "percent escape"),
        (b"a=%4", "percent escape"),
        (b"a=%zz", "percent escape"),
        (b"a=%-1", "percent escape"),
        (b"a=% 1", "percent escape"),
        (b"a=%u0041", "percent escape"),
        (b"%=a", "percent escape"),
        (b"a=\xff", "UTF-8"),
        (b"a=%ff", "UTF-8"),
        (b"a=%c0%af", "UTF-8"),
        (b"a=%ed%a0%80", "UTF-8"),
        (b"a=\0", "NUL"),
        (b"a=%00", "NUL"),
        (b"&".join([b"a=1"] * (MAX_FIELDS + 1)), "more than 100 fields"),
    ],
)
def test_malformed_form_is_refused(body: bytes, message: str) -> None:
    with pytest.raises(BadRequest, match=message):
        parse_form(body)


def test_largest_form_is_read_and_the_next_larger_is_not() -> None:
    assert len(parse_form(b"a=" + b"x" * (MAX_BODY - 2)).values["a"]) == MAX_BODY - 2
    assert len(parse_form(b"&".join(b"a%d=" % number for number in range(MAX_FIELDS))).values) == MAX_FIELDS
    with pytest.raises(PayloadTooLarge):
        parse_form(b"x" * (MAX_BODY + 1))


def test_field_that_came_twice_is_refused_only_when_asked_for() -> None:
    form = parse_form(b"a=1&b=2&a=1")
    assert form.single("b") == "2"
    with pytest.raises(BadRequest, match="'a' is there more than once"):
        form.single("a")
    with pytest.raises(BadRequest, match="more than once"):
        form.optional("a")


@pytest.mark.parametrize("body", [b"", b"a", b"a="])
def test_empty_field_counts_as_absent(body: bytes) -> None:
    assert parse_form(body).optional("a") is None
    with pytest.raises(MissingField, match="'a'"):
        parse_form(body).single("a")


def test_nothing_that_came_is_shown() -> None:
    assert "hunter2" not in repr(Form({"password": "hunter2"}))
    assert "hunter2" not in repr(post({"password": "hunter2"}, authorization="hunter2"))


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS", "post"])
def test_other_methods_than_post_are_refused(method: str) -> None:
    request = post(b"a=1")
    with pytest.raises(MethodNotAllowed) as refused:
        posted_form(type(request)(method, "/", {}, "", b"a=1", "192.0.2.1", "t"))
    assert refused.value.allowed == ("POST",)


@pytest.mark.parametrize(
    ("later", "seconds"),
    [
        (timedelta(0), 1200),
        (timedelta(microseconds=999_999), 1200),
        (timedelta(seconds=1), 1199),
        (timedelta(seconds=1200), 0),
        (timedelta(hours=1), 0),
    ],
)
def test_seconds_left_are_whole_and_never_negative(later: timedelta, seconds: int) -> None:
    assert seconds_left(ISSUED, NOW + later) == seconds
