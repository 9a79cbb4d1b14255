"""Which registered realms a requested one may mean (design, section 4; acs.md, 1.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sts.core.errors import BadRequest
from sts.core.realms import MAX_CANDIDATES, candidates

# (registered, requested, whether it matches)
MATCHES = [
    ("https://a.example/app", "https://a.example/app", True),
    ("https://a.example/app/", "https://a.example/app/x", True),
    ("https://a.example/app", "https://a.example/app/x", True),
    ("https://a.example/app", "https://a.example/app?x=1", True),
    ("https://a.example/app", "https://a.example/app#x", True),
    ("https://a.example/app?", "https://a.example/app?x=1", True),
    ("https://a.example/app", "https://a.example/app2", False),
    ("https://a.example/app/", "https://a.example/app", False),
    ("https://a.example", "https://a.example.evil.com/", False),
    ("https://a.example", "https://a.example@evil.com/", False),
    ("https://a.example", "https://a.example:8443/", False),
    ("https://a.example", "https://a.example/", True),
    ("https://a.example/App", "https://a.example/app", False),
    ("https://", "https://a.example/", False),
    ("https:", "https://a.example/", False),
    ("urn:orders", "urn:orders", True),
    ("urn:orders", "urn:orders:eu", False),
    ("urn:orders", "urn:orders/eu", True),
    ("urn:orders", "urn:orders?from=https://a.example/", True),
]


@pytest.mark.parametrize(("registered", "requested", "expected"), MATCHES)
def test_a_registered_realm_matches_exactly_or_as_a_prefix_at_a_boundary(registered, requested, expected):
    assert (registered in candidates(requested)) is expected


def test_the_longest_candidate_comes_first():
    found = candidates("https://a.example/b/c?d")
    assert found == tuple(sorted(found, key=len, reverse=True))
    assert found[0] == "https://a.example/b/c?d"


@given(st.text(alphabet="ab/?#:.", min_size=1, max_size=200))
def test_there_are_never_more_than_32_candidates_and_all_are_prefixes(realm):
    found = candidates(realm)
    assert len(found) <= MAX_CANDIDATES
    assert all(realm.startswith(prefix) for prefix in found)
    assert len(set(found)) == len(found)


def test_a_realm_with_too_many_boundaries_loses_its_shortest_prefixes_never_its_longest():
    realm = "https://a.example/" + "x/" * 100
    found = candidates(realm)
    assert "https://a.example/" not in found
    assert found[1] == realm[:-1]


NO_REALMS = {
    "empty": "",
    "too long": "x" * 2049,
    "a line break": "https://a.example/\r\nX: 1",
    "a control character": "https://a.example/\x01",
    "a noncharacter": "https://a.example/\uffff",
    "a lone surrogate": "https://a.example/\ud800",
}


@pytest.mark.parametrize("realm", NO_REALMS.values(), ids=NO_REALMS.keys())
def test_what_is_no_realm_is_refused(realm):
    with pytest.raises(BadRequest):
        candidates(realm)
