"""Realms, addresses and host names: what may be saved."""

import pytest

from sts.operations.configuration.addresses import check_host, check_realm, check_url

HTTP = "http://127.0.0.1:8000"
HTTPS = "https://sts.example"


@pytest.mark.parametrize(
    "realm",
    [
        "https://orders.example/",
        "http://orders.example/api?x=",
        "https://orders.example/app#",
        "https://[2001:db8::1]:8443/",
        "urn:orders",
        "spn:00000002-0000-0000-c000-000000000000",
        "HTTPS://Orders.Example/",
        "https://user@orders.example/",
    ],
)
def test_an_absolute_uri_is_a_realm_and_stays_as_it_is(realm: str) -> None:
    assert check_realm(realm) == realm


@pytest.mark.parametrize(
    ("realm", "reason"),
    [
        ("orders", "not an absolute URI"),
        ("/orders", "not an absolute URI"),
        ("//orders.example/", "not an absolute URI"),
        ("urn:", "not an absolute URI"),
        ("https://", "has no host"),
        ("https:///path", "has no host"),
        ("https:orders.example", "has no host"),
        ("https://:443/", "has no host"),
        ("https://orders example/", "characters that a URI cannot have"),
        ("https://orders.example/\n", "characters that a URI cannot have"),
        ("https://orders.example/\x00", "characters that a URI cannot have"),
        ("https://rp。example/", "characters that a URI cannot have"),
        ('https://orders.example/"><script>', "characters that a URI cannot have"),
        ("https://orders.example/%zz", "two hexadecimal digits"),
        ("https://[orders]/", "not an address"),
        ("https://orders.example:99999/", "not an address"),
        ("https://orders.example/" + "x" * 2048, "at most 2048"),
    ],
)
def test_what_is_no_absolute_uri_is_no_realm(realm: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_realm(realm)


@pytest.mark.parametrize("url", ["https://rp.example/cb", "https://rp.example:8443/cb?a=b", "https://[::1]/"])
def test_https_addresses_are_accepted(url: str) -> None:
    assert check_url(url, HTTPS) == url


@pytest.mark.parametrize(
    "url", ["http://localhost:5000/", "http://127.0.0.1/cb", "http://127.9.9.9/", "http://[::1]:1/"]
)
def test_http_is_for_loopback_while_the_service_is_at_an_http_address(url: str) -> None:
    assert check_url(url, HTTP) == url
    with pytest.raises(ValueError, match="is not https"):
        check_url(url, HTTPS)


@pytest.mark.parametrize(
    "url",
    [
        "http://rp.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.1.evil.example/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "javascript:alert(1)",
        "java\nscript:alert(1)",
        "data:text/html,x",
        "//rp.example/",
        "https:rp.example",
        "HTTPS://rp.example/",
        "https://user@rp.example/",
        "https://rp.example@evil.example/",
        "https://rp.example\\@evil.example/",
        "https://@rp.example/",
        "https://rp.example/#top",
        "https://rp.example/#",
        "https://rp.example/\t",
        " https://rp.example/",
        "https://rp%2eexample/",
        "https://rp.example:0/",
        "https://rp.example:x/",
        "https://rp。example/",
        "https://",
    ],
)
@pytest.mark.parametrize("base_url", [HTTP, HTTPS])
def test_other_addresses_are_refused(url: str, base_url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check_url(url, base_url)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(ValueError, match="user name") as refused:
        check_url("https://user:hunter2@rp.example/", HTTPS)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("host", ["contoso.sts.example", "localhost", "a-1.example"])
def test_host_names_are_accepted(host: str) -> None:
    assert check_host(host) == host


@pytest.mark.parametrize(
    "host", ["https://a.example", "a.example:443", "a.example/", "A.example", "a..b", "-a.example", "a_b.example", ""]
)
def test_what_is_no_host_name_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match=r"host name|lower case"):
        check_host(host)
