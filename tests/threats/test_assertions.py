"""What an honestly signed assertion may mean: rows A02-A04, A08-A11, A16-A24, A29-A33 at the readers of SAML."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import ModuleType

import pytest

from sts.core.errors import InvalidAudience, InvalidSamlToken, InvalidToken
from sts.tokens import saml11, saml20
from tests.crypto.identities import NOW
from tests.tokens.assertions import AUDIENCE, BEGIN, END, ISSUER, SKEW, TRUSTED, edited, written

SECOND = timedelta(seconds=1)
BOTH = pytest.mark.parametrize("module", [saml11, saml20], ids=["saml11", "saml20"])

NOT_BEFORE = 'NotBefore="2026-11-21T21:59:57.000Z"'
NOT_ON_OR_AFTER = 'NotOnOrAfter="2026-11-21T22:10:00.000Z"'
AUDIENCES = {
    saml11: (
        f"<saml:AudienceRestrictionCondition><saml:Audience>{AUDIENCE}</saml:Audience>"
        "</saml:AudienceRestrictionCondition>"
    ),
    saml20: f"<AudienceRestriction><Audience>{AUDIENCE}</Audience></AudienceRestriction>",
}
NAMES = {
    saml11: "<saml:NameIdentifier>alice</saml:NameIdentifier>",
    saml20: "<NameID>alice</NameID>",
}


def refusal(module: ModuleType, *changes: tuple[str, str]) -> InvalidToken:
    """What the reader says to the edited assertion."""
    with pytest.raises(InvalidToken) as raised:
        module.read(edited(module, *changes), TRUSTED, NOW)
    return raised.value


def lasting(instant: str) -> tuple[str, str]:
    return NOT_ON_OR_AFTER, f'NotOnOrAfter="{instant}"'


@BOTH
def test_the_sample_itself_is_accepted(module: ModuleType) -> None:
    assert module.read(edited(module), TRUSTED, NOW).claims[0].value == "alice"


@BOTH
@pytest.mark.parametrize(
    "issuer",
    ["https://sts.example/fabrikam/", ISSUER + " ", " " + ISSUER, ISSUER.upper(), ISSUER.replace("s", "\u017f")],
    ids=["A02 another's", "A04 blank after", "A04 blank before", "A04 other case", "A04 equal under NFKC"],
)
def test_another_issuer_is_refused(module: ModuleType, issuer: str) -> None:
    assert refusal(module, (ISSUER, issuer)).detail == "issuer: not the trusted one"


@BOTH
@pytest.mark.parametrize(
    "change",
    [
        lambda restriction: "",
        lambda restriction: restriction.replace(AUDIENCE, "https://sts.example/fabrikam/"),
        lambda restriction: restriction.replace(AUDIENCE, AUDIENCE + "/"),
        lambda restriction: restriction + restriction.replace(AUDIENCE, "https://other.example/"),
        lambda restriction: restriction.replace(AUDIENCE, "https://orders.example.evil.com"),
        lambda restriction: restriction.replace(AUDIENCE, f" {AUDIENCE}"),
    ],
    ids=["A08 none", "A03 another namespace", "A09 with a slash", "A10 one of two", "A11 as a prefix", "with a blank"],
)
def test_audience_that_is_not_ours_is_refused(module: ModuleType, change: Callable[[str], str]) -> None:
    restriction = AUDIENCES[module]
    raised = refusal(module, (restriction, change(restriction)))
    assert isinstance(raised, InvalidAudience)


@BOTH
@pytest.mark.parametrize(
    ("shift", "valid"),
    [(END + SKEW - SECOND - NOW, True), (END + SKEW - NOW, False), (BEGIN - SKEW - NOW, True)],
    ids=["last second", "A16 the second after", "first second"],
)
def test_token_is_valid_from_its_begin_to_its_end_with_skew(
    module: ModuleType, shift: timedelta, *, valid: bool
) -> None:
    token, now = (
        edited(module, ('IssueInstant="2026-11-21T22:00:00.250Z"', 'IssueInstant="2026-11-21T21:00:00Z"')),
        NOW + shift,
    )
    if valid:
        module.read(token, TRUSTED, now)
    else:
        with pytest.raises(InvalidSamlToken) as raised:
            module.read(token, TRUSTED, now)
        assert raised.value.detail == "time: expired"


@BOTH
def test_a17_token_a_second_before_its_begin_is_refused(module: ModuleType) -> None:
    token = edited(module, ('IssueInstant="2026-11-21T22:00:00.250Z"', 'IssueInstant="2026-11-21T21:00:00Z"'))
    with pytest.raises(InvalidSamlToken) as raised:
        module.read(token, TRUSTED, BEGIN - SKEW - SECOND)
    assert raised.value.detail == "time: not yet valid"


@BOTH
def test_token_issued_in_the_future_is_refused(module: ModuleType) -> None:
    assert refusal(module, ("2026-11-21T22:00:00.250Z", "2026-11-21T22:03:01Z")).detail == "time: issued in the future"


@BOTH
@pytest.mark.parametrize(
    "change",
    [
        pytest.param((NOT_ON_OR_AFTER, ""), id="A18 no end"),
        pytest.param(lasting("2036-11-21T22:00:00Z"), id="A19 ten years"),
        pytest.param(lasting("2026-11-22T22:00:01Z"), id="A19 a second over the cap"),
        pytest.param(lasting("9999-12-31T23:59:59Z"), id="A20 overflow"),
        pytest.param(lasting("2026-11-21T22:10:00"), id="A21 no zone"),
        pytest.param(lasting("2026-W47-6T22:10:00Z"), id="A22 week date"),
        pytest.param(lasting("20261121T221000Z"), id="A22 basic format"),
        pytest.param(lasting("2026-11-21 22:10:00Z"), id="A22 blank for T"),
        pytest.param(lasting(f"2026-11-21T22:10:00.{'0' * 100_000}Z"), id="A23 long fraction"),
        pytest.param((NOT_BEFORE, 'NotBefore="2026-11-21T22:10:00Z"'), id="A24 begins at its end"),
        pytest.param((NOT_BEFORE, 'NotBefore="2026-11-21T22:11:00Z"'), id="A24 begins after its end"),
        pytest.param((NOT_BEFORE, 'NotBefore=""'), id="empty"),
        pytest.param(("2026-11-21T22:00:00.250Z", "yesterday"), id="no instant"),
    ],
)
def test_times_that_are_none_are_refused(module: ModuleType, change: tuple[str, str]) -> None:
    assert (refusal(module, change).detail or "").startswith("time: ")


@BOTH
def test_a19_lifetime_at_the_cap_is_accepted(module: ModuleType) -> None:
    assert module.read(edited(module, lasting("2026-11-22T22:00:00Z")), TRUSTED, NOW).claims[0].value == "alice"


@BOTH
def test_a29_name_with_child_elements_is_refused(module: ModuleType) -> None:
    change = (NAMES[module], NAMES[module].replace("alice", "admin<b>istrator</b>"))
    assert "has child elements" in (refusal(module, change).detail or "")


@BOTH
def test_a30_two_names_are_refused(module: ModuleType) -> None:
    change = (NAMES[module], NAMES[module] + NAMES[module].replace("alice", "admin"))
    assert "has 2 of Name" in (refusal(module, change).detail or "")


@pytest.mark.parametrize(
    ("module", "end"), [(saml11, "</saml:Subject>"), (saml20, "</Subject>")], ids=["saml11", "saml20"]
)
def test_a30_two_subjects_are_refused(module: ModuleType, end: str) -> None:
    name = NAMES[module].replace("alice", "admin")
    second = f"{end}{end.replace('/', '')}{name}{end}"
    assert "has 2 of Subject" in (refusal(module, (end, second)).detail or "")


def test_a30_statements_about_two_subjects_are_refused() -> None:
    token = written(saml11).decode()
    statement = token[token.index("<saml:AuthenticationStatement") : token.index("<ds:Signature")]
    assert "different subjects" in (refusal(saml11, (statement, statement.replace("alice", "admin"))).detail or "")


@BOTH
@pytest.mark.parametrize("method", ["holder-of-key", "sender-vouches", "Bearer"])
def test_a31_confirmation_that_is_not_bearer_is_refused(module: ModuleType, method: str) -> None:
    assert refusal(module, (":cm:bearer", f":cm:{method}")).detail == "confirmation: not bearer"


def test_a31_one_statement_that_is_not_bearer_is_enough() -> None:
    token = written(saml11).decode()
    statement = token[token.index("<saml:AuthenticationStatement") : token.index("<ds:Signature")]
    change = (statement, statement.replace(":cm:bearer", ":cm:holder-of-key"))
    assert refusal(saml11, change).detail == "confirmation: not bearer"


@pytest.mark.parametrize("recipients", [(), ("https://sts.example/contoso/v2/wsfederation",)])
def test_a32_recipient_of_another_endpoint_is_refused(recipients: tuple[str, ...]) -> None:
    data = '><SubjectConfirmationData Recipient="https://sts.example/fabrikam/v2/wsfederation"/></SubjectConfirmation>'
    token = edited(saml20, ("></SubjectConfirmation>", data))
    with pytest.raises(InvalidSamlToken) as raised:
        saml20.read(token, replace(TRUSTED, recipients=frozenset(recipients)), NOW)
    assert raised.value.detail == "recipient: not ours"


def test_a33_saml11_assertion_with_id_for_assertion_id_is_refused() -> None:
    token = written(saml11).replace(b"AssertionID=", b"ID=")
    with pytest.raises(InvalidSamlToken) as raised:
        saml11.read(token, TRUSTED, NOW)
    assert (raised.value.detail or "").startswith("reference: ")


@BOTH
def test_assertion_of_the_other_version_is_refused(module: ModuleType) -> None:
    other = saml20 if module is saml11 else saml11
    with pytest.raises(InvalidSamlToken) as raised:
        module.read(written(other), TRUSTED, NOW)
    assert (raised.value.detail or "").startswith("root: ")
