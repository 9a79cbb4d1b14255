"""Row C17: a certificate's subject is a stranger's text, wherever people and programs meet it."""

import json

from lxml import etree

from sts.core.model import KeyType
from sts.operations import new_credentials
from sts.operations.new_credentials import CertificateOrder
from tests.cli.console import Console
from tests.flows.operators import NAMESPACE, held, promote, revoke
from tests.flows.world import World
from tests.threats.endpoints import ACS, OAUTH, refused, send

SUBJECT = 'CN=\x1b[31m\x07red\\"\\>\\<script\\>\u202e\u2028é\r\nSet-Cookie: a=b\r\n\x9b2J'
CONTROLS = [chr(code) for code in (*range(9), 11, 12, *range(14, 32), *range(0x7F, 0xA0), 0x202E)]


def spoken(text: str) -> bool:
    """Whether the text does nothing to a terminal but show."""
    return not any(control in text for control in CONTROLS)


def test_c17_subject_with_control_characters_and_markup_is_escaped(world: World) -> None:
    order = CertificateOrder(NAMESPACE, subject=SUBJECT, key_type=KeyType.P256)
    made = held(world, new_credentials.generate_certificate(world.service.installation, order, world.now))
    assert "\x1b" in (made.subject or "")
    promote(world, NAMESPACE, made)
    world.move(hours=1)
    revoke(world, NAMESPACE, made)
    for endpoint, party in ((OAUTH, "saml20"), (OAUTH, "jwt"), (ACS, "jwt")):
        refusal = refused(world, endpoint, endpoint.form(realm=f"https://{party}.example/"))
        assert refusal.status == 400
        assert "revoked" in refusal.body
        assert spoken(refusal.body)
        assert all(value.isprintable() and value.isascii() for _, value in refusal.headers)
        headers = dict(refusal.headers)
        assert headers["Content-Type"].startswith("application/json")
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert all(line.isascii() and spoken(line) for line in world.log.read_text().splitlines())


def test_c17_subject_is_harmless_in_what_is_published_and_listed(world: World) -> None:
    order = CertificateOrder(NAMESPACE, subject=SUBJECT, key_type=KeyType.P256)
    new_credentials.generate_certificate(world.service.installation, order, world.now)
    path = "/contoso/FederationMetadata/2007-06/FederationMetadata.xml"
    assert spoken(etree.tostring(etree.fromstring(send(world, path, method="GET").data), encoding="unicode"))
    assert len(json.loads(send(world, "/contoso/.well-known/jwks.json", method="GET").text)["keys"]) == 2
    console = Console(world.home)
    listed = console.ok("certificate", "list", "--namespace", "contoso")
    assert spoken(listed)
    assert len(listed.splitlines()) == 1 + 4 * 3  # each certificate has a line of its own for either thumbprint
    as_json = console.json("certificate", "list", "--namespace", "contoso")
    assert any(row["subject"] is not None and "\x1b" in row["subject"] for row in as_json)
