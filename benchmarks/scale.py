"""Does issuing depend on how much is configured? One of many relying parties or namespaces, against one of few.

SWT, because its signature is too cheap to hide anything.
"""

import sys
import time
from dataclasses import replace

from benchmarks.inprocess import compare, issuing, open_service
from benchmarks.service import NAMESPACE, installed
from sts.assemble import Service
from sts.store import namespaces, relying_parties

RELYING_PARTIES = 100_000
NAMESPACES = 10_000
TURNS = 12
GOAL = 1.1


def add_relying_parties(service: Service, count: int) -> None:
    """Fill the namespace with others beside the measured ones."""
    database = service.installation.database
    with database.changing("benchmark", service.clock()) as change:
        namespace = namespaces.find(change.connection, service.settings.base_url, NAMESPACE)
        pattern = relying_parties.find(change.connection, namespace, "swt")
        for number in range(count):
            other = replace(pattern, id=0, name=f"other-{number}", realm=f"https://other-{number}.example/")
            relying_parties.save(change, namespace, other)
        change.audit(NAMESPACE, "benchmark.fill", NAMESPACE, {"relying_parties": count})


def add_namespaces(service: Service, count: int) -> None:
    """Fill the installation with other namespaces; they need no credentials to be in the way."""
    database = service.installation.database
    with database.changing("benchmark", service.clock()) as change:
        pattern = namespaces.find(change.connection, service.settings.base_url, NAMESPACE)
        for number in range(count):
            namespaces.save(change, replace(pattern, id=0, name=f"other-{number}", hosts=(), credentials=()))
        change.audit(NAMESPACE, "benchmark.fill", NAMESPACE, {"namespaces": count})


def main() -> None:
    """Print the two ratios."""
    for what, count, add in (
        ("relying parties", RELYING_PARTIES, add_relying_parties),
        ("namespaces", NAMESPACES, add_namespaces),
    ):
        with installed() as small, installed() as large:
            few, many = open_service(small), open_service(large)
            begun = time.perf_counter()
            add(many, count)
            print(f"made {count} {what} in {time.perf_counter() - begun:.0f} s", file=sys.stderr)
            begun = time.perf_counter()
            once = issuing(many, "swt")
            cold = time.perf_counter() - begun
            ratio = compare(issuing(few, "swt"), once, TURNS)
            print(
                f"one of {count:,} {what}: {ratio:.2f} x one of few (goal {GOAL}); the first token {cold * 1000:.0f} ms"
            )


if __name__ == "__main__":
    main()
