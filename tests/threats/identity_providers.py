"""A service that trusts identity providers, and what they say when they are honest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12

from tests.crypto.identities import certificate, rsa_key
from tests.flows.world import World
from tests.threats.signatures import SAML20, Recipe, signed

ADFS, OTHER = "https://idp.example/", "https://other.example/"  # issuers
NAMESPACE = "http://127.0.0.1:8000/contoso/"
ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
SAML11 = "urn:oasis:names:tc:SAML:1.0:assertion"
OWNERS = ("idp", "other", "robot", "attacker")  # of RSA keys

PROVIDERS = "identity_providers: [adfs, gcm, cbc, old, disabled, local]"

CONFIGURATION = f"""
namespace: contoso
credentials:
  - {{use: decryption, kind: certificate, pkcs12: old.pfx, password: "env:PFX"}}
  - {{use: decryption, kind: certificate, pkcs12: sts.pfx, password: "env:PFX", primary: true}}
identity_providers:
  - {{name: adfs, issuer: "{ADFS}", certificates: [idp-rsa2048.cer, idp-p256.cer]}}
  - {{name: other, issuer: "{OTHER}", certificates: [other-rsa2048.cer]}}
  - {{name: gcm, issuer: "urn:gcm", certificates: [idp-rsa2048.cer], decryption: aes256-gcm}}
  - {{name: cbc, issuer: "urn:cbc", certificates: [idp-rsa2048.cer], decryption: aes256-cbc}}
  - {{name: old, issuer: "urn:old", certificates: [idp-rsa2048.cer], allow_sha1: true}}
  - {{name: disabled, issuer: "urn:disabled", certificates: [idp-rsa2048.cer], enabled: false}}
  - {{name: local, kind: local}}
service_identities:
  - {{name: worker, password: "env:WORKER_PASSWORD", symmetric_key: "env:WORKER_KEY"}}
  - {{name: old, symmetric_key: "env:OLD_KEY", swt_without_expiry: true}}
  - {{name: gone, password: "env:WORKER_PASSWORD", enabled: false, certificate: robot-rsa2048.cer}}
  - {{name: robot, certificate: robot-rsa2048.cer}}
  - {{name: curve, certificate: robot-p256.cer}}
relying_parties:
  - {{name: swt, realm: "https://swt.example/", token_format: swt, rule_groups: [all, people], {PROVIDERS}}}
  - {{name: jwt, realm: "https://jwt.example/", token_format: jwt, rule_groups: [all, people], {PROVIDERS}}}
  - {{name: saml20, realm: "https://saml20.example/", token_format: saml20, rule_groups: [all, people], {PROVIDERS}}}
  - {{name: strict, realm: "https://strict.example/", token_format: swt, rule_groups: [all, people],
     identity_providers: [other]}}
  - {{name: machines, realm: "https://machines.example/", token_format: swt, rule_groups: [all, people]}}
rule_groups:
  - name: people
    rules:
      - {{input: {{issuer: adfs}}}}
      - {{input: {{issuer: gcm}}}}
      - {{input: {{issuer: cbc}}}}
      - {{input: {{issuer: old}}}}
      - {{input: {{issuer: other}}}}
      - {{input: {{issuer: disabled}}}}
  - name: all
    rules:
      - {{input: {{issuer: LOCAL AUTHORITY}}}}
"""


def trust(world: World, configuration: str = CONFIGURATION) -> World:
    """Let the service's namespace trust the identity providers."""
    for owner in OWNERS:
        for kind in ("rsa2048", "p256"):
            made = x509.load_der_x509_certificate(certificate(kind, owner))
            (world.home / f"{owner}-{kind}.cer").write_bytes(made.public_bytes(Encoding.PEM))
    for owner in ("sts", "old"):
        made = x509.load_der_x509_certificate(certificate("rsa2048", owner))
        held = pkcs12.serialize_key_and_certificates(None, rsa_key(owner), made, None, BestAvailableEncryption(b"pfx"))
        (world.home / f"{owner}.pfx").write_bytes(held)
    world.apply(configuration, {"PFX": "pfx"})
    world.move(seconds=10)  # by then the new primary is everywhere
    return world


@dataclass(frozen=True)
class Stage:
    """Where and when an assertion is presented; no two stages give an assertion one ID."""

    now: datetime
    number: int
    audience: str = NAMESPACE
    recipient: str = NAMESPACE + "oauth2/token"

    @property
    def id(self) -> str:
        """The ID of its assertion."""
        return f"_a{self.number:032x}"


_numbers = count(1)


def stage(world: World, **changes: Any) -> Stage:
    """A stage that nobody has been on."""
    return replace(Stage(world.now, next(_numbers)), **changes)


def instant(at: datetime) -> str:
    """An instant as assertions write it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Said:
    """What an honest SAML 2.0 assertion says; texts are XML, so that a test may say anything."""

    issuer: str = ADFS
    subject: str = "<saml:NameID>alice@corp.example</saml:NameID>"
    confirmation: str | None = None  # None: a bearer's, to the stage's recipient
    begins: str | None = None
    ends: str | None = None
    conditions: str | None = None  # None: the stage's audience
    attributes: str = ""
    more: str = ""


HONEST = Said()


def values(claims: Mapping[str, str]) -> str:
    """The attributes of these claims."""
    return "".join(
        f'<saml:Attribute Name="{name}"><saml:AttributeValue>{value}</saml:AttributeValue></saml:Attribute>'
        for name, value in claims.items()
    )


def unsigned(at: Stage, said: Said = HONEST) -> str:
    """The assertion before it is signed."""
    confirmation = said.confirmation
    if confirmation is None:
        confirmation = (
            '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData '
            f'NotOnOrAfter="{instant(at.now + timedelta(minutes=5))}" Recipient="{at.recipient}"/>'
            "</saml:SubjectConfirmation>"
        )
    conditions = said.conditions
    if conditions is None:
        conditions = restriction(at.audience)
    begins = instant(at.now) if said.begins is None else said.begins
    ends = instant(at.now + timedelta(hours=1)) if said.ends is None else said.ends
    attributes = said.attributes or values({ROLE: "reader"})
    window = (f' NotBefore="{begins}"' if begins else "") + (f' NotOnOrAfter="{ends}"' if ends else "")
    return (
        f'<saml:Assertion xmlns:saml="{SAML20}" ID="{at.id}" IssueInstant="{instant(at.now)}" Version="2.0">'
        f"<saml:Issuer>{said.issuer}</saml:Issuer><saml:Subject>{said.subject}{confirmation}</saml:Subject>"
        f"<saml:Conditions{window}>{conditions}</saml:Conditions>"
        f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement>{said.more}</saml:Assertion>"
    )


def restriction(*audiences: str) -> str:
    """A restriction to any of these audiences."""
    named = "".join(f"<saml:Audience>{audience}</saml:Audience>" for audience in audiences)
    return f"<saml:AudienceRestriction>{named}</saml:AudienceRestriction>"


def assertion(at: Stage, said: Said = HONEST, recipe: Recipe | None = None) -> bytes:
    """The assertion, signed as the recipe says: by the honest identity provider unless it says otherwise."""
    made = recipe or Recipe()
    if made.uri == Recipe().uri:
        made = replace(made, uri=f"#{at.id}")
    return signed(made, unsigned(at, said))
