"""The published documents: caching, order, changes, and what stays when nothing may sign."""

import base64
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from werkzeug.test import TestResponse

from sts.core.model import Credential, KeyType
from sts.settings import Settings
from tests.flows.operators import DECRYPTION, KEYS, NAMESPACE, dedicated, delete, first, generate, promote, revoke
from tests.flows.tokens import verified_document
from tests.flows.world import World, lend, make_world, members, open_world
from tests.interop.metadata import certificates

ISSUER = "http://127.0.0.1:8000/contoso/"
METADATA = "FederationMetadata/2007-06/FederationMetadata.xml"
OPENID = ".well-known/openid-configuration"
JWKS = ".well-known/jwks.json"
MEX = "v2/wstrust/mex"
DOCUMENTS = (METADATA, OPENID, JWKS, MEX)
EVERY_DOCUMENT = pytest.mark.parametrize("document", DOCUMENTS)
NS = {"md": "urn:oasis:names:tc:SAML:2.0:metadata", "ds": "http://www.w3.org/2000/09/xmldsig#"}


def published(world: World, use: str = "signing") -> list[bytes]:
    """The certificates of one use that the world's metadata names, verified under the first signing one."""
    body = world.get(METADATA).data
    verified_document(body, certificates(body, "signing")[0], world.now)
    return certificates(body, use)


def in_jwks(world: World) -> list[bytes]:
    """The certificates in the world's key set, in order."""
    return [base64.b64decode(key["x5c"][0]) for key in members(world.get(JWKS))["keys"]]


def ders(*credentials: Credential) -> list[bytes]:
    """The certificates of credentials."""
    return [c.certificate for c in credentials if c.certificate is not None]


def max_age(answer: TestResponse) -> int:
    """How long an answer may be kept."""
    visibility, _, age = answer.headers["Cache-Control"].partition(", max-age=")
    assert visibility == "public"
    return int(age)


@EVERY_DOCUMENT
def test_a_document_is_the_same_bytes_until_something_changes(world: World, document: str) -> None:
    once = world.get(document)
    world.move(days=10)
    again = world.get(document)
    assert (once.status_code, once.data, once.headers["ETag"]) == (200, again.data, again.headers["ETag"])


