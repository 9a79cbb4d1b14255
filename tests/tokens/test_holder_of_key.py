"""Assertions whose presenter must prove to hold a key: written for relying parties, read from identity providers."""

from dataclasses import replace
from datetime import timedelta
from types import ModuleType

import pytest
from lxml import etree

from sts.core.errors import InvalidSamlToken, InvalidSignature, NoEncryptionCertificate
from sts.core.exchange import (
    ConfirmationKey,
    HolderOfKey,
    HolderPolicy,
    PublicHolder,
    PublicKey,
    SymmetricHolder,
    SymmetricWrapped,
    Trusted,
)
from sts.core.model import ContentEncryption, KeyTransport
from sts.crypto.xmldsig import sign_element
from sts.tokens import saml11, saml20
from tests.crypto.identities import NOW, certificate, rsa_key, signer
from tests.tokens.assertions import DESCRIPTOR, END, TRUSTED, resigned, unsigned, written
from tests.tokens.holders import HOLDERS, PROOF_KEY, REQUIRING, SYMMETRIC, TAKING, decrypted, proof_keys

VERSIONS = pytest.mark.parametrize("module", [saml11, saml20], ids=["saml11", "saml20"])
ANY_HOLDER = pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
BEARER = {saml11: "urn:oasis:names:tc:SAML:1.0:cm:bearer", saml20: "urn:oasis:names:tc:SAML:2.0:cm:bearer"}
HOLDER = {
    saml11: "urn:oasis:names:tc:SAML:1.0:cm:holder-of-key",
    saml20: "urn:oasis:names:tc:SAML:2.0:cm:holder-of-key",
}


def held(module: ModuleType, holder: HolderOfKey = SYMMETRIC) -> bytes:
    """The sample assertion, for the holder of a key alone."""
    return written(module, DESCRIPTOR._replace(confirmation=holder))


def holder(module: ModuleType, token: bytes, trusted: Trusted = TAKING) -> ConfirmationKey | None:
    """The key that is to be proved, once everything else about the assertion holds."""
    found: ConfirmationKey | None = module.read(token, trusted, NOW).holder
    return found


def edited(module: ModuleType, made_for: HolderOfKey, *changes: tuple[str, str]) -> bytes:
    """A holder-of-key assertion with texts replaced, honestly signed."""
    return resigned(module, held(module, made_for), *changes)


def test_saml20_names_the_key_in_typed_confirmation_data() -> None:
    assertion = etree.fromstring(held(saml20, HOLDERS["rsa2048"]))
    data = assertion.xpath(
        "s:Subject/s:SubjectConfirmation[@Method='urn:oasis:names:tc:SAML:2.0:cm:holder-of-key']"
        "/s:SubjectConfirmationData[@x:type='KeyInfoConfirmationDataType'][count(*)=1]/d:KeyInfo/d:KeyValue",
        namespaces={
            "s": "urn:oasis:names:tc:SAML:2.0:assertion",
            "x": "http://www.w3.org/2001/XMLSchema-instance",
            "d": "http://www.w3.org/2000/09/xmldsig#",
        },
    )
    assert len(data) == 1


def test_saml11_names_the_key_in_the_confirmation_of_every_statement() -> None:
    assertion = etree.fromstring(held(saml11, HOLDERS["rsa2048"]))
    found = assertion.xpath(
        "*/s:Subject/s:SubjectConfirmation[s:ConfirmationMethod='urn:oasis:names:tc:SAML:1.0:cm:holder-of-key']"
        "/d:KeyInfo/d:KeyValue",
        namespaces={"s": "urn:oasis:names:tc:SAML:1.0:assertion", "d": "http://www.w3.org/2000/09/xmldsig#"},
    )
    assert len(found) == 2


@VERSIONS
@ANY_HOLDER
def test_the_text_is_canonical_as_it_stands(module: ModuleType, holder: HolderOfKey) -> None:
    token = held(module, holder)
    assert etree.tostring(etree.fromstring(token), method="c14n", exclusive=True) == token
    before, _, rest = token.decode().partition("<ds:Signature ")
    _, _, after = rest.partition("</ds:Signature>")
    assert before + after == unsigned(token), "what was signed is the canonical form of the unsigned element"


@VERSIONS
@ANY_HOLDER
def test_nothing_but_the_confirmation_differs_from_a_bearer_token(module: ModuleType, holder: HolderOfKey) -> None:
    element = etree.fromstring(unsigned(held(module, holder)))
    for found in list(element.iter("{*}SubjectConfirmation")):
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)
    expected = etree.fromstring(unsigned(written(module)))
    for found in list(expected.iter("{*}SubjectConfirmation")):
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)
    assert etree.tostring(element, method="c14n") == etree.tostring(expected, method="c14n")


