"""The two forms in which proxies forward a client's certificate, and nothing else."""

import base64
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.core.errors import BadRequest
from sts.crypto.certificates import pem
from sts.web.client_certificate import LONGEST, client_certificate
from tests.crypto.factories import FACTORY

DER = FACTORY.issue()
TEXT = base64.b64encode(DER).decode()
ESCAPED = quote(pem(DER).decode(), safe="")


@pytest.mark.parametrize(
    "header",
    [
        f":{TEXT}:",
        ESCAPED,
        ESCAPED.replace("%2B", "+").replace("%2F", "/").replace("%3D", "="),
        ESCAPED.replace("%0A", "%0D%0A"),
        quote(pem(DER).decode().rstrip("\n"), safe=""),
        ESCAPED.replace("%2B", "%2b").replace("%0A", "%0a"),
    ],
    ids=["RFC 9440", "nginx", "no more escapes than needed", "CR LF", "no last line end", "lower-case escapes"],
)
def test_a_certificate_is_read_from_either_form(header):
    assert client_certificate(header) == DER


def test_no_header_is_no_certificate():
    assert client_certificate("") is None


@pytest.mark.parametrize(
    "header",
    [
        " ",
        ":",
        "::",
        f":{TEXT}",
        f"{TEXT}:",
        TEXT,
        f":{TEXT}: ",
        f":{TEXT}:;a=1",
        f":{TEXT}:, :{TEXT}:",
        f":{TEXT}:,:{TEXT}:",
        f": {TEXT}:",
        f":{TEXT[:40]} {TEXT[40:]}:",
        f":{TEXT.rstrip('=')}=:" if TEXT.endswith("==") else f":{TEXT}=:",
        ":QUJ=:",
        ":QUI:",
        ":-_-_:",
        f":{TEXT[:-4]}====:",
        pem(DER).decode(),
        pem(DER).decode().replace("\n", "\t"),
        f"{ESCAPED}%",
        f"{ESCAPED}%zz",
        ESCAPED + ESCAPED,
        f"{ESCAPED},{ESCAPED}",
        f"x{ESCAPED}",
        f"{ESCAPED}x",
        quote("-----BEGIN CERTIFICATE-----\n-----BEGIN CERTIFICATE-----\n", safe=""),
        quote(f"-----BEGIN PRIVATE KEY-----\n{TEXT}\n-----END PRIVATE KEY-----\n", safe=""),
        quote(f"-----BEGIN CERTIFICATE-----\n{TEXT}!\n-----END CERTIFICATE-----\n", safe=""),
        "(null)",
        "null",
        "\u00e9",
        "\ud800",
        "%00",
        f":{'A' * LONGEST}:",
        "-----BEGIN" + "A" * LONGEST,
    ],
)
def test_anything_else_is_refused(header):
    with pytest.raises(BadRequest, match="the client certificate that the proxy forwards cannot be read"):
        client_certificate(header)


@given(st.text() | st.text().map(lambda text: f":{text}:") | st.text().map(lambda text: f"-----BEGIN{text}"))
def test_any_text_is_a_certificate_or_refused(text):
    try:
        found = client_certificate(text)
    except BadRequest:
        return
    assert text == ("" if found is None else f":{base64.b64encode(found).decode()}:")


def test_what_is_refused_is_not_repeated():
    with pytest.raises(BadRequest) as refused:
        client_certificate(":not base64:")
    assert "not base64:" not in refused.value.message + (refused.value.detail or "")
