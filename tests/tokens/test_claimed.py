"""What a look at a token says before it is verified, and that its reader goes on from there, of every format."""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import pytest

from sts.core.errors import InvalidAudience, InvalidSamlToken, InvalidSignature, InvalidToken
from sts.core.exchange import TokenDescriptor, Trusted, VerificationKey
from sts.core.model import ContentEncryption, Kind, TokenFormat
from sts.crypto.signer import SoftwareSigner
from sts.tokens import jwt, saml11, saml20, swt
from tests.crypto.identities import NOW, certificate, signer
from tests.tokens.assertions import AUDIENCE, DESCRIPTOR, ISSUER, TRUSTED, edited, key, unsigned, written

SECRET = b"k" * 32
SYMMETRIC = replace(TRUSTED, keys=(VerificationKey("key", Kind.SYMMETRIC, SECRET),))
WRITERS: dict[TokenFormat, tuple[ModuleType, SoftwareSigner, Trusted]] = {
    TokenFormat.SWT: (swt, SoftwareSigner.from_symmetric(SECRET, "key"), SYMMETRIC),
    TokenFormat.JWT: (jwt, signer("rsa2048"), replace(TRUSTED, keys=(replace(key(), id=""),))),
    TokenFormat.SAML11: (saml11, signer("rsa2048"), TRUSTED),
    TokenFormat.SAML20: (saml20, signer("rsa2048"), TRUSTED),
}
EVERY_FORMAT = pytest.mark.parametrize("token_format", TokenFormat)
SAML = pytest.mark.parametrize("module", [saml11, saml20])


def token_of(token_format: TokenFormat, descriptor: TokenDescriptor = DESCRIPTOR) -> bytes:
    module, by, _ = WRITERS[token_format]
    token: bytes = module.write(descriptor, by)
    return token


@EVERY_FORMAT
def test_a_look_says_who_issued_a_token_and_for_whom(token_format: TokenFormat) -> None:
    claimed = WRITERS[token_format][0].claimed(token_of(token_format))
    assert claimed[:3] == (token_format, ISSUER, (AUDIENCE,))
    assert not claimed.encrypted


@EVERY_FORMAT
def test_what_was_looked_at_is_read_as_the_reader_reads_it(token_format: TokenFormat) -> None:
    module, _, trusted = WRITERS[token_format]
    token = token_of(token_format)
    assert module.claimed(token).read(trusted, NOW) == module.read(token, trusted, NOW)


@EVERY_FORMAT
def test_a_look_shows_nothing_of_the_token(token_format: TokenFormat) -> None:
    token = token_of(token_format)
    shown = repr(WRITERS[token_format][0].claimed(token))
    assert ISSUER in shown
    assert token[-40:].decode() not in shown


REFUSALS: dict[str, tuple[Callable[[Trusted], Trusted], type[InvalidToken]]] = {
    "another issuer": (lambda trusted: replace(trusted, issuer="https://other.example/"), InvalidToken),
    "another audience": (lambda trusted: replace(trusted, audience="https://other.example/"), InvalidAudience),
    "no key": (lambda trusted: replace(trusted, keys=()), InvalidSignature),
}


