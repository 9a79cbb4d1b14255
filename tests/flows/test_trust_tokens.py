"""The life of a token over WS-Trust: issued, acted on, validated, renewed, issued in another format, cancelled."""

from base64 import b64decode
from collections.abc import Callable
from datetime import timedelta
from itertools import count

import pytest
from lxml import etree

from sts.core.claims import IDENTITY_PROVIDER, NAME_IDENTIFIER
from sts.core.exchange import Actor
from sts.tokens import jwt, saml20
from tests.core.test_acceptance import said
from tests.crypto.identities import signer
from tests.flows.test_no_sql import statements
from tests.flows.world import SECRET, World
from tests.protocols.wstrust.messages import (
    ROOT,
    TRUST_13,
    TRUST_2005,
    WSSE,
    WSU,
    TrustMessage,
    applies_to,
    digest_token,
    request,
    username_token,
)
from tests.threats.identity_providers import ADFS, assertion, stage
from tests.threats.trust_door import POSSESSED, SAML20, deliver_from, fault, furnished, good, granted

TRUSTS = pytest.mark.parametrize("trust", [TRUST_13, TRUST_2005])
TRUST_14 = "http://docs.oasis-open.org/ws-sx/ws-trust/200802"
ASSERTION = "{urn:oasis:names:tc:SAML:2.0:assertion}Assertion"
JWT = "urn:ietf:params:oauth:token-type:jwt"
_numbers = count(1)
TARGETS = {"Validate": "ValidateTarget", "Renew": "RenewTarget", "Cancel": "CancelTarget"}


@pytest.fixture(scope="module")
def service(module_world: World) -> World:
    return furnished(module_world)


def asking(service: World, action: str, token: bytes, **how: str) -> TrustMessage:
    """A message about a token; `how`: what more it asks, in which dialect, and who sends it."""
    trust, more, name = how.get("trust", TRUST_13), how.get("more", ""), how.get("name", "worker")
    body = (
        f'<t:RequestSecurityToken xmlns:t="{trust}"><t:RequestType>{trust}/{action}</t:RequestType>{more}'
        f"<t:{TARGETS[action]}>{token.decode()}</t:{TARGETS[action]}></t:RequestSecurityToken>"
    )
    action_header = f"{trust}/RST/{action}"
    return good(service, body, trust=trust, action=action_header, token=username_token(name, SECRET))


def issued(service: World, message: TrustMessage | None = None) -> bytes:
    """The SAML 2.0 assertion in an answer."""
    root = granted(service, message or good(service))
    return etree.tostring(next(root.iter(ASSERTION)), with_tail=False)


def status(service: World, token: bytes, trust: str = TRUST_13) -> tuple[str, str]:
    """What validating says: the last part of the code, and the reason."""
    root = granted(service, asking(service, "Validate", token, trust=trust))
    (found,) = root.iter(f"{{{trust}}}Status")
    code = found.findtext(f"{{{trust}}}Code") or ""
    return code.rpartition("/")[2], found.findtext(f"{{{trust}}}Reason") or ""


@TRUSTS
def test_a_token_is_validated_renewed_and_cancelled(service: World, trust: str) -> None:
    token = issued(service)
    assert status(service, token, trust) == ("valid", "The token is valid.")
    new = issued(service, asking(service, "Renew", token, trust=trust))
    assert status(service, new, trust)[0] == "valid"
    root = granted(service, asking(service, "Cancel", token, trust=trust))
    assert root.find(f".//{{{trust}}}RequestedTokenCancelled") is not None
    assert status(service, token, trust) == ("invalid", "The token was cancelled.")
    assert status(service, new, trust)[0] == "valid"
    refused = fault(service, asking(service, "Renew", token, trust=trust))
    assert (refused.subcode, "cancelled" in refused.reason) == ("UnableToRenew", True)


def test_nobody_renews_or_cancels_the_token_of_somebody_else(service: World) -> None:
    token = issued(service)
    assert fault(service, asking(service, "Renew", token, name="butler")).subcode == "UnableToRenew"
    assert fault(service, asking(service, "Cancel", token, name="butler")).subcode == "RequestFailed"
    assert status(service, token)[0] == "valid"


def test_a_valid_token_is_issued_in_another_format(service: World) -> None:
    root = granted(service, asking(service, "Validate", issued(service), more=f"<t:TokenType>{JWT}</t:TokenType>"))
    (status_,) = root.iter(f"{{{TRUST_13}}}Status")
    assert (status_.findtext(f"{{{TRUST_13}}}Code") or "").endswith("/valid")
    (wrapped,) = root.iter(f"{{{WSSE}}}BinarySecurityToken")
    view = jwt.view(b64decode(wrapped.text or ""))
    assert view.audience == SAML20
    assert [claim.value for claim in view.claims if claim.type == NAME_IDENTIFIER] == ["worker"]


