"""Rows J01 to J24 of the catalogue of threats, at the reader of JSON web tokens."""

import contextlib
import hmac
import json
from base64 import b64encode, urlsafe_b64decode
from dataclasses import replace

import jwt as pyjwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.hashes import SHA256
from jwt.algorithms import RSAAlgorithm

from sts.core.errors import InvalidAudience, InvalidJwtToken, InvalidSignature, KeyUnreadable
from sts.core.model import Use
from sts.crypto.signer import SoftwareSigner
from sts.tokens.jwt import MAX_BYTES, read, view, write
from tests.crypto.identities import NOW, certificate, private_key, signer
from tests.tokens.compact import (
    AUDIENCE,
    ISSUER,
    KEY,
    asymmetric,
    base64url,
    descriptor,
    jws,
    payload,
    symmetric,
    symmetric_signer,
    trusting,
)

HEADER = {"typ": "JWT", "alg": "HS256"}
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def refused(token, *keys, **changes):
    """The detail of the refusal."""
    with pytest.raises((InvalidJwtToken, InvalidSignature, InvalidAudience)) as refusal:
        read(token, trusting(*keys, **changes), NOW)
    return refusal.value.detail


def certificate_forms():
    """Every form in which the public key of an RS256 certificate is at large."""
    der = certificate("rsa2048")
    public = x509.load_der_x509_certificate(der).public_key()
    encoding, form = serialization.Encoding, serialization.PublicFormat
    return {
        "PEM": public.public_bytes(encoding.PEM, form.SubjectPublicKeyInfo),
        "DER": public.public_bytes(encoding.DER, form.SubjectPublicKeyInfo),
        "SSH": public.public_bytes(encoding.OpenSSH, form.OpenSSH),
        "JWK": RSAAlgorithm.to_jwk(public).encode(),
        "certificate PEM": x509.load_der_x509_certificate(der).public_bytes(encoding.PEM),
        "certificate DER": der,
        "certificate base64": b64encode(der),
    }


def test_harmless_token_is_read():
    assert read(jws(HEADER, payload()), trusting(), NOW).issuer == ISSUER


@pytest.mark.parametrize("key", ["symmetric", "certificate"])
@pytest.mark.parametrize("row", ["J01 none", "J02 nOnE", "J02 NONE", "J02 None"])
def test_j01_j02_algorithm_none_is_refused(row, key):
    unsigned = jws({"typ": "JWT", "alg": row.split()[1]}, payload()).rpartition(b".")[0] + b"."
    keys = (symmetric(),) if key == "symmetric" else (asymmetric(),)
    assert refused(unsigned, *keys).startswith("alg")


@pytest.mark.parametrize(
    "mangle",
    [
        lambda token: token + b".",
        lambda token: token + b".a.b",
        lambda token: token + b"\n",
        lambda token: token + b"=",
        lambda token: b" " + token,
        lambda token: token.replace(b".", b"..", 1),
        lambda token: token.replace(b".", b"", 1),
        lambda token: token.replace(b".", b"=.", 1),
        lambda token: token.replace(b".", b"\n.", 1),
        lambda token: b"." + token.partition(b".")[2],
        lambda token: b"",
        lambda token: b"...",
        lambda token: "é.é.é".encode(),
    ],
)
def test_j03_anything_but_three_segments_is_refused(mangle):
    assert refused(mangle(jws(HEADER, payload()))).startswith("format")


def test_j04_rs256_where_only_symmetric_keys_are_trusted_is_refused():
    assert refused(write(descriptor(), signer("rsa2048")), symmetric()).startswith("alg")


@pytest.mark.parametrize("form", [name for name in certificate_forms() if name != "certificate base64"])
def test_j05_public_key_is_no_hmac_secret(form):
    forged = jws(HEADER, payload(), certificate_forms()[form])
    assert refused(forged, asymmetric()).startswith("alg")
    assert refused(forged, asymmetric(), symmetric()).startswith("signature")
    assert refused(forged, symmetric(certificate_forms()[form])).startswith("key")