@EVERY_FORMAT
@pytest.mark.parametrize(("change", "refusal"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_was_looked_at_is_refused_as_the_reader_refuses_it(
    token_format: TokenFormat, change: Callable[[Trusted], Trusted], refusal: type[InvalidToken]
) -> None:
    module, _, trusted = WRITERS[token_format]
    token = token_of(token_format)
    with pytest.raises(refusal) as by_reader:
        module.read(token, change(trusted), NOW)
    with pytest.raises(refusal) as after_look:
        module.claimed(token).read(change(trusted), NOW)
    assert (after_look.value.codes, after_look.value.detail) == (by_reader.value.codes, by_reader.value.detail)


@SAML
def test_an_assertion_that_was_looked_at_is_read_once(module: ModuleType) -> None:
    claimed = module.claimed(written(module))
    claimed.read(TRUSTED, NOW)
    with pytest.raises(InvalidSignature) as refused:
        claimed.read(TRUSTED, NOW)
    assert "signature count: 0" in (refused.value.detail or "")


@SAML
def test_reading_with_nobodys_keys_leaves_an_assertion_to_be_read(module: ModuleType) -> None:
    claimed = module.claimed(written(module))
    with pytest.raises(InvalidSignature):
        claimed.read(replace(TRUSTED, keys=()), NOW)
    assert claimed.read(TRUSTED, NOW).issuer == ISSUER


@SAML
def test_an_assertion_may_name_several_audiences(module: ModuleType) -> None:
    prefix = "saml:" if module is saml11 else ""
    end = f"</{prefix}Audience>"
    token = edited(module, (end, f"{end}<{prefix}Audience>urn:second{end}"))
    assert module.claimed(token).audiences == (AUDIENCE, "urn:second")


@SAML
def test_what_was_changed_after_it_was_signed_is_looked_at_and_not_read(module: ModuleType) -> None:
    token = written(module).replace(b"alice", b"admin")
    assert module.claimed(token).issuer == ISSUER
    with pytest.raises(InvalidSignature) as refused:
        module.claimed(token).read(TRUSTED, NOW)
    assert "InvalidDigest" in (refused.value.detail or "")


@SAML
@pytest.mark.parametrize("algorithm", ContentEncryption)
def test_an_encrypted_assertion_says_only_that_it_is_one(module: ModuleType, algorithm: ContentEncryption) -> None:
    claimed = module.claimed(module.encrypt(written(module), certificate("rsa2048", "orders"), algorithm))
    assert (claimed.encrypted, claimed.issuer, claimed.audiences) == (True, None, ())
    with pytest.raises(InvalidSamlToken) as refused:
        claimed.read(TRUSTED, NOW)
    assert (refused.value.detail or "").startswith("root: ")


MISSHAPEN = {
    "another version": ('Version="2.0"', 'Version="2.1"'),
    "no Subject": ("Subject>", "Advice>"),
    "two Conditions": ("<AttributeStatement>", "<Conditions></Conditions><AttributeStatement>"),
    "a condition that is not understood": ("<AudienceRestriction>", "<ProxyRestriction/><AudienceRestriction>"),
    "an instant that is none": ("NotBefore=", 'NotBefore="now" x='),
}


@pytest.mark.parametrize(("old", "new"), MISSHAPEN.values(), ids=MISSHAPEN.keys())
def test_what_a_look_does_not_need_is_for_the_reader_to_refuse(old: str, new: str) -> None:
    token = edited(saml20, (old, new))
    assert saml20.claimed(token).issuer == ISSUER
    with pytest.raises(InvalidSamlToken):
        saml20.claimed(token).read(TRUSTED, NOW)


ISSUERS = {
    "none": (f"<Issuer>{ISSUER}</Issuer>", ""),
    "two": ("</Issuer>", "</Issuer><Issuer>https://other.example/</Issuer>"),
    "with elements": ("</Issuer>", "<b/></Issuer>"),
    "in another namespace": ("<Issuer>", '<Issuer xmlns="urn:x">'),
}


@pytest.mark.parametrize(("old", "new"), ISSUERS.values(), ids=ISSUERS.keys())
def test_without_one_issuer_there_is_nothing_to_choose_by(old: str, new: str) -> None:
    with pytest.raises(InvalidSamlToken) as refused:
        saml20.claimed(edited(saml20, (old, new)))
    assert (refused.value.detail or "").startswith("shape: ")


def test_an_issuer_elsewhere_in_an_assertion_is_none() -> None:
    advice = "<Advice><Issuer>https://other.example/</Issuer></Advice>"
    token = unsigned(written(saml20)).replace("<Issuer>", f"{advice}<Issuer>", 1)
    assert saml20.claimed(token.encode()).issuer == ISSUER


@EVERY_FORMAT
@pytest.mark.parametrize("junk", [b"", b"no token", b"<Assertion/>", b"<!DOCTYPE x><x/>", b"a.b.c", b"a=b"])
def test_a_look_at_something_else_is_refused(token_format: TokenFormat, junk: bytes) -> None:
    with pytest.raises(InvalidToken):
        WRITERS[token_format][0].claimed(junk)
