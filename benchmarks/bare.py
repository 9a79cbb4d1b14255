"""The peer to compare with: the smallest Flask view that signs once with RSA-2048 and does nothing else.

`granian --interface wsgi benchmarks.bare:application` serves it.
"""

from flask import Flask

from benchmarks.raw import Operation, operation

application = Flask(__name__)


@application.post("/sign")
def sign() -> bytes:
    """One signature."""
    return operation(Operation.RSA2048)()
