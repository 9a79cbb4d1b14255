"""Certificates of clients at the real endpoint: who may say which one it is, whose it must be, and one answer for all.

The rows C02, C05 and C06 of the catalogue are met here again, where a stranger can send them.
"""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from sts.crypto.certificates import pem
from sts.operations import trusted_cas
from sts.operations.trusted_cas import TrustedCAName
from tests.crypto.authorities import DAY, NOW, Issuer, Leaf, authority, certificate, elliptic_key, key_usage, rsa_key
from tests.crypto.factories import FACTORY, NAMESAKE, OF_A_CA, SERVER_AUTH, STRANGER, Factory, self_made
from tests.flows.certified import HEADER, PROXY, behind_a_proxy, byte_sequence, escaped_pem, present, trust
from tests.flows.world import CONTOSO, SECRET, World, lend
from tests.threats.endpoints import Refusal, seen_refused

RSA_SHA256, RSA_SHA1 = (bytes.fromhex(f"06092a864886f70d0101{arc}") for arc in ("0b", "05"))
PINNED = self_made()
REMOVED, UNVERIFIED = Factory("removed"), Factory("unverified")


@pytest.fixture(scope="module")
def world(pattern: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service behind a proxy, with one trusted CA and one of every kind that is not trusted."""
    home = tmp_path_factory.mktemp("certified")
    shutil.copytree(pattern, home, dirs_exist_ok=True)
    made = behind_a_proxy(home)
    (home / "pinned.cer").write_bytes(PINNED)
    made.apply(CONTOSO.replace("{name: old,", "{name: old, certificate: pinned.cer,"))
    made.apply("namespace: fabrikam\n")
    trust(made)
    trust(made, STRANGER, namespace="fabrikam")
    installation = made.service.installation
    trusted_cas.remove(installation, trust(made, REMOVED), made.now)
    trusted_cas.add(installation, TrustedCAName("contoso", "unverified"), UNVERIFIED.certificate(), made.now)
    assert present(made, FACTORY.issue()).status_code == 200
    assert present(made, PINNED, client_id="old").status_code == 200
    yield from lend(made)


def refused(world: World, certificate: bytes | str | None, name: str = "worker", source: str = PROXY) -> Refusal:
    return seen_refused(world, partial(present, world, certificate, client_id=name, source=source))


@dataclass(frozen=True)
class Forgery:
    """A certificate that must not authenticate, as whom it is presented, and the true reason."""

    make: Callable[[], bytes]
    reason: str
    name: str = "worker"


def _self_made_with_the_ca_for_issuer() -> bytes:
    forger = Issuer(FACTORY.issuer.subject, elliptic_key("forger"))
    return certificate(Leaf(elliptic_key("client").public_key(), "CN=worker"), forger)


def _signed_with_sha1() -> bytes:
    issuer = Issuer(FACTORY.issuer.subject, rsa_key())
    return certificate(Leaf(subject="CN=worker"), issuer).replace(RSA_SHA256, RSA_SHA1)


def _key(public: object) -> bytes:
    return FACTORY.issue(key=public)


FORGERIES = {
    "self-made, the name alone is right": Forgery(lambda: self_made("worker"), "no CA that is trusted"),
    "self-made, the name and the issuer's name are right": Forgery(_self_made_with_the_ca_for_issuer, "not issued by"),
    "of another namespace's trusted CA": Forgery(lambda: STRANGER.issue(), "no CA that is trusted"),
    "of an unverified CA": Forgery(lambda: UNVERIFIED.issue(), "no CA that is trusted"),
    "of a CA that was removed": Forgery(lambda: REMOVED.issue(), "no CA that is trusted"),
    "of a namesake of the trusted CA": Forgery(lambda: NAMESAKE.issue(), "not issued by"),
    "expired": Forgery(lambda: FACTORY.issue(not_after=NOW - DAY), "not valid now"),
    "not yet valid": Forgery(lambda: FACTORY.issue(not_before=NOW + DAY), "not valid now"),
    "a CA below the trusted one": Forgery(lambda: FACTORY.issue(extensions=OF_A_CA), "a CA's own"),
    "CA:TRUE, nothing else": Forgery(lambda: FACTORY.issue(extensions=(authority(),)), "a CA's own"),
    "the trusted CA itself": Forgery(lambda: FACTORY.certificate(), "a CA's own"),
    "for TLS servers": Forgery(lambda: FACTORY.issue(extensions=(SERVER_AUTH,)), "extended key usage"),
    "for key encipherment": Forgery(lambda: FACTORY.issue(extensions=(key_usage("key_encipherment"),)), "key usage"),
    "another's name": Forgery(lambda: FACTORY.issue("CN=old"), "names 'old', the request 'worker'"),
    "another case": Forgery(lambda: FACTORY.issue("CN=Worker"), "names 'Worker'"),
    "a name that goes on": Forgery(lambda: FACTORY.issue("CN=worker\\00.evil"), "names 'worker"),
    "no name": Forgery(lambda: FACTORY.issue("OU=worker"), "0 common names"),
    "two names": Forgery(lambda: FACTORY.issue("CN=worker,CN=old"), "2 common names"),
    "two names in one": Forgery(lambda: FACTORY.issue("CN=old+CN=worker"), "2 common names"),
    "an unknown identity": Forgery(lambda: FACTORY.issue("CN=nobody"), "unknown service identity", "nobody"),
    "a disabled identity": Forgery(lambda: FACTORY.issue("CN=gone"), "'gone' is disabled", "gone"),
    "pinned to another identity": Forgery(lambda: PINNED, "no CA that is trusted"),
    "C02-rsa-1024": Forgery(lambda: _key(rsa.generate_private_key(65537, 1024).public_key()), "1024 bits"),
    "C02-ed25519": Forgery(lambda: _key(ed25519.Ed25519PrivateKey.generate().public_key()), "neither RSA nor ECDSA"),
    "C02-secp256k1": Forgery(lambda: _key(ec.generate_private_key(ec.SECP256K1()).public_key()), "secp256k1"),
    "C05-sha1": Forgery(_signed_with_sha1, "SHA1"),
    "C06-trailing": Forgery(lambda: FACTORY.issue() + b"\0", "after its end"),
    "C06-cut": Forgery(lambda: FACTORY.issue()[:-5], "cut off"),
    "PEM inside": Forgery(lambda: pem(FACTORY.issue()), "not in DER"),
    "no certificate": Forgery(lambda: b"worker", "client certificate"),
    "an unknown critical extension": Forgery(
        lambda: FACTORY.issue(extensions=((x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b""), True),)),
        "critical extension 1.2.3",
    ),
}


@pytest.mark.parametrize("forgery", FORGERIES.values(), ids=FORGERIES.keys())
def test_forgery_is_refused_and_the_log_says_why(world: World, forgery: Forgery) -> None:
    refusal = refused(world, forgery.make(), forgery.name)
    assert (refusal.status, refusal.record["error"]) == (401, "ACS50012")
    assert forgery.reason in refusal.reason


def test_all_forgeries_and_wrong_secrets_have_one_answer(world: World) -> None:
    answers = {refused(world, forgery.make(), forgery.name).answer for forgery in FORGERIES.values()}
    wrong = partial(present, world, None, client_secret="wrong", source="198.51.100.77")
    answers.add(seen_refused(world, wrong).answer)
    answers.add(refused(world, None).answer)
    assert len(answers) == 1


@pytest.mark.parametrize("source", ["203.0.113.9", "127.0.0.1", "10.0.0.2", "::1", "", "nonsense"])
@pytest.mark.parametrize("write", [byte_sequence, escaped_pem])
def test_header_from_an_untrusted_peer_is_ignored(world: World, write: Callable[[bytes], str], source: str) -> None:
    for good, name in ((FACTORY.issue(), "worker"), (PINNED, "old")):
        refusal = refused(world, write(good), name, source)
        assert (refusal.status, "sent no credentials" in refusal.reason) == (401, True)


def test_forwarded_addresses_do_not_make_a_peer_trusted(world: World) -> None:
    form = {"grant_type": "client_credentials", "client_id": "worker", "resource": "https://jwt.example/"}
    headers = {HEADER: byte_sequence(FACTORY.issue()), "X-Forwarded-For": PROXY, "Forwarded": f"for={PROXY}"}
    peer = {"REMOTE_ADDR": "203.0.113.9"}
    refusal = seen_refused(world, lambda: world.post("oauth2/token", form, headers=headers, environ_overrides=peer))
    assert (refusal.status, "sent no credentials" in refusal.reason) == (401, True)


GARBAGE = {
    "not a byte sequence": "garbage",
    "no end": ":AAAA",
    "not base64": ":????:",
    "empty": "::",
    "null": "(null)",
    "two certificates": f"{byte_sequence(FACTORY.issue())},{byte_sequence(FACTORY.issue())}",
    "a comma and nothing": f"{byte_sequence(FACTORY.issue())},",
    "two PEM blocks": escaped_pem(FACTORY.issue()) * 2,
    "a private key": "-----BEGIN%20PRIVATE%20KEY-----%0AAAAA%0A-----END%20PRIVATE%20KEY-----",
    "broken escapes": "-----BEGIN%2",
    "not ASCII": "\u00e9\u00ff",
    "16 kB and more": f":{'A' * 20_000}:",
}


@pytest.mark.parametrize("header", GARBAGE.values(), ids=GARBAGE.keys())
@pytest.mark.parametrize("secret", [None, SECRET], ids=["alone", "with a secret"])
def test_garbage_from_the_proxy_is_a_bad_request(world: World, header: str, secret: str | None) -> None:
    refusal = seen_refused(world, partial(present, world, header, client_secret=secret))
    assert (refusal.status, refusal.record["error"]) == (400, "ACS90013")
    assert "the client certificate that the proxy forwards cannot be read" in refusal.reason


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=300).map(byte_sequence) | st.text(st.characters(max_codepoint=255, min_codepoint=33)))
def test_no_header_is_an_internal_error(world: World, header: str) -> None:
    assert present(world, header).status_code in (400, 401)


@settings(deadline=None, max_examples=200)
@given(st.integers(0), st.integers(1, 255))
def test_no_damage_to_a_good_certificate_authenticates(world: World, position: int, change: int) -> None:
    damaged = bytearray(FACTORY.issue())
    damaged[position % len(damaged)] ^= change
    assert present(world, bytes(damaged)).status_code == 401


def test_certificates_are_taken_at_no_other_door(world: World) -> None:
    headers = {HEADER: byte_sequence(FACTORY.issue())}
    peer = {"REMOTE_ADDR": PROXY}
    acs = {"grant_type": "client_credentials", "client_id": "worker", "scope": "https://jwt.example/"}
    wrap = {"wrap_name": "worker", "wrap_scope": "https://swt.example/"}
    for path, form in (("v2/OAuth2-13", acs), ("WRAPv0.9", wrap)):
        request = partial(world.post, path, form, headers=headers, environ_overrides=peer)
        assert seen_refused(world, request).status == 400


def test_relying_parties_are_hidden_from_strangers_with_certificates(world: World) -> None:
    answers = {
        seen_refused(world, partial(present, world, STRANGER.issue(), party=party)).answer
        for party in ("jwt", "disabled", "nobody", "none")
    }
    assert len(answers) == 1
