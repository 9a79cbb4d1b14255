"""Rows A05-A07, A12-A15, A28, A34, F03, F10 and O06 at the doors where assertions are exchanged for tokens."""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from urllib.parse import unquote_plus

import pytest
from cryptography.hazmat.primitives import hashes
from werkzeug.test import TestResponse

from sts.core.model import ContentEncryption
from sts.store.purging import purge
from sts.tokens import saml11, saml20
from tests.crypto.identities import certificate
from tests.flows.test_database_away import database_away
from tests.flows.world import SECRET, World, members
from tests.threats.assertion_doors import ACS, OAUTH2, PARTY, TRUST, WRAP, AssertionDoor, doors, every_door, issued_in
from tests.threats.endpoints import OAUTH, seen_refused, send
from tests.threats.endpoints import refused as endpoint_refused
from tests.threats.hostile_assertions import honest_saml11
from tests.threats.identity_providers import (
    NAMESPACE,
    ROLE,
    Said,
    Stage,
    assertion,
    instant,
    restriction,
    stage,
    trust,
    values,
)
from tests.threats.signatures import DS, Recipe
from tests.threats.test_xml_signature import MADE, rsa


@pytest.fixture(scope="module")
def trusting(shared_world: World) -> World:
    """A service that trusts identity providers."""
    return trust(shared_world)


def claims(world: World, door: AssertionDoor, token: bytes, realm: str = PARTY) -> str:
    """The simple web token that a good assertion gets, decoded."""
    answer = door.present(world, token, realm)
    assert answer.status_code == 200, answer.text
    return unquote_plus(unquote_plus(READ[door](answer)))


READ: dict[AssertionDoor, Callable[[TestResponse], str]] = {
    OAUTH2: lambda answer: str(members(answer)["access_token"]),
    ACS: lambda answer: str(members(answer)["access_token"]),
    WRAP: lambda answer: answer.text.partition("&wrap_access_token_expires_in")[0],
    TRUST: lambda answer: issued_in(answer).decode(),
}


@doors
def test_token_is_about_whom_the_assertion_names_and_says_who_vouches(trusting: World, door: AssertionDoor) -> None:
    told = claims(trusting, door, assertion(stage(trusting, recipient=door.recipient)))
    assert "nameidentifier=alice@corp.example&" in told
    assert f"{ROLE}=reader&" in told
    assert "claims/identityprovider=https://idp.example/&" in told


@pytest.mark.parametrize("audience", ["", "WRAPv0.9", "WRAPv0.9/", "v2/OAuth2-13", "oauth2/token"])
@doors
def test_namespace_and_its_token_endpoints_are_good_audiences_and_recipients(
    trusting: World, door: AssertionDoor, audience: str
) -> None:
    made = stage(trusting, audience=NAMESPACE + audience, recipient=NAMESPACE + audience)
    assert door.present(trusting, assertion(made)).status_code == 200


@doors
@pytest.mark.parametrize("where", ["audience", "recipient"])
def test_assertion_for_the_sign_in_address_is_not_for_a_token_endpoint(
    trusting: World, door: AssertionDoor, where: str
) -> None:
    made = stage(trusting, **{"recipient": door.recipient, where: NAMESPACE + "v2/wsfederation"})
    assert where in door.refusal(trusting, assertion(made)).reason


def test_audiences_of_which_one_is_ours_are_alternatives(trusting: World) -> None:
    said = Said(conditions=restriction("https://other.example/", NAMESPACE))
    assert OAUTH2.present(trusting, assertion(stage(trusting), said)).status_code == 200


SAML11_GRANTS = [
    ("oauth2/token", {"grant_type": "urn:ietf:params:oauth:grant-type:saml1_1-bearer", "resource": PARTY}, True),
    ("v2/OAuth2-13", {"grant_type": "urn:oasis:names:tc:SAML:1.0:assertion", "scope": PARTY}, False),
]


