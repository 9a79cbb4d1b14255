"""Threat rows N at `decrypt`, and at the reader behind it: one answer, the reason in the log, equal work."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from sts.core.errors import InvalidEncryptedToken, InvalidSignature
from sts.core.model import KeyTransport
from sts.crypto.xmlenc import decrypt
from sts.tokens import saml20
from tests.crypto.identities import NOW
from tests.threats.encryption import (
    CBC,
    DS,
    GCM,
    MGF_SHA1,
    MGF_SHA256,
    SHA1_DIGEST,
    SHA256_DIGEST,
    TRANSPORTS,
    XENC,
    XENC11,
    Sealing,
    decrypters,
    sealed,
)
from tests.tokens.assertions import TRUSTED, unsigned, written

TOKEN = written(saml20)
UNSIGNED = unsigned(TOKEN).encode()
BOTH = pytest.mark.parametrize("algorithm", [CBC, GCM])
OAEP11 = TRANSPORTS[KeyTransport.RSA_OAEP_11_SHA256]
KEY = "<xenc:EncryptedKey>"
KEY_END = "</xenc:EncryptedKey>"
REFERENCE = '<xenc:CipherReference URI="http://127.0.0.1:1/"/>'


def refusal(encrypted: bytes, algorithm: str, *owners: str) -> tuple[InvalidEncryptedToken, list[int]]:
    """The refusal, and how often each key was used."""
    keys = decrypters(*owners or ("sts", "old"))
    with pytest.raises(InvalidEncryptedToken) as refused:
        decrypt(encrypted, keys, algorithm)
    return refused.value, [key.uses for key in keys]


def replaced(old: str, new: str) -> Callable[[str], str]:
    """A change of the text, which holds what is to be changed."""

    def change(text: str) -> str:
        assert old in text, old
        return text.replace(old, new)

    return change


def key_again(text: str) -> str:
    key = text[text.index(KEY) : text.index(KEY_END) + len(KEY_END)]
    return text.replace(key, key * 2)


def key_beside(text: str) -> str:
    key = text[text.index(KEY) : text.index(KEY_END) + len(KEY_END)]
    alone = key.replace("<xenc:EncryptedKey", f'<xenc:EncryptedKey xmlns:xenc="{XENC}" xmlns:ds="{DS}"')
    return text.replace(f"<ds:KeyInfo>{key}</ds:KeyInfo>", "").replace("</EncryptedA", f"{alone}</EncryptedA")


def data_beside(text: str) -> str:
    data = text[text.index("<xenc:EncryptedData") : text.index("</EncryptedAssertion>")]
    return text.replace(data, data * 2)


def flip(position: int) -> Callable[[bytes], bytes]:
    """Change one byte."""

    def change(data: bytes) -> bytes:
        changed = bytearray(data)
        changed[position] ^= 1
        return bytes(changed)

    return change


# What is refused from public text alone, before a key is used.
BEFORE_A_KEY = {
    "N05": (Sealing(CBC), GCM, "algorithm"),
    "N06": (Sealing(GCM, method=XENC + "aes256-cbc"), GCM, "algorithm"),
    "N06 the other way": (Sealing(CBC, method=XENC11 + "aes256-gcm"), CBC, "algorithm"),
    "N07": (Sealing(transport=replace(OAEP11, algorithm=XENC + "rsa-1_5", parameters="")), GCM, "algorithm"),
    "N13": (Sealing(change=key_again), GCM, "structure: 2 of EncryptedKey"),
    "N13 beside": (Sealing(change=key_beside), GCM, "structure"),
    "N13 none": (Sealing(change=replaced("EncryptedKey", "EncryptionProperties")), GCM, "structure: 0 of EncryptedKey"),
    "N14": (Sealing(change=replaced("<xenc:CipherValue>", f"{REFERENCE}<xenc:CipherValue>")), GCM, "structure"),
    "N14 alone": (
        Sealing(change=lambda text: text[: text.rindex("<xenc:CipherValue>")] + REFERENCE + text[-60:]),
        GCM,
        "structure",
    ),
    "N15": (Sealing(change=replaced(KEY, f'<ds:RetrievalMethod URI="#k"/>{KEY}')), GCM, "structure"),
    "N15 in the hint": (
        Sealing(change=replaced("<ds:KeyName>any</ds:KeyName>", '<ds:RetrievalMethod URI="#k"/>')),
        GCM,
        "structure: RetrievalMethod",
    ),
    "N16": (
        Sealing(
            change=replaced("<xenc:CipherValue>", "<xenc:CipherReference><xenc:Transforms/></xenc:CipherReference>")
        ),
        GCM,
        "s",
    ),
    "N16 in the hint": (
        Sealing(change=replaced("<ds:KeyName>any</ds:KeyName>", "<ds:Transforms><ds:Transform/></ds:Transforms>")),
        GCM,
        "structure: Transform",
    ),
    "N17 name": (
        Sealing(change=replaced(KEY_END, f"<xenc:CarriedKeyName>a</xenc:CarriedKeyName>{KEY_END}")),
        GCM,
        "structure: CarriedKeyName",
    ),
    "N17 list": (
        Sealing(change=replaced(KEY_END, f"<xenc:ReferenceList/>{KEY_END}")),
        GCM,
        "structure: ReferenceList",
    ),
    "N17 nested": (
        Sealing(change=replaced("<ds:KeyName>any</ds:KeyName>", "<xenc:EncryptedData/>")),
        GCM,
        "structure: 2 of EncryptedData",
    ),
    "N17 beside": (Sealing(change=data_beside), GCM, "structure: 2 of EncryptedData"),
    "N19 3DES": (Sealing(method=XENC + "tripledes-cbc"), GCM, "algorithm"),
    "N19 AES-128": (Sealing(CBC, method=XENC + "aes128-cbc"), CBC, "algorithm"),
    "N19 AES-128-GCM": (Sealing(method=XENC11 + "aes128-gcm"), GCM, "algorithm"),
    "N19 key wrap": (Sealing(transport=replace(OAEP11, algorithm=XENC + "kw-aes256")), GCM, "algorithm"),
    "N20": (Sealing(change=replaced("</xenc:CipherValue>", "!</xenc:CipherValue>")), GCM, "structure: CipherValue"),
    "N20 blank": (
        Sealing(change=replaced("</xenc:CipherValue>", "\u00a0</xenc:CipherValue>")),
        GCM,
        "structure: CipherValue",
    ),
    "N21": (
        Sealing(transport=replace(TRANSPORTS["default"], parameters=SHA256_DIGEST + MGF_SHA256)),
        GCM,
        "algorithm",
    ),
    "N21 mixed": (Sealing(transport=replace(OAEP11, parameters=SHA256_DIGEST + MGF_SHA1)), GCM, "algorithm"),
    "N21 no mask": (Sealing(transport=replace(OAEP11, parameters=SHA256_DIGEST)), GCM, "algorithm"),
    "digest twice": (
        Sealing(transport=replace(OAEP11, parameters=SHA1_DIGEST + SHA256_DIGEST + MGF_SHA256)),
        GCM,
        "algorithm",
    ),
    "OAEP parameters": (
        Sealing(transport=replace(OAEP11, parameters=OAEP11.parameters + "<xenc:OAEPparams>AA==</xenc:OAEPparams>")),
        GCM,
        "algorithm",
    ),
    "content of an element": (Sealing(change=replaced("#Element", "#Content")), GCM, "structure"),
    "assertion beside": (Sealing(change=replaced("</Enc", "<Assertion/></Enc")), GCM, "structure: Assertion"),
    "shorter than a tag": (Sealing(change_content=lambda data: data[:27]), GCM, "structure: 27 bytes"),
    "half a block": (Sealing(CBC, change_content=lambda data: data[:-8]), CBC, "structure: "),
    "no block": (Sealing(CBC, change_content=lambda data: data[:16]), CBC, "structure: 16 bytes"),
    "X05": (Sealing(change=lambda text: "<!DOCTYPE x>" + text), GCM, "DTD"),
    "not encrypted": (Sealing(change=lambda text: TOKEN.decode()), GCM, "structure: "),
}


@pytest.mark.parametrize("row", BEFORE_A_KEY)
def test_wrong_structure_or_algorithm_is_refused_before_a_key_is_used(row: str) -> None:
    sealing, pinned, reason = BEFORE_A_KEY[row]
    refused, uses = refusal(sealed(TOKEN, sealing), pinned)
    assert (refused.detail or "").startswith(reason)
    assert uses == [0, 0]


AFTER_A_KEY = {
    "N08": Sealing(GCM, change_content=lambda data: data[:-12]),
    "N09": Sealing(owner="stranger"),
    "N09 in CBC": Sealing(CBC, owner="stranger"),
    "N10": Sealing(change_key=flip(100)),
    "N10 in CBC": Sealing(CBC, change_key=flip(100)),
    "N11": Sealing(change_content=flip(-1)),
    "N11 nonce": Sealing(change_content=flip(0)),
    "N18": Sealing(owner="idp"),
    "N21 but not so": Sealing(transport=replace(TRANSPORTS["default"], parameters=SHA256_DIGEST)),
    "N21 mask not so": Sealing(transport=replace(OAEP11, mask_digest=TRANSPORTS["default"].digest)),
    "N22": Sealing(content_key=bytes(16)),
    "N22 in CBC": Sealing(CBC, content_key=bytes(16)),
    "N22 longer": Sealing(content_key=bytes(24)),
    "key of another length": Sealing(change_key=lambda data: data[:-1]),
    "no key": Sealing(change_key=lambda data: b""),
    "greatest key": Sealing(change_key=lambda data: b"\xff" * len(data)),
}


@pytest.mark.parametrize("row", AFTER_A_KEY)
def test_what_does_not_open_is_refused_after_every_key_was_tried_once(row: str) -> None:
    sealing = AFTER_A_KEY[row]
    refused, uses = refusal(sealed(TOKEN, sealing), sealing.algorithm)
    assert (refused.detail or "").startswith(("key: ", "content: "))
    assert uses == [1, 1]


@BOTH
@pytest.mark.parametrize("owner", ["sts", "old", "older"])
def test_every_key_is_tried_once_whichever_fits(algorithm: str, owner: str) -> None:
    keys = decrypters("sts", "old", "older")
    assert decrypt(sealed(TOKEN, Sealing(algorithm, owner=owner)), keys, algorithm) == TOKEN
    assert [key.uses for key in keys] == [1, 1, 1]


def test_without_any_key_the_answer_is_the_same() -> None:
    with pytest.raises(InvalidEncryptedToken) as refused:
        decrypt(sealed(TOKEN, Sealing()), [], GCM)
    assert refused.value.detail == "key: none of our 0 opens it"


@pytest.mark.parametrize("bits", range(1, 256))
def test_n01_any_last_byte_of_cbc_has_one_answer(bits: int) -> None:
    """The last block holds fifteen bytes of the assertion: a changed one spoils them, whatever the padding says."""
    whole = b"\n" * (-len(TOKEN) % 16 + 15) + TOKEN
    sealing = Sealing(CBC, change_content=lambda data: data[:-1] + bytes([data[-1] ^ bits]))
    refused, uses = refusal(sealed(whole, sealing), CBC)
    assert refused.message == "The encrypted token is not valid."
    assert uses == [1, 1]


OTHER_CONTENT = {
    "N02": b"what is no XML",
    "N02 empty": b"",
    "N02 cut": TOKEN[:-1],
    "N03": UNSIGNED,
    "N12": UNSIGNED,
    "XML of another kind": b"<a/>",
    "two": TOKEN * 2,
    "bomb": b"<!DOCTYPE x>" + TOKEN,
    "itself encrypted": sealed(TOKEN, Sealing()),
}


@pytest.mark.parametrize("row", OTHER_CONTENT)
def test_cbc_content_that_is_no_signed_assertion_has_the_same_answer(row: str) -> None:
    refused, uses = refusal(sealed(OTHER_CONTENT[row], Sealing(CBC)), CBC)
    assert (refused.detail or "").startswith("content: ")
    assert uses == [1, 1]


def test_n12_encrypted_unsigned_assertion_is_refused_by_the_reader() -> None:
    plaintext = decrypt(sealed(UNSIGNED, Sealing(GCM)), decrypters("sts"), GCM)
    with pytest.raises(InvalidSignature) as refused:
        saml20.read(plaintext, TRUSTED, NOW)
    assert (refused.value.detail or "").startswith("signature count: 0")


def test_all_refusals_look_the_same_to_the_caller() -> None:
    refusals = [refusal(sealed(TOKEN, sealing), pinned)[0] for sealing, pinned, _ in BEFORE_A_KEY.values()]
    refusals += [refusal(sealed(TOKEN, sealing), sealing.algorithm)[0] for sealing in AFTER_A_KEY.values()]
    refusals += [refusal(sealed(content, Sealing(CBC)), CBC)[0] for content in OTHER_CONTENT.values()]
    assert {(type(refused), refused.codes) for refused in refusals} == {
        (InvalidEncryptedToken, "ACS50008: The encrypted token is not valid.")
    }