def test_j06_base64_of_the_certificate_is_no_hmac_secret():
    text = certificate_forms()["certificate base64"]
    forged = jws(HEADER, payload(), text)
    assert pyjwt.PyJWS().decode(forged, text, ["HS256", "RS256"])  # PyJWT alone accepts it
    assert refused(forged, asymmetric()).startswith("alg")
    assert refused(forged, asymmetric(), symmetric()).startswith("signature")
    assert refused(forged, symmetric(text)).startswith("key")


@pytest.mark.parametrize(
    ("row", "material"), [("J07", b""), ("J08", b"8 bytes!"), ("J08", KEY[:31]), ("J08", KEY + b"x")]
)
def test_j07_j08_symmetric_key_of_another_size_never_verifies(row, material):
    assert refused(jws(HEADER, payload(), material), symmetric(material)).startswith("key")
    with pytest.raises(KeyUnreadable):
        SoftwareSigner.from_symmetric(material, row)


@pytest.mark.parametrize(
    "extra", [{"crit": ["x"]}, {"crit": []}, {"b64": False}, {"b64": True}, {"crit": ["b64"], "b64": False}]
)
def test_j09_critical_extensions_are_refused(extra):
    assert refused(jws(HEADER | extra, payload())).startswith("header")


@pytest.mark.parametrize("name", ["kid", "x5t"])
@pytest.mark.parametrize(
    "hint", ["../../../../dev/null", "' OR 1=1--", "k" * 65, "k" * 10_000, "", {}, ["k"], 5, None, "é", "k\n"]
)
def test_j10_key_id_of_a_strange_form_is_refused(name, hint):
    assert refused(jws(HEADER | {name: hint}, payload())).startswith("kid")


@pytest.mark.parametrize("name", ["jku", "x5u", "jwk", "x5c"])
@pytest.mark.parametrize("value", ["http://127.0.0.1:1/keys", {"kty": "oct", "k": "AA"}, [], None])
def test_j11_key_in_the_message_is_refused(name, value):
    assert refused(jws(HEADER | {name: value}, payload())).startswith("header")


def test_j12_token_without_expiry_is_refused():
    assert refused(jws(HEADER, payload(exp=None))) == "time: no expiry"


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value",
    [
        '"1795299000"',
        "1e400",
        "-1",
        "100000000000000000000",
        "true",
        "null",
        "[]",
        "{}",
        "NaN",
        "Infinity",
        "-Infinity",
        "253402300800",
    ],
)
def test_j13_instant_that_is_no_number_of_seconds_is_refused(name, value):
    raw = json.dumps(payload(**{name: None}))[:-1] + f', "{name}": {value}}}'
    assert refused(jws(HEADER, raw.encode())).startswith("claim type")
    with pytest.raises(InvalidJwtToken):
        view(jws(HEADER, raw.encode()))


@pytest.mark.parametrize(
    "audience",
    [
        None,
        "",
        [],
        ["https://other.example/", AUDIENCE],
        [AUDIENCE, AUDIENCE],
        AUDIENCE + "/",
        AUDIENCE[:-1],
        AUDIENCE.upper(),
    ],
)
def test_j14_audience_that_is_not_ours_alone_is_refused(audience):
    assert refused(jws(HEADER, payload(aud=audience))).startswith("audience")


@pytest.mark.parametrize("audience", [5, {}, [5], [[AUDIENCE]], [None], True])
def test_j14_audience_that_is_no_text_is_refused(audience):
    assert refused(jws(HEADER, payload(aud=audience))).startswith("claim type")


@pytest.mark.parametrize("issuer", [ISSUER[:-1], ISSUER + "/", ISSUER + " ", ISSUER.upper(), "https://sts.example/"])
def test_j15_issuer_that_is_not_the_trusted_one_is_refused(issuer):
    assert refused(jws(HEADER, payload(iss=issuer))).startswith("issuer")