@pytest.mark.parametrize(("path", "form", "encoded"), SAML11_GRANTS, ids=["oauth2", "acs"])
def test_saml11_has_its_own_grants(trusting: World, path: str, form: dict[str, str], *, encoded: bool) -> None:
    for encrypted in (False, True):
        made = honest_saml11(stage(trusting), "urn:gcm")
        if encrypted:
            made = honest_saml11(stage(trusting), "urn:gcm")
            made = saml11.encrypt(made, certificate("rsa2048", "sts"), ContentEncryption.AES256_GCM)
        text = urlsafe_b64encode(made) if encoded else made
        answer = send(trusting, f"/contoso/{path}", {**form, "assertion": text})
        assert answer.status_code == 200, answer.text
        assert trusting.records()[-1]["principal"] == "alice@corp.example"


def test_saml11_is_read_at_wrap_too(trusting: World) -> None:
    assert WRAP.present(trusting, honest_saml11(stage(trusting))).status_code == 200


@pytest.mark.parametrize("door", [OAUTH2, ACS], ids=["oauth2", "acs"])
def test_saml11_is_refused_by_the_grant_of_saml20(trusting: World, door: AssertionDoor) -> None:
    assert "root" in door.refusal(trusting, honest_saml11(stage(trusting))).reason


@every_door
def test_a05_disabled_identity_provider_vouches_for_nobody(trusting: World, door: AssertionDoor) -> None:
    made = assertion(stage(trusting, recipient=door.recipient), Said(issuer="urn:disabled"))
    assert "'disabled' is disabled" in door.refusal(trusting, made).reason


@every_door
@pytest.mark.parametrize("realm", ["https://disabled.example/", "https://unknown.example/"], ids=["A06", "unknown"])
def test_disabled_relying_party_is_not_found(trusting: World, door: AssertionDoor, realm: str) -> None:
    made = assertion(stage(trusting, recipient=door.recipient))
    found = seen_refused(trusting, lambda: door.present(trusting, made, realm))
    assert (found.status, "ACS50001" in found.body) == (400, True)


@every_door
@pytest.mark.parametrize("realm", ["https://strict.example/", "https://machines.example/"])
def test_a07_relying_party_takes_nobody_from_an_identity_provider_that_it_does_not_name(
    trusting: World, door: AssertionDoor, realm: str
) -> None:
    made = assertion(stage(trusting, recipient=door.recipient))
    found = seen_refused(trusting, lambda: door.present(trusting, made, realm))
    assert (found.status, "takes nobody from identity provider 'adfs'" in found.body.replace("&#39;", "'")) == (
        400,
        True,
    )
    assert "identity_providers" in found.reason


@every_door
def test_a12_assertion_is_accepted_once_wherever_it_goes(trusting: World, door: AssertionDoor) -> None:
    made = assertion(stage(trusting, recipient=NAMESPACE))
    assert OAUTH2.present(trusting, made).status_code == 200
    assert door.refusal(trusting, made).record["error"] == "ACS50013"


@every_door
@pytest.mark.parametrize(
    "change",
    [
        lambda made: b"  \n" + made + b"\n",
        lambda made: made.replace(b"</ds:SignatureValue>", b"\n</ds:SignatureValue>"),
        lambda made: made.replace(b" Version=", b"  Version="),
    ],
    ids=["A13-around", "A13-in the signature", "A13-in a tag"],
)
def test_assertion_that_is_written_otherwise_is_the_same_assertion(
    trusting: World, door: AssertionDoor, change: Callable[[bytes], bytes]
) -> None:
    made = assertion(stage(trusting, recipient=door.recipient))
    assert door.present(trusting, made).status_code == 200
    assert door.refusal(trusting, change(made)).record["error"] == "ACS50013"


@doors
def test_a13_assertion_behind_a_declaration_is_the_same_assertion(trusting: World, door: AssertionDoor) -> None:
    """Where it stands in a message of XML there can be none."""
    made = assertion(stage(trusting, recipient=door.recipient))
    assert door.present(trusting, made).status_code == 200
    declared = b'<?xml version="1.0" encoding="UTF-8"?>' + made
    assert door.refusal(trusting, declared).record["error"] == "ACS50013"


def test_a12_use_is_known_until_the_last_confirmation_of_an_assertion_ends(world: World) -> None:
    """Whatever was forgotten meanwhile: what held the first time may be over long before."""
    trust(world)
    at = stage(world)
    said = Said(
        confirmation="".join(
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData '
            f'NotOnOrAfter="{instant(at.now + life)}" Recipient="{at.recipient}"/></saml:SubjectConfirmation>'
            for life in (timedelta(minutes=5), timedelta(hours=4))
        ),
        ends=instant(at.now + timedelta(hours=6)),
    )
    made = assertion(at, said)
    assert OAUTH2.present(world, made).status_code == 200
    world.move(hours=2)
    purge(world.service.installation.database, world.now)
    assert OAUTH2.refusal(world, made).record["error"] == "ACS50013"


