"""The fixtures of the contract suites."""

from tests.contract.fixtures import backend, postgresql_server

__all__ = ["backend", "postgresql_server"]
