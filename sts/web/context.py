"""What views have at hand while they answer a request, and what they leave behind for the edge's record of it."""

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from flask import Response, current_app, request

from sts.assemble import Service
from sts.core.errors import StsError
from sts.protocols.http import Answer
from sts.web.arrival import Arrival

ARRIVAL: Final = "sts.arrival"  # where the edge leaves what it found out about the request
ERROR: Final = "sts.error"  # where it looks for what was refused
NOTED: Final = "sts.noted"  # where it looks for what was issued, which is not handed out without its record


class Noted(NamedTuple):
    """What a view issued, and how it refuses."""

    members: Mapping[str, object]  # of the record
    refuse: Callable[[StsError, str], Answer]


def current_service() -> Service:
    """The service."""
    service: Service = current_app.extensions["sts"]
    return service


def current_arrival() -> Arrival:
    """What the edge found out about this request."""
    arrival: Arrival = request.environ[ARRIVAL]
    return arrival


def note(refuse: Callable[[StsError, str], Answer], **members: object) -> None:
    """Have these members in the request's record; if there can be none, the answer is what `refuse` makes of that."""
    request.environ[NOTED] = Noted(members, refuse)


def response(answer: Answer) -> Response:
    """A protocol's answer as the framework's."""
    return Response(answer.body, answer.status, list(answer.headers))


def refused(error: StsError, answer: Answer) -> Response:
    """The same, where it refuses: the record tells the true reason."""
    request.environ[ERROR] = error
    return response(answer)