def encrypted(service: World) -> bytes:
    """A token that only its relying party can read."""
    key = f"<t:KeyType>{TRUST_13}/SymmetricKey</t:KeyType>"
    root = granted(service, good(service, request(POSSESSED, key)))
    ((token,),) = root.iter(f"{{{TRUST_13}}}RequestedSecurityToken")
    return etree.tostring(token, with_tail=False)


def test_whoever_would_renew_or_cancel_what_only_its_relying_party_reads_is_told_so(service: World) -> None:
    token = encrypted(service)
    for action in ("Renew", "Cancel"):
        refused = fault(service, asking(service, action, token))
        assert (refused.subcode, "encrypted to its relying party" in refused.reason) == ("InvalidRequest", True)
    assert status(service, token) == ("invalid", "The token is not valid.")


def test_one_token_stands_in_two_requests_where_it_has_no_id_of_xml(service: World) -> None:
    saml = issued(service).decode()
    root = granted(service, good(service, request("https://jwt.example/")))
    (binary,) = root.iter(f"{{{WSSE}}}BinarySecurityToken")
    del binary.attrib[f"{{{WSU}}}Id"]
    compact = etree.tostring(binary, with_tail=False, encoding="unicode")
    refused = fault(service, in_two_requests(service, saml))
    assert (refused.subcode, "an ID twice" in refused.reason) == ("InvalidRequest", True)
    assert len(list(granted(service, in_two_requests(service, compact)).iter(ASSERTION))) == 2


def in_two_requests(service: World, token: str) -> TrustMessage:
    """A message with two requests on behalf of whom one token is about."""
    one = request(SAML20, f"<t:OnBehalfOf>{token}</t:OnBehalfOf>").replace("/Issue<", "/BatchIssue<")
    body = f'<t:RequestSecurityTokenCollection xmlns:t="{TRUST_13}">{one * 2}</t:RequestSecurityTokenCollection>'
    action = f"{TRUST_13}/RST/BatchIssue"
    return good(service, body, action=action, token=username_token("butler", SECRET))


def claims_wanted(*types: str) -> str:
    dialect = "http://schemas.xmlsoap.org/ws/2005/05/identity"
    uris = "".join(f'<i:ClaimType xmlns:i="{dialect}" Uri="{claim_type}"/>' for claim_type in types)
    return f'<t:Claims Dialect="{dialect}">{uris}</t:Claims>'


def test_a_claim_that_is_required_of_another_format_is_there_or_nothing_is_issued(service: World) -> None:
    token = issued(service)
    other_format = f"<t:TokenType>{JWT}</t:TokenType>"
    name = asking(service, "Validate", token, more=other_format + claims_wanted(NAME_IDENTIFIER))
    (wrapped,) = granted(service, name).iter(f"{{{WSSE}}}BinarySecurityToken")
    told = [claim.type for claim in jwt.view(b64decode(wrapped.text or "")).claims]
    assert told == [NAME_IDENTIFIER, IDENTITY_PROVIDER]
    missing = asking(service, "Validate", token, more=other_format + claims_wanted(NAME_IDENTIFIER, "urn:x"))
    refused = fault(service, missing)
    assert (refused.subcode, "no claim of the type 'urn:x'" in refused.reason) == ("RequestFailed", True)


def test_a_service_acts_on_a_token_that_was_issued_for_another(service: World) -> None:
    person = assertion(stage(service, recipient=ROOT + "v2/wstrust/13/username"))
    front = issued(service, acting(service, person))
    back = issued(service, acting(service, front))
    for token in (front, back):
        assert b"butler" in token
        assert status(service, token)[0] == "valid"
    assert fault(service, acting(service, back, "worker")).reason.startswith("ACS60001")


def test_the_record_says_who_acts_for_whom(service: World) -> None:
    person = assertion(stage(service, recipient=ROOT + "v2/wstrust/13/username"))
    front = issued(service, acting(service, person))
    alice = service.records()[-1]
    assert (alice["caller"], alice["actors"]) == ("butler", ["butler"])
    assert alice["principal"] != "butler"
    issued(service, acting(service, front))
    assert service.records()[-1]["actors"] == ["butler", "butler"]
    issued(service)
    assert not {"caller", "actors"} & service.records()[-1].keys()  # whoever asks for himself is the principal


