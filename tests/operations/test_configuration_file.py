"""What a configuration file may say, and how its faults are told."""

from base64 import b64encode
from datetime import timedelta
from pathlib import Path

import pytest

from sts.core.errors import InvalidConfiguration
from sts.core.model import (
    ClaimPattern,
    ContentEncryption,
    IdentityProvider,
    KeyType,
    Kind,
    ProviderKind,
    RingPolicy,
    Rule,
    RuleGroup,
    TokenFormat,
    Use,
)
from sts.crypto.certificates import pem
from sts.operations.configuration.model import Configuration, Known
from sts.operations.configuration.reading import read_configuration
from sts.settings import Settings
from tests.operations.workbench import DAY, KEY, surroundings, write_pkcs12

EVERYTHING = """\
namespace: contoso
hosts: [contoso.sts.example]
session: 12h
rollover:
  signing: {automatic: true, lifetime: 1y, lead: 60d, turn: 30d, key_type: p256}
  signing-keys: {automatic: false, lifetime: 5y}
credentials:
  - {use: decryption, kind: certificate, pkcs12: decryption.pfx, password: env:PFX, primary: true}
relying_parties:
  - name: orders
    realm: https://orders.example/api/
    token_format: jwt
    signing: symmetric
    token_lifetime: 900
    reply: [https://orders.example/signin, https://orders.example/other]
    error_url: https://orders.example/error
    jwt_type: at+jwt
    enabled: false
    identity_providers: [adfs, local]
    rule_groups: [orders]
    credentials:
      - use: signing
        kind: symmetric
        value: env:KEY
        not_before: 2026-01-01T00:00:00Z
        not_after: 2027-01-01T00:00:00Z
        primary: true
      - {use: signing, kind: certificate, pkcs12: orders.pfx, password: env:PFX}
  - name: stock
    realm: urn:stock
    token_format: saml20
    encryption: required
    encryption_certificate: stock.cer
    encryption_algorithm: aes256-gcm
    proof_of_possession: true
    managed: true
identity_providers:
  - name: adfs
    issuer: http://adfs.example/adfs/services/trust
    sign_in_url: https://adfs.example/adfs/ls/
    sign_out_url: https://adfs.example/adfs/ls/?wa=wsignout1.0
    certificates: [adfs.cer]
    email_domains: [contoso.example]
    display_name: Contoso AD FS
    image: https://contoso.example/logo.png
    unsolicited: true
    allow_sha1: true
    decryption: aes256-cbc
  - {name: local, kind: local}
service_identities:
  - name: worker
    password: env:PASSWORD
    symmetric_key: file:worker.key
    certificate: worker.cer
    swt_without_expiry: true
    interactive: true
    may_act: true
    recoverable_password: true
rule_groups:
  - name: orders
    rules:
      - {input: {issuer: LOCAL AUTHORITY}}
      - {input: {issuer: adfs, type: a, value: b}, and: {issuer: adfs, type: c, value: d}, output: {type: e, value: f}}
"""


def read(text: str, folder: Path, known: Known | None = None, **changes: object) -> Configuration:
    return read_configuration(text.encode(), surroundings(folder, **changes), lambda _: known or Known())


def faults(text: str, folder: Path, known: Known | None = None, **changes: object) -> tuple[str, ...]:
    with pytest.raises(InvalidConfiguration) as refused:
        read(text, folder, known, **changes)
    return refused.value.faults


def test_everything_that_can_be_written_is_read(folder: Path) -> None:
    found = read(EVERYTHING, folder)
    assert (found.namespace, found.hosts, found.session) == ("contoso", ("contoso.sts.example",), timedelta(hours=12))
    assert found.rollover == {
        "signing": RingPolicy(True, 365 * DAY, 60 * DAY, 30 * DAY, KeyType.P256),
        "signing-keys": RingPolicy(False, 5 * 365 * DAY),
    }
    (decryption,) = found.credentials
    assert (decryption.use, decryption.kind, decryption.is_primary) == (Use.DECRYPTION, Kind.CERTIFICATE, True)
    assert found.rule_groups == (
        RuleGroup(
            0,
            "orders",
            (
                Rule(ClaimPattern("LOCAL AUTHORITY")),
                Rule(ClaimPattern("adfs", "a", "b"), ClaimPattern("adfs", "c", "d"), "e", "f"),
            ),
        ),
    )


