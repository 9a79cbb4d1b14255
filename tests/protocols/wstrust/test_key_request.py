"""The keys that tokens are asked for with: kinds, sizes, the caller's part, and keys that the caller has."""

from base64 import b64encode

import pytest

from sts.core.errors import BadRequest
from sts.core.trust import (
    KeyKind,
    KeyRequest,
)
from sts.protocols.wstrust.names import WS_TRUST_13, Dialect
from tests.crypto.identities import certificate
from tests.crypto.key_infos import key_info, key_value, spki, x509_data
from tests.protocols.wstrust.rsts import (
    DIALECTS,
    NONCE,
    entropy,
    key_type,
    parameter,
    read,
    reference_to,
    x509_token,
)


@DIALECTS
@pytest.mark.parametrize("kind", KeyKind)
def test_key_types_are_read_in_both_dialects(dialect: Dialect, kind: KeyKind) -> None:
    assert read(dialect, key_type(dialect, kind)).key == KeyRequest(kind)


@DIALECTS
def test_no_proof_key_asks_for_a_bearer_token_in_both_dialects(dialect: Dialect) -> None:
    wanted = parameter("KeyType", "http://schemas.xmlsoap.org/ws/2005/05/identity/NoProofKey")
    assert read(dialect, wanted, parameter("KeySize", "0")).key == KeyRequest(KeyKind.BEARER)


@DIALECTS
def test_a_symmetric_key_is_asked_for_with_its_size_and_the_callers_part(dialect: Dialect) -> None:
    found = read(
        dialect,
        key_type(dialect, KeyKind.SYMMETRIC),
        parameter("KeySize", "256"),
        entropy(dialect),
        parameter("ComputedKeyAlgorithm", f"{dialect.namespace}/CK/PSHA1"),
    )
    assert found.key == KeyRequest(KeyKind.SYMMETRIC, 256, NONCE)
    assert NONCE.hex() not in repr(found)
    assert str(NONCE) not in repr(found)


def test_an_entropy_alone_asks_for_a_symmetric_key_and_an_empty_one_is_left_to_the_core() -> None:
    assert read(WS_TRUST_13, entropy(WS_TRUST_13)).key == KeyRequest(KeyKind.SYMMETRIC, None, NONCE)
    assert read(WS_TRUST_13, entropy(WS_TRUST_13, b"")).key == KeyRequest(KeyKind.SYMMETRIC, None, b"")
    untyped = f"<t:Entropy><t:BinarySecret>{b64encode(NONCE).decode()}</t:BinarySecret></t:Entropy>"
    assert read(WS_TRUST_13, untyped).key == KeyRequest(KeyKind.SYMMETRIC, None, NONCE)


CERTIFIED = KeyRequest(KeyKind.PUBLIC, public_key=spki("rsa2048"), certificate=certificate("rsa2048"))
NAMED = KeyRequest(KeyKind.PUBLIC, public_key=spki("rsa2048"))
SIGNING = frozenset({"X509-1", "SIG-1"})


@DIALECTS
@pytest.mark.parametrize(
    ("use_key", "expected"),
    [
        (f"<t:UseKey>{key_info(x509_data(certificate('rsa2048'))).decode()}</t:UseKey>", CERTIFIED),
        (f"<t:UseKey>{key_info(key_value('rsa2048')).decode()}</t:UseKey>", NAMED),
        (f"<t:UseKey>{x509_token(certificate('rsa2048'))}</t:UseKey>", CERTIFIED),
        (
            (
                f"<t:UseKey><wsse:SecurityTokenReference>{x509_data(certificate('rsa2048'))}</wsse:SecurityTokenReference>"
                "</t:UseKey>"
            ),
            CERTIFIED,
        ),
        (f"<t:UseKey>{reference_to('X509-1')}</t:UseKey>", KeyRequest(KeyKind.PUBLIC)),
        (f"<t:UseKey>{key_info(reference_to('X509-1')).decode()}</t:UseKey>", KeyRequest(KeyKind.PUBLIC)),
        (f'<t:UseKey Sig="#SIG-1">{reference_to("X509-1")}</t:UseKey>', KeyRequest(KeyKind.PUBLIC)),
        ('<t:UseKey Sig="#SIG-1"/>', KeyRequest(KeyKind.PUBLIC)),
        ("<t:UseKey/>", KeyRequest(KeyKind.PUBLIC)),
    ],
)
def test_use_key_names_a_key_or_means_the_one_that_signed(dialect: Dialect, use_key: str, expected: KeyRequest) -> None:
    use_key = use_key.replace("<ds:KeyInfo", '<ds:KeyInfo xmlns:wsse="' + WSSE_NS + '"')
    assert read(dialect, key_type(dialect, KeyKind.PUBLIC), use_key, signing=SIGNING).key == expected
    assert read(dialect, use_key, signing=SIGNING).key == expected