def test_the_record_says_who_did_what_with_which_token(service: World) -> None:
    token = issued(service)
    known = f"_{service.records()[-1]['token_id']}"
    granted(service, asking(service, "Validate", token, name="butler"))
    record = service.records()[-1]
    assert (record["caller"], record["action"]) == ("butler", "Validate")
    assert record["presented"] == [{"token_id": known, "status": "valid"}]
    granted(service, asking(service, "Renew", token))
    record = service.records()[-1]
    assert (record["principal"], record["presented"]) == ("worker", [{"token_id": known}])
    assert f"_{record['token_id']}" != known
    granted(service, asking(service, "Cancel", token))
    record = service.records()[-1]
    assert (record["caller"], record["action"], record["presented"]) == ("worker", "Cancel", [{"token_id": known}])
    assert status(service, token)[0] == "invalid"
    assert service.records()[-1]["presented"] == [{"token_id": known, "status": "invalid"}]


def test_a_token_that_shall_not_be_renewed_is_not(service: World) -> None:
    body = request(SAML20, '<t:Renewing Allow="false"/>')
    root = granted(service, good(service, body))
    (told,) = root.iter(f"{{{TRUST_13}}}Renewing")
    assert dict(told.items()) == {"Allow": "false", "OK": "false"}
    token = etree.tostring(next(root.iter(ASSERTION)), with_tail=False)
    assert status(service, token)[0] == "valid"
    assert fault(service, asking(service, "Renew", token)).subcode == "UnableToRenew"


def renewable(root: etree._Element) -> str | None:
    """What an answer says of renewing."""
    (told,) = root.iter(f"{{{TRUST_13}}}Renewing")
    return told.get("Allow")


def test_a_token_that_a_service_obtained_for_somebody_else_is_not_renewed_and_says_so(service: World) -> None:
    asked = "<t:Renewing/>"
    person = issued(service)
    root = granted(service, acting(service, person, more=asked))
    assert renewable(root) == "false"
    token = etree.tostring(next(root.iter(ASSERTION)), with_tail=False)
    for name in ("worker", "butler"):
        assert fault(service, asking(service, "Renew", token, name=name)).subcode == "UnableToRenew"
    other_format = f"<t:TokenType>{JWT}</t:TokenType>{asked}"
    assert renewable(granted(service, asking(service, "Validate", token, more=other_format))) == "false"
    assert renewable(granted(service, asking(service, "Validate", person, more=other_format))) == "true"


def test_a_token_whose_actors_the_identity_provider_names_is_renewed_with_them(service: World) -> None:
    def asking_himself(body: str, action: str = "Issue") -> TrustMessage:
        token = acted(service).decode()
        action_header = f"{TRUST_13}/RST/{action}"
        return good(service, body, endpoint="issuedtoken-bearer", token=token, action=action_header)

    root = granted(service, asking_himself(request(SAML20, "<t:Renewing/>")))
    assert renewable(root) == "true"
    old = etree.tostring(next(root.iter(ASSERTION)), with_tail=False).decode()
    body = request(SAML20, f"<t:RenewTarget>{old}</t:RenewTarget>", action="Renew")
    assert b"front" in issued(service, asking_himself(body, "Renew"))


def acted(service: World) -> bytes:
    """What an identity provider says of alice, for whom somebody acts."""
    now = service.now
    told = said(
        id=f"{next(_numbers):032x}",
        audience=ROOT,
        issued_at=now,
        not_before=now,
        expires_at=now + timedelta(hours=1),
        authenticated_at=now,
        actors=(Actor("front", ADFS),),
    )
    return saml20.write(told, signer("rsa2048", "idp"))


def acting(service: World, token: bytes, name: str = "butler", more: str = "") -> TrustMessage:
    """A message that asks for a token for somebody else."""
    body = (
        f'<t:RequestSecurityToken xmlns:t="{TRUST_13}"><t:RequestType>{TRUST_13}/Issue</t:RequestType>{more}'
        f'{applies_to(SAML20)}<u:ActAs xmlns:u="{TRUST_14}">{token.decode()}</u:ActAs></t:RequestSecurityToken>'
    )
    return good(service, body, token=username_token(name, SECRET))


def by_password(service: World, number: int) -> TrustMessage:
    return good(service)


def by_digest(service: World, number: int) -> TrustMessage:
    return good(service, token=digest_token("digest", SECRET, number.to_bytes(16, "big"), service.now))


@pytest.mark.parametrize("message", [by_password, by_digest])
def test_a_warm_process_writes_one_record_for_a_message_and_asks_for_nothing(
    service: World, message: Callable[[World, int], TrustMessage]
) -> None:
    assert deliver_from("192.0.2.1", service, message(service, 1)).status_code == 200
    with statements() as seen:
        for number in range(2, 7):
            assert deliver_from("192.0.2.1", service, message(service, number)).status_code == 200
    assert [statement for statement in seen if statement.startswith("INSERT INTO replay")]
    assert sum(statement == "COMMIT" for statement in seen) == 5  # transactions, one for each message
    assert not [statement for statement in seen if statement.startswith("SELECT")]