def test_a_relying_party_is_read(folder: Path) -> None:
    orders, stock = read(EVERYTHING, folder).relying_parties or ()
    assert (orders.party.token_format, orders.party.kind) == (TokenFormat.JWT, Kind.SYMMETRIC)
    assert orders.party.token_lifetime == timedelta(seconds=900)
    assert orders.party.reply == ("https://orders.example/signin", "https://orders.example/other")
    assert (orders.party.jwt_type, orders.party.enabled) == ("at+jwt", False)
    assert [(c.kind, c.is_primary) for c in orders.credentials] == [(Kind.SYMMETRIC, True), (Kind.CERTIFICATE, False)]
    assert stock.party.encryption_required
    assert stock.party.encryption_certificate is not None
    assert stock.party.encryption_certificate.subject == "CN=partner"
    assert stock.party.encryption_algorithm is ContentEncryption.AES256_GCM
    assert stock.party.managed


def test_partners_are_read(folder: Path) -> None:
    found = read(EVERYTHING, folder)
    adfs, local = found.identity_providers or ()
    assert (adfs.issuer, adfs.email_domains) == ("http://adfs.example/adfs/services/trust", ("contoso.example",))
    assert (adfs.unsolicited, adfs.allow_sha1, adfs.decryption) == (True, True, ContentEncryption.AES256_CBC)
    assert local == IdentityProvider(0, "local", ProviderKind.LOCAL)
    (worker,) = found.service_identities or ()
    assert (worker.password, worker.symmetric_key) == (b"correct horse", bytes(range(32)))
    assert worker.identity.certificate is not None
    assert (worker.identity.may_act, worker.identity.recoverable_password) == (True, True)


def test_what_is_absent_is_none_and_no_secret_is_shown(folder: Path) -> None:
    found = read("namespace: contoso\n", folder)
    assert found == Configuration("contoso")
    shown = repr(read(EVERYTHING, folder))
    assert "correct horse" not in shown
    assert repr(bytes(range(32))) not in shown


NAMESPACE = "namespace: contoso\n"
PARTY = NAMESPACE + "relying_parties:\n  - {{name: a, realm: https://a.example/, {}}}\n"
PROVIDER = NAMESPACE + "identity_providers:\n  - {{name: a, {}}}\n"
IDENTITY = NAMESPACE + "service_identities:\n  - {{name: a, {}}}\n"
JWT = "token_format: jwt, "
CREDENTIAL = NAMESPACE + "credentials:\n  - {{{}}}\n"
SYMMETRIC = "use: signing, kind: symmetric, "
DATES = "not_before: 2026-01-01T00:00:00Z, not_after: 2027-01-01T00:00:00Z"
PFX = "use: signing, kind: certificate, password: env:PFX, "

