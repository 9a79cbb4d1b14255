"""Namespaces that are identity providers to each other: whoever asks at the first of a chain signs in at the last."""

import pytest

from sts.protocols.wsfed import MAX_CONTEXT
from tests.flows.people import Page, Person
from tests.flows.signing_in import REPLY
from tests.flows.world import World
from tests.interop.metadata import METADATA, signing_certificates

HERE = "http://127.0.0.1:8000"
PEOPLE = "rule_groups: [{name: people, rules: [{input: {issuer: LOCAL AUTHORITY}}, {input: {issuer: next}}]}]"
CONTEXTS = {
    "short": "rm=0&id=passive&ru=%2forders",
    "longest": "&ru=%2f" + "x" * (MAX_CONTEXT - 7),
    "longest, dearest": '"' * MAX_CONTEXT,
    "longest of base64url": "a" * 3000,
}


def chain(world: World, *names: str) -> None:
    """Have each namespace sign people in at the next one, the last at its own form."""
    for name in names[1:]:
        world.apply(f"namespace: {name}\n")
        metadata = world.client.get(f"/{name}/{METADATA}", base_url=HERE)
        (world.home / f"{name}.cer").write_bytes(signing_certificates(metadata.data)[0])
    for before, name, after in zip(["", *names], names, [*names[1:], ""], strict=False):
        provider = (
            f'name: next, issuer: "{HERE}/{after}/", sign_in_url: "{HERE}/{after}/v2/wsfederation", '
            f"certificates: [{after}.cer]"
        )
        realm, reply = f"{HERE}/{before}/", f"{HERE}/{before}/v2/wsfederation"
        party = f'name: before, realm: "{realm}", reply: ["{reply}"], token_format: saml20'
        if not before:
            party = f'name: jwt, realm: "https://jwt.example/", reply: ["{REPLY.format("jwt")}"], token_format: jwt'
        world.apply(
            f"namespace: {name}\n{PEOPLE}\n"
            f"identity_providers: [{{{provider if after else 'name: next, kind: local'}}}]\n"
            f"relying_parties: [{{{party}, identity_providers: [next], rule_groups: [people]}}]\n"
            'service_identities: [{name: ann, password: "env:WORKER_PASSWORD", interactive: true}]\n'
        )


def followed(person: Person, page: Page) -> Page:
    """Go on where a browser goes by itself."""
    while page.location:
        page = person.get(page.location)
    return page


@pytest.mark.parametrize("context", CONTEXTS)
@pytest.mark.parametrize(
    ("names", "bears"),
    [
        (("contoso", "partner"), CONTEXTS),
        (("contoso", "partner", "third"), ("short", "longest", "longest of base64url")),
    ],
    ids=["two, as in the demo", "three"],
)
def test_context_comes_back_through_a_chain(
    people: World, names: tuple[str, ...], bears: tuple[str, ...], context: str
) -> None:
    chain(people, *names)
    person, wctx = Person(people), CONTEXTS[context]
    page = followed(person, person.sign_in("jwt", wctx=wctx))
    if context not in bears:
        assert (page.status, "'wctx' has" in page.text, "8192 are allowed" in page.text) == (400, True, True)
        return
    page = person.type(page)
    for name in reversed(names[:-1]):
        assert page.action == f"{HERE}/{name}/v2/wsfederation"
        page = person.post(page.action, page.fields)
    assert (page.action, page.fields["wctx"]) == (REPLY.format("jwt"), wctx)
