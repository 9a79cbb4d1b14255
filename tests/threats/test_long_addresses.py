"""Addresses of any length: neither the log nor the answer repeats more of them than anybody needs."""

import pytest

from tests.flows.world import World

LONG = "a" * 60_000


@pytest.mark.parametrize("path", [f"/{LONG}/oauth2/token", f"/{LONG}/WRAPv0.9", f"/{LONG}", f"/contoso/{LONG}"])
def test_a_long_address_leaves_a_short_record_and_answer(world: World, path: str) -> None:
    answer = world.client.post(path, base_url="http://127.0.0.1:8000", data={"grant_type": "x"})
    assert answer.status_code in (400, 404)
    assert len(answer.data) < 1_000
    assert len(world.log.read_bytes()) < 2_000