@pytest.mark.parametrize("issuer", ["", 5, [ISSUER], {"": ISSUER}])
def test_j15_issuer_that_is_no_text_is_refused(issuer):
    assert refused(jws(HEADER, payload(iss=issuer))).startswith("claim type")
    assert refused(jws(HEADER, payload(iss=None))).startswith("issuer")


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        (None, '"sub": "a", "sub": "admin"'),
        (None, '"sub": "a", "s\\u0075b": "a"'),
        (None, '"deep": [{"a": 1, "a": 2}]'),
        (None, f'"iss": "{ISSUER}"'),
        (b'{"alg": "HS256", "alg": "HS256"}', '"a": 1'),
        (b'{"alg": "none", "\\u0061lg": "HS256"}', '"a": 1'),
    ],
)
def test_j16_duplicate_members_are_refused(header, claims):
    raw = json.dumps(payload())[:-1] + f", {claims}}}"
    assert refused(jws(header or HEADER, raw.encode())).startswith("duplicate")


def twin(segment):
    """Another text that decodes to the same bytes: the spare bits of its last letter are not zero."""
    other = segment[:-1] + ALPHABET[ALPHABET.index(segment[-1]) + 1 :][:1]
    filling = b"=" * (-len(segment) % 4)
    assert urlsafe_b64decode(other + filling) == urlsafe_b64decode(segment + filling)
    return other


def with_spare_bits(members):
    """The JSON of the members, of a length that leaves spare bits in its base64url."""
    raw = json.dumps(members).encode()
    return base64url(raw + b" " * ((2 - len(raw)) % 3))


@pytest.mark.parametrize("part", ["header", "payload", "signature"])
def test_j17_non_canonical_base64url_is_refused(part):
    segments = {"header": with_spare_bits(HEADER), "payload": with_spare_bits(payload())}
    if part in segments:
        segments[part] = twin(segments[part])
    signing_input = b".".join(segments.values())
    signature = base64url(hmac.digest(KEY, signing_input, "sha256"))
    token = signing_input + b"." + (twin(signature) if part == "signature" else signature)
    assert refused(token).startswith("format: the base64url")


@pytest.mark.parametrize("segment", [b"A", b"AAAAA", b"+A", b"/A", b"A A", b"A\n", b"\xff"])
def test_j17_segment_that_is_no_base64url_is_refused(segment):
    header, _, signature = jws(HEADER, payload()).split(b".")
    assert refused(b".".join([header, segment, signature])).startswith("format")
    assert refused(b".".join([segment, header, signature])).startswith("format")


@pytest.mark.parametrize("use", [use for use in Use if use is not Use.SIGNING])
def test_j18_key_of_another_use_never_verifies(use):
    assert refused(write(descriptor(), signer("rsa2048")), asymmetric("rsa2048", use=use)).startswith("key")
    assert refused(write(descriptor(), symmetric_signer()), symmetric(use=use)).startswith("key")


def rs256(kind):
    """A token under RS256 by any RSA key, made by hand."""
    signing_input = base64url(b'{"alg":"RS256"}') + b"." + base64url(json.dumps(payload()).encode())
    return signing_input + b"." + base64url(private_key(kind).sign(signing_input, padding.PKCS1v15(), SHA256()))


def test_j19_rsa_key_of_1024_bits_never_verifies():
    assert read(rs256("rsa2048"), trusting(asymmetric()), NOW).id == "once"
    assert refused(rs256("rsa1024"), asymmetric("rsa1024")).startswith("key")


@pytest.mark.parametrize("kind", ["secp256k1", "ed25519"])
def test_j19_key_that_would_not_be_imported_never_verifies(kind):
    key = replace(asymmetric(), material=certificate(kind))
    assert refused(rs256("rsa2048"), key).startswith("key")


@pytest.mark.parametrize("depth", [2_000, 50_000])
@pytest.mark.parametrize("part", ["header", "payload"])
@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"a":', b"}")])
def test_j20_deep_nesting_is_refused(depth, part, brackets):
    opening, closing = brackets
    deep = b'{"a":' + opening * depth + b"1" + closing * depth + b"}"
    token = jws(deep, payload()) if part == "header" else jws(HEADER, deep)
    assert refused(token).startswith(("format", "size"))


@pytest.mark.parametrize("depth", range(100, 1_000, 50))
def test_j20_nesting_near_the_parsers_limit_is_a_claim_or_a_refusal(depth):
    raw = json.dumps(payload())[:-1] + ', "a": {"b": ' + "[" * depth + "]" * depth + "}}"
    with contextlib.suppress(InvalidJwtToken):
        assert read(jws(HEADER, raw.encode()), trusting(), NOW).claims[0].type == "a"


