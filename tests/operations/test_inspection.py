"""What operators are told about a token: the tokens come from a whole service."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from sts.core.errors import BadRequest, InvalidToken, StsError
from sts.core.exchange import IssuedToken
from sts.core.model import Kind, TokenFormat, Use
from sts.crypto.certificates import Purpose
from sts.operations import credential_states, namespaces, new_credentials
from sts.operations.credential_states import Breakage
from sts.operations.inspection import Inspection, inspect
from sts.operations.new_credentials import CertificateOrder
from sts.operations.rings import RingName, Selection
from sts.operations.token_finding import FORMATS as WRITERS
from sts.protocols import rstr
from tests.flows.world import World, worlds
from tests.operations.workbench import write_certificate
from tests.tokens.assertions import DESCRIPTOR
from tests.tokens.holders import HOLDERS

FORMATS = {
    "swt": TokenFormat.SWT,
    "jwt": TokenFormat.JWT,
    "hs256": TokenFormat.JWT,
    "saml11": TokenFormat.SAML11,
    "saml20": TokenFormat.SAML20,
}
NOW = datetime(2026, 11, 22, tzinfo=UTC)
SIGNING = RingName("contoso")
KEYS = RingName("contoso", kind=Kind.SYMMETRIC)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    yield from worlds(tmp_path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service for the tests that change nothing."""
    yield from worlds(tmp_path_factory.mktemp("shared"))


def inspected(world: World, pasted: bytes, namespace: str | None = None) -> Inspection:
    return inspect(world.service.installation, pasted, namespace, world.now)


@pytest.mark.parametrize("party", FORMATS)
def test_a_good_token_verifies_and_tells_who_signed_it(shared: World, party: str) -> None:
    found = inspected(shared, shared.token(party))
    assert (found.verified, found.reasons) == (True, ())
    assert (found.view.format, found.view.issuer) == (FORMATS[party], "http://127.0.0.1:8000/contoso/")
    assert found.view.audience == f"https://{party}.example/"
    assert "sender" in {claim.value for claim in found.view.claims}
    assert found.signed_by is not None
    assert (found.signed_by.namespace, found.signed_by.relying_party) == ("contoso", None)
    shown = {c.thumbprint for c in shared.namespace.credentials}
    assert found.signed_by.thumbprint in shown


@pytest.mark.parametrize("party", FORMATS)
def test_a_whole_answer_or_its_base64url_is_as_good_as_the_token(shared: World, party: str) -> None:
    answer = shared.oauth(party)
    wrapped = base64.urlsafe_b64encode(shared.token(party)).rstrip(b"=")
    headers = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
    for pasted in (answer.data, headers + answer.data, b"\n " + answer.data + b"\n"):
        assert inspected(shared, pasted).verified
    if FORMATS[party].is_saml:
        assert inspected(shared, wrapped).verified
        assert inspected(shared, base64.urlsafe_b64encode(shared.token(party))).verified


@pytest.mark.parametrize("party", ["jwt", "saml11", "saml20"])
def test_a_token_for_the_holder_of_a_key_verifies(shared: World, party: str) -> None:
    now, credential = (
        shared.now,
        next(c for c in shared.namespace.credentials if c.use is Use.SIGNING and c.certificate),
    )
    descriptor = DESCRIPTOR._replace(
        issuer=shared.namespace.issuer,
        issued_at=now,
        not_before=now,
        expires_at=now + timedelta(minutes=10),
        confirmation=HOLDERS["p256"],
    )
    signer = shared.service.installation.key_ring.signer(shared.namespace, credential)
    found = inspected(shared, WRITERS[FORMATS[party]].write(descriptor, signer))
    assert (found.verified, found.reasons) == (True, ())


@pytest.mark.parametrize("party", FORMATS)
def test_what_a_browser_posts_to_a_relying_party_is_as_good_as_the_token(shared: World, party: str) -> None:
    token, now = shared.token(party), shared.now
    issued = IssuedToken(
        token, FORMATS[party], "0" * 32, "urn:rp", now, now + timedelta(minutes=10), party, "sender", 1
    )
    response = rstr.feb2005(issued, "ctx")
    form = urlencode({"wa": "wsignin1.0", "wresult": response, "wctx": "ctx"}).encode()
    for pasted in (response, b"\n" + response + b"\n", form, form.partition(b"&")[2]):
        found = inspected(shared, pasted)
        assert (found.verified, found.view.format) == (True, FORMATS[party])


def test_a_wrap_answer_is_as_good_as_its_token(shared: World) -> None:
    answer = shared.wrap()
    assert answer.data.startswith(b"wrap_access_token=")
    assert inspected(shared, answer.data).verified


@pytest.mark.parametrize("party", FORMATS)
def test_an_altered_token_does_not_verify(shared: World, party: str) -> None:
    token = shared.token(party)
    if FORMATS[party] is TokenFormat.JWT:
        head, payload, mac = token.split(b".")
        members = json.loads(base64.urlsafe_b64decode(payload + b"=="))
        changed = base64.urlsafe_b64encode(json.dumps({**members, "nameid": "admin"}).encode()).rstrip(b"=")
        token = b".".join((head, changed, mac))
    else:
        token = token.replace(b"worker", b"admins").replace(quote("worker").encode(), b"admins")
    found = inspected(shared, token)
    assert found.verified is False
    assert found.signed_by is None
    assert "no credential of namespace contoso made its signature" in found.reasons[0]


