"""Sends the messages of a session one after the other, and counts what becomes of them."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.sessions.messages import BAD, GOOD, Scene, Sent, Verdict, chosen

SOAP11_CALLER = re.compile(rb"<faultcode>[A-Za-z0-9]+:Client</faultcode>|:MustUnderstand</faultcode>")
ASSERTION = re.compile(rb"<Assertion .*?</Assertion>", re.DOTALL)
Send = Callable[[Sent], tuple[int, bytes]]  # answers the status and the body


@dataclass
class Tally:
    """How many messages were answered how, and those that were answered wrongly."""

    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    @property
    def count(self) -> int:
        """How many there were."""
        return sum(self.statuses.values())

    def note(self, name: str, message: Sent, status: int, body: bytes) -> None:
        """Count one."""
        self.statuses[status] += 1
        self.kinds[name] += 1
        failed = status >= 500 and SOAP11_CALLER.search(body) is None  # SOAP 1.1 has every fault answered with 500
        became = Verdict.GRANTED if status == 200 else Verdict.REFUSED
        if failed or message.verdict not in (Verdict.EITHER, became):
            self.wrong.append(f"{name}: {status} {body[:600]!r}")


def run(scene: Callable[[], Scene], send: Send, count: int, tally: Tally) -> None:
    """Send so many messages, each from the scene as it is by then."""
    for _ in range(count):
        place = scene()
        name, message = chosen(place)
        _follow(place, name, message, send, tally)


def run_each(scene: Callable[[], Scene], send: Send, tally: Tally) -> None:
    """Send one message of every kind."""
    for name, kind in {**GOOD, **BAD}.items():
        place = scene()
        _follow(place, name, kind(place), send, tally)


def _follow(place: Scene, name: str, message: Sent, send: Send, tally: Tally) -> None:
    status, body = send(message)
    tally.note(name, message, status, body)
    issued = ASSERTION.search(body) if status == 200 else None
    if issued is not None and name in ("a SAML 2.0 assertion", "to renew"):
        place.tokens.append(issued[0].decode())
