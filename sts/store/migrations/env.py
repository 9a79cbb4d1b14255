"""Alembic's entry: migrates over the connection that `Database.migrate` opened, in its transaction."""

from alembic import context

from sts.store.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
context.run_migrations()
