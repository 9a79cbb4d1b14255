"""Rows S10 to S18, S20 and S21 of the catalogue of threats, at the writer and the reader of simple web tokens."""

import hmac
from base64 import b64decode, b64encode
from urllib.parse import quote_plus

import pytest

from sts.core.errors import InvalidSignature, InvalidSwtToken
from sts.core.model import Claim
from sts.tokens import swt as module
from sts.tokens.swt import MAX_BYTES, read, view, write
from tests.crypto.identities import NOW
from tests.tokens.compact import (
    AUDIENCE,
    ISSUER,
    KEY,
    OTHER_KEY,
    claim,
    descriptor,
    seconds,
    swt,
    symmetric,
    symmetric_signer,
    trusting,
)

OWN = f"Audience={quote_plus(AUDIENCE)}&ExpiresOn={seconds(NOW) + 60}&Issuer={quote_plus(ISSUER)}".encode()


def refused(token, **changes):
    """The detail of the refusal, which view() shares where it is about the shape."""
    with pytest.raises((InvalidSwtToken, InvalidSignature)) as refusal:
        read(token, trusting(**changes), NOW)
    return refusal.value.detail


def test_harmless_token_is_read():
    assert read(swt(OWN), trusting(), NOW).issuer == ISSUER


def test_s10_value_that_looks_like_another_parameter_stays_a_value():
    token = write(descriptor(claim("mail", "a@b&role=admin")), symmetric_signer())
    assert token.startswith(b"mail=a%40b%26role%3dadmin&")
    assert read(token, trusting(), NOW).claims == (claim("mail", "a@b&role=admin"),)


@pytest.mark.parametrize("second", [b"Audience=x", b"Audience=", b"%41udience=x", b"Issuer=x", b"ExpiresOn=1"])
def test_s11_duplicate_parameter_is_refused(second):
    assert refused(swt(OWN + b"&" + second)).startswith("duplicate")


@pytest.mark.parametrize("name", [b"audience", b"ISSUER", b"expiresOn", b"hmacSHA256"])
def test_s11_reserved_name_in_another_case_is_refused(name):
    assert refused(swt(OWN + b"&" + name + b"=x")).startswith("format")


@pytest.mark.parametrize("tail", [b"&role=admin", b"&", b"=", b"&Audience=x", b"\n", b" "])
def test_s12_anything_after_the_mac_is_refused(tail):
    assert refused(swt(OWN) + tail).startswith("format")


@pytest.mark.parametrize(
    "token",
    [
        swt(swt(OWN)),
        swt(b"HMACSHA256=x&" + OWN),
        swt(OWN + b"&HMACSHA25%36=x"),
        swt(OWN.replace(b"&", b"&HMACSHA256=x&", 1)),
    ],
)
def test_s13_two_macs_are_refused(token):
    assert refused(token).startswith("format")


@pytest.mark.parametrize(
    "text",
    ["0", "-1", "1" + "0" * 30, "1e9", "+5", "%205", "05", "", "5.0", "0x5", "%d9%a5", "253402300800", "1" * 5000],
)
def test_s14_expiry_that_is_no_plain_number_of_seconds_is_refused(text):
    token = swt(f"Audience={quote_plus(AUDIENCE)}&ExpiresOn={text}&Issuer={quote_plus(ISSUER)}".encode())
    assert refused(token).startswith("time: ExpiresOn")
    with pytest.raises(InvalidSwtToken):
        view(token)


def test_s15_non_canonical_base64_of_the_mac_is_refused():
    text, _, encoded = swt(OWN).rpartition(b"=")
    mac = encoded.decode().replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    twin = mac[:-2] + alphabet[alphabet.index(mac[-2]) + 1] + "="
    assert b64decode(twin) == b64decode(mac)
    assert refused(text + b"=" + quote_plus(twin).encode()).startswith("format: the base64")


