"""The door where browsers bring the answers of identity providers, and its one answer to every bad one."""

from sts.protocols.addresses import WS_FEDERATION
from tests.flows.people import Page, Person
from tests.flows.world import World
from tests.protocols.wresults import adfs as response
from tests.threats.endpoints import Refusal, require_no_secret, seen_refused, stranger
from tests.threats.identity_providers import CONFIGURATION, NAMESPACE, Stage, stage, trust

PARTIES = ("swt", "jwt", "saml11", "saml20")
PROVIDERS = ("adfs", "other", "gcm", "cbc", "old", "curve", "disabled")
RECIPIENT = NAMESPACE + WS_FEDERATION
ISSUED = {"token_id", "principal", "credential_id"}  # what the log says of a token
_CURVE = '  - {name: curve, issuer: "urn:curve", certificates: [idp-p256.cer]}\n'
_PARTY = """  - {{name: {name}, realm: "https://{name}.example/", token_format: {name}, rule_groups: [people],
     reply: ["https://{name}.example/signin"], identity_providers: [{providers}]}}
"""


def _configuration() -> str:
    """The trusted identity providers, each with an address to sign in at, and a relying party for each format."""
    head, _, rest = CONFIGURATION.partition("relying_parties:\n")
    _, _, groups = rest.partition("rule_groups:\n")
    lines = []
    for line in head.replace("service_identities:", _CURVE + "service_identities:").splitlines():
        name = line.partition("{name: ")[2].partition(",")[0]
        is_provider = name in PROVIDERS and "issuer:" in line
        lines.append(line.replace("}", f', sign_in_url: "https://{name}.example/ls"}}') if is_provider else line)
    parties = "".join(_PARTY.format(name=name, providers=", ".join(PROVIDERS)) for name in PARTIES)
    curve = "      - {input: {issuer: curve}}\n"
    return (
        "\n".join(lines)
        + f"\nrelying_parties:\n{parties}rule_groups:\n"
        + groups.replace("  - name: all", curve + "  - name: all")
    )


def open_door(world: World) -> World:
    """Let people sign in at the service by the identity providers that it trusts."""
    return trust(world, _configuration())


def staged(world: World, **changes: str) -> Stage:
    """A stage for an assertion that is sent here."""
    return stage(world, **{"recipient": RECIPIENT, **changes})


def begun(world: World, provider: str = "adfs", party: str = "jwt") -> tuple[Person, str]:
    """Somebody whom a relying party has sent here, and whom we sent on to an identity provider with this state."""
    person = Person(world, source=stranger())
    page = person.sign_in(party, whr=provider)
    assert page.location.startswith(f"https://{provider}.example/ls?"), page.text
    return person, page.asked["wctx"]


def brought(world: World, token: bytes, provider: str = "adfs", party: str = "jwt") -> Page:
    """Sign in with what carries this token."""
    person, state = begun(world, provider, party)
    return person.bring(state, response(token.decode()))


def refused(world: World, wresult: bytes, provider: str = "adfs") -> Refusal:
    """Sign in with any answer of an identity provider, and see that refused: no token, no session, nobody named."""
    person, state = begun(world, provider)
    cookies = person.cookies()
    pages: list[Page] = []

    def bring() -> Page:
        pages.append(person.bring(state, wresult))
        return pages[0]

    found = seen_refused(world, lambda: bring().answer)
    assert (pages[0].action, pages[0].fields, pages[0].location) == ("", {}, "")
    assert person.cookies() == cookies
    assert not ISSUED & found.record.keys()
    secret = [value for value in cookies.values() if len(value) > 20]  # all but the last choice
    require_no_secret(world, pages[0].answer, state, *secret)
    return found


def refused_token(world: World, token: bytes, provider: str = "adfs") -> Refusal:
    """The same for a token in a response as AD FS writes it."""
    before, after = response("@").encode().split(b"@")
    return refused(world, before + token + after, provider)
