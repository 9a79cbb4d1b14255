"""Metadata of partners: rows M01 to M16, each sent to the import or to the schedule, over a real connection."""

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sts.core.errors import InvalidMetadata, PartnerUnreachable
from sts.core.model import PartnerRole
from sts.operations import metadata_status
from sts.operations.fetching import LIMIT, MAX_BYTES, Reach, fetch
from tests import partner_documents as documents
from tests.crypto.identities import certificate, signer
from tests.flows.world import World
from tests.operations.partners import DAY, Partnership, partnership
from tests.partner_documents import ADFS, Shape, several, signed
from tests.partner_server import HOST, PUBLIC, URL, Names, plain, serving

FIRST, SECOND = certificate("rsa2048"), certificate("rsa2048", "next")
REACH = Reach("https://sts.example", ())
METADATA = "FederationMetadata/2007-06/FederationMetadata.xml"


@pytest.fixture
def partners(tmp_path: Path) -> Iterator[Partnership]:
    with partnership(tmp_path) as made:
        yield made


@pytest.mark.parametrize(
    "url",
    [
        *("http://partner.example/", "file:///etc/hostname", "ftp://partner.example/", "gopher://partner.example/"),
        *("HTTPS://partner.example/", "https:/partner.example/", "https://", "javascript:alert(1)//", "https://a b/"),
        *("https://user@partner.example/", "https://partner.example@127.0.0.1/", "http://127.0.0.1/", "//partner/"),
    ],
)
def test_m01_only_https_is_fetched(partners: Partnership, url: str) -> None:
    partners.refused(location=url)
    assert partners.server.requests == []


LOOPBACK = (
    *("127.0.0.1", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "0.0.0.0", "[::]"),
    *("0", "localhost", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]"),
)
INSIDE = (
    *("169.254.169.254", "100.100.100.200", "[fd00:ec2::254]", "10.0.0.1", "172.31.255.255", "192.168.1.1"),
    *("[fe80::1]", "[::ffff:10.0.0.1]", "[2002:a00:1::]", "2852039166"),
)


@pytest.mark.parametrize("host", [f"M02-{host}" for host in LOOPBACK] + [f"M03-{host}" for host in INSIDE])
def test_addresses_that_are_not_public_are_not_connected_to_in_any_form(host: str) -> None:
    with pytest.raises(PartnerUnreachable, match="which is no public address"):
        fetch(f"https://{host[4:]}:1/metadata.xml", REACH)


@pytest.mark.parametrize("host", ["[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b::10.0.0.1]"])
def test_m04_an_address_behind_a_translator_is_judged_by_what_it_means(host: str) -> None:
    with pytest.raises(PartnerUnreachable, match="which is no public address"):
        fetch(f"https://{host}/", REACH)


@pytest.mark.parametrize("write", [documents.adfs, documents.shibboleth], ids=["AD FS", "Shibboleth"])
def test_m05_a_key_without_a_use_is_for_signing_and_a_signature_stays_required(
    partners: Partnership, write: Callable[[Shape], bytes]
) -> None:
    partners.bring(write(Shape(use=None, address="https://adfs.contoso.example/adfs/ls")))
    assert partners.provider().enabled
    assert partners.trusted() == (FIRST,)


@pytest.mark.parametrize(
    "signing", [(), (certificate("rsa1024"),), (certificate("ed25519"),)], ids=["none", "weak", "Ed"]
)
def test_m05_a_provider_without_a_usable_signing_key_is_disabled(
    partners: Partnership, signing: tuple[bytes, ...]
) -> None:
    outcome = partners.bring(documents.adfs(Shape(signing=signing)))
    assert partners.trusted() == ()
    assert not partners.provider().enabled
    assert any("disabled" in warning for warning in outcome.warnings)
    partners.bring(documents.adfs())
    assert (partners.trusted(), partners.pending()) == ((), (FIRST,))
    assert not partners.provider().enabled
    partners.accept(documents.adfs())
    assert partners.provider().enabled


def test_m06_a_name_is_resolved_once_and_that_address_is_connected_to() -> None:
    with serving(plain(documents.adfs())) as server:
        names = Names(server.port, answers=[[PUBLIC], ["127.0.0.1"]])
        fetch(URL, names.reach())
    assert (names.asked, names.connected) == ([HOST], [PUBLIC])