@pytest.mark.parametrize("three", [(OAUTH2, ACS, WRAP), (TRUST, OAUTH2, TRUST)], ids=["token endpoints", "wstrust"])
def test_a14_f10_of_sixteen_uses_at_once_one_wins(
    world: World, neighbour: World, three: tuple[AssertionDoor, ...]
) -> None:
    """Two workers on one database, eight requests each, at several doors."""
    workers = [trust(world), neighbour]
    neighbour.clock.now = world.now
    neighbour.service.directory.poll()
    made = assertion(stage(world, recipient=NAMESPACE))
    for worker in workers:
        assert OAUTH2.present(worker, assertion(stage(world))).status_code == 200
    with ThreadPoolExecutor(16) as threads:
        turns = range(16)
        statuses = list(threads.map(lambda n: three[n % 3].present(workers[n % 2], made).status_code, turns))
    assert (statuses.count(200), set(statuses)) == (1, {200, *(door.status for door in three)})


@every_door
def test_a15_assertion_that_is_encrypted_again_is_the_same_assertion(trusting: World, door: AssertionDoor) -> None:
    made = assertion(stage(trusting, recipient=NAMESPACE), Said(issuer="urn:gcm"))
    sealed = [saml20.encrypt(made, certificate("rsa2048", to), ContentEncryption.AES256_GCM) for to in ("sts", "old")]
    assert door.present(trusting, sealed[0]).status_code == 200
    assert "ACS50013" in door.refusal(trusting, sealed[1]).reason


@every_door
@pytest.mark.parametrize(
    ("attributes", "status"),
    [
        ("".join(values({ROLE: str(number)}) for number in range(79)), 200),
        ("".join(values({ROLE: str(number)}) for number in range(80)), 400),
    ],
    ids=["80", "A28-81"],
)
def test_eighty_claims_are_the_most(trusting: World, door: AssertionDoor, attributes: str, status: int) -> None:
    made = assertion(stage(trusting, recipient=door.recipient), Said(attributes=attributes))
    assert door.present(trusting, made).status_code == status


def test_a28_ten_thousand_claims_are_refused_as_a_shape(trusting: World) -> None:
    one = '<saml:Attribute Name="a"/>'
    made = assertion(stage(trusting), Said(attributes=one * 8_000))
    assert "shape" in OAUTH2.refusal(trusting, made).reason


@doors
def test_a28_claim_of_a_megabyte_is_too_large(trusting: World, door: AssertionDoor) -> None:
    made = assertion(stage(trusting), Said(attributes=values({ROLE: "x" * 1_000_000})))
    assert seen_refused(trusting, lambda: door.present(trusting, made)).status == 413


@every_door
def test_a34_claims_with_a_tokens_own_names_are_dropped(trusting: World, door: AssertionDoor) -> None:
    attributes = values({"Issuer": "evil", "Audience": "evil", "ExpiresOn": "evil", "hmacsha256": "evil", ROLE: "r"})
    told = claims(trusting, door, assertion(stage(trusting, recipient=door.recipient), Said(attributes=attributes)))
    assert "evil" not in told
    assert f"{ROLE}=r&" in told


def test_o06_expired_and_foreign_assertions_are_invalid_grants(trusting: World) -> None:
    expired = Said(begins="", ends=instant(trusting.now - timedelta(hours=1)))
    foreign = Said(conditions=restriction(NAMESPACE.replace("contoso", "fabrikam")))
    answers = {OAUTH2.refusal(trusting, assertion(stage(trusting), said)).answer for said in (expired, foreign)}
    assert len(answers) == 1


def test_o07_secret_in_header_and_body_is_an_invalid_request_beside_an_assertion_too(trusting: World) -> None:
    form = OAUTH2.form(assertion(stage(trusting)), PARTY) | {"client_id": "worker", "client_secret": SECRET}
    found = endpoint_refused(trusting, OAUTH, form, headers={"Authorization": "Basic d29ya2VyOng="})
    assert (found.status, '"error":"invalid_request"' in found.body) == (400, True)


