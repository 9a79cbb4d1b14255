"""Assertions that are exchanged: the issuer that they name chooses, and nothing but its keys makes them true."""

from dataclasses import replace
from datetime import datetime

import pytest

from sts.core.errors import InvalidEncryptedToken, InvalidSamlToken, InvalidSignature, InvalidToken
from sts.core.exchange import Claimed, TokenProof, Trusted, VerifiedToken
from sts.core.model import ContentEncryption, IdentityProvider, TokenFormat
from sts.core.presented import Presented
from sts.core.redemption import Redeemed, redeem
from sts.crypto.xmldsig import parsed, sign_element
from sts.tokens import saml20
from tests.core.builders import NOW
from tests.core.test_acceptance import CBC, GCM, ISSUER, Door, provider, said
from tests.crypto.identities import certificate, signer
from tests.tokens.assertions import unsigned

HONEST = saml20.write(said(), signer("rsa2048", "idp"))


class Reads:
    """The real format SAML 2.0 as far as assertions are exchanged, and what its reader was told to trust."""

    def __init__(self) -> None:
        self.trusted: list[Trusted] = []

    def claimed(self, token: bytes) -> Claimed:
        """As the real one."""
        found = saml20.claimed(token)

        def read(trusted: Trusted, now: datetime) -> VerifiedToken:
            self.trusted.append(trusted)
            return found.read(trusted, now)

        return found._replace(read=read)


class Exchange(Door):
    """A door where assertions of several identity providers are exchanged, one of which is called twice."""

    def __init__(self) -> None:
        super().__init__()
        self.reads = Reads()
        self.parts = replace(self.parts, formats={**self.parts.formats, TokenFormat.SAML20: self.reads})
        for known in (
            provider(decryption=CBC),
            _another("gcm", 4, decryption=GCM),
            _another("disabled", 5, decryption=CBC, enabled=False),
            _another("bare", 6, decryption=CBC, certificates=()),
            _another("twin", 7, decryption=CBC),
            _another("twins", 8, decryption=CBC, issuer="urn:twin"),
        ):
            self.directory.providers[1, known.name] = known

    def redeem(self, token: bytes, token_format: TokenFormat | None = TokenFormat.SAML20) -> Redeemed:
        """Exchange an assertion, None: it is encrypted."""
        proof = TokenProof(token_format, token)
        namespace = self.directory.namespace("contoso")
        return redeem(Presented.at_trust_endpoint(namespace, proof, "203.0.113.9"), self.parts, NOW)

    def redeem_encrypted(self, plaintext: bytes, algorithm: ContentEncryption = CBC) -> Redeemed:
        """Exchange it encrypted to the namespace."""
        return self.redeem(saml20.encrypt(plaintext, certificate("rsa2048", "sts"), algorithm), None)


def _another(name: str, number: int, **changes: object) -> IdentityProvider:
    return provider(**{"id": number, "name": name, "issuer": f"urn:{name}", **changes})


def edited(old: str, new: str, owner: str = "idp") -> bytes:
    """The honest assertion with a text replaced, signed by somebody."""
    text = unsigned(HONEST)
    assert old in text, old
    element = parsed(text.replace(old, new).encode())
    return sign_element(element, element.get("ID", ""), signer("rsa2048", owner), 0)


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


def test_an_assertion_is_read_once_after_it_was_looked_at(exchange: Exchange) -> None:
    redeemed = exchange.redeem(HONEST)
    assert (redeemed.provider, redeemed.principal.name) == ("adfs", "alice")
    assert [len(trusted.keys) for trusted in exchange.reads.trusted] == [1]


def test_an_encrypted_assertion_is_read_once_after_it_was_looked_at(exchange: Exchange) -> None:
    redeemed = exchange.redeem_encrypted(HONEST)
    assert (redeemed.provider, redeemed.principal.name) == ("adfs", "alice")
    assert [len(trusted.keys) for trusted in exchange.reads.trusted] == [1]


CHOSEN_BY_NOBODY = {
    "no identity provider": (ISSUER, "urn:nobody", CBC, "no identity provider is 'urn:nobody'"),
    "another algorithm": (ISSUER, "urn:gcm", CBC, "held to aes256-gcm, not aes256-cbc"),
    "the other way": (ISSUER, ISSUER, GCM, "held to aes256-cbc, not aes256-gcm"),
    "disabled": (ISSUER, "urn:disabled", CBC, "'disabled' is disabled"),
    "without certificate": (ISSUER, "urn:bare", CBC, "'bare' has no certificate"),
    "two of one name": (ISSUER, "urn:twin", CBC, "several identity providers are 'urn:twin'"),
}


@pytest.mark.parametrize(("old", "new", "algorithm", "reason"), CHOSEN_BY_NOBODY.values(), ids=CHOSEN_BY_NOBODY.keys())
def test_what_opens_and_nobody_may_have_sent_costs_what_a_wrong_signature_does(
    exchange: Exchange, old: str, new: str, algorithm: ContentEncryption, reason: str
) -> None:
    with pytest.raises(InvalidEncryptedToken) as refused:
        exchange.redeem_encrypted(edited(old, new), algorithm)
    assert reason in (refused.value.detail or "")
    assert [trusted.keys for trusted in exchange.reads.trusted] == [()], "read once, by nobody's keys"
    assert exchange.failures.seen == [("", "203.0.113.9")]


def test_what_opens_and_names_no_issuer_is_refused_as_all_that_is_encrypted(exchange: Exchange) -> None:
    with pytest.raises(InvalidEncryptedToken) as refused:
        exchange.redeem_encrypted(edited(f"<Issuer>{ISSUER}</Issuer>", ""))
    assert "Assertion has no Issuer" in (refused.value.detail or "")
    assert exchange.failures.seen == [("", "203.0.113.9")]


MALFORMED: dict[str, tuple[str, str, str, type[InvalidToken], str]] = {
    "no issuer": (f"<Issuer>{ISSUER}</Issuer>", "", "idp", InvalidSamlToken, "shape: Assertion has no Issuer"),
    "another version": ('"2.0"', '"2.1"', "idp", InvalidSamlToken, "shape: the version is '2.1'"),
    "no time": ('NotBefore="', 'NotBefore="x', "idp", InvalidSamlToken, "time: 'x"),
    "a stranger's": ('"2.0"', '"2.1"', "attacker", InvalidSignature, "signature: "),
}


@pytest.mark.parametrize(("old", "new", "owner", "refusal", "reason"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_assertion_is_refused_as_one_where_its_signature_holds(
    exchange: Exchange, old: str, new: str, owner: str, refusal: type[InvalidToken], reason: str
) -> None:
    with pytest.raises(refusal) as refused:
        exchange.redeem(edited(old, new, owner))
    assert (refused.value.detail or "").startswith(reason)