@pytest.mark.parametrize("target", ["https://169.254.169.254/", "http://127.0.0.1/", "/elsewhere"])
def test_m07_redirections_are_not_followed(partners: Partnership, target: str) -> None:
    partners.server.answer = plain(b"", f"HTTP/1.1 302 Found\r\nLocation: {target}")
    assert "redirects are not followed" in partners.refused()
    assert len(partners.server.requests) == 1


def test_m08_an_endless_document_ends_at_two_mebibytes_and_a_slow_one_in_time() -> None:
    assert (LIMIT, MAX_BYTES) == (10, 2 * 1024 * 1024)

    def trickle(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x")
            time.sleep(0.1)

    def flood(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(b"x" * 65536)

    with serving(trickle) as server, pytest.raises(PartnerUnreachable, match=r"no whole answer within 0\.7 seconds"):
        fetch(URL, Names(server.port).reach(0.7))
    with serving(flood) as server, pytest.raises(PartnerUnreachable, match="more than 2097152 bytes"):
        fetch(URL, Names(server.port).reach())


BOMBS = {
    "DTD": b'<!DOCTYPE EntityDescriptor [<!ENTITY x "y">]>' + documents.adfs(),
    "entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><a>&x;</a>',
    "attribute default": b'<!DOCTYPE a [<!ATTLIST a b CDATA "c">]>' + documents.adfs(),
    "100 000 entities": b'<EntitiesDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata">'
    + b"<EntityDescriptor/>" * 100_000
    + b"</EntitiesDescriptor>",
    "size": documents.adfs() + b" " * 2 * 1024 * 1024,
    "depth": b"<a>" * 10_000 + b"</a>" * 10_000,
    "attributes": b"<a " + b" ".join(b'a%d=""' % n for n in range(50_000)) + b"/>",
    "namespaces": b"<a " + b" ".join(b'xmlns:a%d="u"' % n for n in range(5_000)) + b"/>",
    "keys": documents.adfs(Shape(signing=tuple(certificate("p256", str(n)) for n in range(40)))),
    "UTF-16": documents.adfs().decode().encode("utf-16"),
}


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
def test_m09_documents_that_are_made_to_hurt_are_refused_at_once(partners: Partnership, bomb: bytes) -> None:
    began = time.perf_counter()
    partners.refused(bomb)
    assert time.perf_counter() - began < 2


def test_m10_the_same_partner_twice_is_refused(partners: Partnership) -> None:
    twice = several(documents.adfs(), documents.adfs(Shape(signing=(SECOND,), id="_again")))
    assert f"describes {ADFS} twice" in partners.refused(twice)
    other = several(documents.adfs(), documents.adfs(Shape(id="_again")), documents.azure(Shape("urn:other")))
    assert f"describes {ADFS} twice" in partners.refused(other, entity_id="urn:other")
    assert "duplicate ID" in partners.refused(several(documents.adfs(), documents.adfs()))


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("javascript:alert(1)", "does not begin with https://"),
        ("data:text/html,x", "does not begin with https://"),
        ("//evil.example/", "does not begin with https://"),
        ("http://adfs.contoso.example/adfs/ls/", "is not https"),
        ("http://127.0.0.1/", "is not https"),
        ("https://user@adfs.contoso.example/", "stands behind a user name"),
        ("https://adfs.contoso.example/#f", "has a fragment"),
        ("", "holds characters that a URI cannot have"),
    ],
)
@pytest.mark.parametrize("write", [documents.adfs, documents.simplesamlphp, documents.application])
def test_m11_an_endpoint_that_browsers_may_not_be_sent_to_is_refused(
    partners: Partnership, write: Callable[[Shape], bytes], address: str, reason: str
) -> None:
    role = PartnerRole.RELYING_PARTY if write is documents.application else PartnerRole.IDENTITY_PROVIDER
    told = partners.refused(write(Shape(address=address)), role=role)
    endpoint = "SingleSignOnService" if write is documents.simplesamlphp else "PassiveRequestorEndpoint"
    assert (f"the {endpoint} of the document: " in told, reason in told) == (True, True), told


def test_m11_plain_http_on_loopback_is_accepted_while_we_are_there_ourselves(tmp_path: Path) -> None:
    document = documents.adfs(Shape(address="http://127.0.0.1:9000/adfs/ls/"))
    with partnership(tmp_path, "http://127.0.0.1:8000") as partners:
        partners.bring(document)
        assert partners.provider().sign_in_url == "http://127.0.0.1:9000/adfs/ls/"
        partners.refused(documents.adfs(Shape(address="http://adfs.contoso.example/adfs/ls/")))