@VERSIONS
@pytest.mark.parametrize("algorithm", ContentEncryption)
def test_relying_party_recovers_the_secret_key_with_its_own(module: ModuleType, algorithm: ContentEncryption) -> None:
    encrypted = module.encrypt(held(module), certificate("rsa2048", "rp"), algorithm)
    assertion = decrypted(encrypted, rsa_key("rp"))
    assert proof_keys(assertion, rsa_key("rp")) == {PROOF_KEY}
    assert PROOF_KEY not in assertion


@VERSIONS
def test_a_key_that_is_not_rsa_gets_no_secret(module: ModuleType) -> None:
    with pytest.raises(NoEncryptionCertificate):
        held(module, SymmetricHolder(PROOF_KEY, certificate("p256", "rp")))


def test_the_secret_is_not_shown() -> None:
    assert repr(SYMMETRIC) == "SymmetricHolder(bits=256)"
    assert str(PROOF_KEY)[2:-1] not in repr(DESCRIPTOR._replace(confirmation=SYMMETRIC))


@VERSIONS
@ANY_HOLDER
def test_a_bearer_door_refuses_it(module: ModuleType, holder: HolderOfKey) -> None:
    with pytest.raises(InvalidSamlToken) as refused:
        module.read(held(module, holder), TRUSTED, NOW)
    assert refused.value.detail == "confirmation: not bearer"


@VERSIONS
@pytest.mark.parametrize("trusted", [TAKING, REQUIRING], ids=["accepted", "required"])
def test_the_key_of_its_holder_is_read(module: ModuleType, trusted: Trusted) -> None:
    for made_for in HOLDERS.values():
        found = holder(module, held(module, made_for), trusted)
        if isinstance(made_for, PublicHolder):
            assert found == PublicKey(made_for.public_key)
        else:
            assert isinstance(found, SymmetricWrapped)
            assert found.transport is KeyTransport.RSA_OAEP_MGF1P_SHA1
            assert len(found.wrapped) == 256


@VERSIONS
def test_a_bearer_token_has_no_holder(module: ModuleType) -> None:
    assert holder(module, written(module)) is None


@VERSIONS
def test_a_bearer_token_is_refused_where_a_key_must_be_proved(module: ModuleType) -> None:
    no_confirmation = unsigned(written(module))
    for token in (written(module), edited_without_confirmation(module, no_confirmation)):
        with pytest.raises(InvalidSamlToken) as refused:
            holder(module, token, REQUIRING)
        assert refused.value.detail == "confirmation: not holder-of-key"


def edited_without_confirmation(module: ModuleType, text: str) -> bytes:
    """The same without any confirmation, honestly signed."""
    element = etree.fromstring(text)
    for found in list(element.iter("{*}SubjectConfirmation")):
        parent = found.getparent()
        assert parent is not None
        parent.remove(found)
    if module is saml20:
        return sign_element(element, element.get("ID", ""), signer("rsa2048"), 1)
    return sign_element(element, element.get("AssertionID", ""), signer("rsa2048"), len(element))


KEY_VALUE = "<ds:KeyValue>"
UNUSABLE = {
    "no key": ("<ds:KeyInfo", "<ds:NoInfo"),
    "the key of a name": (KEY_VALUE, "<ds:KeyName>mine</ds:KeyName><ds:Other>"),
    "another curve": ("1.2.840.10045.3.1.7", "1.3.132.0.10"),
    "no point": ("PublicKey>B", "PublicKey>C"),
    "not base64": ("PublicKey>B", "PublicKey>?"),
    "a second key": (KEY_VALUE, '<xenc:EncryptedKey xmlns:xenc="http://www.w3.org/2001/04/xmlenc#"/><ds:KeyValue>'),
}


@VERSIONS
@pytest.mark.parametrize("change", UNUSABLE.values(), ids=UNUSABLE.keys())
def test_a_key_that_cannot_be_used_is_refused(module: ModuleType, change: tuple[str, str]) -> None:
    old, new = change
    both = [change, (old.replace("<", "</", 1), new.replace("<", "</", 1))] if old == "<ds:KeyInfo" else [change]
    if "Other" in new:
        both.append(("</ds:KeyValue>", "</ds:Other>"))
    with pytest.raises(InvalidSamlToken, match="SAML token is invalid") as refused:
        holder(module, edited(module, HOLDERS["p256"], *both))
    assert (refused.value.detail or "").startswith("confirmation:")


WRAPPING = {
    "rsa-1_5": ("xmlenc#rsa-oaep-mgf1p", "xmlenc#rsa-1_5"),
    "a digest of its own": ("xmldsig#sha1", "xmldsig-more#md5"),
    "by reference": (
        "<xenc:CipherData>",
        '<xenc:CipherReference URI="http://127.0.0.1:1/"></xenc:CipherReference><xenc:CipherData>',
    ),
    "with a list of what it is for": ("</xenc:EncryptedKey>", "<xenc:ReferenceList/></xenc:EncryptedKey>"),
    "beside another": ("</xenc:EncryptedKey>", "</xenc:EncryptedKey><ds:KeyName>mine</ds:KeyName>"),
}


