"""The fixtures of the store's tests."""

from tests.contract.fixtures import database_url, postgresql_server, sql

__all__ = ["database_url", "postgresql_server", "sql"]