def test_m12_another_entity_id_needs_confirmation(partners: Partnership) -> None:
    partners.publish(documents.adfs())
    partners.bring()
    other = documents.adfs(Shape(entity_id="http://evil.example/trust", signing=(SECOND,)))
    assert "nothing is changed until `sts metadata import --accept`" in partners.refused(other, location=URL)
    partners.publish(signed(other, signer("rsa2048")))
    (refreshed,) = partners.refresh()
    assert "the document is about http://evil.example/trust" in (refreshed.failure or "")
    assert (partners.provider().issuer, partners.trusted()) == (ADFS, (FIRST,))
    assert metadata_status.list_all(partners.bench.installation)[0].needs_person
    partners.accept()
    assert partners.provider().issuer == "http://evil.example/trust"


OURS = {
    "metadata": METADATA,
    "openid": ".well-known/openid-configuration",
    "sign-in": "v2/wsfederation?wa=wsignin1.0&wtrealm=https://jwt.example/",
    "feed": "v2/metadata/IdentityProviders.js?protocol=wsfederation&realm=https://jwt.example/",
}


@pytest.mark.parametrize("path", OURS.values(), ids=OURS)
@pytest.mark.parametrize("host", ["evil.com", "evil.com:8000", "127.0.0.1.evil.com", "127.0.0.1:8000@evil.com"])
def test_m13_nothing_of_ours_reflects_a_host_header(world: World, host: str, path: str) -> None:
    answer = world.client.get(f"/contoso/{path}", headers={"Host": host})
    assert answer.status_code == 400
    assert b"evil" not in answer.data
    forwarded = {"X-Forwarded-Host": host, "Forwarded": f'host="{host}"', "X-Original-Host": host}
    honest = world.get(path, headers=forwarded)
    assert honest.status_code == world.get(path).status_code
    assert "evil" not in honest.text + str(honest.headers)


@pytest.mark.parametrize("signing", [(), (certificate("rsa1024"),)], ids=["none", "none usable"])
def test_m14_a_document_without_any_signing_key_changes_nothing_and_alarms(
    partners: Partnership, signing: tuple[bytes, ...]
) -> None:
    partners.publish(documents.adfs())
    partners.bring()
    partners.publish(signed(documents.adfs(Shape(signing=signing)), signer("rsa2048")))
    (refreshed,) = partners.refresh()
    assert "names no usable signing certificate any more" in (refreshed.failure or "")
    assert (partners.trusted(), partners.provider().enabled) == ((FIRST,), True)
    (row,) = metadata_status.list_all(partners.bench.installation)
    assert row.needs_person
    with pytest.raises(InvalidMetadata, match="those that are known stay"):
        partners.accept()


def test_m14_keys_that_all_vanish_for_new_ones_stay_and_the_new_ones_wait(partners: Partnership) -> None:
    partners.publish(documents.adfs())
    partners.bring()
    partners.publish(documents.adfs(Shape(signing=(SECOND,))))
    (refreshed,) = partners.refresh()
    assert refreshed.outcome is not None
    assert (partners.trusted(), partners.pending()) == ((FIRST,), (SECOND,))
    assert metadata_status.list_all(partners.bench.installation)[0].needs_person


def test_m14_certificate_that_a_person_dropped_does_not_come_back_by_an_old_document(partners: Partnership) -> None:
    """Whoever has its key, and the partner's web server, shows what the partner once signed."""
    old = signed(documents.adfs(Shape(signing=(FIRST, SECOND))), signer("rsa2048", "next"))
    partners.publish(old)
    partners.bring()
    partners.publish(signed(documents.adfs(Shape(signing=(SECOND,))), signer("rsa2048", "next")))
    partners.accept()
    assert partners.trusted() == (SECOND,)
    partners.publish(old)
    for _ in range(2):
        (refreshed,) = partners.refresh()
        assert refreshed.failure is None
        assert (partners.trusted(), partners.pending()) == ((SECOND,), (FIRST,))
    partners.accept()
    assert partners.trusted() == (FIRST, SECOND)