@EVERY_DOCUMENT
def test_who_has_the_document_is_told_that_it_stands(still_world: World, document: str) -> None:
    etag = still_world.get(document).headers["ETag"]
    answer = still_world.get(document, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", etag)
    assert "Cache-Control" in answer.headers
    assert still_world.get(document, headers={"If-None-Match": '"other"'}).status_code == 200


@EVERY_DOCUMENT
def test_a_document_may_be_kept_an_hour(still_world: World, document: str) -> None:
    answer = still_world.get(document)
    assert max_age(answer) == 3600
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@EVERY_DOCUMENT
def test_head_is_get_without_the_body(still_world: World, document: str) -> None:
    whole = still_world.get(document)
    head = still_world.client.head(f"/contoso/{document}", base_url="http://127.0.0.1:8000")
    assert (head.status_code, head.data, head.headers["ETag"]) == (200, b"", whole.headers["ETag"])


@EVERY_DOCUMENT
def test_a_document_of_an_unknown_namespace_is_not_found(still_world: World, document: str) -> None:
    answer = still_world.client.get(f"/fabrikam/{document}", base_url="http://127.0.0.1:8000")
    assert answer.status_code == 404
    record = still_world.records()[-1]
    assert members(answer)["trace_id"] == record["trace_id"] == answer.headers["Request-Id"]


@EVERY_DOCUMENT
def test_a_document_is_not_to_be_written(still_world: World, document: str) -> None:
    answer = still_world.client.put(f"/contoso/{document}", base_url="http://127.0.0.1:8000")
    assert answer.status_code == 405
    assert "GET" in answer.headers["Allow"]


def test_media_types_are_what_readers_expect(still_world: World) -> None:
    types = [still_world.get(document).headers["Content-Type"].partition(";")[0] for document in DOCUMENTS]
    assert types == ["application/xml", "application/json", "application/jwk-set+json", "text/xml"]


def test_discovery_names_the_issuer_and_its_addresses(still_world: World) -> None:
    openid = members(still_world.get(OPENID))
    assert openid["issuer"] == ISSUER
    assert openid["token_endpoint"] == ISSUER + "oauth2/token"
    assert openid["jwks_uri"] == ISSUER + JWKS
    for path in ("/.well-known/oauth-authorization-server/contoso", "/.well-known/oauth-authorization-server/contoso/"):
        answer = still_world.client.get(path, base_url="http://127.0.0.1:8000")
        assert members(answer)["issuer"] == ISSUER


def test_the_metadata_is_signed_by_its_first_certificate_and_names_the_issuer(still_world: World) -> None:
    body = still_world.get(METADATA).data
    root = verified_document(body, certificates(body, "signing")[0], still_world.now)
    assert root.get("entityID") == ISSUER


def test_a_new_certificate_is_published_at_once_behind_the_primary(world: World) -> None:
    before = {document: world.get(document).headers["ETag"] for document in DOCUMENTS}
    old, new = first(world, NAMESPACE), generate(world, NAMESPACE)
    assert published(world) == in_jwks(world) == ders(old, new)
    assert world.get(METADATA).headers["ETag"] != before[METADATA]
    assert world.get(JWKS, headers={"If-None-Match": before[JWKS]}).status_code == 200


def test_at_the_promotion_the_new_one_comes_first_to_the_second(world: World) -> None:
    old, new = first(world, NAMESPACE), generate(world, NAMESPACE)
    at = world.now + timedelta(minutes=30)
    promote(world, NAMESPACE, new, at)
    answer = world.get(METADATA)
    assert max_age(answer) == 1800
    world.clock.now = at - timedelta(microseconds=1)
    assert published(world) == ders(old, new)
    assert world.get(METADATA).headers["ETag"] == answer.headers["ETag"]
    world.clock.now = at
    assert published(world) == in_jwks(world) == ders(new, old)


def test_a_certificate_still_to_come_is_published_before_it_is_valid(world: World) -> None:
    old, coming = first(world, NAMESPACE), generate(world, NAMESPACE, begin=world.now + timedelta(days=30))
    assert set(published(world)) == set(ders(old, coming))
    assert published(world)[0] == old.certificate


def test_a_demoted_certificate_stays_until_its_end_and_its_last_token(world: World) -> None:
    old, new = first(world, NAMESPACE), generate(world, NAMESPACE, days=9000)
    promote(world, NAMESPACE, new)
    world.clock.now = old.not_after
    assert published(world) == ders(new, old)
    world.clock.now += timedelta(seconds=1)
    assert published(world) == in_jwks(world) == ders(new)


def test_a_certificate_demoted_at_its_end_stays_for_its_last_token(world: World) -> None:
    old, new = first(world, NAMESPACE), generate(world, NAMESPACE, days=9000)
    promote(world, NAMESPACE, new, old.not_after)
    world.clock.now = old.not_after + timedelta(hours=24)
    assert published(world) == ders(new, old)
    world.clock.now += timedelta(seconds=1)
    assert published(world) == ders(new)


def test_a_revoked_certificate_goes_at_once(world: World) -> None:
    old, new = first(world, NAMESPACE), generate(world, NAMESPACE)
    world.move(seconds=6)
    promote(world, NAMESPACE, new)
    revoke(world, NAMESPACE, old)
    assert published(world) == in_jwks(world) == ders(new)


def test_a_deleted_certificate_goes_at_once(world: World) -> None:
    old, new = first(world, NAMESPACE), generate(world, NAMESPACE)
    delete(world, NAMESPACE, new)
    assert published(world) == in_jwks(world) == ders(old)


def test_keys_and_dedicated_certificates_are_published_nowhere(world: World) -> None:
    before = {document: world.get(document).data for document in DOCUMENTS}
    generate(world, KEYS)
    for party in ("jwt", "saml20"):
        generate(world, dedicated(party))
    assert {document: world.get(document).data for document in DOCUMENTS} == before


def test_decryption_certificates_are_published_newest_first_in_their_own_role(world: World) -> None:
    old, new = first(world, DECRYPTION), generate(world, DECRYPTION)
    assert published(world, "encryption") == ders(new, old)
    assert in_jwks(world) == published(world, "signing")
    revoke(world, DECRYPTION, new)
    assert published(world, "encryption") == ders(old)


def refused_metadata(world: World) -> None:
    """The metadata is refused, while the key set and discovery are not."""
    answer = world.get(METADATA)
    assert (answer.status_code, members(answer)["detail"][:10]) == (503, "ACS20002: ")
    assert "Retry-After" in answer.headers
    record = world.records()[-1]
    assert (record["error"], record["trace_id"]) == ("ACS20002", members(answer)["trace_id"])
    assert "ACS50004" in record["detail"]
    for document in (JWKS, OPENID):
        assert world.get(document).status_code == 200


def test_metadata_that_nothing_may_sign_is_refused_while_keys_and_discovery_stay(world: World) -> None:
    assert world.get(METADATA).status_code == 200
    old, new = first(world, NAMESPACE), generate(world, NAMESPACE)
    revoke(world, NAMESPACE, old)
    refused_metadata(world)
    assert in_jwks(world) == ders(new)
    world.move(seconds=6)
    promote(world, NAMESPACE, new)
    assert published(world) == ders(new)


def test_metadata_ends_with_the_primary_to_the_second(world: World) -> None:
    old = first(world, NAMESPACE)
    world.clock.now = old.not_after - timedelta(seconds=9)
    assert max_age(world.get(METADATA)) == 10
    world.clock.now = old.not_after + timedelta(microseconds=999_999)
    assert world.get(METADATA).status_code == 200
    world.clock.now = old.not_after + timedelta(seconds=1)
    refused_metadata(world)


def test_no_document_is_kept_beyond_the_instant_at_which_it_changes(world: World) -> None:
    begin = world.now
    promote(world, NAMESPACE, generate(world, NAMESPACE), begin + timedelta(hours=2))
    for minutes, age in ((0, 3600), (60, 3600), (61, 3540), (119, 60), (120, 3600)):
        world.clock.now = begin + timedelta(minutes=minutes)
        assert max_age(world.get(METADATA)) == age


@pytest.mark.parametrize("key_type", [KeyType.RSA2048, KeyType.P256])
def test_two_nodes_publish_the_same_bytes(world: World, key_type: KeyType) -> None:
    new = generate(world, NAMESPACE, key_type=key_type)
    promote(world, NAMESPACE, new, world.now + timedelta(seconds=60))
    for other in lend(open_world(world.home)):
        for instant in (world.now, world.now + timedelta(seconds=60)):
            world.clock.now = other.clock.now = instant
            for document in DOCUMENTS:
                assert world.get(document).data == other.get(document).data
        assert published(other)[0] == new.certificate


def test_a_p256_primary_signs_the_metadata_and_is_in_the_key_set(world: World) -> None:
    new = generate(world, NAMESPACE, key_type=KeyType.P256)
    world.move(seconds=6)
    promote(world, NAMESPACE, new)
    assert published(world)[0] == new.certificate
    keys = members(world.get(JWKS))["keys"]
    assert [key["alg"] for key in keys] == ["ES256", "RS256"]
    assert "ES256" in members(world.get(OPENID))["id_token_signing_alg_values_supported"]


def test_the_namespaces_certificate_is_named_after_it(still_world: World) -> None:
    (der,) = published(still_world)
    certificate = x509.load_der_x509_certificate(der)
    assert certificate.subject.rfc4514_string() == "CN=contoso.127.0.0.1"
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc) == timedelta(days=730)


def test_how_long_metadata_may_be_kept_is_a_setting(tmp_path: Path) -> None:
    defaults = Settings.from_environ({"STS_METADATA_MAX_AGE": "5m"}).ring_defaults
    for world in lend(make_world(tmp_path, ring_defaults=defaults)):
        assert world.get(".well-known/jwks.json").headers["Cache-Control"] == "public, max-age=300"
