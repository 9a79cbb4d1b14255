"""A world in which people sign in: relying parties of every format, identity providers, local accounts."""

from pathlib import Path
from typing import Any

from tests.flows.identity_provider import IdentityProvider
from tests.flows.people import Page, Person
from tests.flows.world import World, open_world

ADFS = IdentityProvider()
OTHER = IdentityProvider("other")
SEALING = IdentityProvider("sealing")
PROVIDERS = (ADFS, OTHER, SEALING)
ADFS_CONFIGURATION = (
    'name: adfs, issuer: "https://adfs.example/", sign_in_url: "https://adfs.example/ls", certificates: [adfs.cer]'
)
SEALING_CONFIGURATION = ADFS_CONFIGURATION.replace("adfs", "sealing")
REPLY = "https://{}.example/signin"
SIGN_IN_WORLD = """
namespace: contoso
identity_providers:
  - name: adfs
    issuer: https://adfs.example/
    sign_in_url: https://adfs.example/ls
    sign_out_url: https://adfs.example/ls
    certificates: [adfs.cer]
    email_domains: [adfs.example]
    display_name: Contoso <AD FS>
    image: https://pictures.example/adfs.png
  - {name: other, issuer: "https://other.example/", sign_in_url: "https://other.example/ls", certificates: [other.cer]}
  - name: sealing
    issuer: https://sealing.example/
    sign_in_url: https://sealing.example/ls
    certificates: [sealing.cer]
    decryption: aes256-gcm
  - {name: local, kind: local}
service_identities:
  - {name: worker, password: "env:WORKER_PASSWORD"}
  - {name: ann, password: "env:WORKER_PASSWORD", interactive: true}
  - {name: ben, password: "env:WORKER_PASSWORD", interactive: true, enabled: false}
rule_groups:
  - name: people
    rules:
      - {input: {issuer: LOCAL AUTHORITY}}
      - {input: {issuer: adfs}}
      - {input: {issuer: other}}
      - {input: {issuer: sealing}}
  - name: nothing
    rules: [{input: {issuer: nobody}}]
relying_parties:
"""
_PARTY = """
  - name: {name}
    realm: https://{name}.example/
    token_format: {token_format}
    reply: [https://{name}.example/signin, "https://{name}.example/other?x=1"]
    rule_groups: [{group}]
    identity_providers: [{providers}]
"""


def party(name: str, token_format: str, providers: str, group: str = "people", **more: str) -> str:
    """A relying party, as a configuration has it."""
    base = _PARTY.format(name=name, token_format=token_format, providers=providers, group=group)
    return base.rstrip() + "".join(f"\n    {key}: {value}" for key, value in more.items()) + "\n"


CONFIGURATION = SIGN_IN_WORLD + "".join(
    [
        *(party(token_format, token_format, "adfs") for token_format in ("swt", "jwt", "saml11", "saml20")),
        party("sealed", "jwt", "sealing"),
        party("choice", "jwt", "adfs, other, local"),
        party("form", "jwt", "local"),
        party("told", "jwt", "adfs", error_url="https://told.example/error"),
        party("closed", "jwt", "adfs", "nothing"),
        party("nowhere", "jwt", "adfs").replace("reply:", "# reply:"),
    ]
)


def configured(home: Path, **settings: Any) -> World:
    """Open a home folder and configure it for people."""
    world = open_world(home, **settings)
    for provider in PROVIDERS:
        provider.write_certificate(home)
    world.apply(CONFIGURATION)
    return world


def signed_in(person: Person, relying_party: str, provider: IdentityProvider = ADFS) -> Page:
    """Sign in to a relying party by an identity provider, as far as the page that carries the token."""
    state = provider.asked_by(person.sign_in(relying_party))
    return person.bring(state, provider.answer(person.world))


def allow_unsolicited(world: World) -> None:
    """Let the first identity provider send answers that nobody asked for."""
    world.apply(f"namespace: contoso\nidentity_providers: [{{{ADFS_CONFIGURATION}, unsolicited: true}}]")


def unasked(world: World, party: str) -> dict[str, str | bytes]:
    """What it sends to sign somebody in at a relying party."""
    return {"wa": "wsignin1.0", "wtrealm": f"https://{party}.example/", "wresult": ADFS.answer(world)}