ONE_FAULT = [
    ("namespace: a b\n", 'line 1: namespace: "a b" does not fit'),
    ('namespace: "a\\n"\n', "line 1: namespace:"),
    (f"namespace: {'x' * 65}\n", "line 1: namespace:"),
    ("namespace: console\n", "line 1: namespace: 'console' is an address of the service itself"),
    ("relying_parties: []\n", "line 1: 'namespace' is missing"),
    ("[]\n", "line 1: a mapping of keys to values belongs here"),
    (NAMESPACE + "relyingparties: []\n", "line 2: relyingparties: there is no key 'relyingparties' here; did you mean"),
    (NAMESPACE + "hosts: [sts.example]\n", "line 2: hosts[1]: 'sts.example' is the host of the service itself"),
    (NAMESPACE + "hosts: ['a.example:1']\n", "line 2: hosts[1]: 'a.example:1' is not a host name"),
    (NAMESPACE + "session: 31d\n", "line 2: session: a session lasts at most 30d"),
    (NAMESPACE + "session: 8\n", "line 2: session: text belongs here"),
    (NAMESPACE + "rollover: {signing: {lead: 3y}}\n", "line 2: rollover.signing.lead: lead (3y) must be shorter"),
    (NAMESPACE + "rollover: {signing: {lead: 71h}}\n", "line 2: rollover.signing.lead: lead (71h) leaves partners"),
    (NAMESPACE + "rollover: {signing: {turn: 90d}}\n", "line 2: rollover.signing.turn: turn (90d) must be shorter"),
    (NAMESPACE + "rollover: {decryption: {key_type: p256}}\n", "line 2: rollover.decryption.key_type:"),
    (NAMESPACE + "rollover: {signing-keys: {key_type: p256}}\n", "line 2: rollover.signing-keys.key_type: there is no"),
    (PARTY.format("token_format: samel20"), "is not one of swt, jwt, saml11, saml20; did you mean 'saml20'?"),
    (PARTY.format(JWT + "token_lifetime: 0"), "line 3: relying_parties[1].token_lifetime: 0 does not fit"),
    (PARTY.format(JWT + "token_lifetime: 86401"), "line 3: relying_parties[1].token_lifetime: 86401 does not fit"),
    (PARTY.format(JWT + "token_lifetime: true"), "a whole number belongs here"),
    (PARTY.format(JWT + "token_lifetime: 1h"), "a whole number belongs here"),
    (PARTY.format(JWT + "realm: 'https://'"), "'realm' stands here twice"),
    (PARTY.format(JWT + "reply: ['javascript:alert(1)']"), "line 3: relying_parties[1].reply[1]:"),
    (PARTY.format(JWT + "reply: ['http://127.0.0.1/']"), "is not https"),
    (PARTY.format(JWT + "error_url: 'https://u@a.example/'"), "user name"),
    (PARTY.format(JWT + "encryption: required"), "only SAML tokens can be encrypted, and the format here is jwt"),
    (PARTY.format(JWT + "encryption_certificate: stock.cer"), "only SAML tokens can be encrypted"),
    (PARTY.format("token_format: swt, signing: certificate"), "swt tokens are signed by a symmetric credential"),
    (PARTY.format("token_format: saml11, signing: symmetric"), "saml11 tokens are signed by a certificate credential"),
    (PARTY.format("token_format: saml11, jwt_type: JWT"), "jwt_type has no meaning for saml11"),
    (PARTY.format(JWT + "jwt_type: jwt"), "is not one of JWT, at+jwt"),
    (PARTY.format("token_format: saml20, encryption: required"), "needs an encryption_certificate"),
    (PARTY.format("token_format: saml20, proof_of_possession: true"), "need encryption: required"),
    (PARTY.format("token_format: saml20, encryption_certificate: missing.cer"), "No such file"),
    (PARTY.format("token_format: saml20, encryption_certificate: elliptic.cer"), "encryption_certificate: "),
    (PARTY.format("token_format: saml20, encryption_certificate: expired.cer"), "expired"),
    (PARTY.format("token_format: saml20, encryption: required, encryption_certificate: later.cer"), "not valid before"),
    (PARTY.format(JWT + "rule_groups: [oders]"), "relying_parties[1].rule_groups[1]: there is no rule group 'oders'"),
    (PARTY.format(JWT + "identity_providers: [adfs]"), "there is no identity provider 'adfs'"),
    (PARTY.format(JWT + "metadata: a.xml"), "it is looked for beside this file and in metadata/"),
    (
        PARTY.format(
            JWT + "credentials: [{use: decryption, kind: certificate, pkcs12: decryption.pfx, password: env:PFX}]"
        ),
        "decryption certificates belong to the namespace",
    ),
    (PARTY.format(JWT + f"managed: true, credentials: [{{{PFX}pkcs12: orders.pfx}}]"), "take its own away"),
    (PROVIDER.format("metadata: b.xml"), "the file b.xml cannot be read"),
    (PROVIDER.format("metadata: b.xml"), "`sts metadata export --namespace NAME` writes that of another namespace"),
    (PARTY.format("token_format: saml20, encryption_certificate: b.cer"), "write the certificate there (DER or PEM)"),
    (PROVIDER.format("issuer: urn:a"), "line 3: identity_providers[1].name: certificates is missing"),
    (PROVIDER.format("certificates: [adfs.cer]"), "issuer is missing"),
    (PROVIDER.format("issuer: urn:a, certificates: []"), "identity_providers[1].certificates: this is empty"),
    (PROVIDER.format("issuer: urn:a, certificates: [adfs.cer, adfs.cer]"), "the same certificate stands here twice"),
    (PROVIDER.format("kind: local, issuer: urn:a"), "issuer has no meaning for a local identity provider"),
    (PROVIDER.format("kind: local, email_domains: ['@a.example']"), "is not a host name"),
    (IDENTITY.format("password: hunter2hunter2"), "Written env:NAME or file:PATH, never the secret itself"),
    (IDENTITY.format("password: env:MISSING"), "the environment variable MISSING is not set; set it"),
    (IDENTITY.format("password: file:missing"), "the file missing cannot be read: No such file or directory"),
    (IDENTITY.format("password: file:."), "cannot be read: Is a directory"),
    (IDENTITY.format("symmetric_key: env:PASSWORD"), "standard base64 of exactly 32 bytes"),
    (CREDENTIAL.format(SYMMETRIC + DATES), "needs value, not_before, not_after; value is missing"),
    (CREDENTIAL.format(SYMMETRIC + "value: env:KEY, not_before: 2026-01-01T00:00:00Z"), "not_after is missing"),
    (
        CREDENTIAL.format(SYMMETRIC + "value: env:KEY, not_before: 2026-01-01, not_after: 2027-01-01T00:00:00Z"),
        "is not an instant with its zone",
    ),
    (
        CREDENTIAL.format(
            SYMMETRIC + "value: env:KEY, not_before: 2027-01-01T00:00:00Z, not_after: 2026-01-01T00:00:00Z"
        ),
        "the key ends before it begins",
    ),
    (CREDENTIAL.format(f"{SYMMETRIC}{DATES}, value: env:KEY, pkcs12: a.pfx"), "pkcs12 has no meaning for a symmetric"),
    (CREDENTIAL.format(f"use: decryption, kind: symmetric, {DATES}, value: env:KEY"), "they do not decrypt"),
    (CREDENTIAL.format(PFX + "pkcs12: missing.pfx"), "No such file"),
    (CREDENTIAL.format("use: signing, kind: certificate, pkcs12: orders.pfx, password: env:OTHER"), "password"),
    (CREDENTIAL.format(PFX + "pkcs12: worker.cer"), "credentials[1].pkcs12: "),
    (CREDENTIAL.format(PFX + "pkcs12: expired.pfx"), "expired"),
    (CREDENTIAL.format(PFX + "pkcs12: later.pfx, primary: true"), "so it cannot become primary now"),
    (NAMESPACE + "rule_groups: [{name: a, rules: [{input: {type: x}}]}]\n", "rules[1].input: 'issuer' is missing"),
    (
        NAMESPACE + 'rule_groups: [{name: a, rules: [{input: {issuer: LOCAL AUTHORITY}, output: {value: "\\0"}}]}]\n',
        "characters that no SAML token can carry",
    ),
    (
        NAMESPACE + "rule_groups: [{name: a, rules: []}, {name: a, rules: []}]\n",
        "rule_groups[2].name: 'a' is rule_groups[1].name already (line 2)",
    ),
]


