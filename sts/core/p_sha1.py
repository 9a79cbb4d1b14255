"""P_SHA1, which makes one key of two secrets or many keys of one."""

from hmac import digest

_HASH = "sha1"  # HMAC needs no collision resistance of it


def p_sha1(secret: bytes, seed: bytes, length: int) -> bytes:
    """So many bytes that only who knows the secret can compute (RFC 2246, 5: P_hash with SHA-1).

    The computed key of WS-Trust (1.3, 4.4.4) has the caller's entropy as the secret and the service's as the seed.
    """
    made = bytearray()
    chained = seed
    while len(made) < length:
        chained = digest(secret, chained, _HASH)
        made += digest(secret, chained + seed, _HASH)
    return bytes(made[:length])