@pytest.mark.parametrize("party", FORMATS)
@pytest.mark.parametrize(
    ("hours", "reason"),
    [(1, "time: expired"), (-1, "time: "), (-3, "is not valid before 2026-06-01T12:00:00Z")],
    ids=["expired", "not yet valid", "before its credential"],
)
def test_a_token_out_of_its_time_tells_who_signed_it_and_why_not(
    world: World, party: str, hours: int, reason: str
) -> None:
    world.move(hours=2)
    token = world.token(party)
    world.move(hours=hours)
    found = inspected(world, token)
    assert found.signed_by is not None
    if (party, hours) == ("swt", -1):  # a simple web token has no beginning
        assert found.verified
    else:
        assert found.verified is False
        assert reason in found.reasons[0]


@pytest.mark.parametrize("party", ["jwt", "saml20", "swt"])
def test_a_token_of_a_revoked_or_deleted_credential_says_so(world: World, party: str) -> None:
    token = world.token(party)
    ring = KEYS if party == "swt" else SIGNING
    credential_states.revoke(world.service.installation, Selection(ring, 1), world.now, Breakage.ACCEPTED)
    found = inspected(world, token)
    assert found.verified is False
    assert "was revoked on 2026-06-01T12:00:00Z" in found.reasons[0]
    credential_states.delete(world.service.installation, Selection(ring, 1), world.now)
    found = inspected(world, token)
    assert found.verified is False
    assert ("was deleted on" in found.reasons[0]) == (party != "swt")  # nothing is left of a key


def test_a_token_of_an_expired_certificate_says_so(world: World) -> None:
    token = world.token("saml20")
    world.move(days=731)
    found = inspected(world, token)
    assert found.signed_by is not None
    assert any("expired on 2028-05-31T12:00:00Z" in reason for reason in found.reasons)


def test_a_dedicated_certificate_is_told_with_its_relying_party(world: World) -> None:
    order = CertificateOrder(RingName("contoso", relying_party="saml20"))
    row = new_credentials.generate_certificate(world.service.installation, order, world.now).row
    found = inspected(world, world.token("saml20"))
    assert found.verified
    assert found.signed_by is not None
    assert (found.signed_by.relying_party, found.signed_by.thumbprint) == ("saml20", row.thumbprint)


def test_an_encrypted_token_is_said_to_be_encrypted(world: World) -> None:
    dates = {"not_before": world.now, "not_after": world.now + timedelta(days=1)}
    write_certificate(world.home / "partner.cer", Purpose.ENCRYPTION, **dates)
    world.apply(
        "namespace: contoso\nrelying_parties:\n"
        "  - {name: saml20, realm: 'https://saml20.example/', token_format: saml20, rule_groups: [all], "
        "encryption: required, encryption_certificate: partner.cer}\n"
    )
    found = inspected(world, world.token("saml20"))
    assert (found.verified, found.view.encrypted, found.view.claims) == (None, True, ())
    assert found.reasons == ("it is encrypted: only its relying party can read it",)


def test_a_token_is_held_against_the_namespace_that_is_asked_for(world: World) -> None:
    namespaces.create(world.service.installation, "fabrikam", world.now)
    for party in ("swt", "jwt", "saml11"):
        found = inspected(world, world.token(party), "fabrikam")
        assert found.verified is False
        assert "no credential of namespace fabrikam made its signature" in found.reasons[0]


def test_a_token_of_a_stranger_is_told_to_be_one(shared: World) -> None:
    payload = base64.urlsafe_b64encode(b'{"iss":"https://elsewhere.example/","exp":1}').rstrip(b"=")
    found = inspected(shared, base64.urlsafe_b64encode(b'{"alg":"RS256"}').rstrip(b"=") + b"." + payload + b".AAAA")
    assert (found.verified, found.reasons) == (False, ("its issuer is no namespace of this installation",))


@pytest.mark.parametrize(
    "pasted",
    [
        *(
            b"",
            b" ",
            b"hello",
            b"{",
            b"{}",
            b'{"access_token": 5}',
            b"[1]",
            b"a.b",
            b"a.b.c",
            b"<a/>",
            b"<",
            b"\xff\xfe",
        ),
        *(b"wrap_access_token=", b"HMACSHA256=", b"{" * 10_000, b"HTTP/1.1 200 OK\r\n\r\n", b'{"access_token": ""}'),
        b'<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
        *(b"wa=wsignin1.0", b"wresult=", b"wresult=%3Ca%2F%3E", b"wa=wsignin1.0&wctx=\xff"),
        *(b'<t:RequestSecurityTokenResponse xmlns:t="%b"/>' % uri.encode() for uri in (rstr.TRUST_2005, rstr.TRUST_13)),
        rstr.feb2005(IssuedToken(b"", TokenFormat.SWT, "0" * 32, "a", NOW, NOW, "a", "b", 1), None).replace(
            b"</wsse:Bin", b"AAA</wsse:Bin"
        ),
    ],
)
def test_what_is_no_token_is_refused_with_a_sentence(shared: World, pasted: bytes) -> None:
    with pytest.raises((BadRequest, InvalidToken)) as refused:
        inspected(shared, pasted)
    assert isinstance(refused.value, StsError)