@pytest.mark.parametrize(("text", "sentence"), ONE_FAULT, ids=[sentence for _, sentence in ONE_FAULT])
def test_a_fault_is_told_with_its_line_and_place(folder: Path, text: str, sentence: str) -> None:
    found = faults(text, folder)
    assert len(found) == 1, found
    assert sentence in found[0]


def test_all_faults_are_listed_at_once_in_the_order_of_the_file(folder: Path) -> None:
    text = """\
namespace: contoso
session: forever
relying_parties:
  - name: a
    realm: https://
    token_format: jwt
    token_lifetime: 0
    reply: [http://a.example/]
    unknown: 1
    rule_groups: [missing]
  - name: a
    realm: urn:b
    token_format: swt
    encryption: required
service_identities:
  - {name: x, password: env:MISSING}
rule_groups: []
"""
    lines = [fault.partition(":")[0] for fault in faults(text, folder)]
    assert lines == [f"line {line}" for line in (2, 5, 7, 8, 9, 10, 11, 14, 16)]


@pytest.mark.parametrize("key", ["AAAA", KEY[:-1], KEY[:-2] + "9=", f"{KEY}AAAA", KEY.replace("A", "-"), "=" * 44])
def test_a_key_of_another_form_is_refused_and_not_repeated(folder: Path, key: str) -> None:
    text = IDENTITY.format("symmetric_key: env:KEY")
    (fault,) = faults(text, folder, environment={"KEY": key})
    assert "standard base64 of exactly 32 bytes" in fault
    assert key not in fault


