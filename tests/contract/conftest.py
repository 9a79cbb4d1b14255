"""The fixtures of the contract suites."""

from tests.contract.fixtures import backend, database_url, postgresql_server, sql

__all__ = ["backend", "database_url", "postgresql_server", "sql"]
