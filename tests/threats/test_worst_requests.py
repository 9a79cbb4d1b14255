"""The structure of the dearest requests: what is measured in `benchmarks/worst.py` goes all the way to the keys."""

from collections.abc import Iterator

import pytest

from benchmarks import worst_messages
from benchmarks.worst_assertions import Genes, Victim, document
from benchmarks.worst_messages import ENDPOINTS, Besieged, besieged
from sts.core.errors import AuthenticationFailed, InvalidEncryptedToken, InvalidSignature, StsError
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


@pytest.fixture(scope="module")
def service() -> Iterator[Besieged]:
    with besieged() as made:
        yield made


MESSAGES = {
    "small": worst_messages.Genes(),
    "elements in the request": worst_messages.Genes(elements=MESSAGE.elements - 80),
    "elements in a header": worst_messages.Genes(elements=MESSAGE.elements - 80, place=1),
    "elements in KeyInfo": worst_messages.Genes(elements=MESSAGE.elements - 120, place=2),
    "attributes": worst_messages.Genes(elements=MESSAGE.all_attributes // 8 - 20, attributes=8),
    "prefixes": worst_messages.Genes(elements=1800, depth=40, declarations=40, prefix=20, inclusive=16),
    "headers": worst_messages.Genes(headers=MESSAGE.elements - 80),
    "a collection": worst_messages.Genes(requests=16, claims=80),
    "a header that is signed, too": worst_messages.Genes(more=1),
    "text": worst_messages.Genes(elements=1, text=MESSAGE.size // 3),
}
BEYOND_MESSAGES = {
    "elements": worst_messages.Genes(elements=MESSAGE.elements),
    "declarations": worst_messages.Genes(declarations=MESSAGE.declarations),
    "depth": worst_messages.Genes(depth=260),
    "headers": worst_messages.Genes(headers=MESSAGE.elements),
    "headers that must be understood": worst_messages.Genes(headers=1, understood=1),
    "timestamps": worst_messages.Genes(timestamps=1),
    "references": worst_messages.Genes(references=12),
    "inclusive prefixes": worst_messages.Genes(inclusive=17),
    "requests": worst_messages.Genes(requests=17),
}
BEYOND_ALL = [
    (endpoint, size)
    for endpoint in ENDPOINTS
    for size in BEYOND_MESSAGES
    if endpoint != "issuedtoken-bearer" or size not in ("references", "inclusive prefixes")  # it takes no signature
]


@pytest.mark.parametrize("size", MESSAGES)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_message_within_the_limits_is_refused_for_whose_it_is(service: Besieged, endpoint: str, size: str) -> None:
    door = service.doors()[f"wstrust {endpoint}"]
    with pytest.raises(StsError) as refused:
        door.refuse(door.body(MESSAGES[size]))
    detail = refused.value.detail or ""
    if endpoint == "certificate":
        assert isinstance(refused.value, AuthenticationFailed)
        assert "no CA that is trusted now is its issuer" in detail
    else:
        assert isinstance(refused.value, InvalidSignature)
        assert detail.endswith("by none of 8 strong and valid certificates")


@pytest.mark.parametrize(("endpoint", "size"), BEYOND_ALL)
def test_a_message_beyond_a_limit_is_refused_before_anybody_asks_whose_it_is(
    service: Besieged, endpoint: str, size: str
) -> None:
    door = service.doors()[f"wstrust {endpoint}"]
    with pytest.raises(StsError) as refused:
        door.refuse(door.body(BEYOND_MESSAGES[size]))
    detail = refused.value.detail or ""
    assert not isinstance(refused.value, AuthenticationFailed)
    assert "strong and valid certificates" not in detail