@pytest.mark.parametrize("secret", ["hunter2", "[hunter2]", "{a: hunter2}", "env:", "'file: '"])
def test_a_secret_in_the_file_is_refused_and_not_repeated(folder: Path, secret: str) -> None:
    found = faults(IDENTITY.format(f"password: {secret}"), folder)
    assert "hunter2" not in "".join(found)


def test_a_certificate_may_stand_in_the_file_itself(folder: Path) -> None:
    der = (folder / "adfs.cer").read_bytes()
    indented = pem(der).decode().replace("\n", "\n      ")
    text = (
        IDENTITY.format(f"certificate: 'base64:{b64encode(der).decode()}'")
        + f"  - name: b\n    certificate: |\n      {indented}\n"
    )
    identities = read(text, folder).service_identities or ()
    assert [entry.identity.certificate and entry.identity.certificate.der for entry in identities] == [der, der]


def test_absent_sections_are_looked_up_in_the_database(folder: Path) -> None:
    text = PARTY.format(JWT + "rule_groups: [g], identity_providers: [p]")
    known = Known(rule_groups={"g": RuleGroup(1, "g")}, identity_providers={"p": IdentityProvider(1, "p")})
    assert read(text, folder, known).relying_parties is not None
    assert len(faults(text + "rule_groups: []\nidentity_providers: []\n", folder, known)) == 2


def test_sections_may_refer_forward(folder: Path) -> None:
    text = PARTY.format(JWT + "rule_groups: [g]") + "rule_groups: [{name: g, rules: []}]\n"
    assert read(text, folder).warnings == ()


def test_spans_that_are_absent_shrink_with_the_life_of_the_credential(folder: Path) -> None:
    rollover = read(NAMESPACE + "rollover: {signing: {lifetime: 4m}, decryption: {lead: 10d}}\n", folder).rollover
    assert rollover == {
        "signing": RingPolicy(None, timedelta(minutes=4), timedelta(minutes=2), timedelta(minutes=1), KeyType.RSA2048),
        "decryption": RingPolicy(None, 730 * DAY, 10 * DAY, 5 * DAY, KeyType.RSA2048),
    }


def test_two_new_primaries_of_one_ring_contradict_each_other(folder: Path) -> None:
    write_pkcs12(folder / "second.pfx")
    entries = ", ".join(f"{{{PFX}pkcs12: {name}.pfx, primary: true}}" for name in ("orders", "second"))
    (fault,) = faults(f"{NAMESPACE}credentials: [{entries}]\n", folder)
    assert "2 new certificate credentials for signing are primary; only one can be" in fault


def test_what_a_ring_leaves_out_is_what_the_settings_say(folder: Path) -> None:
    environ = {"STS_ROLLOVER_LIFETIME": "1y", "STS_ROLLOVER_LEAD": "60d", "STS_ROLLOVER_TURN": "20d"}
    defaults = Settings.from_environ(environ).ring_defaults
    found = read("{namespace: contoso, rollover: {signing: {turn: 10d, key_type: p256}}}", folder, defaults=defaults)
    assert found.rollover is not None
    (policy,) = found.rollover.values()
    assert (policy.lifetime, policy.lead, policy.turn) == (365 * DAY, 60 * DAY, 10 * DAY)
    assert policy.key_type is KeyType.P256
