"""Relying parties that require encryption: nothing of their tokens is ever readable by others."""

import base64
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lxml import etree

from sts.core.claims import NAME_IDENTIFIER, ROLE
from sts.core.errors import InvalidConfiguration
from tests.flows.doors import DOORS, Caller, realm_of
from tests.flows.operators import NAMESPACE, first
from tests.flows.people import Person
from tests.flows.recipient import write_certificate
from tests.flows.signing_in import signed_in
from tests.flows.tokens import SAML20, Content, read_saml
from tests.flows.world import START, World, members
from tests.protocols.wstrust.messages import SOAP11, SOAP12, TRUST_13, TRUST_2005, request
from tests.threats.trust_door import good, granted

XENC = "http://www.w3.org/2001/04/xmlenc#"
CBC, GCM = XENC + "aes256-cbc", "http://www.w3.org/2009/xmlenc11#aes256-gcm"
DSIG = "http://www.w3.org/2000/09/xmldsig#"
ENCRYPTED = """
namespace: contoso
relying_parties:
  - {{name: sealed, realm: "https://sealed.example/", token_format: {format}, rule_groups: [all],
     encryption: required, encryption_certificate: {certificate}, encryption_algorithm: {algorithm}}}
"""
FOR_PEOPLE = """
namespace: contoso
relying_parties:
  - {{name: secret, realm: "https://secret.example/", token_format: {format}, rule_groups: [people],
     reply: ["https://secret.example/signin"], identity_providers: [adfs],
     encryption: required, encryption_certificate: sealed.cer}}
"""
FORMATS = pytest.mark.parametrize("token_format", ["saml11", "saml20"])
ALGORITHMS = pytest.mark.parametrize(("algorithm", "uri"), [("aes256-cbc", CBC), ("aes256-gcm", GCM)])
END = START + timedelta(days=30)
ROOTS = {"saml11": f"{{{XENC}}}EncryptedData", "saml20": f"{{{SAML20}}}EncryptedAssertion"}
PERSONAL = (b"worker", b"sender", b"alice", b"reader", b"nameidentifier", b"emailaddress")
MARKUP = (b"<Assertion", b":Assertion", b"lt;Assertion", b"Issuer>", b"Attribute", b"NameID")
READABLE = (*PERSONAL, *MARKUP, b"sealed.example")


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """The relying party's key."""
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def sealed(world: World, key: rsa.RSAPrivateKey) -> World:
    """A world with the relying party's certificate beside the configuration."""
    write_certificate(world.home / "sealed.cer", key, START - timedelta(days=1), END)
    return world


def configure(world: World, token_format: str, algorithm: str = "aes256-cbc", certificate: str = "sealed.cer") -> None:
    """Give the namespace the relying party."""
    world.apply(ENCRYPTED.format(format=token_format, algorithm=algorithm, certificate=certificate))


def decrypt(token: bytes, key: rsa.RSAPrivateKey) -> bytes:
    """The plaintext of the one EncryptedData in a token (XML Encryption 1.1, 5.2, 5.5)."""
    root = etree.fromstring(token)
    encrypted = root if root.tag == f"{{{XENC}}}EncryptedData" else root[0]

    def value(path: str) -> bytes:
        return base64.b64decode(encrypted.findtext(path, namespaces={"x": XENC, "d": DSIG}) or "")

    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    content_key = key.decrypt(value("d:KeyInfo/x:EncryptedKey/x:CipherData/x:CipherValue"), oaep)
    cipher_text = value("x:CipherData/x:CipherValue")
    if algorithm_of(token) == GCM:
        return AESGCM(content_key).decrypt(cipher_text[:12], cipher_text[12:], None)
    decryptor = Cipher(algorithms.AES(content_key), modes.CBC(cipher_text[:16])).decryptor()
    padded = decryptor.update(cipher_text[16:]) + decryptor.finalize()
    return padded[: -padded[-1]]


def read(world: World, token: bytes, key: rsa.RSAPrivateKey) -> Content:
    """What the relying party reads in a token."""
    certificate = first(world, NAMESPACE).certificate
    assert certificate is not None
    return read_saml(decrypt(token, key), certificate, world.now)


def algorithm_of(token: bytes) -> str:
    """How the content of a token is encrypted."""
    methods = etree.fromstring(token).iter(f"{{{XENC}}}EncryptionMethod")
    return str(next(methods).get("Algorithm"))


@FORMATS
@ALGORITHMS
def test_only_the_relying_party_reads_what_it_gets(
    sealed: World, key: rsa.RSAPrivateKey, token_format: str, algorithm: str, uri: str
) -> None:
    configure(sealed, token_format, algorithm)
    token = sealed.token("sealed")
    assert algorithm_of(token) == uri
    assert etree.fromstring(token).tag == ROOTS[token_format]
    content = read(sealed, token, key)
    assert (content.audience, content.claims[NAME_IDENTIFIER]) == (realm_of("sealed"), ["worker"])
    assert content.claims[ROLE] == ["sender"]


@FORMATS
def test_nothing_is_in_the_clear_at_any_door(sealed: World, token_format: str) -> None:
    configure(sealed, token_format)
    for door in DOORS:
        answer = door(sealed, Caller(realm_of("sealed")))
        if token_format not in door.parties:
            assert answer.status_code == 400
            continue
        token = door.read(answer).token
        assert etree.fromstring(token).tag.endswith(("}EncryptedData", "}EncryptedAssertion"))
        assert [text for text in READABLE if text in token] == []
        assert sealed.records()[-1]["encrypted"] is True