def test_m14_what_a_relying_party_dropped_does_not_come_back_by_an_old_document(partners: Partnership) -> None:
    def signed_by_it(address: str, encryption: bytes) -> bytes:
        shape = Shape(documents.PORTAL, signing=(FIRST,), encryption=(encryption,), address=address)
        return signed(documents.application(shape), signer("rsa2048"))

    old = signed_by_it("https://old.example/signin", FIRST)
    partners.publish(old)
    partners.bring(role=PartnerRole.RELYING_PARTY)
    partners.publish(signed_by_it("https://new.example/signin", SECOND))
    partners.accept(role=PartnerRole.RELYING_PARTY)
    partners.publish(old)
    (refreshed,) = partners.refresh()
    party = partners.party()
    assert (refreshed.failure, party.reply) == (None, ("https://new.example/signin",))
    assert party.encryption_certificate is not None
    assert party.encryption_certificate.der == SECOND
    assert party.metadata is not None
    assert party.metadata.pending_reply == ("https://old.example/signin",)
    assert [each.der for each in party.metadata.pending] == [FIRST]
    partners.accept(role=PartnerRole.RELYING_PARTY)
    assert partners.party().reply == ("https://old.example/signin",)


BROKEN = {
    "address": (b"/adfs/ls/", b"/evil/ls/"),
    "digest": (b"<ds:DigestValue>", b"<ds:DigestValue>AAAA"),
    "value": (b"<ds:SignatureValue>", b"<ds:SignatureValue>AAAA"),
    "whole document": (b'URI="#_', b'URI="_'),
    "transform": (b"xmldsig#enveloped-signature", b"xmldsig#base64"),
    "method": (b"rsa-sha256", b"hmac-sha256"),
}


@pytest.mark.parametrize(("old", "new"), BROKEN.values(), ids=BROKEN)
def test_m15_a_broken_signature_is_refused_where_a_signing_certificate_is_known(
    partners: Partnership, old: bytes, new: bytes
) -> None:
    partners.publish(documents.adfs())
    partners.bring()
    document = signed(documents.adfs(Shape(signing=(FIRST, SECOND))), signer("rsa2048"))
    assert old in document
    partners.publish(document.replace(old, new, 1 if old != b"/adfs/ls/" else -1))
    (refreshed,) = partners.refresh()
    assert "the document's signature is broken" in (refreshed.failure or "")
    assert (partners.trusted(), partners.pending()) == ((FIRST,), ())
    assert "the document's signature is broken" in partners.refused()
    with pytest.raises(InvalidMetadata, match="signature is broken"):
        partners.accept()


def test_m15_a_signature_over_another_element_vouches_for_nothing(partners: Partnership) -> None:
    """The genuine entity, signed, is carried along in a document that says something else."""
    partners.bring(documents.adfs())
    genuine = signed(documents.adfs(), signer("rsa2048"))
    forged = documents.adfs(Shape(signing=(SECOND,), id="_forged"))
    inside = forged.replace(b"</EntityDescriptor>", b"<Extensions>" + genuine + b"</Extensions></EntityDescriptor>")
    assert "twice" in partners.refused(inside)
    signature = genuine[genuine.index(b"<ds:Signature ") : genuine.index(b"</ds:Signature>") + len(b"</ds:Signature>")]
    start = forged.index(b">") + 1
    assert "signature is broken" in partners.refused(forged[:start] + signature + forged[start:])


@pytest.mark.parametrize("until", ["2026-11-21T21:59:59Z", "2026-11-21T21:59:59", "2020-01-01T00:00:00+01:00"])
def test_m16_a_document_that_has_expired_is_refused(partners: Partnership, until: str) -> None:
    attributes = f' validUntil="{until}"'
    assert "was valid until" in partners.refused(documents.adfs(Shape(attributes=attributes)))
    aggregate = several(documents.adfs(), attributes=attributes)
    assert "was valid until" in partners.refused(aggregate)
    role = documents.adfs().replace(b"<IDPSSODescriptor", b"<IDPSSODescriptor" + attributes.encode())
    assert "was valid until" in partners.refused(role)
    assert "is no instant" in partners.refused(documents.adfs(Shape(attributes=' validUntil="tomorrow"')))


def test_m16_a_document_that_expires_unrefreshed_is_reported(partners: Partnership) -> None:
    partners.publish(documents.adfs(Shape(attributes=' validUntil="2026-11-30T00:00:00Z"')))
    partners.bring()
    (refreshed,) = partners.refresh(10 * DAY)
    assert "was valid until" in (refreshed.failure or "")
    assert partners.trusted() == (FIRST,)
