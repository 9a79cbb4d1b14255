"""Proof keys: P_SHA1 against published values, the keys of new tokens, and derived keys."""

from base64 import b64decode
from hashlib import md5
from hmac import HMAC

import pytest

from sts.core.errors import BadRequest
from sts.core.p_sha1 import p_sha1
from sts.core.proof_keys import DEFAULT_LABEL, DEFAULT_LENGTH, derive, new_proof_key
from sts.core.trust import Derivation, KeyKind, KeyRequest

CLIENT = bytes(range(32))


# Client entropy, service entropy, computed key: two exchanges between clients and services of Windows Communication
# Foundation, as published with node-psha1 (test/lib.index.js) and Digest::PSHA1 (t/01-basic.t, which has the second
# with its parts exchanged too).
@pytest.mark.parametrize(
    ("secret", "seed", "key"),
    [
        (
            "GS5olVevYMI4vW1Df/7FUpHcJJopTszp6sodlK4/rP8=",
            "LmF9Mjf9lYMa9YkxZDjaRFe6iMAfReKjzhLHDx376jA=",
            "ZMOP1NFa5VKTQ8I2awGXDjzKP+686eujiangAgf5N+Q=",
        ),
        (
            "grrlUUfhuNwlvQzQ4bV6TT3wA8ieZPltIf4+H7nIvCE=",
            "YLABh3ZmZyiO5gvVLZe9J4JPd9w59KGeTFwE85XlzxE=",
            "Wv3QzY84KfgwSkn1z3QV+LXEoo3nPraZPysJYtA3u4c=",
        ),
        (
            "YLABh3ZmZyiO5gvVLZe9J4JPd9w59KGeTFwE85XlzxE=",
            "grrlUUfhuNwlvQzQ4bV6TT3wA8ieZPltIf4+H7nIvCE=",
            "g/uYZmYX7rOm/X7UV4usrvjIPCiWMWwNZJL0ejvz6Y4=",
        ),
    ],
)
def test_computed_key_is_the_published_one(secret: str, seed: str, key: str) -> None:
    assert p_sha1(b64decode(secret), b64decode(seed), 32) == b64decode(key)


def test_p_sha1_is_its_half_of_the_published_pseudorandom_function_of_tls_1_0() -> None:
    """The vector of the TLS working group's list (msg01589): PRF = P_MD5(first half) xor P_SHA1(second half)."""
    half, seed = b"\xab" * 24, b"PRF Testvector" + b"\xcd" * 64
    published = bytes.fromhex(
        "d3d4d1e349b5d515044666d51de32bab258cb521b6b053463e354832fd976754443bcf9a296519bc289abcbc1187e4eb"
        "d31e602353776c408aafb74cbc85eff69255f9788faa184cbb957a9819d84a5d7eb006eb459d3ae8de9810454b8b2d8f"
        "1afbc655a8c9a013"
    )
    p_md5, chained = b"", seed
    while len(p_md5) < len(published):
        chained = HMAC(half, chained, md5).digest()
        p_md5 += HMAC(half, chained + seed, md5).digest()
    made = p_sha1(half, seed, len(published))
    assert bytes(a ^ b for a, b in zip(made, p_md5, strict=False)) == published


def test_derived_key_is_the_published_one() -> None:
    """Of .NET's InMemorySymmetricSecurityKey with the default label, as Mono's tests of that class publish it."""
    secret = b64decode("eX2EeE969RCv/5Lx8OIGLHtJrSD5PzVzO3tTy9JxU58=")
    derived = derive(secret, Derivation(DEFAULT_LABEL, bytes(256), 0, DEFAULT_LENGTH))
    assert derived == b64decode("50UfLeg58TbfADujVeafUAS8typGX9LvqLOXezK/eJY=")


@pytest.mark.parametrize(("offset", "length"), [(0, 16), (16, 32), (20, 20), (7, 33), (4032, 64)])
def test_derived_key_is_cut_out_where_its_token_says(offset: int, length: int) -> None:
    whole = p_sha1(CLIENT, b"labelnonce", 4096)
    assert derive(CLIENT, Derivation(b"label", b"nonce", offset, length)) == whole[offset : offset + length]


@pytest.mark.parametrize(
    "derivation",
    [
        Derivation(b"label", b"nonce", 0, 0),
        Derivation(b"label", b"nonce", 0, 15),
        Derivation(b"label", b"nonce", 0, 65),
        Derivation(b"label", b"nonce", 0, -32),
        Derivation(b"label", b"nonce", -1, 32),
        Derivation(b"label", b"nonce", 4065, 32),
        Derivation(b"label", b"nonce", 2**62, 32),
        Derivation(b"l" * 1000, b"n" * 25, 0, 32),
    ],
)
def test_derived_key_that_proves_nothing_or_costs_too_much_is_refused(derivation: Derivation) -> None:
    with pytest.raises(BadRequest):
        derive(CLIENT, derivation)


def test_without_entropy_the_key_is_wholly_ours() -> None:
    made = [new_proof_key(KeyRequest(KeyKind.SYMMETRIC, bits=256)) for _ in range(2)]
    assert [(len(key.key), key.bits, key.server_entropy) for key in made] == [(32, 256, None)] * 2
    assert made[0].key != made[1].key


def test_with_entropy_the_caller_computes_the_same_key() -> None:
    made = new_proof_key(KeyRequest(KeyKind.SYMMETRIC, bits=256, entropy=CLIENT))
    assert made.server_entropy is not None
    assert (len(made.server_entropy), made.key) == (32, p_sha1(CLIENT, made.server_entropy, 32))
    assert new_proof_key(KeyRequest(KeyKind.SYMMETRIC, bits=256, entropy=CLIENT)).key != made.key


@pytest.mark.parametrize(("bits", "size"), [(None, 32), (128, 16), (192, 24), (256, 32), (512, 64)])
@pytest.mark.parametrize("entropy", [None, CLIENT, CLIENT[:16], bytes(128)])
def test_key_has_the_size_that_was_asked(bits: int | None, size: int, entropy: bytes | None) -> None:
    made = new_proof_key(KeyRequest(KeyKind.SYMMETRIC, bits=bits, entropy=entropy))
    assert (len(made.key), made.bits) == (size, 8 * size)


@pytest.mark.parametrize("bits", [-256, 0, 8, 120, 127, 129, 250, 520, 2**31])
def test_size_that_makes_no_strong_key_is_refused(bits: int) -> None:
    with pytest.raises(BadRequest, match="KeySize is 128 to 512"):
        new_proof_key(KeyRequest(KeyKind.SYMMETRIC, bits=bits))


@pytest.mark.parametrize("entropy", [b"", CLIENT[:15], bytes(129)])
def test_t17_entropy_that_is_none_is_refused(entropy: bytes) -> None:
    with pytest.raises(BadRequest, match="Entropy"):
        new_proof_key(KeyRequest(KeyKind.SYMMETRIC, bits=256, entropy=entropy))


def test_no_secret_is_shown() -> None:
    made = new_proof_key(KeyRequest(KeyKind.SYMMETRIC, entropy=CLIENT))
    shown = repr(made) + repr(KeyRequest(KeyKind.SYMMETRIC, entropy=CLIENT))
    assert not any(repr(secret)[2:-1] in shown for secret in (made.key, made.server_entropy, CLIENT))