@pytest.mark.parametrize(
    "mangle", [lambda mac: mac[:-1], lambda mac: mac + "=", lambda mac: mac[:8] + " " + mac[8:], lambda mac: mac + "é"]
)
def test_s15_base64_that_only_a_lenient_parser_reads_is_refused(mangle):
    mac = b64encode(hmac.digest(KEY, OWN, "sha256")).decode()
    assert refused(OWN + b"&HMACSHA256=" + quote_plus(mangle(mac)).encode()).startswith("format")


@pytest.mark.parametrize("length", [0, 1, 16, 31])
def test_s16_mac_cut_short_is_refused(length):
    mac = b64encode(hmac.digest(KEY, OWN, "sha256")[:length]).decode()
    assert refused(OWN + b"&HMACSHA256=" + quote_plus(mac).encode()).startswith("signature")


@pytest.mark.parametrize("text", [OWN.replace(b"&", b";"), OWN + b"&a=b;c=d", b"a=b;" + OWN])
def test_s17_semicolon_is_no_separator(text):
    assert refused(swt(text)).startswith("format")


def test_s18_token_of_another_relying_partys_key_is_refused():
    token = write(descriptor(), symmetric_signer(OTHER_KEY))
    assert refused(token, keys=(symmetric(KEY),)).startswith("signature")


@pytest.mark.parametrize("position", [0, 31])
def test_s20_wherever_the_mac_differs_the_work_is_the_same(position, monkeypatch):
    calls = []

    def spy(name):
        real = getattr(hmac, name)

        def counted(*arguments):
            calls.append((name, [type(argument) for argument in arguments], [len(argument) for argument in arguments]))
            return real(*arguments)

        return counted

    mac = bytearray(hmac.digest(KEY, OWN, "sha256"))
    mac[position] ^= 1
    token = OWN + b"&HMACSHA256=" + quote_plus(b64encode(mac)).encode()
    for name in ("digest", "compare_digest"):
        monkeypatch.setattr(module.hmac, name, spy(name))
    assert refused(token, keys=(symmetric(OTHER_KEY), symmetric(KEY))).startswith("signature")
    once = [("digest", [bytes, bytes, str], [32, len(OWN), 6]), ("compare_digest", [bytes, bytes], [32, 32])]
    assert calls == once * 2


@pytest.mark.parametrize(
    "escape", [b"%ff", b"%c3", b"%c0%80", b"%ed%a0%80", b"%f5%80%80%80", b"%", b"%4", b"%zz", b"%u0041"]
)
@pytest.mark.parametrize("place", [b"a=%b", b"%b=a"])
def test_s21_escapes_that_are_not_utf8_are_refused(escape, place):
    assert refused(swt(OWN + b"&" + place % escape)).startswith("format")


@pytest.mark.parametrize("text", [b"\xc3\xa9=a", b"a=\xc3\xa9", b"a=<b>", b"a=b=c", b"a", b"=a", b"", b"a=\x00"])
def test_s21_text_that_is_not_form_encoded_is_refused(text):
    assert refused(swt(OWN + b"&" + text)).startswith("format")


@pytest.mark.parametrize("token", [b"", b"Issuer=x", b"HMACSHA256=x", b"&HMACSHA256=", b"\x00" * 100])
def test_what_is_no_simple_web_token_is_refused_by_reader_and_view(token):
    assert refused(token)
    with pytest.raises(InvalidSwtToken):
        view(token)


def test_token_larger_than_any_real_one_is_refused():
    assert refused(swt(OWN + b"&a=" + b"b" * MAX_BYTES)).startswith("size")


def test_hundred_and_one_parameters_are_refused():
    many = b"".join(b"&c%d=x" % number for number in range(98))
    assert refused(swt(OWN + many)).startswith("format: more than 100")


@pytest.mark.parametrize("material", [b"", b"short", KEY + b"x"])
def test_key_of_another_size_never_verifies(material):
    assert refused(swt(OWN, material), keys=(symmetric(material),)).startswith("signature")


def test_a34_claims_of_a_reader_never_have_reserved_types():
    assert [one.type for one in read(swt(OWN + b"&a=b"), trusting(), NOW).claims] == ["a"]
    assert read(swt(OWN + b"&a=b"), trusting(), NOW).claims == (Claim("a", "b", ISSUER),)
