"""Tokens in process: `core.issue.issue` with everything behind it, in turns with the raw operation, without HTTP."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from statistics import median

from benchmarks.raw import Rate, operation, repeat, total
from benchmarks.service import CLIENT, NAMESPACE, OPERATIONS, SECRET, Installation
from sts.assemble import Service, assemble
from sts.core.exchange import IssuedToken, PasswordProof, TokenRequest
from sts.core.issue import issue
from sts.core.model import TokenFormat
from sts.settings import Settings

SLICE = 0.25  # seconds; short, so that what disturbs the machine disturbs both sides of a ratio


def open_service(installation: Installation) -> Service:
    """The service of that home, in this process."""
    return assemble(Settings.from_environ(installation.environ))


def issuing(service: Service, relying_party: str) -> Callable[[], IssuedToken]:
    """A function that issues one token for that relying party, warm."""
    request = TokenRequest(
        namespace=NAMESPACE,
        realm=f"https://{relying_party}.example/",
        proof=PasswordProof(CLIENT, SECRET.encode()),
        formats=frozenset(TokenFormat),
        source="127.0.0.1",
        trace_id="benchmark",
    )

    def once() -> IssuedToken:
        return issue(request, service.parts, service.clock())

    once()
    return once


def measure(service: Service, relying_party: str, turns: int) -> tuple[Rate, float | None]:
    """The rate of tokens, and the median over the turns of its ratio to the raw rate before and after."""
    once, name = issuing(service, relying_party), OPERATIONS[relying_party]
    if name is None:
        return total([repeat(once, SLICE) for _ in range(turns)]), None
    raw = partial(repeat, operation(name), SLICE)
    raws, tokens = [raw()], []
    for _ in range(turns):
        tokens.append(repeat(once, SLICE))
        raws.append(raw())
    ratios = [
        token.per_cpu_second * 2 / (before.per_cpu_second + after.per_cpu_second)
        for token, (before, after) in zip(tokens, pairwise(raws), strict=True)
    ]
    return total(tokens), median(ratios)


def compare(one: Callable[[], object], other: Callable[[], object], turns: int) -> float:
    """How much longer the other takes: the median over the turns."""
    pairs = [(repeat(one, SLICE), repeat(other, SLICE)) for _ in range(turns)]
    return median(first.per_cpu_second / second.per_cpu_second for first, second in pairs)