WSSE_NS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-secext-1.0.xsd"


@DIALECTS
@pytest.mark.parametrize(
    ("parts", "fault"),
    [
        ("<t:KeyType>urn:other</t:KeyType>", "the KeyType is none of"),
        ("<t:KeyType/>", "KeyType is empty"),
        ("<t:KeySize>many</t:KeySize>", "no number of bits"),
        ("<t:KeySize>-256</t:KeySize>", "no number of bits"),
        ("<t:KeySize>9999999999</t:KeySize>", "no number of bits"),
        ("<t:KeySize>٢٥٦</t:KeySize>", "no number of bits"),
        ("<t:ComputedKeyAlgorithm>{ns}/CK/HASH</t:ComputedKeyAlgorithm>", "ComputedKeyAlgorithm is not .*/CK/PSHA1"),
        ("<t:Entropy/>", "0 elements where one belongs"),
        ("<t:Entropy><ds:EncryptedKey/></t:Entropy>", "Entropy holds a BinarySecret"),
        ('<t:Entropy><t:BinarySecret Type="{ns}/SymmetricKey">AAAA</t:BinarySecret></t:Entropy>', "of Type .*/Nonce"),
        ('<t:Entropy><t:BinarySecret Type="{ns}/AsymmetricKey">AAAA</t:BinarySecret></t:Entropy>', "of Type .*/Nonce"),
        ("<t:Entropy><t:BinarySecret>A</t:BinarySecret></t:Entropy>", "cannot be read"),
        ("<t:Entropy><t:BinarySecret><t:A/></t:BinarySecret></t:Entropy>", "holds text only"),
        ("{bearer}" + "<t:Entropy><t:BinarySecret>AAAA</t:BinarySecret></t:Entropy>", "asks for a bearer token"),
        ("{symmetric}<t:UseKey/>", "the KeyType asks for a symmetric key"),
        ("<t:UseKey/>", "the message is not signed"),
        ('<t:UseKey Sig="#SIG-1"/>', "not the signature of the message"),
        (f"<t:UseKey>{reference_to('X509-1')}</t:UseKey>", "does not mean the token that signed"),
        ("<t:UseKey><wsse:UsernameToken/></t:UseKey>", "UseKey holds a KeyInfo"),
        ('<t:UseKey><wsse:BinarySecurityToken ValueType="urn:x">AAAA</wsse:BinarySecurityToken></t:UseKey>', "holds a"),
        ('<t:UseKey other="1"/>', "the attribute other of UseKey is not understood"),
        ("<t:UseKey><wsse:SecurityTokenReference/></t:UseKey>", "0 elements where one belongs"),
        (
            (
                '<t:UseKey><wsse:SecurityTokenReference><wsse:Reference URI="http://a.example/key"/>'
                "</wsse:SecurityTokenReference></t:UseKey>"
            ),
            "a Reference to an ID within the message",
        ),
    ],
)
def test_keys_that_cannot_be_made_as_they_are_asked_for_are_refused(dialect: Dialect, parts: str, fault: str) -> None:
    asked = (
        parts.replace("{ns}", dialect.namespace)
        .replace("{bearer}", key_type(dialect, KeyKind.BEARER))
        .replace("{symmetric}", key_type(dialect, KeyKind.SYMMETRIC))
    )
    with pytest.raises(BadRequest, match=fault):
        read(dialect, asked)


def test_a_key_beside_a_signature_is_the_one_that_signed() -> None:
    key = x509_token(certificate("rsa2048"), "other")
    named = read(WS_TRUST_13, f"<t:UseKey>{key}</t:UseKey>", signing=SIGNING).key
    signed = read(WS_TRUST_13, f'<t:UseKey Sig="#SIG-1">{key}</t:UseKey>', signing=SIGNING).key
    assert (named, signed) == (CERTIFIED, CERTIFIED._replace(signed=True))
