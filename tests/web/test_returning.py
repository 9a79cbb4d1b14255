"""What an identity provider sends back is answered before Flask as its view would answer it."""

import re
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest

from tests.flows.people import Page, Person
from tests.flows.signing_in import ADFS, configured
from tests.flows.world import World, lend

_PARTICULAR = re.compile(r"(?<=session-contoso=)[^;]+")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A service at an https address."""
    yield from lend(configured(tmp_path_factory.mktemp("returning"), base_url="https://sts.example"))


def _brought(world: World, field: str, **sign_in: str) -> Page:
    """The answer to a token in a field of this name, as it stands in the body."""
    person = Person(world)
    state = ADFS.asked_by(person.sign_in("jwt", **sign_in))
    rest = urlencode({"wa": "wsignin1.0", "wctx": state})
    token = urlencode({"": ADFS.answer(world)})
    return person._open("POST", person.at(), f"{rest}&{field}{token}".encode())


def _headers(page: Page) -> list[tuple[str, str]]:
    told = [(name, _PARTICULAR.sub("", value)) for name, value in page.answer.headers if name != "Request-Id"]
    return [(name, value) for name, value in told if name != "Content-Length"]


@pytest.mark.parametrize("sign_in", [{}, {"protocol": "javascriptnotify"}, {"wctx": "rm=0&id=passive"}])
def test_answer_and_record_are_those_of_the_view(world: World, sign_in: dict[str, str]) -> None:
    early, early_record = _brought(world, "wresult", **sign_in), world.records()[-1]
    late, late_record = _brought(world, "wresul%74", **sign_in), world.records()[-1]
    assert early.status == late.status == 200
    assert [name for name, _ in early.answer.headers] == [name for name, _ in late.answer.headers]
    assert _headers(early) == _headers(late)
    assert (early.action, early.fields.keys(), early.policy) == (late.action, late.fields.keys(), late.policy)
    assert list(early_record) == list(late_record)
    assert early_record["provider"] == late_record["provider"] == "adfs"


def test_refusal_is_that_of_the_view(world: World) -> None:
    pages = []
    for field in ("wresult", "wresul%74"):
        person = Person(world)
        state = ADFS.asked_by(person.sign_in("jwt"))
        rest = urlencode({"wa": "wsignin1.0", "wctx": state})
        page = person._open("POST", person.at(), f"{rest}&{field}=%3Cno%2F%3E".encode())
        record = {**world.records()[-1], "at": "", "trace_id": "", "ms": 0}
        pages.append((page.status, page.heading, _headers(page), record))
    assert pages[0] == pages[1]
    assert pages[0][0] != 200
