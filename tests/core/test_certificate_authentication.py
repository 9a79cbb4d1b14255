"""Who a client is by its certificate: the pinned one, or one that a CA of the namespace issued in its name."""

from dataclasses import replace
from typing import Any

import pytest

from sts.core.authentication import authenticate
from sts.core.errors import AuthenticationFailed
from sts.core.exchange import CertificateProof, TokenRequest
from sts.core.model import PartnerCertificate, ServiceIdentity, TrustedCA, Use
from sts.core.uris import AuthenticationMethod
from sts.crypto.certificates import parse
from tests.core.builders import DAY, NOW, credential
from tests.core.test_issue import World
from tests.crypto.factories import FACTORY, NAMESAKE, STRANGER

PINNED = STRANGER.issue("CN=anything")


def pinned(der: bytes, **changes: Any) -> PartnerCertificate:
    found = parse(der)
    certificate = PartnerCertificate(der, found.subject, found.thumbprint, found.not_before, found.not_after)
    return replace(certificate, **changes)


def trusted(der: bytes, **changes: Any) -> TrustedCA:
    return replace(TrustedCA(1, "factory", pinned(der), verified_at=NOW - DAY), **changes)


@pytest.fixture
def world() -> World:
    made = World()
    made.identity("pinned", certificate=pinned(PINNED))
    made.identity("gone", enabled=False, certificate=pinned(PINNED))
    return trusting(made, trusted(FACTORY.certificate()))


def trusting(world: World, *authorities: TrustedCA) -> World:
    known = world.directory.namespaces
    known["contoso"] = replace(known["contoso"], trusted_cas=authorities)
    return world


def refused(world: World, certificate: bytes, name: str | None) -> str:
    with pytest.raises(AuthenticationFailed) as error:
        world.ask(CertificateProof(certificate, name))
    return error.value.detail or ""


@pytest.mark.parametrize("name", ["worker", None], ids=["named", "unnamed"])
def test_a_certificate_of_a_trusted_ca_authenticates_whom_it_names(world, name):
    assert world.ask(CertificateProof(FACTORY.issue(), name)).principal == "worker"


def test_the_pinned_certificate_authenticates_its_identity_whatever_it_names(world):
    assert world.ask(CertificateProof(PINNED, "pinned")).principal == "pinned"
    world.identity("anything", certificate=pinned(PINNED))
    assert world.ask(CertificateProof(PINNED)).principal == "anything"


def test_a_certificate_of_the_namespaces_own_ca_authenticates(world):
    world = trusting(world)
    assert "no CA" in refused(world, FACTORY.issue(), "worker")
    own = credential(9, use=Use.TENANT_CA, certificate=FACTORY.certificate(), primary_from=NOW - DAY)
    next_one = credential(10, use=Use.TENANT_CA, certificate=NAMESAKE.certificate())
    world.directory.credentials |= {9: (1, own), 10: (1, next_one)}
    assert world.ask(CertificateProof(FACTORY.issue(), "worker")).principal == "worker"
    assert world.ask(CertificateProof(NAMESAKE.issue(), "worker")).principal == "worker"
    world.directory.credentials[9] = (1, replace(own, revoked_at=NOW))
    assert "was not issued by the CA" in refused(world, FACTORY.issue(), "worker")


def test_the_principal_says_how_it_authenticated(world):
    request = TokenRequest(
        "contoso", "", CertificateProof(FACTORY.issue(), "worker"), frozenset(), "192.0.2.1", "trace"
    )
    principal = authenticate(world.directory.namespace("contoso"), request, world.parts, NOW)
    assert (principal.name, principal.method, principal.authenticated_at) == ("worker", AuthenticationMethod.X509, NOW)


# (the certificate, who the caller says it is, the true reason)
REFUSED = {
    "an unknown name": (FACTORY.issue("CN=nobody"), "nobody", "unknown service identity"),
    "a disabled name": (FACTORY.issue("CN=gone"), "gone", "'gone' is disabled"),
    "a disabled name, pinned": (PINNED, "gone", "'gone' is disabled"),
    "another's certificate": (FACTORY.issue("CN=other"), "worker", "names 'other', the request 'worker'"),
    "another's pinned certificate": (PINNED, "worker", "no CA"),
    "another case": (FACTORY.issue("CN=Worker"), "worker", "names 'Worker'"),
    "no trusted CA": (STRANGER.issue(), "worker", "no CA"),
    "a namesake of the CA": (NAMESAKE.issue(), "worker", "was not issued by the CA"),
    "an empty name": (FACTORY.issue(), "", "the request ''"),
    "garbage": (b"garbage", "worker", "client certificate"),
    "garbage, unnamed": (b"garbage", None, "client certificate"),
    "nothing, unnamed": (b"", None, "client certificate"),
}


@pytest.mark.parametrize(("certificate", "name", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_a_certificate_that_is_not_the_identitys_is_refused(world, certificate, name, reason):
    assert reason in refused(world, certificate, name)


@pytest.mark.parametrize(
    "authority",
    [
        trusted(FACTORY.certificate(), verified_at=None),
        trusted(FACTORY.certificate(not_after=NOW - DAY)),
    ],
    ids=["unverified", "expired"],
)
def test_a_ca_that_is_not_trusted_now_vouches_for_nobody(world, authority):
    assert "no CA that is trusted now" in refused(trusting(world, authority), FACTORY.issue(), "worker")


@pytest.mark.parametrize("dates", [{"not_after": NOW - DAY}, {"not_before": NOW + DAY}], ids=["expired", "early"])
def test_a_pinned_certificate_is_good_within_its_dates_only(world, dates):
    world.identity("pinned", certificate=pinned(PINNED, **dates))
    assert "not valid now" in refused(world, PINNED, "pinned")


def test_an_identity_with_a_pinned_certificate_may_use_one_of_a_trusted_ca_too(world):
    assert world.ask(CertificateProof(FACTORY.issue("CN=pinned"), "pinned")).principal == "pinned"


def test_an_identity_of_another_namespace_is_not_found(world):
    world.directory.service_identities[2, "foreign"] = ServiceIdentity(5, "foreign")
    assert "unknown" in refused(world, FACTORY.issue("CN=foreign"), "foreign")
