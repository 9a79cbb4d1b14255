"""Databases and backends for tests: SQLite always, PostgreSQL where it is there."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract import postgresql
from tests.contract.backends import Backend, SqlBackend
from tests.contract.memory import MemoryBackend


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[postgresql.Server]:
    """The session's PostgreSQL server."""
    reason = postgresql.missing()
    if reason:
        pytest.skip(reason)
    with postgresql.running() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/sts.db"
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    return server.new_database()


@pytest.fixture
def sql(database_url: str) -> Iterator[SqlBackend]:
    """One process on a database of each kind."""
    backend = SqlBackend(database_url)
    yield backend
    backend.database.close()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Backend:
    """Each kind of backend."""
    if request.param == "memory":
        return MemoryBackend()
    if request.param == "sqlite":
        return SqlBackend(f"sqlite:///{tmp_path}/sts.db")
    server: postgresql.Server = request.getfixturevalue("postgresql_server")
    return SqlBackend(server.new_database())
