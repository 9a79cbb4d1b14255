"""Secret keys that prove whose a token is: made, computed from two parts, and derived for one message."""

from secrets import token_bytes
from typing import Final

from sts.core.errors import BadRequest
from sts.core.p_sha1 import p_sha1
from sts.core.trust import Derivation, KeyRequest, ProofKey

DEFAULT_BITS: Final = 256
SMALLEST_BITS: Final = 128
LARGEST_BITS: Final = 512
LARGEST_ENTROPY: Final = 128  # bytes

DEFAULT_LABEL: Final = b"WS-SecureConversation" * 2  # the client's and the service's, neither of which was named
DEFAULT_LENGTH: Final = 32  # bytes
LARGEST_SEED: Final = 1024  # bytes of label and nonce
LARGEST_REACH: Final = 4096  # bytes of offset and length: each 20 of them cost two hashes


def new_proof_key(request: KeyRequest) -> ProofKey:
    """The secret key of a new token: computed from the caller's entropy and ours, or wholly ours where he sent none.

    Raises BadRequest for a size or an entropy that makes no strong key (WS-Trust 1.3, 4.4.3, 4.4.4 and 9.2).
    """
    bits = DEFAULT_BITS if request.bits is None else request.bits
    if not SMALLEST_BITS <= bits <= LARGEST_BITS or bits % 8:
        raise BadRequest(
            f"No symmetric key of {bits} bits is issued; KeySize is {SMALLEST_BITS} to {LARGEST_BITS} in whole bytes."
        )
    if request.entropy is None:
        return ProofKey(token_bytes(bits // 8), bits)
    if not SMALLEST_BITS <= 8 * len(request.entropy) <= 8 * LARGEST_ENTROPY:
        raise BadRequest(
            f"An Entropy of {8 * len(request.entropy)} bits makes no key; "
            f"send {SMALLEST_BITS} to {8 * LARGEST_ENTROPY} random bits, or none."
        )
    ours = token_bytes(max(bits // 8, DEFAULT_BITS // 8))
    return ProofKey(p_sha1(request.entropy, ours, bits // 8), bits, ours)


def derive(secret: bytes, derivation: Derivation) -> bytes:
    """The key of a DerivedKeyToken, of either version of WS-SecureConversation (1.3, 7).

    Raises BadRequest as `require_derivable` does.
    """
    require_derivable(derivation)
    seed = derivation.label + derivation.nonce
    return p_sha1(secret, seed, derivation.offset + derivation.length)[derivation.offset :]


def require_derivable(derivation: Derivation) -> None:
    """Return if there is such a key; raises BadRequest for one too short to prove anything or that costs too much."""
    offset, length = derivation.offset, derivation.length
    if not SMALLEST_BITS <= 8 * length <= LARGEST_BITS:
        raise BadRequest(
            f"A derived key of {length} bytes is not accepted; it has {SMALLEST_BITS // 8} to {LARGEST_BITS // 8}."
        )
    if offset < 0 or offset + length > LARGEST_REACH or len(derivation.label + derivation.nonce) > LARGEST_SEED:
        raise BadRequest("A derived key reaches too far, or its label and nonce are too long.")