@VERSIONS
@pytest.mark.parametrize("change", WRAPPING.values(), ids=WRAPPING.keys())
def test_a_secret_that_is_wrapped_in_another_way_is_refused(module: ModuleType, change: tuple[str, str]) -> None:
    with pytest.raises(InvalidSamlToken) as refused:
        holder(module, edited(module, SYMMETRIC, change))
    assert (refused.value.detail or "").startswith("confirmation:")


@VERSIONS
def test_a_weak_key_is_refused(module: ModuleType) -> None:
    for kind in ("rsa1024", "secp256k1"):
        weak = PublicHolder(b"", certificate(kind, "client"))
        with pytest.raises(InvalidSamlToken) as refused:
            holder(module, held(module, weak))
        assert (refused.value.detail or "").startswith("confirmation:")


@VERSIONS
@pytest.mark.parametrize("policy", HolderPolicy)
def test_sender_vouches_is_never_taken(module: ModuleType, policy: HolderPolicy) -> None:
    vouched = edited(module, HOLDERS["p256"], ("holder-of-key", "sender-vouches"))
    with pytest.raises(InvalidSamlToken):
        holder(module, vouched, replace(TRUSTED, holder_of_key=policy))


@VERSIONS
def test_a_key_that_was_changed_is_not_read(module: ModuleType) -> None:
    forged = held(module, HOLDERS["p256"]).replace(b"3.1.7", b"3.1.8")
    with pytest.raises(InvalidSignature):
        holder(module, forged)


def test_the_conditions_of_a_confirmation_by_key_hold_too() -> None:
    data = 'xsi:type="KeyInfoConfirmationDataType"'
    recipient = edited(saml20, HOLDERS["p256"], (data, f'{data} Recipient="https://elsewhere.example/"'))
    with pytest.raises(InvalidSamlToken, match="SAML") as refused:
        holder(saml20, recipient)
    assert refused.value.detail == "recipient: not ours"
    assert holder(saml20, recipient, replace(TAKING, recipients=frozenset({"https://elsewhere.example/"})))
    short = edited(saml20, HOLDERS["p256"], (data, f'{data} NotOnOrAfter="2026-11-21T22:01:00Z"'))
    assert saml20.read(short, TAKING, NOW).expires_at == NOW + timedelta(minutes=1) < END


def test_of_two_confirmations_in_saml20_the_first_that_holds_counts() -> None:
    text = "<Subject><NameID>alice</NameID>"
    both = edited(
        saml20,
        HOLDERS["p256"],
        (text, f'{text}<SubjectConfirmation Method="{BEARER[saml20]}"></SubjectConfirmation>'),
    )
    assert holder(saml20, both, TRUSTED) is None
    assert holder(saml20, both, TAKING) is None
    assert isinstance(holder(saml20, both, REQUIRING), PublicKey)


def test_statements_of_saml11_are_confirmed_by_one_key() -> None:
    text = unsigned(held(saml11, HOLDERS["p256"]))
    other = unsigned(held(saml11, HOLDERS["p384"]))
    start, end = "<saml:AuthenticationStatement ", "</saml:AuthenticationStatement>"
    mixed = text[: text.index(start)] + other[other.index(start) : other.index(end)] + text[text.index(end) :]
    element = etree.fromstring(mixed)
    token = sign_element(element, element.get("AssertionID", ""), signer("rsa2048"), len(element))
    with pytest.raises(InvalidSamlToken) as refused:
        holder(saml11, token)
    assert refused.value.detail == "shape: the statements are confirmed by different keys"


@pytest.mark.parametrize(("method", "detail"), [("bearer", None), ("sender-vouches", "confirmation: not bearer")])
def test_the_statement_of_saml11_that_asks_for_most_stands_for_both(method: str, detail: str | None) -> None:
    text = unsigned(held(saml11, HOLDERS["p256"]))
    start = text.index("<saml:AuthenticationStatement ")
    confirmation = text[
        text.index("<saml:ConfirmationMethod>", start) : text.index("</saml:SubjectConfirmation>", start)
    ]
    other = f"<saml:ConfirmationMethod>urn:oasis:names:tc:SAML:1.0:cm:{method}</saml:ConfirmationMethod>"
    element = etree.fromstring(text[:start] + text[start:].replace(confirmation, other))
    token = sign_element(element, element.get("AssertionID", ""), signer("rsa2048"), len(element))
    if detail is None:
        assert isinstance(holder(saml11, token), PublicKey)
        return
    with pytest.raises(InvalidSamlToken) as refused:
        holder(saml11, token)
    assert refused.value.detail == detail


@VERSIONS
@ANY_HOLDER
def test_it_can_be_looked_at_without_trust(module: ModuleType, holder: HolderOfKey) -> None:
    assert module.view(held(module, holder)).claims == DESCRIPTOR.claims
