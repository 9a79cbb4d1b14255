"""What the service counts, in the text format of Prometheus; summed over the workers where they share a folder."""

import os
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from sts.core.exchange import IssuedToken

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"  # set before the workers start, by `sts serve`
_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0)


def latest(name: str, text: str, registry: CollectorRegistry) -> Gauge:
    """A gauge of which, of several processes, the one that looked last is right."""
    return Gauge(name, text, registry=registry, multiprocess_mode="mostrecent")


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "sts_requests", "Requests by door and HTTP status.", ("door", "status"), registry=self.registry
        )
        self._issued = Counter("sts_tokens_issued", "Tokens issued by format.", ("format",), registry=self.registry)
        self._seconds = Histogram(
            "sts_request_seconds", "Time to answer by door.", ("door",), registry=self.registry, buckets=_BUCKETS
        )
        self._unrecorded = Counter(
            "sts_requests_unrecorded", "Requests that the log could not take.", registry=self.registry
        )
        self._seen: dict[tuple[str, int, str], tuple[Counter, Histogram, Counter | None]] = {}

    def count(self, door: str, status: int, seconds: float, issued: IssuedToken | None) -> None:
        """Count one request; `door` is one of a closed set, never what a caller wrote."""
        key = (door, status, "" if issued is None else issued.format)
        requests, duration, tokens = self._seen.get(key) or self._children(*key)
        requests.inc()
        duration.observe(seconds)
        if tokens is not None:
            tokens.inc()

    def count_unrecorded(self) -> None:
        """Count a request that left no record."""
        self._unrecorded.inc()

    def _children(self, door: str, status: int, token_format: str) -> tuple[Counter, Histogram, Counter | None]:
        """The counters of one combination of labels, kept because looking them up costs more than counting."""
        tokens = self._issued.labels(token_format) if token_format else None
        children = (self._requests.labels(door, str(status)), self._seconds.labels(door), tokens)
        self._seen[door, status, token_format] = children
        return children

    def render(self) -> bytes:
        """Every counter, of all workers where they share a folder."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self.registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call]  # the library does not annotate it
        return generate_latest(everybody)
