"""What views have at hand while they answer a request, and what they leave behind for the edge's record of it."""

from collections.abc import Callable
from typing import Final, NamedTuple

from flask import Response, current_app, request

from sts.assemble import Service
from sts.core.errors import StsError
from sts.core.exchange import IssuedToken
from sts.protocols.http import Answer
from sts.web.arrival import Arrival

ARRIVAL: Final = "sts.arrival"  # where the edge leaves what it found out about the request
ERROR: Final = "sts.error"  # where it looks for what was refused
ISSUED: Final = "sts.issued"  # where it looks for the token that was issued
NOTED: Final = "sts.noted"  # where it looks for more to record
HELD: Final = "sts.held"  # where it looks for what is not handed out without its record


class Held(NamedTuple):
    """What is not handed out without its record, and what is answered instead."""

    what: str
    refuse: Callable[[StsError, str], Answer]  # of the error and the trace id


def current_service() -> Service:
    """The service."""
    service: Service = current_app.extensions["sts"]
    return service


def current_arrival() -> Arrival:
    """What the edge found out about this request."""
    arrival: Arrival = request.environ[ARRIVAL]
    return arrival


def note(**members: object) -> None:
    """Have these members in the request's record, besides those noted before."""
    request.environ[NOTED] = {**request.environ.get(NOTED, {}), **members}


def note_issued(issued: IssuedToken) -> None:
    """Have the token's members in the request's record; without it the token is not handed out."""
    request.environ[ISSUED] = issued


def hold(what: str, refuse: Callable[[StsError, str], Answer]) -> None:
    """Hand out what was issued only once the request is recorded; else the answer is what `refuse` makes of that."""
    request.environ[HELD] = Held(what, refuse)


def note_error(error: StsError) -> None:
    """Have the record tell why the request was refused."""
    request.environ[ERROR] = error


def response(answer: Answer) -> Response:
    """A protocol's answer as the framework's."""
    return Response(answer.body, answer.status, list(answer.headers))


def refused(error: StsError, answer: Answer) -> Response:
    """The same, where it refuses: the record tells the true reason."""
    note_error(error)
    return response(answer)