@pytest.mark.parametrize("digits", [4_301, 10_000, 1_000_000])
def test_j21_integer_of_many_digits_is_refused(digits):
    raw = json.dumps(payload(exp=None))[:-1] + ', "exp": ' + "1" * digits + "}"
    assert refused(jws(HEADER, raw.encode())).startswith(("format", "size"))


def test_j22_token_of_5_megabytes_is_refused_unread():
    assert refused(jws(HEADER, payload(a="b" * 5_000_000))).startswith("size")
    assert refused(b"." * (MAX_BYTES + 1)).startswith("size")
    with pytest.raises(InvalidJwtToken):
        view(b"." * (MAX_BYTES + 1))


def test_j23_token_relabelled_as_the_other_algorithm_of_its_key_is_refused():
    """Clients may choose PS256 for an RSA key; what was signed as one does not verify as the other."""
    _, body, signature = rs256("rsa2048").split(b".")
    header = base64url(json.dumps({"alg": "PS256"}).encode())
    assert refused(b".".join([header, body, signature]), asymmetric()).startswith("signature")


@pytest.mark.parametrize(
    "algorithm", ["PS384", "PS512", "RS384", "RS512", "RS1", "rs256", "RS256 ", "EdDSA", "ES256K", "HS512"]
)
def test_j23_token_relabelled_with_another_algorithm_is_refused(algorithm):
    _, body, signature = rs256("rsa2048").split(b".")
    header = base64url(json.dumps({"alg": algorithm}).encode())
    assert refused(b".".join([header, body, signature]), asymmetric()).startswith("alg")


@pytest.mark.parametrize(
    ("kind", "algorithm"), [("rsa2048", "ES256"), ("p256", "ES384"), ("p256", "RS256"), ("p384", "ES256")]
)
def test_j23_algorithm_of_another_key_is_refused(kind, algorithm):
    _, body, signature = write(descriptor(), signer(kind)).split(b".")
    header = base64url(json.dumps({"alg": algorithm}).encode())
    assert refused(b".".join([header, body, signature]), asymmetric(kind)).startswith("alg")


@pytest.mark.parametrize("algorithm", [None, 5, ["HS256"], {}, ""])
def test_j23_algorithm_that_is_no_name_is_refused(algorithm):
    assert refused(jws({"alg": algorithm}, payload())).startswith("alg")
    assert refused(jws({"typ": "JWT"}, payload())).startswith("alg")


@pytest.mark.parametrize("typ", ["logout+jwt", "dpop+jwt", "secevent+jwt", "JOSE", "JWT ", "", None, 5, ["JWT"]])
def test_j24_other_type_of_token_is_refused(typ):
    assert refused(jws(HEADER | {"typ": typ}, payload())).startswith("typ")


@pytest.mark.parametrize(
    ("row", "token"),
    [
        ("five segments", b"eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..YQ.YQ.YQ"),
        ("header of an encrypted token", jws({"alg": "dir", "enc": "A256GCM"}, payload())),
        ("compressed", jws(HEADER | {"zip": "DEF"}, payload())),
    ],
)
def test_j24_encrypted_token_is_refused(row, token):
    assert refused(token).startswith(("format", "header"))


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"{}{}",
        b"\xff\xfe",
        b'\xef\xbb\xbf{"a":1}',
        b"{'a':1}",
        b'{"a":"\n"}',
        b'{"a":"\\ud800"}',
        b'{"\\udfff":1}',
    ],
)
def test_part_that_is_no_json_object_is_refused(raw):
    assert refused(jws(raw, payload()), audience=None).startswith("format")
    assert refused(jws(HEADER, raw)).startswith("format")


@pytest.mark.parametrize("position", [0, 31])
def test_changed_signature_is_refused(position):
    head, _, signature = jws(HEADER, payload()).rpartition(b".")
    mac = bytearray(urlsafe_b64decode(signature + b"="))
    mac[position] ^= 1
    assert refused(head + b"." + base64url(bytes(mac))).startswith("signature")
    assert refused(head + b"." + base64url(bytes(mac[:16]))).startswith("signature")
    assert refused(head + b".").startswith("signature")
