"""Databases as an earlier version of the service left them."""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa
from alembic import command
from alembic.config import Config


@contextmanager
def earlier_schema(url: str, revision: str) -> Iterator[sa.Connection]:
    """A transaction on a new database that has the schema of a revision."""
    config = Config()
    config.set_main_option("script_location", "sts.store:migrations")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        yield connection
    engine.dispose()