@pytest.mark.parametrize(("secret", "status"), [(SECRET, 200), ("wrong", 401)])
def test_client_beside_an_assertion_must_authenticate_if_it_tries(trusting: World, secret: str, status: int) -> None:
    form = OAUTH2.form(assertion(stage(trusting)), PARTY) | {"client_id": "worker", "client_secret": secret}
    answer = send(trusting, "/contoso/oauth2/token", form)
    assert answer.status_code == status
    if status == 200:
        assert trusting.records()[-1]["principal"] == "alice@corp.example"


@every_door
def test_f03_without_the_database_no_assertion_is_accepted(world: World, door: AssertionDoor) -> None:
    trust(world)
    assert door.present(world, assertion(stage(world, recipient=door.recipient))).status_code == 200
    made = assertion(stage(world, recipient=door.recipient))
    with database_away(world):
        assert door.present(world, made).status_code == (500 if door is TRUST else 503)
    assert door.present(world, made).status_code == 200


@every_door
def test_d36_sha1_signatures_are_read_only_of_the_identity_provider_that_is_allowed_them(
    trusting: World, door: AssertionDoor
) -> None:
    old = Recipe(sign=MADE["D36"][0].sign, method=DS + "rsa-sha1", digest="sha1", digest_method=DS + "sha1")
    allowed = assertion(stage(trusting, recipient=door.recipient), Said(issuer="urn:old"), old)
    assert door.present(trusting, allowed).status_code == 200
    assert "signature" in door.refusal(trusting, assertion(stage(trusting), recipe=old)).reason


def signed_by_robot(at: Stage, said: Said) -> bytes:
    """What a service identity says of itself."""
    return assertion(at, said, Recipe(sign=rsa("rsa2048", "robot", hashes.SHA256())))


@doors
def test_service_identity_signs_an_assertion_with_its_own_certificate(trusting: World, door: AssertionDoor) -> None:
    made = signed_by_robot(stage(trusting, recipient=door.recipient), Said(issuer="robot"))
    told = claims(trusting, door, made, "https://machines.example/")
    assert "nameidentifier=robot&" in told, "what it claims beyond its issuer is ignored"
    assert "reader" not in told
    assert door.refusal(trusting, made).record["error"] == "ACS50013"


SELF_ISSUED = {
    "another's certificate": (Said(issuer="curve"), "signature is not valid"),
    "disabled": (Said(issuer="gone"), "service identity 'gone' is disabled"),
    "unknown": (Said(issuer="nobody"), "unknown service identity"),
    "no certificate": (Said(issuer="worker"), "has no key for saml20 tokens"),
    "identity provider's name": (Said(issuer="adfs"), "unknown service identity"),
    "identity provider's issuer": (Said(), "signature is not valid"),
}


@every_door
@pytest.mark.parametrize(("said", "reason"), SELF_ISSUED.values(), ids=SELF_ISSUED.keys())
def test_keys_of_the_one_record_that_the_issuer_names_alone_verify(
    trusting: World, door: AssertionDoor, said: Said, reason: str
) -> None:
    made = signed_by_robot(stage(trusting, recipient=door.recipient), said)
    found = door.refusal(trusting, made)
    assert reason in found.reason
    assert found.record["error"] == "ACS50006"


def test_self_issued_assertion_lasts_at_most_a_day_and_is_never_encrypted(trusting: World) -> None:
    for seconds, status in ((86_400, 200), (86_401, 400)):
        ends = instant(trusting.now + timedelta(seconds=seconds))
        confirmation = '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"/>'
        said = Said(issuer="robot", ends=ends, confirmation=confirmation)
        assert OAUTH2.present(trusting, signed_by_robot(stage(trusting), said)).status_code == status
    made = signed_by_robot(stage(trusting), Said(issuer="robot"))
    sealed = saml20.encrypt(made, certificate("rsa2048", "sts"), ContentEncryption.AES256_GCM)
    assert "encrypted assertions are theirs alone" in OAUTH2.refusal(trusting, sealed).reason


def test_we_do_not_take_our_own_assertions_for_a_service_identitys(trusting: World) -> None:
    ours = trusting.token("saml20")
    assert "unknown service identity" in OAUTH2.refusal(trusting, ours).reason
