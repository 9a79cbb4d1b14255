"""The Content-Type: its media type, and parameters as their senders meant them."""

import pytest

from sts.protocols.content_type import media_type, parameters
from tests.protocols.requests import post


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("application/x-www-form-urlencoded", "application/x-www-form-urlencoded"),
        ("application/x-www-form-urlencoded; charset=utf-8", "application/x-www-form-urlencoded"),
        ("Application/JSON", "application/json"),
        (" text/XML ;charset=utf-8", "text/xml"),
        ("text/xml2", "text/xml2"),
        (";charset=utf-8", ""),
        ("", ""),
    ],
)
def test_a_media_type_is_read_without_parameters(written: str, expected: str) -> None:
    assert media_type(written) == expected
    assert post(b"", content_type=written).content_type == written


def test_a_request_that_says_nothing_of_its_body_has_no_type() -> None:
    assert media_type(post(b"").content_type) == ""


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("a/b", ()),
        ("a/b; action", ()),
        ("a/b;action=urn:x", ("urn:x",)),
        ("a/b; ACTION = urn:x ; charset=utf-8", ("urn:x",)),
        ('a/b; charset=utf-8; action="urn:x"', ("urn:x",)),
        ('a/b; action="urn:x" ', ("urn:x",)),
        ('a/b; action="urn:x;y=z,=\\"\\\\"', ('urn:x;y=z,="\\',)),
        ('a/b; action="\\u\\r\\n:x"', ("urn:x",)),
        ('a/b; action=""', ("",)),
        ("a/b; action=", ("",)),
        ('a/b; start-info="action=urn:y;action=urn:y"; action=urn:x', ("urn:x",)),
        ('a/b; start-info="\\";action=urn:y"; action=urn:x', ("urn:x",)),
        ("a/b; action=urn:x; action=urn:y", ("urn:x", "urn:y")),
        ("a/b; reaction=urn:y; action2=urn:y", ()),
    ],
)
def test_parameters_are_read_as_they_are_meant(written: str, expected: tuple[str, ...]) -> None:
    assert parameters(written, "action") == expected


@pytest.mark.parametrize(
    "written",
    [
        "a/b; action=urn:x urn:y",
        "a/b; action='urn:x'",
        'a/b; action="urn:x',
        'a/b; action=urn:x"',
        'a/b; action="urn:x"y',
        'a/b; action="urn:x" "urn:x"',
        'a/b; action="urn:x\\"',
    ],
)
def test_a_value_that_is_neither_a_token_nor_quoted_equals_nothing(written: str) -> None:
    (value,) = parameters(written, "action")
    assert value == written.partition("=")[2] != "urn:x"


@pytest.mark.parametrize("before", ['a/b; x="', 'a/b; x="\\";y="\\', 'a/b; x="y"z"', "a/b; x"])
def test_nothing_is_hidden_by_a_parameter_before_it_that_is_badly_written(before: str) -> None:
    assert "urn:y" in parameters(f"{before};action=urn:y", "action")