@FORMATS
def test_nothing_is_in_the_clear_that_a_browser_carries(
    people: World, key: rsa.RSAPrivateKey, token_format: str
) -> None:
    write_certificate(people.home / "sealed.cer", key, START - timedelta(days=1), END)
    people.apply(FOR_PEOPLE.format(format=token_format))
    page = signed_in(Person(people), "secret")
    assert page.action == "https://secret.example/signin"
    assert etree.fromstring(page.token).tag == ROOTS[token_format]
    assert [text for text in (*READABLE, b"secret.example") if text in page.token] == []
    whole = page.answer.data + page.wresult.encode()
    assert [text for text in (*PERSONAL, *MARKUP) if text in whole] == []
    content = read(people, page.token, key)
    assert (content.audience, content.claims[NAME_IDENTIFIER]) == (realm_of("secret"), ["alice"])
    assert people.records()[-1]["encrypted"] is True


@FORMATS
@pytest.mark.parametrize("trust", [TRUST_13, TRUST_2005], ids=["1.3", "2005"])
@pytest.mark.parametrize("soap", [SOAP11, SOAP12], ids=["SOAP 1.1", "SOAP 1.2"])
def test_nothing_is_in_the_clear_over_ws_trust(
    sealed: World, key: rsa.RSAPrivateKey, token_format: str, trust: str, soap: str
) -> None:
    configure(sealed, token_format)
    body = request(realm_of("sealed"), namespace=trust)
    root = granted(sealed, good(sealed, body, trust=trust, soap=soap))
    ((token,),) = root.iter(f"{{{trust}}}RequestedSecurityToken")
    assert token.tag == ROOTS[token_format]
    assert [text for text in READABLE if text in etree.tostring(token)] == []
    assert [text for text in (*PERSONAL, *MARKUP) if text in etree.tostring(root)] == []
    content = read(sealed, etree.tostring(token, with_tail=False), key)
    assert (content.audience, content.claims[NAME_IDENTIFIER]) == (realm_of("sealed"), ["worker"])
    assert sealed.records()[-1]["encrypted"] is True


@FORMATS
@ALGORITHMS
def test_no_two_tokens_share_key_or_vector(
    sealed: World, key: rsa.RSAPrivateKey, token_format: str, algorithm: str, uri: str
) -> None:
    configure(sealed, token_format, algorithm)
    seen: set[str] = set()
    for _ in range(5):
        values = etree.fromstring(sealed.token("sealed")).iter(f"{{{XENC}}}CipherValue")
        seen.update((value.text or "")[:16] for value in values)
    assert len(seen) == 10


@FORMATS
def test_an_expired_encryption_certificate_ends_issuing_to_the_second(
    sealed: World, key: rsa.RSAPrivateKey, token_format: str
) -> None:
    configure(sealed, token_format)
    sealed.clock.now = END + timedelta(microseconds=999_999)
    sealed.token("sealed")
    sealed.clock.now = END + timedelta(seconds=1)
    answer = sealed.oauth("sealed")
    assert (answer.status_code, members(answer)["error"]) == (400, "invalid_target")
    assert members(answer)["error_description"].startswith("ACS50005: ")
    assert "sts apply" in answer.text
    assert "access_token" not in answer.text
    record = sealed.records()[-1]
    assert (record["error"], record["trace_id"]) == ("ACS50005", members(answer)["trace_id"])
    write_certificate(sealed.home / "renewed.cer", key, sealed.now - timedelta(days=1), sealed.now + timedelta(days=90))
    configure(sealed, token_format, certificate="renewed.cer")
    assert decrypt(sealed.token("sealed"), key)


@FORMATS
def test_a_relying_party_that_turns_to_encryption_gets_it_with_the_next_token(sealed: World, token_format: str) -> None:
    plain = ENCRYPTED.split("\n     encryption:")[0] + "}}"
    sealed.apply(plain.format(format=token_format))
    assert b"worker" in sealed.token("sealed")
    configure(sealed, token_format)
    assert b"worker" not in sealed.token("sealed")


@pytest.mark.parametrize("token_format", ["swt", "jwt"])
def test_encryption_of_what_cannot_be_encrypted_is_refused_when_saved(sealed: World, token_format: str) -> None:
    with pytest.raises(InvalidConfiguration, match="only SAML tokens can be encrypted"):
        configure(sealed, token_format)


@FORMATS
def test_required_encryption_needs_a_certificate_when_saved(sealed: World, token_format: str) -> None:
    text = ENCRYPTED.replace(" encryption_certificate: {certificate},", "")
    with pytest.raises(InvalidConfiguration, match="encryption_certificate"):
        sealed.apply(text.format(format=token_format, algorithm="aes256-cbc"))


def test_an_expired_or_coming_certificate_is_refused_when_saved(sealed: World, key: rsa.RSAPrivateKey) -> None:
    day = timedelta(days=1)
    for begin, end in ((START - 9 * day, START - day), (START + day, START + 9 * day)):
        write_certificate(sealed.home / "bad.cer", key, begin, end)
        with pytest.raises(InvalidConfiguration):
            configure(sealed, "saml20", certificate="bad.cer")
