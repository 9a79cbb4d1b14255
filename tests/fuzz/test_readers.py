"""A short run of the fuzzer, so that it works when it is needed, and so that it would notice what it is there for."""

from collections.abc import Sequence
from random import Random

import pytest
from lxml import etree

from sts.core.exchange import VerifiedToken
from tests.crypto.identities import NOW
from tests.fuzz import readers
from tests.fuzz.mutations import TREE, Mutator
from tests.fuzz.readers import DONORS, HONEST, KINDS, READERS
from tests.fuzz.running import Forged, Tally, fuzz, summary
from tests.tokens.assertions import TRUSTED, edited


@pytest.mark.parametrize("name", KINDS)
def test_changed_assertions_are_refused_or_read_as_they_were_said(name: str) -> None:
    tally = fuzz((name, KINDS[name]), seed=1, executions=1500)
    assert tally.executions == tally.read + sum(tally.refusals.values()) == 1500
    assert tally.read > 0
    assert len(tally.refusals) > 5


@pytest.mark.parametrize("name", READERS)
def test_an_identity_that_nobody_stated_is_noticed(name: str) -> None:
    read: VerifiedToken = READERS[name].read(edited(READERS[name], (">alice<", ">admin<")), TRUSTED, NOW)
    with pytest.raises(Forged):
        readers.require_honest(name, read)


@pytest.mark.parametrize("seed", range(50))
def test_the_same_seed_changes_the_same_way(seed: int) -> None:
    honest = HONEST["saml20"][0]
    first, second = (Mutator(Random(seed), DONORS).changed(honest) for _ in range(2))
    assert first == second


def test_every_change_of_the_tree_changes_something() -> None:
    honest = HONEST["saml20"][0]
    for change in TREE:
        assert any(_changes(change, seed, DONORS) != honest for seed in range(20)), change


def _changes(change: object, seed: int, donors: Sequence[bytes]) -> bytes:
    root = etree.fromstring(HONEST["saml20"][0])
    change(Random(seed), root, donors)  # type: ignore[operator]
    changed: bytes = etree.tostring(root)
    return changed


def test_the_summary_counts() -> None:
    tally = Tally(3, 1)
    tally.add(Tally(2, 0))
    tally.refusals["syntax"] += 4
    assert list(summary({"plain": tally})) == [
        "plain: 5 executions, 1 taken as said, nothing forged",
        "           4 refused: syntax",
        "all: 5 executions, nobody's identity forged, no internal error",
    ]
