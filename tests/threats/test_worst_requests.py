"""The structure of the dearest requests: what is measured in `benchmarks/worst.py` goes all the way to the keys."""

import pytest

from benchmarks.worst import Genes, Victim, document
from sts.core.errors import InvalidEncryptedToken, InvalidSignature, StsError
from sts.crypto.xml import MESSAGE, parse

DOORS = Victim.make().doors()
LARGEST = {
    "elements": Genes(elements=MESSAGE.elements - 40),
    "attributes of an element": Genes(attributes=MESSAGE.attributes),
    "attributes": Genes(elements=MESSAGE.all_attributes // 8 - 20, attributes=8),
    "declarations": Genes(declarations=MESSAGE.declarations - 8),
    "depth": Genes(depth=240),
    "claims": Genes(elements=MESSAGE.elements // 2 - 40, where=2),
    "text": Genes(padding=MESSAGE.size * 2 // 3),
    "claims of SAML 1.1": Genes(elements=MESSAGE.elements // 2 - 40, where=2, old=1),
    "escaped": Genes(escaped=1, padding=MESSAGE.size // 4),
}
BEYOND = {
    "elements": Genes(elements=MESSAGE.elements),
    "attributes of an element": Genes(attributes=MESSAGE.attributes + 1),
    "attributes": Genes(elements=MESSAGE.all_attributes // 8 + 1, attributes=8),
    "declarations": Genes(declarations=MESSAGE.declarations),
    "depth": Genes(depth=260),
}


@pytest.mark.parametrize("size", LARGEST)
@pytest.mark.parametrize("door", ["sign-in", "exchange"])
def test_a_request_within_the_limits_is_refused_for_its_signature(door: str, size: str) -> None:
    with pytest.raises(InvalidSignature) as refused:
        DOORS[door].refuse(DOORS[door].body(LARGEST[size]))
    assert (refused.value.detail or "").endswith("by none of 8 strong and valid certificates")


@pytest.mark.parametrize("size", LARGEST)
@pytest.mark.parametrize("door", ["sign-in, encrypted", "exchange, encrypted"])
def test_an_encrypted_request_within_the_limits_is_opened_and_refused_for_its_signature(door: str, size: str) -> None:
    with pytest.raises(InvalidSignature) as refused:
        DOORS[door].refuse(DOORS[door].body(LARGEST[size]))
    assert (refused.value.detail or "").endswith("by none of 8 strong and valid certificates")


@pytest.mark.parametrize("size", BEYOND)
@pytest.mark.parametrize("door", DOORS)
def test_a_request_beyond_a_limit_is_refused_for_its_shape(door: str, size: str) -> None:
    with pytest.raises(StsError) as refused:
        DOORS[door].refuse(DOORS[door].body(BEYOND[size]))
    assert not isinstance(refused.value, InvalidSignature)
    assert isinstance(refused.value, InvalidEncryptedToken) is door.endswith("encrypted")


def test_a_document_grows_within_its_room() -> None:
    for size in LARGEST.values():
        assert len(document(size, MESSAGE.size)) <= MESSAGE.size
        assert parse(document(size, MESSAGE.size)) is not None
